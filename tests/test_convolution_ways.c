/*
 * The ways to compute a convolution, each against the reference: energies,
 * both gradients, H v and the mixed derivative, for shapes that allow a way
 * and shapes that do not.
 */
#include "ebm_test.h"
#include "model/layer/conv.h"
#include "model/network/network.h"
#include "reference_second.h"

enum { N = 4, SLAB = 3 };

static const double BOUND = 5e-5; /* what include/ebm/network.h promises */

typedef struct shape {
    size_t height, width, channels, out, kernel, stride, padding;
    int second; /* swish comes first, so that the gradient goes to an array
                   which held something else before */
} shape;

static ebm_model *build(ebm_context *context, const shape *s, double way,
                        double weights)
{
    ebm_network *network;
    ebm_model *model;
    assert_ok(ebm_network_create(context, s->height, s->width, s->channels,
                                 &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, SLAB));
    assert_ok(ebm_network_set(network, EBM_NETWORK_CONVOLUTION, way));
    assert_ok(ebm_network_set(network, EBM_NETWORK_WEIGHTS, weights));
    if (s->second)
        assert_ok(ebm_network_swish(network));
    assert_ok(
        ebm_network_conv2d(network, s->out, s->kernel, s->stride, s->padding));
    assert_ok(
        ebm_network_set(network, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_PLAIN));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 3, &model));
    ebm_network_destroy(network);
    return model;
}

static void describe(ref_network *ref, const shape *s)
{
    ref_begin(ref, s->height, s->width, s->channels);
    if (s->second)
        ref_swish(ref);
    ref_conv2d(ref, s->out, s->kernel, s->stride, s->padding, 1);
    ref_swish(ref);
    ref_flatten(ref);
    ref_dense(ref, 1, 1);
}

/* What both sides compute of the same samples. */
typedef struct results {
    float energy[N], *grad, *theta, *hv, *mixed;
    double energies[N], *dx, *dtheta, *dhv, *dmixed;
} results;

static void run_reference(const ref_network *ref, const float *x,
                          const float *v, const float *scale, results *r)
{
    size_t size = ref_size(ref);
    double *point = test_doubles(size), *along = test_doubles(size);
    memset(r->dtheta, 0, ref->parameter_count * sizeof *r->dtheta);
    memset(r->dmixed, 0, ref->parameter_count * sizeof *r->dmixed);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < size; j++) {
            point[j] = (double)x[i * size + j];
            along[j] = (double)v[i * size + j];
        }
        r->energies[i] = ref_gradient(ref, point, (double)scale[i],
                                      r->dx + i * size, r->dtheta, NULL);
        ref_second(ref, point, along, (double)scale[i], r->dhv + i * size,
                   r->dmixed);
    }
    free(point);
    free(along);
}

static void run_model(const ref_network *ref, ebm_model *model, const float *x,
                      const float *v, const float *scale, results *r)
{
    assert_ok(ebm_model_energy_grad(model, x, NULL, N, r->energy, r->grad));
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_backward(model, x, NULL, N, scale, NULL));
    ref_pack(ref, model, ebm_model_gradient(model), r->theta);
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_mixed_backward(model, x, NULL, N, v, scale, r->hv));
    ref_pack(ref, model, ebm_model_gradient(model), r->mixed);
}

static void compare(const shape *s)
{
    const float scale[N] = {1, -0.5f, 2, 0.25f};
    ebm_context *context = test_context_threads(2);
    ref_network ref;
    uint64_t random = 31;
    describe(&ref, s);
    size_t size = ref_size(&ref), count = ref.parameter_count;
    float *x = test_floats(N * size), *v = test_floats(N * size);
    results r = {.grad = test_floats(N * size),
                 .hv = test_floats(N * size),
                 .theta = test_floats(count),
                 .mixed = test_floats(count),
                 .dx = test_doubles(N * size),
                 .dhv = test_doubles(N * size),
                 .dtheta = test_doubles(count),
                 .dmixed = test_doubles(count)};
    test_fill_uniform(&random, x, N * size, -1, 1);
    test_fill_normal(&random, v, N * size, 1);
    for (double way = 0; way <= EBM_CONVOLUTION_WINOGRAD_4; way++) {
        ebm_model *model = build(context, s, way, EBM_WEIGHTS_PLAIN);
        if (way == 0) {
            ref_load(&ref, model);
            run_reference(&ref, x, v, scale, &r);
        }
        run_model(&ref, model, x, v, scale, &r);
        assert_arrays_near(r.energy, r.energies, N, BOUND);
        assert_arrays_near(r.grad, r.dx, N * size, BOUND);
        assert_arrays_near(r.theta, r.dtheta, count, BOUND);
        assert_arrays_near(r.hv, r.dhv, N * size, BOUND);
        assert_arrays_near(r.mixed, r.dmixed, count, BOUND);
        ebm_model_destroy(model);
    }
    float *const floats[] = {x, v, r.grad, r.hv, r.theta, r.mixed};
    double *const doubles[] = {r.dx, r.dhv, r.dtheta, r.dmixed};
    for (size_t i = 0; i < TEST_COUNT(floats); i++)
        free(floats[i]);
    for (size_t i = 0; i < TEST_COUNT(doubles); i++)
        free(doubles[i]);
    ref_free(&ref);
    ebm_context_destroy(context);
}

