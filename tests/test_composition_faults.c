/* Compositions: what is refused, what fails in the middle, labels, and handles
   that go in any order. */
#include "ebm_test.h"
#include "quadratic.h"

enum { SIZE = 3, N = 5 };
static ebm_model *const NOTHING = (ebm_model *)(uintptr_t)64;

static ebm_model *points(ebm_context *context, size_t size)
{
    ebm_model *model = NULL;
    assert_ok(ebm_model_create_double_well(context, size, 1, &model));
    return model;
}

static ebm_model *custom(ebm_context *context, test_quadratic *q)
{
    const float theta = 0.5f;
    ebm_model *model = NULL;
    q->size = SIZE;
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &test_quadratic_ops,
                                      q, &model));
    assert_ok(ebm_model_set_parameters(model, 0, &theta, 1));
    return model;
}

/* On [1, 1, SIZE]; with classes, or 0. All parameters are random. */
static ebm_model *network(ebm_context *context, size_t slab, size_t classes)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    uint64_t random = classes + 1;
    assert_ok(ebm_network_create(context, 1, 1, SIZE, &net));
    assert_ok(ebm_network_set(net, EBM_NETWORK_SLAB, (double)slab));
    assert_ok(ebm_network_conv2d(net, 4, 1, 1, 0));
    if (classes)
        assert_ok(ebm_network_class_affine(net, classes));
    assert_ok(ebm_network_swish(net));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, 1, &model));
    ebm_network_destroy(net);
    size_t n = ebm_model_parameter_count(model);
    float *theta = test_floats(n);
    test_fill_normal(&random, theta, n, 0.5);
    assert_ok(ebm_model_set_parameters(model, 0, theta, n));
    free(theta);
    return model;
}

static void fill(float *x, size_t n)
{
    uint64_t random = 3;
    test_fill_uniform(&random, x, n, -1, 1);
}

/* ---- Creation ---------------------------------------------------------- */

