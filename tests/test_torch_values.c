/* Second derivatives and the derivative of a trajectory against values that
   PyTorch computed in double: torch/trajectory.py wrote them and says of
   what. */
#include "ebm_test.h"
#include "values.h"

#include "chains/tail.h"

enum { N = 4, SIZE = 40, STEPS = 3 };
static const double tolerance = 1e-4;

/* ---- The network, and its path --------------------------------------------
 */

typedef struct scene {
    test_values file;
    ebm_context *context;
    ebm_model *model;
    size_t count;
} scene;

static void begin(scene *s)
{
    ebm_network *network = NULL;
    test_values_read(&s->file, "tests/torch/trajectory.txt");
    s->context = test_context_threads(2);
    assert_ok(ebm_network_create(s->context, 5, 4, 2, &network));
    assert_ok(ebm_network_conv2d(network, 3, 3, 2, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 5));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_dense(network, 1));
    s->model = NULL;
    assert_ok(ebm_model_create_network(network, 1, &s->model));
    ebm_network_destroy(network);
    s->count = ebm_model_parameter_count(s->model);
    assert_ok(ebm_model_set_parameters(
        s->model, 0, test_values_floats(&s->file, "parameters", s->count),
        s->count));
    /* The file has the arrays one behind the other, and so has the model. */
    size_t next = 0;
    for (size_t i = 0; i < ebm_model_view_count(s->model); i++) {
        size_t offset, shape[4];
        assert_ok(ebm_model_view(s->model, i, NULL, &offset, NULL, shape));
        assert_int_equal(offset, next);
        next += shape[0] * shape[1] * shape[2] * shape[3];
    }
    assert_int_equal(next, s->count);
}

static void end(scene *s)
{
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
    test_values_free(&s->file);
}

static void second_derivatives(void **state)
{
    (void)state;
    scene s;
    float energy[N], hv[N * SIZE];
    begin(&s);
    const test_values *f = &s.file;
    const float *x = test_values_floats(f, "x", N * SIZE),
                *v = test_values_floats(f, "v", N * SIZE);
    assert_ok(ebm_model_energy(s.model, x, NULL, N, energy));
    assert_arrays_near(energy, test_values_doubles(f, "energy", N), N,
                       tolerance);
    assert_ok(ebm_model_mixed_backward(s.model, x, NULL, N, v,
                                       test_values_floats(f, "scale", N), hv));
    assert_arrays_near(hv, test_values_doubles(f, "hv", N * SIZE), N * SIZE,
                       tolerance);
    assert_arrays_near(ebm_model_gradient(s.model),
                       test_values_doubles(f, "mixed", s.count), s.count,
                       tolerance);
    end(&s);
}

static ebm_sampler *make_sampler(ebm_context *context, double steps)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.5));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 0));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.25));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, -0.75));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 0.5));
    return sampler;
}

/*
 * Chains with a tail of the last `kept` steps, under the file's noise: each
 * step is a run of its own, without noise from a state to which it was added,
 * and what it kept goes into the tail of a run that serves as a mould.
 */
static ebm_chains *walk(scene *s, size_t kept, double *counts)
{
    const float *noise =
        test_values_floats(&s->file, "noise", STEPS * N * SIZE);
    ebm_sampler *all = make_sampler(s->context, (double)kept);
    ebm_sampler *single = make_sampler(s->context, 1);
    ebm_chains *chains = NULL, *moving = NULL;
    float x[N * SIZE];
    memcpy(x, test_values_floats(&s->file, "start", N * SIZE), sizeof x);
    assert_ok(ebm_chains_create(s->context, N, 5, 4, 2, 1, &chains));
    assert_ok(ebm_chains_create(s->context, N, 5, 4, 2, 1, &moving));
    assert_ok(ebm_sampler_run(all, s->model, chains));
    for (size_t k = 0; k < STEPS; k++) {
        for (size_t i = 0; i < N * SIZE; i++)
            x[i] += noise[k * N * SIZE + i];
        assert_ok(ebm_chains_set_states(moving, x, NULL, EBM_ORIGIN_DATA));
        assert_ok(ebm_sampler_run(single, s->model, moving));
        memcpy(x, ebm_chains_states(moving), sizeof x);
        for (int c = 0; c < 3; c++) {
            double count = NAN;
            assert_ok(ebm_sampler_get_statistic(
                single, (ebm_sampler_statistic)(EBM_SAMPLER_STAT_CLIPPED + c),
                &count));
            counts[c] += count;
        }
        if (k + kept < STEPS)
            continue;
        size_t to = k + kept - STEPS;
        memcpy(ebm_tail_states(chains, to, 0), ebm_tail_states(moving, 0, 0),
               sizeof x);
        memcpy(ebm_tail_masks(chains, to, 0), ebm_tail_masks(moving, 0, 0),
               N * SIZE);
    }
    memcpy(chains->states, x, sizeof x);
    ebm_chains_destroy(moving);
    ebm_sampler_destroy(single);
    ebm_sampler_destroy(all);
    return chains;
}

static void trajectory_with_clip_and_clamps(void **state)
{
    (void)state;
    static const struct {
        size_t kept;
        const char *name;
    } rows[] = {{1, "opt_1"}, {STEPS, "opt_3"}};
    for (size_t r = 0; r < TEST_COUNT(rows); r++) {
        scene s;
        ebm_loss *loss = NULL;
        ebm_report *report = NULL;
        double counts[3] = {0, 0, 0}, value = NAN;
        begin(&s);
        const test_values *f = &s.file;
        ebm_chains *chains = walk(&s, rows[r].kept, counts);
        /* Clipped, clamped by the noise, clamped by the step. */
        for (int c = 0; c < 3; c++)
            assert_true(counts[c] > 24 && counts[c] < STEPS * N * SIZE);
        assert_arrays_near(ebm_chains_states(chains),
                           test_values_doubles(f, "end", N * SIZE), N * SIZE,
                           tolerance);
        assert_ok(ebm_loss_create(s.context, EBM_LOSS_KL, &loss));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MAXIMISE));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_ENT_WEIGHT, 0));
        assert_ok(ebm_report_create(s.context, &report));
        assert_ok(
            ebm_loss_backward(loss, s.model, NULL, NULL, 0, chains, report));
        assert_ok(ebm_report_get(report, EBM_REPORT_OPT, &value));
        assert_close(value, *test_values_doubles(f, "opt", 1), 0, tolerance);
        const double *right = test_values_doubles(f, rows[r].name, s.count);
        assert_arrays_near(ebm_model_gradient(s.model), right, s.count,
                           tolerance);
        print_message(
            "%zu steps: off by %.1e\n", rows[r].kept,
            test_array_error(ebm_model_gradient(s.model), right, s.count));
        ebm_report_destroy(report);
        ebm_loss_destroy(loss);
        ebm_chains_destroy(chains);
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_derivatives),
        cmocka_unit_test(trajectory_with_clip_and_clamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
