/* Compositions at their limits: hundreds of levels, and parts whose energy is
   infinite. */
#include "ebm_test.h"
#include "parts.h"

enum { SIZE = TEST_PART_SIZE, N = 5, DEPTH = 500 };

/* ---- Depth ------------------------------------------------------------- */

typedef ebm_status (*wrapper)(ebm_model *part, ebm_model **model);

static ebm_status wrap_sum(ebm_model *part, ebm_model **model)
{
    return ebm_model_create_sum(&part, NULL, 1, model);
}

static ebm_status wrap_mixture(ebm_model *part, ebm_model **model)
{
    return ebm_model_create_mixture(&part, NULL, 1, model);
}

static ebm_status wrap_view(ebm_model *part, ebm_model **model)
{
    return ebm_model_create_downsampled(part, 1, model);
}

/* Takes over the part and returns the last level. */
static ebm_model *nest(ebm_model *part, const wrapper *wrap, size_t kinds,
                       size_t depth)
{
    for (size_t d = 0; d < depth; d++) {
        ebm_model *next = NULL;
        assert_ok(wrap[d % kinds](part, &next));
        ebm_model_destroy(part);
        part = next;
    }
    return part;
}

typedef struct answers {
    float energy[N], again[N], grad[N * SIZE], hv[N * SIZE], mixed[N * SIZE];
    float gradient[256];
} answers;

static void ask(ebm_model *m, answers *a)
{
    float x[N * SIZE], v[N * SIZE];
    const float scale[N] = {1, -2, 3, 0.5f, 1};
    size_t count = ebm_model_parameter_count(m);
    test_part_fill(x, N * SIZE);
    test_part_fill(v, N * SIZE);
    memset(a, 0, sizeof *a);
    assert_true(count <= TEST_COUNT(a->gradient));
    assert_ok(ebm_model_energy(m, x, NULL, N, a->again));
    assert_ok(ebm_model_energy_grad(m, x, NULL, N, a->energy, a->grad));
    assert_ok(ebm_model_hessian_vector(m, x, NULL, N, v, a->hv));
    assert_ok(ebm_model_zero_gradient(m));
    assert_ok(ebm_model_backward(m, x, NULL, N, scale, NULL));
    assert_ok(ebm_model_mixed_backward(m, x, NULL, N, v, scale, a->mixed));
    if (count)
        assert_ok(ebm_model_get_gradient(m, 0, a->gradient, count));
}

static void assert_same_answers(const answers *a, const answers *b)
{
    assert_same_bits(a->energy, b->energy, N);
    assert_same_bits(a->again, b->again, N);
    assert_arrays_close(a->grad, b->grad, N * SIZE, 1e-6);
    assert_arrays_close(a->hv, b->hv, N * SIZE, 1e-6);
    assert_arrays_close(a->mixed, b->mixed, N * SIZE, 1e-6);
    assert_arrays_close(a->gradient, b->gradient, 256, 1e-5);
}

/* 500 levels of one part each are the part. With a time that doubles with
   each level this would never end. */
static void test_depth(void **state)
{
    (void)state;
    static const wrapper wraps[] = {wrap_sum, wrap_mixture, wrap_view};
    static answers right, deep;
    ebm_context *context = test_context_threads(2);
    for (size_t kind = 0; kind < 4; kind++)
        for (int custom = 0; custom < 2; custom++) {
            test_quadratic q = {0};
            ebm_model *parts[2] = {test_part_network(context, 2, 0),
                                   test_part_custom(context, &q)};
            ebm_model *m = NULL;
            assert_ok(
                ebm_model_create_sum(parts, NULL, 1 + (size_t)custom, &m));
            ask(m, &right);
            m = nest(m, wraps + kind % 3, kind < 3 ? 1 : 3, DEPTH);
            ask(m, &deep);
            assert_same_answers(&deep, &right);
            ebm_model_destroy(m);
            ebm_model_destroy(parts[0]);
            ebm_model_destroy(parts[1]);
        }
    ebm_context_destroy(context);
}

/* The same with parts at each level, before the deep one and after it: what
   is left of them is (levels) (energy). */