#define assert_refused(call, status, word)                         \
    do {                                                           \
        assert_error(context, (call), EBM_ERROR_##status, (word)); \
        assert_ptr_equal(m, NOTHING);                              \
    } while (0)

typedef ebm_status (*creator)(ebm_model *const *parts, const double *weights,
                              size_t count, ebm_model **model);

static void check_joint(creator create, int is_sum)
{
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_context *strange = test_context_threads(1);
    ebm_model *m = NOTHING, *dead = points(context, SIZE);
    ebm_model *parts[65], *good = points(context, SIZE);
    ebm_model *wide = points(context, SIZE + 1);
    ebm_model *other = points(strange, SIZE);
    ebm_model *two = network(context, 1, 2), *three = network(context, 1, 3);
    double weights[65];
    size_t before = memory.live_blocks;
    for (size_t k = 0; k < 65; k++) {
        parts[k] = good;
        weights[k] = 1;
    }
    assert_refused(create(parts, NULL, 65, &m), ARGUMENT, "65 parts");
    assert_refused(create(parts, NULL, SIZE_MAX, &m), ARGUMENT, "parts");
    assert_error(context, create(parts, NULL, 2, NULL), EBM_ERROR_ARGUMENT,
                 "model");
    assert_status(create(NULL, NULL, 2, &m), EBM_ERROR_ARGUMENT);
    assert_status(create(parts, NULL, 0, &m), EBM_ERROR_ARGUMENT);
    static const double bad[] = {NAN, INFINITY, 0, -INFINITY};
    for (size_t i = 0; i < 4; i++) {
        weights[1] = bad[i];
        assert_refused(create(parts, weights, 3, &m), RANGE, "weight 1");
    }
    weights[1] = -1;
    if (is_sum) {
        assert_ok(create(parts, weights, 3, &m));
        ebm_model_destroy(m);
        m = NOTHING;
    } else {
        assert_refused(create(parts, weights, 3, &m), RANGE, "weight 1");
    }
    parts[1] = wide;
    assert_refused(create(parts, NULL, 2, &m), SHAPE, "part 1");
    parts[1] = other;
    assert_refused(create(parts, NULL, 2, &m), CONTEXT, "context");
    parts[1] = (ebm_model *)context;
    assert_status(create(parts, NULL, 2, &m), EBM_ERROR_HANDLE);
    parts[1] = NULL;
    assert_status(create(parts, NULL, 2, &m), EBM_ERROR_HANDLE);
    parts[0] = NULL;
    assert_status(create(parts, NULL, 1, &m), EBM_ERROR_HANDLE);
    parts[0] = two;
    parts[1] = good;
    parts[2] = three;
    assert_refused(create(parts, NULL, 3, &m), ARGUMENT, "part 2 has 3");
    assert_ptr_equal(m, NOTHING);
    assert_int_equal(memory.live_blocks, before);
    for (size_t k = 0; k < 64; k++)
        parts[k] = good;
    assert_ok(create(parts, NULL, 64, &m));
    assert_int_equal(ebm_model_part_count(m), is_sum ? 64 : 1);
    /* Nested, it is 65 members each time. */
    ebm_model *deep = NOTHING;
    for (size_t k = 0; k < 64; k++)
        parts[k] = m;
    assert_error(context, create(parts, NULL, 8, &deep), EBM_ERROR_RANGE,
                 "nested");
    assert_ptr_equal(deep, NOTHING);
    assert_ok(create(parts, NULL, 7, &deep));
    ebm_model_destroy(deep);
    ebm_model_destroy(m);
    ebm_model_destroy(dead);
    ebm_model_destroy(good);
    ebm_model_destroy(wide);
    ebm_model_destroy(other);
    ebm_model_destroy(two);
    ebm_model_destroy(three);
    ebm_context_destroy(strange);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void test_joint_creation(void **state)
{
    (void)state;
    check_joint(ebm_model_create_sum, 1);
    check_joint(ebm_model_create_mixture, 0);
}

static void test_single_creation(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    ebm_model *m = NOTHING, *part = points(context, SIZE);
    static const double bad[] = {0, -1, NAN, INFINITY, 1e-310};
    assert_status(ebm_model_create_negated(NULL, &m), EBM_ERROR_HANDLE);
    assert_status(ebm_model_create_tempered(NULL, 1, &m), EBM_ERROR_HANDLE);
    assert_status(ebm_model_create_downsampled(NULL, 2, &m), EBM_ERROR_HANDLE);
    assert_status(ebm_model_create_negated(part, NULL), EBM_ERROR_ARGUMENT);
    assert_status(ebm_model_create_tempered(part, 1, NULL),
                  EBM_ERROR_ARGUMENT);
    assert_status(ebm_model_create_downsampled(part, 2, NULL),
                  EBM_ERROR_ARGUMENT);
    for (size_t i = 0; i < 5; i++)
        assert_refused(ebm_model_create_tempered(part, bad[i], &m), RANGE,
                       "temperature");
    assert_refused(ebm_model_create_downsampled(part, 0, &m), RANGE, "0");
    assert_refused(ebm_model_create_downsampled(part, 65, &m), RANGE, "65");
    /* Views of views until there is no room for a sample. */
    ebm_status status = EBM_OK;
    while (status == EBM_OK) {
        ebm_model *next = NOTHING;
        status = ebm_model_create_downsampled(part, 64, &next);
        if (status == EBM_OK) {
            ebm_model_destroy(part);
            part = next;
        } else {
            assert_ptr_equal(next, NOTHING);
        }
    }
    assert_status(status, EBM_ERROR_OVERFLOW);
    ebm_model_destroy(part);
    /* A chain of signs ends before the stack does. */
    part = points(context, SIZE);
    size_t length = 0;
    for (status = EBM_OK; status == EBM_OK && length < 10000; length++) {
        ebm_model *next = NOTHING;
        status = ebm_model_create_negated(part, &next);
        if (status == EBM_OK) {
            ebm_model_destroy(part);
            part = next;
        }
    }
    assert_status(status, EBM_ERROR_RANGE);
    float x[SIZE] = {0.5f, 1, 2}, energy;
    assert_ok(ebm_model_energy(part, x, NULL, 1, &energy));
    ebm_model_destroy(part);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static ebm_status make(ebm_model *const *parts, int kind, ebm_model **m)
{
    switch (kind) {
    case 0:
        return ebm_model_create_sum(parts, NULL, 3, m);
    case 1:
        return ebm_model_create_mixture(parts, NULL, 3, m);
    case 2:
        return ebm_model_create_negated(parts[1], m);
    case 3:
        return ebm_model_create_tempered(parts[1], 2, m);
    default:
        return ebm_model_create_downsampled(parts[1], 2, m);
    }
}

/* Each allocation of a creation fails once, and then of every use. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        test_allocator memory;
        test_quadratic q = {0};
        ebm_context *context = test_context(&memory);
        ebm_model *m = NOTHING, *parts[3];
        float x[4 * N * SIZE], v[4 * N * SIZE], out[4 * N * SIZE];
        float scale[N] = {1, 2, 3, 4, 5};
        parts[0] = points(context, SIZE);
        parts[1] = network(context, 2, 0);
        parts[2] = custom(context, &q);
        fill(x, 4 * N * SIZE);
        fill(v, 4 * N * SIZE);
        size_t before = memory.live_blocks;
        for (size_t n = 1;; n++) {
            test_fail_at(&memory, n, 0);
            ebm_status status = make(parts, kind, &m);
            if (status == EBM_OK)
                break;
            assert_error(context, status, EBM_ERROR_MEMORY, "memory");
            assert_ptr_equal(m, NOTHING);
            assert_int_equal(memory.live_blocks, before);
        }
        test_fail_at(&memory, 0, 0);
        before = memory.live_blocks;
        for (int call = 0; call < 4; call++)
            for (size_t n = 1, done = 0; !done; n++) {
                test_fail_at(&memory, n, 0);
                ebm_status status =
                    call == 0   ? ebm_model_energy(m, x, NULL, N, out)
                    : call == 1 ? ebm_model_backward(m, x, NULL, N, scale, out)
                    : call == 2
                        ? ebm_model_hessian_vector(m, x, NULL, N, v, out)
                        : ebm_model_mixed_backward(m, x, NULL, N, v, scale,
                                                   out);
                done = status == EBM_OK;
                if (!done)
                    assert_error(context, status, EBM_ERROR_MEMORY, "memory");
                assert_int_equal(memory.live_blocks, before);
            }
        test_fail_at(&memory, 0, 0);
        /* The whole is the last to go. */
        for (size_t k = 0; k < 3; k++)
            ebm_model_destroy(parts[k]);
        ebm_context_destroy(context);
        assert_ok(ebm_model_energy(m, x, NULL, N, out));
        ebm_model_destroy(m);
        assert_no_leaks(&memory);
    }
}

/* A pass allocates its workspace, and nothing as it goes: as many blocks for
   many samples as for one. */
static void test_passes_do_not_allocate(void **state)
{
    (void)state;
    enum { MANY = 200 };
    test_allocator memory;
    test_quadratic q = {0};
    ebm_context *context = test_context(&memory);
    ebm_model *parts[3] = {points(context, SIZE), network(context, 2, 0),
                           custom(context, &q)};
    ebm_model *m = NULL;
    static float x[MANY * SIZE], energy[MANY];
    fill(x, MANY * SIZE);
    for (size_t count = 2; count <= 3; count++) {
        size_t used[2];
        assert_ok(ebm_model_create_mixture(parts, NULL, count, &m));
        for (int many = 0; many < 2; many++) {
            size_t before = memory.allocations;
            assert_ok(ebm_model_energy(m, x, NULL, many ? MANY : 1, energy));
            used[many] = memory.allocations - before;
        }
        assert_int_equal(used[0], used[1]);
        ebm_model_destroy(m);
    }
    for (size_t k = 0; k < 3; k++)
        ebm_model_destroy(parts[k]);
    ebm_context_destroy(context);
}

/* ---- Parts that fail --------------------------------------------------- */

static void count_call(void *argument)
{
    ++*(int *)argument;
}

/* A part's callback fails: so does the call, nothing is written, and no other
   callback runs after it. */
static void test_failing_callbacks(void **state)
{
    (void)state;
    for (int mixture = 0; mixture < 2; mixture++) {
        ebm_context *context = test_context_threads(2);
        test_quadratic q = {0}, r = {0};
        int q_calls = 0, r_calls = 0;
        ebm_model *m = NULL,
                  *parts[3] = {custom(context, &q), network(context, 2, 0),
                               custom(context, &r)};
        float x[N * SIZE], v[N * SIZE], out[N * SIZE], energy[N] = {77};
        const float scale[N] = {1, 1, 1, 1, 1};
        fill(x, N * SIZE);
        fill(v, N * SIZE);
        q.called = r.called = count_call;
        q.argument = &q_calls;
        r.argument = &r_calls;
        assert_ok((mixture ? ebm_model_create_mixture
                           : ebm_model_create_sum)(parts, NULL, 3, &m));
        size_t count = ebm_model_parameter_count(m);
        float *g = test_floats(count);
        memset(out, 0, sizeof out);
        r.energy_fails = 1;
        assert_error(context, ebm_model_energy(m, x, NULL, N, energy),
                     EBM_ERROR_CALLBACK, "callback");
        assert_true(q_calls == 1 && r_calls == 1);
        assert_status(ebm_model_energy_grad(m, x, NULL, N, energy, out),
                      EBM_ERROR_CALLBACK);
        q_calls = r_calls = 0;
        assert_error(context, ebm_model_backward(m, x, NULL, N, scale, energy),
                     EBM_ERROR_CALLBACK, "callback");
        assert_true(q_calls == 1 && r_calls == 1);
        r.energy_fails = 0;
        q.tangent_fails = 1;
        assert_status(ebm_model_hessian_vector(m, x, NULL, N, v, out),
                      EBM_ERROR_CALLBACK);
        assert_status(ebm_model_mixed_backward(m, x, NULL, N, v, scale, out),
                      EBM_ERROR_CALLBACK);
        q.tangent_fails = 0;
        for (size_t i = 0; i < N * SIZE; i++)
            assert_true(out[i] == 0);
        assert_true(energy[0] == 77);
        assert_ok(ebm_model_get_gradient(m, 0, g, count));
        for (size_t i = 0; i < count; i++)
            assert_true(g[i] == 0);
        /* And then it works: chunks of two, each with its own calls. */
        q_calls = 0;
        assert_ok(ebm_model_backward(m, x, NULL, N, scale, energy));
        assert_int_equal(q_calls, 2 * 3);
        for (size_t k = 0; k < 3; k++)
            ebm_model_destroy(parts[k]);
        ebm_model_destroy(m);
        free(g);
        ebm_context_destroy(context);
    }
}

/* NaN in one part is NaN in the whole, in that sample alone. */
static void test_nan(void **state)
{
    (void)state;
    for (int mixture = 0; mixture < 2; mixture++) {
        ebm_context *context = test_context_threads(1);
        test_quadratic q = {.energy_nan = 1};
        ebm_model *m = NULL;
        ebm_model *parts[2] = {points(context, SIZE), custom(context, &q)};
        ebm_chains *chains = NULL;
        ebm_loss *loss = NULL;
        float x[N * SIZE], energy[N], grad[N * SIZE];
        const float scale[N] = {1, 1, 1, 1, 1};
        fill(x, N * SIZE);
        assert_ok((mixture ? ebm_model_create_mixture
                           : ebm_model_create_sum)(parts, NULL, 2, &m));
        assert_ok(ebm_model_energy_grad(m, x, NULL, N, energy, grad));
        /* Chunks of 16: sample 1 of the batch. */
        for (size_t i = 0; i < N; i++)
            assert_true(isnan(energy[i]) == (i == 1));
        for (size_t i = 0; i < N * SIZE; i++)
            assert_true(isnan(grad[i]) == (mixture && i / SIZE == 1));
        if (mixture)
            assert_status(ebm_model_backward(m, x, NULL, N, scale, energy),
                          EBM_ERROR_NON_FINITE);
        assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
        assert_ok(ebm_chains_create(context, N, 1, 1, SIZE, 1, &chains));
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
        assert_error(context,
                     ebm_loss_backward(loss, m, x, NULL, N, chains, NULL),
                     EBM_ERROR_NON_FINITE, mixture ? "" : "data sample 1");
        assert_true(ebm_model_gradient(m)[0] == 0);
        ebm_loss_destroy(loss);
        ebm_chains_destroy(chains);
        ebm_model_destroy(m);
        ebm_model_destroy(parts[0]);
        ebm_model_destroy(parts[1]);
        ebm_context_destroy(context);
    }
}

static int constant(const float *params, const float *x, const int32_t *labels,
                    size_t n, float *energy, float *grad, void *user)
{
    (void)params, (void)x, (void)labels;
    for (size_t i = 0; i < n; i++)
        energy[i] = *(const float *)user;
    for (size_t i = 0; i < n * SIZE; i++)
        grad[i] = 1;
    return 0;
}

/* E = infinity is no density; with it alone there is none at all. Energies far
   from 0 do not overflow on the way. */
static void test_extreme_mixtures(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_energy_ops ops = {sizeof ops, 0, constant, NULL, NULL};
    float values[2] = {INFINITY, INFINITY}, x[SIZE] = {0}, e, grad[SIZE];
    ebm_model *parts[2], *m = NULL;
    for (size_t k = 0; k < 2; k++)
        assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &ops,
                                          values + k, parts + k));
    assert_ok(ebm_model_create_mixture(parts, NULL, 2, &m));
    assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
    assert_true(isinf(e) && e > 0);
    for (size_t turn = 0; turn < 2; turn++) {
        values[turn] = 3;
        values[1 - turn] = INFINITY;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(e == 3 && grad[0] == 1);
        values[1 - turn] = NAN;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(isnan(e) && isnan(grad[0]));
        values[1 - turn] = -INFINITY;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(isinf(e) && e < 0);
        values[turn] = values[1 - turn] = -1e30f;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_true(e == -1e30f && grad[0] == 1);
        values[turn] = 100000;
        values[1 - turn] = 100001;
        assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &e, grad));
        assert_close((double)e, 100000 - log1p(exp(-1)), 0.01, 0);
        assert_close((double)grad[0], 1, 1e-6, 0);
    }
    ebm_model_destroy(m);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_context_destroy(context);
}

