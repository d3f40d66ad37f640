/* Slabs from outside: their size, and that padding adds nothing. */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

#include "model/model.h"

static ebm_model *with_slab(ebm_context *context, size_t slab)
{
    ref_network ref;
    ref_mixed(&ref, 1);
    ebm_model *model = ref_model(&ref, context, slab, 1);
    ref_free(&ref);
    return model;
}

static void slab_sizes_are_told(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    const size_t sizes[] = {1, 7, 32, 1024};
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        ebm_model *model = with_slab(context, sizes[i]);
        assert_int_equal(ebm_model_slab_size(model), sizes[i]);
        ebm_model_destroy(model);
    }
    ebm_model *model = with_slab(context, 0);
    size_t slab = ebm_model_slab_size(model);
    assert_true(slab > 0 && (slab & (slab - 1)) == 0);
    assert_int_equal(ebm_model_slab_size((const ebm_model *)context), 0);
    assert_int_equal(ebm_model_slab_size(NULL), 0);
    ebm_model_destroy(model);
    test_gaussian g = {.theta = 1, .size = 2};
    model = test_gaussian_model(context, &g);
    assert_int_equal(ebm_model_slab_size(model), 0);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* E(x) = 1e30 relu(1e30 (1 - x)): 0 from 1 on, infinite at 0. */
static ebm_model *steep(ebm_context *context)
{
    const float parameters[] = {-1e30f, 1e30f, 1e30f, 0, 1, 0};
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 1, &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 8));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_network_relu(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    for (size_t v = 0; v < ebm_model_view_count(model); v++) {
        size_t offset = 0;
        assert_ok(ebm_model_view(model, v, NULL, &offset, NULL, NULL));
        assert_ok(ebm_model_set_parameters(model, offset, parameters + v, 1));
    }
    return model;
}

/* What is finite alone stays so, wherever padding stands. */
static void padding_adds_nothing(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = steep(context);
    size_t count = ebm_model_parameter_count(model), bias[2];
    float *right = test_floats(count);
    const float x[9] = {1, 2, 1, 3, 1, 1, 2, 1, 1}, zero = 0;
    const float scale[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    float energy[9], hv[9];
    /* Only the last two biases move the energy there, each by itself. */
    assert_ok(ebm_model_view(model, 3, NULL, &bias[0], NULL, NULL));
    assert_ok(ebm_model_view(model, 5, NULL, &bias[1], NULL, NULL));
    assert_ok(ebm_model_energy(model, &zero, NULL, 1, energy));
    assert_true(isinf(energy[0]));
    memset(right, 0, count * sizeof *right);
    const size_t sizes[] = {1, 3, 7, 8, 9};
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        size_t n = sizes[i];
        right[bias[0]] = right[bias[1]] = (float)n;
        assert_ok(ebm_model_zero_gradient(model));
        assert_ok(ebm_model_backward(model, x, NULL, n, scale, energy));
        for (size_t j = 0; j < n; j++)
            assert_true(energy[j] == 0);
        for (size_t j = 0; j < count; j++)
            assert_true(ebm_model_gradient(model)[j] == right[j]);
        assert_ok(ebm_model_zero_gradient(model));
        assert_ok(ebm_model_mixed_backward(model, x, NULL, n, x, scale, hv));
        for (size_t j = 0; j < n; j++)
            assert_true(hv[j] == 0);
        for (size_t j = 0; j < count; j++)
            assert_true(ebm_model_gradient(model)[j] == 0);
    }
    free(right);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* The same through a loss, whose chains and data pad two slabs. */
static void padding_adds_nothing_to_a_loss(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *model = steep(context);
    ebm_chains *chains = NULL;
    ebm_loss *loss = NULL;
    const float x[3] = {1, 2, 3};
    assert_ok(ebm_chains_create(context, 3, 1, 1, 1, 1, &chains));
    assert_ok(ebm_chains_set_first_stream(chains, 2));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_loss_backward(loss, model, x, NULL, 3, chains, NULL));
    for (size_t j = 0; j < ebm_model_parameter_count(model); j++)
        assert_true(fabs((double)ebm_model_gradient(model)[j]) < 1e-6);
    ebm_loss_destroy(loss);
    ebm_chains_destroy(chains);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* ---- Memory: that of the threads with something to do ------------------- */

enum { SLAB = 4, SIDE = 12, PIXELS = SIDE * SIDE };

static ebm_model *image_model(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, SIDE, SIDE, 1, &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, SLAB));
    assert_ok(ebm_network_conv2d(network, 8, 3, 1, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    return model;
}

static void evaluates(ebm_model *model, const float *x, size_t n, float *grad)
{
    assert_ok(ebm_model_energy_grad(model, x, NULL, n, NULL, grad));
}

static void multiplies(ebm_model *model, const float *x, size_t n, float *hv)
{
    assert_ok(ebm_model_hessian_vector(model, x, NULL, n, x, hv));
}

static void goes_back(ebm_model *model, const float *x, size_t n,
                      float *energy)
{
    assert_ok(ebm_model_backward(model, x, NULL, n, x, energy));
}

static void mixes(ebm_model *model, const float *x, size_t n, float *hv)
{
    assert_ok(ebm_model_mixed_backward(model, x, NULL, n, x, x, hv));
}

static void samples(ebm_model *model, const float *x, size_t n, float *states)
{
    ebm_context *context = model->object.context;
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 2));
    assert_ok(ebm_chains_create(context, n, SIDE, SIDE, 1, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    memcpy(states, ebm_chains_states(chains), n * PIXELS * sizeof *states);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
}

typedef void (*use_fn)(ebm_model *model, const float *x, size_t n, float *out);

/* Peak bytes of one use of n samples on so many threads. */
static size_t peak(use_fn use, size_t n, int threads)
{
    test_allocator memory = {0};
    uint64_t random = 1;
    ebm_context *context = test_context(&memory);
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, threads));
    float *x = test_floats(n * PIXELS), *out = test_floats(n * PIXELS);
    test_fill_normal(&random, x, n * PIXELS, 1);
    ebm_model *model = image_model(context);
    use(model, x, n, out);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
    free(x);
    free(out);
    return memory.peak_bytes;
}

