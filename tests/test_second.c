/* Second derivatives of networks, H v and d/dtheta <grad E, v>, against the
   double-precision reference. Threads, models of the caller's own, and what
   the calls refuse stand in test_second_faults.c. */
#include "ebm_test.h"
#include "reference_second.h"

enum { MOST = 9, SLAB = 4 };

/* ---- Networks: every layer kind, in all places it can stand ---------------
 */

static void swish_dense(ref_network *r)
{
    ref_begin(r, 1, 1, 7);
    ref_dense(r, 9, 1);
    ref_swish(r);
    ref_dense(r, 1, 1);
}

/* The Hessian is 0, the mixed derivative is not. */
static void only_dense(ref_network *r)
{
    ref_begin(r, 1, 1, 6);
    ref_dense(r, 5, 1);
    ref_dense(r, 1, 1);
}

static void activations_at_both_ends(ref_network *r)
{
    ref_begin(r, 1, 1, 5);
    ref_swish(r);
    ref_dense(r, 1, 0);
    ref_swish(r);
}

static void relu_dense(ref_network *r)
{
    ref_begin(r, 1, 1, 6);
    ref_swish(r);
    ref_dense(r, 8, 1);
    ref_relu(r);
    ref_dense(r, 4, 1);
    ref_swish(r);
    ref_dense(r, 1, 1);
}

static void leaky_dense(ref_network *r)
{
    ref_begin(r, 1, 1, 6);
    ref_dense(r, 8, 1);
    ref_leaky_relu(r, 0.2);
    ref_dense(r, 5, 0);
    ref_swish(r);
    ref_leaky_relu(r, 0.01);
    ref_dense(r, 1, 1);
}

/* Piecewise linear: no Hessian, and a mixed derivative. */
static void only_relu(ref_network *r)
{
    ref_begin(r, 3, 3, 1);
    ref_conv2d(r, 3, 3, 1, 1, 1);
    ref_relu(r);
    ref_flatten(r);
    ref_dense(r, 1, 1);
}

static void one_channel(ref_network *r)
{
    ref_begin(r, 7, 6, 1);
    ref_conv2d(r, 5, 5, 2, 4, 1);
    ref_swish(r);
    ref_flatten(r);
    ref_dense(r, 1, 1);
}

static void three_channels(ref_network *r)
{
    ref_begin(r, 6, 7, 3);
    ref_conv2d(r, 6, 3, 2, 1, 1);
    ref_swish(r);
    ref_conv2d(r, 7, 3, 1, 0, 0);
    ref_leaky_relu(r, 0.1);
    ref_conv2d(r, 4, 2, 1, 1, 1);
    ref_swish(r);
    ref_flatten(r);
    ref_dense(r, 6, 1);
    ref_swish(r);
    ref_dense(r, 1, 1);
}

/* A convolution alone ends in a number. */
static void only_convolutions(ref_network *r)
{
    ref_begin(r, 4, 4, 2);
    ref_conv2d(r, 3, 2, 2, 0, 1);
    ref_swish(r);
    ref_conv2d(r, 1, 2, 1, 0, 1);
}

static void one_by_one(ref_network *r)
{
    ref_begin(r, 3, 2, 4);
    ref_flatten(r);
    ref_flatten(r);
    ref_dense(r, 3, 1);
    ref_swish(r);
    ref_swish(r);
    ref_dense(r, 1, 1);
}

typedef struct example {
    const char *name;
    void (*build)(ref_network *ref);
    size_t n, slab;
    int is_flat; /* H = 0 */
} example;

static const example networks[] = {
    {"swish, dense", swish_dense, MOST, SLAB, 0},
    {"only dense", only_dense, MOST, SLAB, 1},
    {"activations at both ends", activations_at_both_ends, MOST, SLAB, 0},
    {"relu, dense", relu_dense, MOST, SLAB, 0},
    {"leaky relu, dense", leaky_dense, MOST, SLAB, 0},
    {"only relu", only_relu, MOST, SLAB, 1},
    {"convolution of one channel", one_channel, MOST, SLAB, 0},
    {"convolutions of three channels", three_channels, MOST, SLAB, 0},
    {"only convolutions", only_convolutions, MOST, SLAB, 0},
    {"flatten and dense", one_by_one, MOST, SLAB, 0},
    {"one sample", three_channels, 1, 0, 0},
    {"digits", ref_digits, 3, 0, 0},
};

/* ---- A network with samples, directions and the reference's answers -------
 */