/* What a part can not do the whole can not. */
static void test_missing_derivatives(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    test_quadratic q = {0};
    test_quartic quartic = {.size = SIZE};
    float value = 1, x[SIZE] = {1, 2, 3}, out[SIZE];
    const float scale = 1;
    ebm_energy_ops fixed = {sizeof fixed, 0, constant, NULL, NULL};
    ebm_model *parts[2] = {custom(context, &q), NULL}, *m = NULL;
    /* A fixed function needs no gradient, but second derivatives. */
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &fixed, &value,
                                      parts + 1));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &m));
    assert_ok(ebm_model_backward(m, x, NULL, 1, &scale, NULL));
    assert_close((double)ebm_model_gradient(m)[0], 7, 1e-6, 0);
    assert_error(context, ebm_model_hessian_vector(m, x, NULL, 1, x, out),
                 EBM_ERROR_UNSUPPORTED, "sum");
    ebm_model_destroy(m);
    ebm_model_destroy(parts[1]);
    /* Parameters without a gradient: a mixture's second derivatives need it,
       a sum's do not. */
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &test_quartic_ops,
                                      &quartic, parts + 1));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &m));
    assert_error(context, ebm_model_backward(m, x, NULL, 1, &scale, NULL),
                 EBM_ERROR_UNSUPPORTED, "sum");
    assert_ok(ebm_model_mixed_backward(m, x, NULL, 1, x, &scale, out));
    ebm_model_destroy(m);
    assert_ok(ebm_model_create_mixture(parts, NULL, 2, &m));
    assert_error(context, ebm_model_hessian_vector(m, x, NULL, 1, x, out),
                 EBM_ERROR_UNSUPPORTED, "mixture");
    ebm_model_destroy(m);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_context_destroy(context);
}