static void every_way_against_the_reference(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {8, 8, 32, 32, 3, 1, 1, 0},    /* whole tiles */
        {16, 15, 16, 32, 3, 1, 1, 0},  /* many: the gradient's own way */
        {32, 30, 16, 16, 3, 1, 1, 1},  /* more tiles than are made at once */
        {13, 13, 16, 16, 3, 1, 1, 0},  /* columns of two samples, then one */
        {7, 5, 32, 16, 3, 1, 1, 1},    /* tiles that stick out */
        {3, 3, 144, 160, 3, 1, 1, 0},  /* large panels are kept once */
        {4, 4, 48, 32, 3, 1, 1, 0},    /* one tile of 4 x 4 */
        {6, 7, 32, 32, 3, 1, 0, 0},    /* no padding */
        {3, 3, 16, 16, 3, 1, 3, 0},    /* tiles of padding alone */
        {6, 6, 20, 32, 3, 1, 1, 0},    /* not whole vectors: no Winograd */
        {9, 8, 16, 24, 3, 2, 1, 1},    /* strided */
        {12, 12, 1, 16, 5, 2, 4, 0},   /* few channels, back along vectors */
        {6, 5, 3, 20, 4, 3, 2, 0},     /* few channels, not whole vectors */
        {5, 5, 8, 3, 3, 1, 1, 0},      /* few output channels */
        {6, 6, 12, 10, 1, 1, 0, 0},    /* the image is its column matrix */
        {4, 3, 16, 16, 3, 5, 40, 1},   /* hardly more than padding */
        {4, 5, 3, 16, 3, 200, 200, 1}, /* pixels between strides: unseen */
        {5, 4, 16, 20, 3, 900, 40, 1}, /* one output, and it sees padding */
        {3, 4, 16, 16, 9, 7, 20, 1},   /* a kernel larger than the image */
    };
    for (size_t i = 0; i < TEST_COUNT(shapes); i++)
        compare(shapes + i);
}

/* The convolution of a model, for a way that is asked for. */
static ebm_layer layer_for(ebm_context *context, const shape *s, int way)
{
    ebm_model *model = build(context, s, way, EBM_WEIGHTS_PLAIN);
    ebm_layer layer = ebm_network_of(model)->layers[0];
    ebm_model_destroy(model);
    return layer;
}

/* What docs/performance.md says is chosen; what is asked for is taken where
   the shape allows it. */
