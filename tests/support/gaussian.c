/* A Gaussian energy, and short ways to a sampler. */
#include "gaussian.h"

#include "ebm_test.h"

ebm_sampler *test_langevin(ebm_context *context, double steps, double step,
                           double std)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, step));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, std));
    return sampler;
}

double test_statistic(const ebm_sampler *sampler, ebm_sampler_statistic key)
{
    double value = NAN;
    assert_ok(ebm_sampler_get_statistic(sampler, key, &value));
    return value;
}

float *test_states(const ebm_chains *chains)
{
    size_t height, width, channels, n = ebm_chains_count(chains);
    assert_ok(ebm_chains_shape(chains, &height, &width, &channels));
    size_t size = n * height * width * channels;
    float *copy = test_floats(size);
    memcpy(copy, ebm_chains_states(chains), size * sizeof *copy);
    return copy;
}

static int gaussian_energy_grad(const float *params, const float *x,
                                const int32_t *labels, size_t n, float *energy,
                                float *grad, void *user)
{
    test_gaussian *g = user;
    (void)params;
    (void)labels;
    g->calls++;
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (size_t j = 0; j < g->size; j++) {
            float v = x[i * g->size + j];
            sum += v * v;
            grad[i * g->size + j] = g->theta * v;
        }
        energy[i] = g->theta * sum / 2;
    }
    if (g->calls == g->spoil_call) {
        energy[g->spoil_row] += g->energy_spoil;
        grad[g->spoil_row * g->size + g->size / 2] += g->grad_spoil;
    }
    return g->calls == g->fail_call;
}

ebm_model *test_gaussian_model(ebm_context *context, test_gaussian *g)
{
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = gaussian_energy_grad};
    ebm_model *model = NULL;
    assert_ok(
        ebm_model_create_custom(context, 1, g->size, 1, &ops, g, &model));
    return model;
}