/* A callback that has a gradient but no parameters is not asked for it. */
static int never(const float *params, const float *x, const int32_t *labels,
                 size_t n, const float *scale, float *param_grad, void *user)
{
    (void)params, (void)x, (void)labels, (void)n, (void)scale, (void)user;
    return param_grad == NULL;
}

static void test_no_parameters(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    float value = 1, x[N * SIZE], scale[N], energy[N], *lent = NULL;
    ebm_energy_ops fixed = {sizeof fixed, 0, constant, never, NULL};
    ebm_model *parts[2] = {points(context, SIZE), NULL}, *m = NULL;
    ebm_optimizer *optimizer = NULL;
    fill(x, N * SIZE);
    fill(scale, N);
    assert_ok(ebm_model_create_custom(context, 1, 1, SIZE, &fixed, &value,
                                      parts + 1));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &m));
    assert_int_equal(ebm_model_parameter_count(m), 0);
    assert_int_equal(ebm_model_view_count(m), 0);
    assert_null(ebm_model_parameters(m));
    assert_null(ebm_model_gradient(m));
    assert_ok(ebm_model_backward(m, x, NULL, N, scale, energy));
    assert_ok(ebm_model_get_parameters(m, 0, x, 0));
    assert_ok(ebm_model_zero_gradient(m));
    assert_status(ebm_model_get_parameters(m, 0, x, 1), EBM_ERROR_RANGE);
    assert_error(
        context,
        ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, m, &optimizer),
        EBM_ERROR_UNSUPPORTED, "no parameters");
    assert_ok(ebm_model_begin_write(m, &lent));
    assert_ok(ebm_model_end_write(m));
    ebm_model_destroy(m);
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    ebm_context_destroy(context);
}