static void idle_threads_take_no_memory(void **state)
{
    (void)state;
    const use_fn uses[] = {evaluates, multiplies, goes_back, mixes, samples};
    for (size_t i = 0; i < TEST_COUNT(uses); i++) {
        /* One slab, and two. */
        assert_int_equal(peak(uses[i], SLAB, 1), peak(uses[i], SLAB, 4));
        assert_int_equal(peak(uses[i], SLAB + 1, 2),
                         peak(uses[i], SLAB + 1, 16));
        assert_true(peak(uses[i], SLAB + 1, 1) < peak(uses[i], SLAB + 1, 2));
    }
    /* More slabs than a parameter gradient has lanes. */
    assert_int_equal(peak(goes_back, 20 * SLAB, 8),
                     peak(goes_back, 20 * SLAB, 16));
}

/* One sampler and one loss for few samples and many, in turn. */
static void memory_grows_and_stays(void **state)
{
    (void)state;
    enum { MOST = 10 * SLAB };
    static const size_t counts[] = {1, MOST, 2, MOST, 1};
    float *x = test_floats(MOST * PIXELS);
    uint64_t random = 2;
    test_allocator memory = {0};
    test_fill_normal(&random, x, MOST * PIXELS, 1);
    ebm_context *context = test_context(&memory);
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, 4));
    ebm_model *model = image_model(context);
    ebm_sampler *sampler = NULL;
    ebm_loss *loss = NULL;
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 2));
    assert_ok(ebm_loss_create(context, EBM_LOSS_CD_STAR, &loss));
    for (size_t i = 0; i < TEST_COUNT(counts); i++) {
        size_t n = counts[i];
        ebm_chains *chains = NULL;
        float *fresh = test_floats(n * PIXELS);
        samples(model, x, n, fresh);
        assert_ok(ebm_chains_create(context, n, SIDE, SIDE, 1, 1, &chains));
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
        size_t before = memory.allocations;
        assert_ok(ebm_sampler_run(sampler, model, chains));
        assert_ok(ebm_loss_backward(loss, model, x, NULL, n, chains, NULL));
        assert_true((memory.allocations == before) == (i > 1));
        assert_same_bits(ebm_chains_states(chains), fresh, n * PIXELS);
        ebm_chains_destroy(chains);
        free(fresh);
    }
    ebm_loss_destroy(loss);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slab_sizes_are_told),
        cmocka_unit_test(padding_adds_nothing),
        cmocka_unit_test(padding_adds_nothing_to_a_loss),
        cmocka_unit_test(idle_threads_take_no_memory),
        cmocka_unit_test(memory_grows_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