static void the_way_follows_from_the_shape(void **state)
{
    (void)state;
    enum {
        COLUMNS = EBM_CONVOLUTION_COLUMNS,
        DIRECT = EBM_CONVOLUTION_DIRECT,
        TWO = EBM_CONVOLUTION_WINOGRAD_2,
        FOUR = EBM_CONVOLUTION_WINOGRAD_4
    };
    static const struct {
        shape shape;
        int chosen, winograd; /* left alone; and asked for F(2x2) or F(4x4) */
    } all[] = {
        {{8, 8, 32, 32, 3, 1, 1, 0}, FOUR, 1},
        {{5, 4, 32, 48, 3, 1, 1, 0}, FOUR, 1},
        {{4, 5, 48, 32, 3, 1, 1, 0}, FOUR, 1},
        {{4, 4, 32, 32, 3, 1, 1, 0}, TWO, 1},
        {{2, 2, 64, 64, 3, 1, 1, 0}, TWO, 1},
        {{1, 2, 32, 32, 3, 1, 1, 0}, DIRECT, 1},
        {{8, 8, 16, 32, 3, 1, 1, 0}, DIRECT, 1}, /* few channels in, or out */
        {{8, 8, 32, 16, 3, 1, 1, 0}, DIRECT, 1},
        {{8, 8, 40, 32, 3, 1, 1, 0}, DIRECT, 0}, /* not whole vectors */
        {{8, 8, 32, 40, 3, 1, 1, 0}, DIRECT, 0},
        {{8, 8, 32, 32, 3, 2, 1, 0}, DIRECT, 0}, /* not F(m, 3) of stride 1 */
        {{8, 8, 32, 32, 5, 1, 2, 0}, DIRECT, 0},
        {{8, 8, 32, 8, 5, 1, 2, 0}, DIRECT, 0},
        {{8, 8, 32, 7, 5, 1, 2, 0}, COLUMNS, 0},   /* panels half empty */
        {{6, 6, 128, 40, 5, 1, 2, 0}, DIRECT, 0},  /* 125 Ki weights */
        {{6, 6, 128, 48, 5, 1, 2, 0}, COLUMNS, 0}, /* 150 Ki */
        {{8, 8, 32, 32, 1, 1, 0, 0}, COLUMNS, 0},  /* a matrix already */
    };
    ebm_context *context = test_context_threads(2);
    for (size_t i = 0; i < TEST_COUNT(all); i++) {
        const shape *s = &all[i].shape;
        int plain = s->kernel == 1, fits = all[i].winograd;
        const int wanted[] = {all[i].chosen, COLUMNS, plain ? COLUMNS : DIRECT,
                              fits ? TWO : all[i].chosen,
                              fits ? FOUR : all[i].chosen};
        for (int way = 0; way < 5; way++)
            assert_int_equal(layer_for(context, s, way).way, wanted[way]);
    }
    /* With fewer than 16 tiles the gradient goes over columns. */
    shape s = {12, 16, 32, 32, 3, 1, 1, 0};
    ebm_layer layer = layer_for(context, &s, FOUR);
    assert_false(ebm_conv_winograd_has_gradient(&layer));
    s.height = 13;
    layer = layer_for(context, &s, FOUR);
    assert_true(ebm_conv_winograd_has_gradient(&layer));
    ebm_context_destroy(context);
}

/* Ways differ: else this file would compare one thing with itself. */
static void ways_are_different(void **state)
{
    (void)state;
    const shape s = {8, 8, 32, 32, 3, 1, 1, 0};
    ebm_context *context = test_context_threads(2);
    enum { SIZE = 8 * 8 * 32 };
    float x[SIZE], grad[5][SIZE], energy;
    uint64_t random = 32;
    test_fill_uniform(&random, x, SIZE, -1, 1);
    for (int way = 0; way < 5; way++) {
        ebm_model *model = build(context, &s, way, EBM_WEIGHTS_PLAIN);
        assert_ok(
            ebm_model_energy_grad(model, x, NULL, 1, &energy, grad[way]));
        ebm_model_destroy(model);
    }
    assert_same_bits(grad[EBM_CONVOLUTION_WINOGRAD_4], grad[0], SIZE);
    for (int one = 1; one < 5; one++)
        for (int other = 1; other < one; other++)
            assert_memory_not_equal(grad[one], grad[other], sizeof grad[0]);
    ebm_context_destroy(context);
}