static void test_depth_of_several(void **state)
{
    (void)state;
    enum { LEVELS = 100 };
    static answers right, deep;
    ebm_context *context = test_context_threads(2);
    ebm_model *net = test_part_network(context, 2, 0);
    ebm_model *well = test_part_points(context, SIZE);
    ebm_model *m = NULL, *whole = NULL;
    const double weights[2] = {1 + LEVELS, LEVELS};
    ebm_model *two[2] = {net, well};
    for (size_t d = 0; d < LEVELS; d++) {
        ebm_model *parts[3] = {d % 2 ? net
                               : m   ? m
                                     : net,
                               well, d % 2 ? m : net};
        ebm_model *next = NULL, *mixed = NULL;
        assert_ok(ebm_model_create_sum(parts, NULL, 3, &next));
        assert_ok(wrap_mixture(next, &mixed));
        ebm_model_destroy(next);
        ebm_model_destroy(m);
        m = mixed;
    }
    assert_ok(ebm_model_create_sum(two, weights, 2, &whole));
    ask(whole, &right);
    ask(m, &deep);
    assert_arrays_close(deep.energy, right.energy, N, 1e-5);
    assert_arrays_close(deep.grad, right.grad, N * SIZE, 1e-5);
    assert_arrays_close(deep.hv, right.hv, N * SIZE, 1e-5);
    assert_arrays_close(deep.gradient, right.gradient, 256, 1e-4);
    ebm_model_destroy(m);
    ebm_model_destroy(whole);
    ebm_model_destroy(net);
    ebm_model_destroy(well);
    ebm_context_destroy(context);
}

static void test_depth_of_normalisers(void **state)
{
    (void)state;
    static const wrapper wraps[] = {wrap_sum, wrap_mixture};
    ebm_context *context = test_context_threads(1);
    for (size_t kinds = 1; kinds <= 2; kinds++) {
        double log_z;
        ebm_model *m = NULL;
        assert_ok(ebm_model_create_gaussian(context, SIZE, NULL, NULL, &m));
        m = nest(m, wraps + 2 - kinds, kinds, DEPTH);
        assert_ok(ebm_model_log_normaliser(m, &log_z));
        assert_close(log_z, SIZE * log(2 * acos(-1)) / 2, 1e-12, 0);
        ebm_model_destroy(m);
    }
    ebm_context_destroy(context);
}

/* ---- Infinity ---------------------------------------------------------- */

/* A quartic of x that overflows far out, and has no derivatives there. */
static ebm_model *make_steep(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, SIZE, &network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 4));
    assert_ok(ebm_network_square(network));
    assert_ok(ebm_network_square(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_network_square(network));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    return model;
}

/* Where one part of a mixture is infinite the other is alone, whatever the
   first's gradient is; the same for its place and one level deeper. A sum
   stays infinite. */
static void test_infinite_part(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *steep = make_steep(context), *wide = NULL, *alone = NULL;
    double far[SIZE * SIZE] = {0};
    float x[N * SIZE], v[N * SIZE], e[N], g[N * SIZE], hv[N * SIZE];
    float energy[N], grad[N * SIZE], product[N * SIZE];
    for (size_t i = 0; i < SIZE; i++)
        far[i * SIZE + i] = 1e14;
    assert_ok(ebm_model_create_gaussian(context, SIZE, NULL, far, &wide));
    test_part_fill(v, N * SIZE);
    for (size_t i = 0; i < N * SIZE; i++)
        x[i] = 1e7f * (1 + (float)i);
    assert_ok(ebm_model_energy_grad(steep, x, NULL, N, e, g));
    assert_true(isinf(e[0]) && e[0] > 0 && !isfinite(g[0]));
    assert_ok(ebm_model_energy_grad(wide, x, NULL, N, e, g));
    assert_ok(ebm_model_hessian_vector(wide, x, NULL, N, v, hv));
    for (size_t turn = 0; turn < 2; turn++) {
        ebm_model *parts[2] = {turn ? wide : steep, turn ? steep : wide};
        ebm_model *inner = NULL, *m = NULL;
        assert_ok(ebm_model_create_mixture(parts, NULL, 2, &inner));
        assert_ok(wrap_sum(inner, &m));
        assert_ok(ebm_model_energy_grad(m, x, NULL, N, energy, grad));
        assert_arrays_close(energy, e, N, 1e-6);
        assert_arrays_close(grad, g, N * SIZE, 1e-6);
        assert_ok(ebm_model_hessian_vector(m, x, NULL, N, v, product));
        assert_arrays_close(product, hv, N * SIZE, 1e-6);
        ebm_model_destroy(m);
        ebm_model_destroy(inner);
        assert_ok(ebm_model_create_sum(parts, NULL, 2, &alone));
        assert_ok(ebm_model_energy_grad(alone, x, NULL, N, energy, grad));
        assert_true(isinf(energy[0]) && !isfinite(grad[0]));
        ebm_model_destroy(alone);
    }
    ebm_model_destroy(steep);
    ebm_model_destroy(wide);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_depth_of_several),
        cmocka_unit_test(test_depth_of_normalisers),
        cmocka_unit_test(test_infinite_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