/* ---- Labels ------------------------------------------------------------ */

static void test_labels(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    test_quadratic q = {0};
    ebm_model *parts[3] = {network(context, 2, 3), points(context, SIZE),
                           custom(context, &q)};
    float x[N * SIZE], energy[N], each[N], right[N];
    const int32_t labels[N] = {2, 0, 1, 1, 2};
    const int32_t wrong[N] = {0, 0, 0, 0, 3};
    int32_t best[N];
    fill(x, N * SIZE);
    /* Native, and with a part of callbacks. */
    for (size_t count = 2; count <= 3; count++) {
        ebm_model *m = NULL, *cold = NULL;
        assert_ok(ebm_model_create_sum(parts, NULL, count, &m));
        assert_ok(ebm_model_create_tempered(m, 0.5, &cold));
        assert_int_equal(ebm_model_class_count(cold), 3);
        memset(right, 0, sizeof right);
        for (size_t k = 0; k < count; k++) {
            assert_ok(ebm_model_energy(parts[k], x, labels, N, each));
            for (size_t i = 0; i < N; i++)
                right[i] += 2 * each[i];
        }
        assert_ok(ebm_model_energy(cold, x, labels, N, energy));
        assert_arrays_close(energy, right, N, 1e-6);
        assert_error(context, ebm_model_energy(cold, x, NULL, N, energy),
                     EBM_ERROR_ARGUMENT, "labels");
        assert_error(context, ebm_model_energy(cold, x, wrong, N, energy),
                     EBM_ERROR_RANGE, "label 3");
        int32_t own[N];
        assert_ok(ebm_model_classify(m, x, N, best, NULL));
        assert_ok(ebm_model_classify(parts[0], x, N, own, NULL));
        assert_memory_equal(best, own, sizeof own);
        ebm_model_destroy(cold);
        ebm_model_destroy(m);
    }
    for (size_t k = 0; k < 3; k++)
        ebm_model_destroy(parts[k]);
    ebm_context_destroy(context);
}