static void check_threads(const shape *s)
{
    enum { ROWS = 7 };
    const size_t size = s->height * s->width * s->channels;
    const float scale[ROWS] = {1, -0.5f, 2, 1, 1, 0.25f, 3};
    ebm_context *context = test_context_threads(1);
    float *x = test_floats(ROWS * size), *v = test_floats(ROWS * size);
    uint64_t random = 34;
    test_fill_uniform(&random, x, ROWS * size, -1, 1);
    test_fill_normal(&random, v, ROWS * size, 1);
    for (int way = 1; way < 5; way++) {
        ebm_model *model = build(context, s, way, EBM_WEIGHTS_PLAIN);
        size_t count = ebm_model_parameter_count(model);
        size_t all = ROWS + 2 * ROWS * size + 2 * count;
        float *first = test_floats(all), *again = test_floats(all);
        for (int threads = 1; threads <= 4; threads++) {
            float *to = threads == 1 ? first : again;
            float *theta = to + ROWS + 2 * ROWS * size;
            assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, threads));
            assert_ok(
                ebm_model_energy_grad(model, x, NULL, ROWS, to, to + ROWS));
            assert_ok(ebm_model_zero_gradient(model));
            assert_ok(ebm_model_backward(model, x, NULL, ROWS, scale, NULL));
            assert_ok(ebm_model_get_gradient(model, 0, theta, count));
            assert_ok(ebm_model_zero_gradient(model));
            assert_ok(ebm_model_mixed_backward(model, x, NULL, ROWS, v, scale,
                                               to + ROWS + ROWS * size));
            assert_ok(ebm_model_get_gradient(model, 0, theta + count, count));
            assert_same_bits(to, first, all);
        }
        free(first);
        free(again);
        ebm_model_destroy(model);
    }
    free(x);
    free(v);
    ebm_context_destroy(context);
}

/* Each way's bits, for one thread and for more, when slabs are cut anew. */
static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {32, 30, 16, 16, 3, 1, 1, 1}, /* several chunks of tiles */
        {13, 13, 16, 16, 3, 1, 1, 0}, /* columns of several samples */
        {3, 3, 144, 160, 3, 1, 1, 1}, /* panels that are made by each thread */
    };
    for (size_t i = 0; i < TEST_COUNT(shapes); i++)
        check_threads(shapes + i);
}

/* How parameters are written. */
enum { SET, LENT, STEP, SWAP, WRITES };

static void write_parameters(ebm_context *context, ebm_model *model, int how,
                             const float *x, const float *theta, size_t count)
{
    const float scale = 1;
    float *lent;
    ebm_optimizer *optimizer;
    if (how == SET) {
        assert_ok(ebm_model_set_parameters(model, 0, theta, count));
    } else if (how == LENT) {
        assert_ok(ebm_model_begin_write(model, &lent));
        memcpy(lent, theta, count * sizeof *lent);
        assert_ok(ebm_model_end_write(model));
    } else {
        assert_ok(ebm_optimizer_create(context, EBM_OPTIMIZER_SGD, model,
                                       &optimizer));
        assert_ok(
            ebm_optimizer_set(optimizer, EBM_OPTIMIZER_LEARNING_RATE, 0.02));
        assert_ok(ebm_optimizer_set(optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.5));
        for (int step = 0; step < (how == STEP ? 1 : 2); step++) {
            assert_ok(ebm_model_backward(model, x, NULL, 1, &scale, NULL));
            assert_ok(ebm_optimizer_step(optimizer));
        }
        if (how == SWAP)
            assert_ok(ebm_optimizer_swap_average(optimizer));
        ebm_optimizer_destroy(optimizer);
    }
}

/* What is prepared follows the weights: written in whatever way, and derived
   ones. Columns take plain weights as they are, which the others must find. */
static void prepared_weights_are_those_in_force(void **state)
{
    (void)state;
    const shape s = {8, 8, 32, 32, 3, 1, 1, 0};
    ebm_context *context = test_context_threads(2);
    float x[8 * 8 * 32], before, after[5];
    uint64_t random = 33;
    test_fill_uniform(&random, x, TEST_COUNT(x), -1, 1);
    for (int k = 0; k < (EBM_WEIGHTS_SPECTRAL + 1) * WRITES; k++)
        for (int way = 1; way < 5; way++) {
            ebm_model *model = build(context, &s, way, k / WRITES);
            size_t count = ebm_model_parameter_count(model);
            float *theta = test_floats(count);
            assert_ok(ebm_model_energy(model, x, NULL, 1, &before));
            memcpy(theta, ebm_model_parameters(model), count * sizeof *theta);
            for (size_t i = 0; i < count; i++)
                theta[i] *= 1 + 0.5f * (float)(i % 7);
            write_parameters(context, model, k % WRITES, x, theta, count);
            assert_ok(ebm_model_energy(model, x, NULL, 1, after + way));
            assert_true(fabsf(after[way] - before) > 1e-3f);
            assert_close(after[way], (double)after[1], 1e-4, 1e-4);
            free(theta);
            ebm_model_destroy(model);
        }
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_against_the_reference),
        cmocka_unit_test(the_way_follows_from_the_shape),
        cmocka_unit_test(ways_are_different),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(prepared_weights_are_those_in_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