typedef struct scene {
    ref_network ref;
    ebm_context *context;
    ebm_model *model;
    size_t n, size, count;
    float *x, *v, *hv, *packed;
    float scale[MOST];
    double *hv_ref, *theta_ref;
} scene;

/* Draws sample i and its direction until no difference comes near a kink. */
static void draw(scene *s, size_t i, uint64_t *random)
{
    double *x = test_doubles(s->size), *v = test_doubles(s->size);
    double *theta = test_doubles(s->count), kink = 0;
    for (int tries = 0; kink < REF_KINK; tries++) {
        assert_true(tries < 500);
        test_fill_normal(random, s->x + i * s->size, s->size, 0.8);
        test_fill_normal(random, s->v + i * s->size, s->size, 1);
        for (size_t j = 0; j < s->size; j++) {
            x[j] = (double)s->x[i * s->size + j];
            v[j] = (double)s->v[i * s->size + j];
        }
        memset(theta, 0, s->count * sizeof *theta);
        kink = ref_second(&s->ref, x, v, (double)s->scale[i],
                          s->hv_ref + i * s->size, theta);
    }
    for (size_t j = 0; j < s->count; j++)
        s->theta_ref[j] += theta[j];
    free(x);
    free(v);
    free(theta);
}

/* Weights larger than a new network's, so that curvature shows. */
static void widen(ebm_model *model)
{
    float *theta;
    assert_ok(ebm_model_begin_write(model, &theta));
    for (size_t i = 0; i < ebm_model_parameter_count(model); i++)
        theta[i] *= 2;
    assert_ok(ebm_model_end_write(model));
}

static void begin(scene *s, const example *network, int threads)
{
    uint64_t random = 11;
    memset(s, 0, sizeof *s);
    network->build(&s->ref);
    s->context = test_context_threads(threads);
    s->model = ref_model(&s->ref, s->context, network->slab, 5);
    widen(s->model);
    ref_load(&s->ref, s->model);
    s->n = network->n;
    s->size = ref_size(&s->ref);
    s->count = s->ref.parameter_count;
    s->x = test_floats(s->n * s->size);
    s->v = test_floats(s->n * s->size);
    s->hv = test_floats(s->n * s->size);
    s->packed = test_floats(s->count);
    s->hv_ref = test_doubles(s->n * s->size);
    s->theta_ref = test_doubles(s->count);
    test_fill_uniform(&random, s->scale, s->n, -2, 2);
    for (size_t i = 0; i < s->n; i++)
        draw(s, i, &random);
}

static void end(scene *s)
{
    free(s->x);
    free(s->v);
    free(s->hv);
    free(s->packed);
    free(s->hv_ref);
    free(s->theta_ref);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
    ref_free(&s->ref);
}

static void mixed(scene *s, float *hv)
{
    assert_ok(ebm_model_mixed_backward(s->model, s->x, NULL, s->n, s->v,
                                       s->scale, hv));
    ref_pack(&s->ref, s->model, ebm_model_gradient(s->model), s->packed);
}

/* ---- Against the reference ------------------------------------------------
 */

/* Each sample's H v on its own: a large one must not hide a wrong one. */
static void check_hv(const scene *s, const example *network)
{
    for (size_t i = 0; i < s->n; i++) {
        const float *hv = s->hv + i * s->size;
        const double *right = s->hv_ref + i * s->size;
        if (network->is_flat)
            for (size_t j = 0; j < s->size; j++)
                assert_close(hv[j], 0, 1e-6, 0);
        else
            assert_arrays_near(hv, right, s->size, 1e-4);
    }
}

/* Each parameter array on its own, for the same reason. */
static void check_theta(const scene *s)
{
    for (size_t l = 0; l < s->ref.count; l++) {
        const ref_layer *layer = s->ref.layers + l;
        size_t begins[] = {layer->weight, layer->biases};
        size_t counts[] = {layer->weight_count,
                           layer->bias ? layer->units : 0};
        for (int k = 0; k < 2 && layer->weight_count; k++) {
            const float *got = s->packed + begins[k];
            const double *right = s->theta_ref + begins[k];
            double largest = 0;
            for (size_t j = 0; j < counts[k]; j++)
                largest = fmax(largest, fabs(right[j]));
            if (largest > 1e-6) {
                assert_arrays_near(got, right, counts[k], 1e-4);
                continue;
            }
            /* The last bias: E depends on it, grad E does not. */
            for (size_t j = 0; j < counts[k]; j++)
                assert_close(got[j], 0, 1e-6, 0);
        }
    }
}

