/* The derivative of a trajectory: closed forms, and a replicate of the path in
   double. States and masks that the tail keeps. What is refused, and memory,
   stand in test_tail_faults.c. */
#include "ebm_test.h"
#include "path.h"

#include "chains/tail.h"
#include "core/memory.h"

static ebm_sampler *langevin(ebm_context *context, double steps, double kept,
                             double step, double std)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, kept));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, step));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, std));
    return sampler;
}

/* The model's gradient becomes dL/dtheta for L = sum adjoint . x. */
static void differentiate(const ebm_chains *chains, ebm_model *model,
                          const float *adjoint)
{
    ebm_gradient_sum *sum = NULL;
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_tail_check(chains, model));
    assert_ok(ebm_gradient_sum_prepare(model, EBM_PASS_TANGENT,
                                       ebm_chains_count(chains),
                                       ebm_tail_extra(chains, model), &sum));
    assert_ok(ebm_tail_backward(chains, model, adjoint, sum));
    assert_ok(ebm_gradient_sum_commit(sum, model));
    ebm_gradient_sum_destroy(sum);
}

/* ---- E(x) = theta0 |x|^2 / 2 + theta1 sum x, where paths are formulas -----
 */

enum { N = 7, SIZE = 3 };

static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    (void)labels;
    (void)user;
    for (size_t i = 0; i < n; i++) {
        energy[i] = 0;
        for (size_t j = i * SIZE; j < (i + 1) * SIZE; j++) {
            energy[i] += params[0] * x[j] * x[j] / 2 + params[1] * x[j];
            grad[j] = params[0] * x[j] + params[1];
        }
    }
    return 0;
}

static int tangent(const float *params, const float *x, const int32_t *labels,
                   size_t n, const float *v, const float *scale, float *hv,
                   float *param_grad, void *user)
{
    if (user)
        *(int32_t *)user = labels[n - 1];
    for (size_t i = 0; i < n * SIZE; i++) {
        hv[i] = params[0] * v[i];
        if (param_grad) {
            param_grad[0] += scale[i / SIZE] * x[i] * v[i];
            param_grad[1] += scale[i / SIZE] * v[i];
        }
    }
    return 0;
}

/* The last label of each pass goes to *seen, unless that is NULL. */
static ebm_model *quadratic(ebm_context *context, const float *theta,
                            int32_t *seen)
{
    ebm_model *model = NULL;
    ebm_energy_ops ops = {sizeof ops, 2, energy_grad, NULL, tangent};
    assert_ok(
        ebm_model_create_custom(context, 1, 1, SIZE, &ops, seen, &model));
    assert_ok(ebm_model_set_parameters(model, 0, theta, 2));
    return model;
}

/* Without noise, with r = 1 - s theta0 and X the state m steps before the end,
   x_T = r^m X - s theta1 (1 + r + ... + r^(m - 1)). */
