/* Callbacks that change what the call around them works with. */
#include "ebm_test.h"

#include <math.h>
#include <string.h>

enum { N = 6, SIZE = 3 };

/* E = theta |x|^2 / 2, and what its callbacks do besides. */
typedef struct meddler {
    ebm_loss *loss;
    ebm_model *model;
    int sets_weight, writes, borrows, is_nan;
    ebm_loss_kind kind;
    ebm_status answer;
} meddler;

static int energy(const float *params, const float *x, const int32_t *labels,
                  size_t n, float *energies, float *grad, void *user)
{
    const meddler *m = user;
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        energies[i] = 0;
        for (size_t j = i * SIZE; j < (i + 1) * SIZE; j++) {
            energies[i] += params[0] * x[j] * x[j] / 2;
            grad[j] = m->is_nan ? NAN : params[0] * x[j];
        }
    }
    return 0;
}

static int param_grad(const float *params, const float *x,
                      const int32_t *labels, size_t n, const float *scale,
                      float *sum, void *user)
{
    meddler *m = user;
    const float other = 2;
    (void)params, (void)labels;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i * SIZE; j < (i + 1) * SIZE; j++)
            sum[0] += scale[i] * x[j] * x[j] / 2;
    if (m->sets_weight)
        m->answer = ebm_loss_set(m->loss, EBM_LOSS_ENT_WEIGHT, 1);
    if (m->writes)
        m->answer = ebm_model_set_parameters(m->model, 0, &other, 1);
    if (m->borrows) {
        float *lent;
        m->answer = ebm_model_begin_write(m->model, &lent);
        m->borrows = 0;
    }
    return 0;
}

static int tangent(const float *params, const float *x, const int32_t *labels,
                   size_t n, const float *v, const float *scale, float *hv,
                   float *sum, void *user)
{
    (void)labels, (void)user;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i * SIZE; j < (i + 1) * SIZE; j++) {
            hv[j] = params[0] * v[j];
            if (sum)
                sum[0] += scale[i] * x[j] * v[j];
        }
    return 0;
}

/* One pass of a loss with what the meddler does in it; returns its status. */
static ebm_status pass(meddler *m, float *gradient)
{
    const float one = 1;
    float x[N * SIZE];
    ebm_context *context = test_context_threads(1);
    ebm_energy_ops ops = {sizeof ops, 1, energy, param_grad, tangent};
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    int is_nan = m->is_nan;
    for (int i = 0; i < N * SIZE; i++)
        x[i] = 0.1f * (float)(i + 1);
    assert_ok(
        ebm_model_create_custom(context, 1, 1, SIZE, &ops, m, &m->model));
    assert_ok(ebm_model_set_parameters(m->model, 0, &one, 1));
    assert_ok(ebm_loss_create(context, m->kind, &m->loss));
    assert_ok(ebm_loss_set(m->loss, EBM_LOSS_ENT_WEIGHT, 0));
    assert_ok(ebm_loss_set(m->loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 2));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, 2));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    m->is_nan = 0;
    assert_ok(ebm_sampler_run(sampler, m->model, chains));
    m->is_nan = is_nan;
    ebm_status status =
        ebm_loss_backward(m->loss, m->model, x, NULL, N, chains, NULL);
    if (is_nan)
        assert_non_null(strstr(ebm_context_last_error(context),
                               "sample 0 of the energy's gradient"));
    *gradient = ebm_model_gradient(m->model)[0];
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_loss_destroy(m->loss);
    ebm_model_destroy(m->model);
    ebm_context_destroy(context);
    return status;
}

static void passes_are_of_one_piece(void **state)
{
    (void)state;
    float plain, gradient;
    meddler m = {.kind = EBM_LOSS_CD};
    assert_ok(pass(&m, &plain));
    assert_true(plain != 0);
    m.sets_weight = 1;
    assert_ok(pass(&m, &gradient));
    assert_status(m.answer, EBM_ERROR_STATE);
    assert_true(gradient == plain);
    m = (meddler){.kind = EBM_LOSS_CD, .writes = 1};
    assert_status(pass(&m, &gradient), EBM_ERROR_STATE);
    assert_ok(m.answer);
    assert_true(gradient == 0);
    m = (meddler){.kind = EBM_LOSS_CD, .is_nan = 1};
    assert_status(pass(&m, &gradient), EBM_ERROR_NON_FINITE);
    assert_true(gradient == 0);
}

/* Parameters that are lent at the end of a pass may be anything by then. */
static void borrowed_parameters_refuse_a_pass(void **state)
{
    (void)state;
    const ebm_loss_kind kinds[] = {EBM_LOSS_NLL, EBM_LOSS_CD_STAR,
                                   EBM_LOSS_CD};
    for (size_t i = 0; i < TEST_COUNT(kinds); i++) {
        float gradient;
        meddler m = {.kind = kinds[i], .borrows = 1};
        assert_status(pass(&m, &gradient), EBM_ERROR_STATE);
        assert_ok(m.answer);
        assert_true(gradient == 0);
    }
}

static int more_threads(size_t step, const ebm_chains *chains, void *user)
{
    (void)chains;
    return step == 2 && ebm_context_set(user, EBM_CONTEXT_THREADS, 16);
}

static void threads_can_grow_in_a_run(void **state)
{
    (void)state;
    enum { CHAINS = 64, PIXELS = 36 };
    float plain[CHAINS * PIXELS];
    for (int meddles = 0; meddles < 2; meddles++) {
        ebm_context *context = test_context_threads(1);
        ebm_network *network = NULL;
        ebm_model *model = NULL;
        ebm_sampler *sampler = NULL;
        ebm_chains *chains = NULL;
        assert_ok(ebm_network_create(context, 6, 6, 1, &network));
        assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 2));
        assert_ok(ebm_network_conv2d(network, 4, 3, 1, 1));
        assert_ok(ebm_network_swish(network));
        assert_ok(ebm_network_flatten(network));
        assert_ok(ebm_network_dense(network, 1));
        assert_ok(ebm_model_create_network(network, 1, &model));
        assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 6));
        if (meddles)
            assert_ok(
                ebm_sampler_set_observer(sampler, 1, more_threads, context));
        assert_ok(ebm_chains_create(context, CHAINS, 6, 6, 1, 1, &chains));
        assert_ok(ebm_chains_init_uniform(chains, -1, 1));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        const float *x = ebm_chains_states(chains);
        if (meddles)
            assert_memory_equal(x, plain, sizeof plain);
        else
            memcpy(plain, x, sizeof plain);
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
        ebm_model_destroy(model);
        ebm_network_destroy(network);
        ebm_context_destroy(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_are_of_one_piece),
        cmocka_unit_test(borrowed_parameters_refuse_a_pass),
        cmocka_unit_test(threads_can_grow_in_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