static void every_layer_and_whole_networks(void **state)
{
    (void)state;
    for (size_t k = 0; k < TEST_COUNT(networks); k++) {
        scene s;
        begin(&s, networks + k, 2);
        assert_ok(
            ebm_model_hessian_vector(s.model, s.x, NULL, s.n, s.v, s.hv));
        check_hv(&s, networks + k);
        float *again = test_floats(s.n * s.size);
        mixed(&s, again);
        assert_same_bits(again, s.hv, s.n * s.size);
        check_theta(&s);
        print_message("%s: H v %.1e, mixed %.1e\n", networks[k].name,
                      networks[k].is_flat
                          ? 0
                          : test_array_error(s.hv, s.hv_ref, s.n * s.size),
                      test_array_error(s.packed, s.theta_ref, s.count));
        /* It adds up, with or without H v. */
        float *once = test_memory(s.count * sizeof *once);
        memcpy(once, s.packed, s.count * sizeof *once);
        mixed(&s, NULL);
        for (size_t j = 0; j < s.count; j++)
            once[j] *= 2;
        assert_arrays_close(s.packed, once, s.count, 1e-6);
        free(once);
        free(again);
        end(&s);
    }
}

/* ---- Laws that need no reference ------------------------------------------
 */

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void hessians_are_symmetric_and_linear(void **state)
{
    (void)state;
    for (size_t k = 0; k < TEST_COUNT(networks); k++) {
        scene s;
        uint64_t random = 3;
        begin(&s, networks + k, 1);
        size_t elements = s.n * s.size;
        float *u = test_floats(elements), *hu = test_floats(elements);
        float *w = test_floats(elements), *hw = test_floats(elements);
        float *sum = test_floats(elements);
        test_fill_normal(&random, u, elements, 1);
        assert_ok(
            ebm_model_hessian_vector(s.model, s.x, NULL, s.n, s.v, s.hv));
        assert_ok(ebm_model_hessian_vector(s.model, s.x, NULL, s.n, u, hu));
        for (size_t i = 0; i < s.n; i++) {
            size_t at = i * s.size;
            double scale = sqrt(dot(u + at, u + at, s.size) *
                                dot(s.hv + at, s.hv + at, s.size));
            assert_close(dot(u + at, s.hv + at, s.size),
                         dot(s.v + at, hu + at, s.size), 1e-5 * scale + 1e-7,
                         0);
        }
        /* H (2 u - 3 v) = 2 H u - 3 H v, but for rounding. */
        for (size_t i = 0; i < elements; i++) {
            w[i] = 2 * u[i] - 3 * s.v[i];
            sum[i] = 2 * hu[i] - 3 * s.hv[i];
        }
        assert_ok(ebm_model_hessian_vector(s.model, s.x, NULL, s.n, w, hw));
        if (!networks[k].is_flat)
            assert_arrays_close(hw, sum, elements, 1e-5);
        /* Powers of two and a zero direction are exact. */
        for (size_t i = 0; i < elements; i++)
            w[i] = i / s.size == 0 ? 0 : -4 * s.v[i];
        assert_ok(ebm_model_hessian_vector(s.model, s.x, NULL, s.n, w, hw));
        for (size_t i = 0; i < elements; i++)
            assert_true(hw[i] == (i / s.size == 0 ? 0 : -4 * s.hv[i]));
        free(u);
        free(hu);
        free(w);
        free(hw);
        free(sum);
        end(&s);
    }
}

/* A scale of 0 is as if the sample were not there; -2 counts twice, down. */
static void scales_weigh_samples(void **state)
{
    (void)state;
    static const example *const chosen[] = {networks, networks + 7};
    for (size_t k = 0; k < TEST_COUNT(chosen); k++) {
        scene s;
        begin(&s, chosen[k], 2);
        double *sum = test_doubles(s.count);
        for (size_t i = 0; i < s.n; i++) {
            for (size_t j = 0; j < s.n; j++)
                s.scale[j] = j == i ? -2 : 0;
            assert_ok(ebm_model_zero_gradient(s.model));
            mixed(&s, NULL);
            for (size_t j = 0; j < s.count; j++)
                sum[j] -= (double)s.packed[j] / 2;
        }
        for (size_t j = 0; j < s.n; j++)
            s.scale[j] = 1;
        assert_ok(ebm_model_zero_gradient(s.model));
        mixed(&s, NULL);
        assert_arrays_near(s.packed, sum, s.count, 1e-5);
        free(sum);
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_and_whole_networks),
        cmocka_unit_test(hessians_are_symmetric_and_linear),
        cmocka_unit_test(scales_weigh_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