static void closed_form_of_a_quadratic(void **state)
{
    (void)state;
    enum { T = 9 };
    static const int kept[] = {1, 2, 3, 8, T};
    const float theta[2] = {0.8f, -0.3f};
    const double s = (double)0.3f, r = 1 - s * (double)theta[0];
    ebm_context *context = test_context_threads(2);
    ebm_model *model = quadratic(context, theta, NULL);
    for (size_t c = 0; c < TEST_COUNT(kept); c++) {
        int m = kept[c];
        ebm_sampler *sampler = langevin(context, T, m, s, 0);
        ebm_chains *chains = NULL;
        float w[N * SIZE];
        uint64_t random = 6;
        double sum[2] = {0, 0}, geometric = 0, slope = 0;
        test_fill_normal(&random, w, N * SIZE, 1);
        assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 4, &chains));
        assert_ok(ebm_chains_init_normal(chains, 1, 2));
        float start[N * SIZE];
        memcpy(start, ebm_chains_states(chains), sizeof start);
        assert_ok(ebm_sampler_run(sampler, model, chains));
        for (int k = 0; k < m; k++) {
            geometric += pow(r, k);
            slope += k ? k * pow(r, k - 1) * -s : 0;
        }
        for (size_t i = 0; i < N * SIZE; i++) {
            double x = (double)start[i];
            for (int k = 0; k < T - m; k++)
                x = r * x - s * (double)theta[1];
            sum[0] += (double)w[i] * (m * pow(r, m - 1) * -s * x -
                                      s * (double)theta[1] * slope);
            sum[1] += (double)w[i] * -s * geometric;
        }
        differentiate(chains, model, w);
        assert_arrays_near(ebm_model_gradient(model), sum, 2, 1e-5);
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Each kept step has a size of its own: D' = (1 - s_k theta0) D - s_k y_k. */
static void steps_may_differ_in_size(void **state)
{
    (void)state;
    enum { T = 5 };
    const float theta[2] = {0.8f, -0.3f};
    const int32_t labels[N] = {1, 2, 3, 4, 5, 6, 7};
    int32_t seen = -1;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = quadratic(context, theta, &seen);
    ebm_sampler *sampler = langevin(context, T, T, 0.5, 0.4);
    ebm_chains *chains = NULL;
    float w[N * SIZE], x[N * SIZE];
    uint64_t random = 7;
    double sum[2] = {0, 0};
    test_fill_normal(&random, w, N * SIZE, 1);
    test_fill_normal(&random, x, N * SIZE, 1);
    assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 4, &chains));
    assert_ok(ebm_chains_set_states(chains, x, labels, EBM_ORIGIN_DATA));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    for (int k = 0; k < T; k++) {
        assert_true(chains->tail.step_sizes[k] == 0.5f);
        chains->tail.step_sizes[k] = 0.5f / (float)(k + 1);
    }
    for (size_t i = 0; i < N * SIZE; i++) {
        double d[2] = {0, 0};
        for (size_t k = 0; k < T; k++) {
            double s = (double)chains->tail.step_sizes[k];
            double y = (double)ebm_tail_states(chains, k, 0)[i];
            d[0] = (1 - s * (double)theta[0]) * d[0] - s * y;
            d[1] = (1 - s * (double)theta[0]) * d[1] - s;
        }
        sum[0] += (double)w[i] * d[0];
        sum[1] += (double)w[i] * d[1];
    }
    differentiate(chains, model, w);
    assert_arrays_near(ebm_model_gradient(model), sum, 2, 1e-5);
    assert_int_equal(seen, 7);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* ---- A network whose clip and clamps are all at work ----------------------
 */

enum { CHAINS = 11, SLAB = 4, IMAGE = 16 };

typedef struct scene {
    ref_network ref;
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    size_t count;
    test_path path;
} scene;

static void begin(scene *s, int threads, double steps, double kept)
{
    memset(s, 0, sizeof *s);
    ref_begin(&s->ref, 4, 4, 1);
    ref_conv2d(&s->ref, 3, 3, 1, 1, 1);
    ref_swish(&s->ref);
    ref_conv2d(&s->ref, 4, 2, 2, 0, 1);
    ref_swish(&s->ref);
    ref_flatten(&s->ref);
    ref_dense(&s->ref, 1, 1);
    s->context = test_context_threads(threads);
    s->model = ref_model(&s->ref, s->context, SLAB, 2);
    s->count = s->ref.parameter_count;
    float *theta; /* larger, so that curvature shows */
    assert_ok(ebm_model_begin_write(s->model, &theta));
    for (size_t i = 0; i < s->count; i++)
        theta[i] *= 3;
    assert_ok(ebm_model_end_write(s->model));
    ref_load(&s->ref, s->model);
    s->sampler = langevin(s->context, steps, kept, 0.5, 0.25);
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.4));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STATE_MIN, -0.7));
    assert_ok(ebm_sampler_set(s->sampler, EBM_SAMPLER_STATE_MAX, 0.8));
}

/* A run with this seed; streams do not begin at a slab. */
static void run(scene *s, uint64_t seed)
{
    ebm_chains_destroy(s->chains);
    s->chains = NULL;
    assert_ok(
        ebm_chains_create(s->context, CHAINS, 4, 4, 1, seed, &s->chains));
    assert_ok(ebm_chains_set_first_stream(s->chains, 3));
    assert_ok(ebm_chains_init_uniform(s->chains, -0.9, 0.9));
    assert_ok(ebm_sampler_run(s->sampler, s->model, s->chains));
    test_path_begin(&s->path, s->sampler, s->chains);
    s->path.gradient = test_path_network;
    s->path.energy = &s->ref;
}

static void end(scene *s)
{
    ebm_chains_destroy(s->chains);
    ebm_sampler_destroy(s->sampler);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
    ref_free(&s->ref);
}

/* L = sum w . x at the path's end. */
static double linear_loss(scene *s, const float *w)
{
    double x[CHAINS * IMAGE], sum = 0;
    test_path_run(&s->path, x);
    for (size_t i = 0; i < CHAINS * IMAGE; i++)
        sum += (double)w[i] * x[i];
    return sum;
}

static void check_active(const test_path *path, size_t kept)
{
    size_t few = path->values / 20;
    assert_true(path->clipped > few && path->clipped < path->values - few);
    assert_true(path->clamped_step > few);
    assert_true(kept == 1 || path->clamped_noise > few);
}