/* ---- Handles ----------------------------------------------------------- */

typedef struct hands {
    ebm_context *context;
    ebm_model *models[8];
    size_t count;
} hands;

static void let_go(void *argument)
{
    hands *h = argument;
    for (size_t i = 0; i < h->count; i++)
        ebm_model_destroy(h->models[i]);
    h->count = 0;
    ebm_context_destroy(h->context);
    h->context = NULL;
}

/* A callback lets go of everything in the middle of each kind of call. */
static void test_handles_go_in_callbacks(void **state)
{
    (void)state;
    for (int call = 0; call < 5; call++) {
        test_allocator memory;
        hands h = {.context = test_context(&memory)};
        test_quadratic q = {.called = let_go, .argument = &h};
        float x[N * SIZE], out[N * SIZE];
        const float scale[N] = {1, 1, 1, 1, 1};
        fill(x, N * SIZE);
        ebm_model **m = h.models;
        m[0] = points(h.context, SIZE);
        m[1] = network(h.context, 2, 0);
        m[2] = custom(h.context, &q);
        assert_ok(ebm_model_create_sum(m, NULL, 3, m + 3));
        assert_ok(ebm_model_create_negated(m[3], m + 4));
        assert_ok(ebm_model_create_mixture(m, NULL, 5, m + 5));
        h.count = 6;
        ebm_model *whole = m[5];
        assert_ok(
            call == 0   ? ebm_model_energy(whole, x, NULL, N, out)
            : call == 1 ? ebm_model_energy_grad(whole, x, NULL, N, NULL, out)
            : call == 2 ? ebm_model_backward(whole, x, NULL, N, scale, out)
            : call == 3
                ? ebm_model_hessian_vector(whole, x, NULL, N, x, out)
                : ebm_model_mixed_backward(whole, x, NULL, N, x, scale, out));
        assert_int_equal(h.count, 0);
        assert_no_leaks(&memory);
    }
}

