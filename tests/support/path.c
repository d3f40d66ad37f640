/* A Langevin path in double. */
#include "path.h"

#include "ebm_test.h"

#include "chains/tail.h"
#include "core/random.h"

static double setting(const ebm_sampler *sampler, ebm_sampler_key key)
{
    double value = NAN;
    assert_ok(ebm_sampler_get(sampler, key, &value));
    return (double)(float)value;
}

void test_path_begin(test_path *path, const ebm_sampler *sampler,
                     const ebm_chains *chains)
{
    memset(path, 0, sizeof *path);
    path->chains = chains;
    path->step_size = setting(sampler, EBM_SAMPLER_STEP_SIZE);
    path->noise_std = setting(sampler, EBM_SAMPLER_NOISE_STD);
    path->clip = setting(sampler, EBM_SAMPLER_GRADIENT_CLIP);
    path->minimum = setting(sampler, EBM_SAMPLER_STATE_MIN);
    path->maximum = setting(sampler, EBM_SAMPLER_STATE_MAX);
}

/* value put between the bounds; counted when it was outside. */
static double clamp(test_path *path, double value, double minimum,
                    double maximum, size_t *outside)
{
    path->margin = fmin(path->margin, fabs(value - minimum));
    path->margin = fmin(path->margin, fabs(value - maximum));
    *outside += value < minimum || value > maximum;
    return fmin(fmax(value, minimum), maximum);
}

static void run_chain(test_path *path, size_t chain, double *x, double *g)
{
    const ebm_chains *chains = path->chains;
    size_t size = chains->size, kept = chains->tail.kept;
    for (size_t k = 0; k < kept; k++) {
        ebm_random random = ebm_random_at(chains->seed, EBM_PURPOSE_LANGEVIN,
                                          chains->first_stream + chain,
                                          chains->steps - kept + k);
        for (size_t j = 0; j < size; j++)
            x[j] =
                k ? clamp(path,
                          x[j] +
                              path->noise_std * ebm_random_normal(&random, j),
                          path->minimum, path->maximum, &path->clamped_noise)
                  : (double)ebm_tail_states(chains, 0, chain)[j];
        path->gradient(path->energy, x, g);
        for (size_t j = 0; j < size; j++) {
            double slope =
                clamp(path, g[j], -path->clip, path->clip, &path->clipped);
            x[j] = clamp(path, x[j] - path->step_size * slope, path->minimum,
                         path->maximum, &path->clamped_step);
        }
        path->values += size;
    }
}

void test_path_run(test_path *path, double *x)
{
    const ebm_chains *chains = path->chains;
    double *g = test_doubles(chains->size);
    path->margin = INFINITY;
    path->values = path->clipped = 0;
    path->clamped_noise = path->clamped_step = 0;
    for (size_t i = 0; i < chains->n; i++)
        run_chain(path, i, x + i * chains->size, g);
    free(g);
}

void test_path_network(const void *energy, const double *x, double *g)
{
    ref_gradient(energy, x, 1, g, NULL, NULL);
}