static void network_against_a_replicate(void **state)
{
    (void)state;
    enum { T = 6 };
    static const int kept[] = {1, 3, T};
    const double h = 1e-5;
    for (size_t c = 0; c < TEST_COUNT(kept); c++) {
        scene s;
        float w[CHAINS * IMAGE], *packed;
        double x[CHAINS * IMAGE], *right;
        uint64_t random = 9, seed = 1;
        begin(&s, 2, T, kept[c]);
        test_fill_normal(&random, w, CHAINS * IMAGE, 1);
        /* No value so near to a clip or bound that h, or float, moves it to
           the other side. */
        do {
            assert_true(seed < 500);
            run(&s, seed++);
            test_path_run(&s.path, x);
        } while (s.path.margin < 1e-4);
        check_active(&s.path, (size_t)kept[c]);
        assert_arrays_near(ebm_chains_states(s.chains), x, CHAINS * IMAGE,
                           1e-5);
        right = test_doubles(s.count);
        for (size_t p = 0; p < s.count; p++) {
            double at = s.ref.parameters[p];
            s.ref.parameters[p] = at + h;
            right[p] = linear_loss(&s, w) / (2 * h);
            s.ref.parameters[p] = at - h;
            right[p] -= linear_loss(&s, w) / (2 * h);
            s.ref.parameters[p] = at;
        }
        packed = test_floats(s.count);
        differentiate(s.chains, s.model, w);
        ref_pack(&s.ref, s.model, ebm_model_gradient(s.model), packed);
        assert_arrays_near(packed, right, s.count, 2e-4);
        print_message("%d of %d steps: off by %.1e; clipped %zu, clamped %zu "
                      "and %zu of %zu\n",
                      kept[c], T, test_array_error(packed, right, s.count),
                      s.path.clipped, s.path.clamped_noise,
                      s.path.clamped_step, s.path.values);
        free(packed);
        free(right);
        end(&s);
    }
}

/* ---- What is kept ---------------------------------------------------------
 */

static int watch(size_t step, const ebm_chains *chains, void *user)
{
    (void)step;
    (void)chains;
    (void)user;
    return 0;
}

/* The last m steps are the same whether m or all are kept, whether a run is
   observed or not, and whatever was kept before; keeping changes no bit of the
   chains. */
static void the_last_steps_are_kept(void **state)
{
    (void)state;
    enum { T = 7 };
    scene all;
    begin(&all, 1, T, T);
    run(&all, 5);
    for (int m = 0; m <= T; m++)
        for (size_t every = 0; every <= T; every += 2) {
            scene s;
            begin(&s, 2, T, T - m);
            run(&s, 77);
            assert_ok(ebm_sampler_set(s.sampler, EBM_SAMPLER_KEEP_STEPS, m));
            if (every)
                assert_ok(
                    ebm_sampler_set_observer(s.sampler, every, watch, NULL));
            run(&s, 5);
            assert_same_bits(ebm_chains_states(s.chains),
                             ebm_chains_states(all.chains), CHAINS * IMAGE);
            assert_int_equal(s.chains->tail.is_complete, m > 0);
            assert_int_equal(s.chains->tail.kept, m);
            for (size_t k = 0; k < (size_t)m; k++) {
                size_t from = T - (size_t)m + k;
                assert_same_bits(ebm_tail_states(s.chains, k, 0),
                                 ebm_tail_states(all.chains, from, 0),
                                 CHAINS * IMAGE);
                assert_memory_equal(ebm_tail_masks(s.chains, k, 0),
                                    ebm_tail_masks(all.chains, from, 0),
                                    CHAINS * IMAGE);
                assert_true(s.chains->tail.step_sizes[k] == 0.5f);
            }
            end(&s);
        }
    end(&all);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 4};
    float w[CHAINS * IMAGE], *first = NULL;
    uint64_t random = 3;
    test_fill_normal(&random, w, CHAINS * IMAGE, 1);
    for (size_t k = 0; k < TEST_COUNT(threads); k++) {
        scene s;
        begin(&s, threads[k], 6, 4);
        run(&s, 8);
        differentiate(s.chains, s.model, w);
        const float *gradient = ebm_model_gradient(s.model);
        if (!first) {
            first = test_floats(s.count);
            memcpy(first, gradient, s.count * sizeof *first);
        }
        assert_same_bits(gradient, first, s.count);
        end(&s);
    }
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_form_of_a_quadratic),
        cmocka_unit_test(steps_may_differ_in_size),
        cmocka_unit_test(network_against_a_replicate),
        cmocka_unit_test(the_last_steps_are_kept),
        cmocka_unit_test(threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