/* The caller's hold on the parts can end first, last, or in between. */
static void test_any_order(void **state)
{
    (void)state;
    for (size_t first = 0; first < 6; first++) {
        test_allocator memory;
        ebm_context *context = test_context(&memory);
        test_quadratic q = {0};
        ebm_model *m[6];
        float x[N * SIZE], energy[N];
        fill(x, N * SIZE);
        m[0] = points(context, SIZE);
        m[1] = network(context, 2, 0);
        m[2] = custom(context, &q);
        assert_ok(ebm_model_create_sum(m, NULL, 3, m + 3));
        assert_ok(ebm_model_create_tempered(m[3], 2, m + 4));
        assert_ok(ebm_model_create_mixture(m, NULL, 5, m + 5));
        ebm_context_destroy(context);
        for (size_t i = 0; i < 6; i++) {
            for (size_t k = i; k < 6; k++)
                assert_ok(
                    ebm_model_energy(m[(first + k) % 6], x, NULL, N, energy));
            ebm_model *gone = m[(first + i) % 6];
            ebm_model_destroy(gone);
        }
        assert_no_leaks(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joint_creation),
        cmocka_unit_test(test_single_creation),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_passes_do_not_allocate),
        cmocka_unit_test(test_failing_callbacks),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_extreme_mixtures),
        cmocka_unit_test(test_missing_derivatives),
        cmocka_unit_test(test_no_parameters),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_handles_go_in_callbacks),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
