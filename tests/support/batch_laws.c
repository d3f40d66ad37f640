/* Batches, slabs and threads, for any network. */
#include "batch_laws.h"

#include "ebm_test.h"
#include "hyper.h"

enum { BATCH = 7, SLAB = 3 };

ebm_model *test_design_model(ebm_context *context, const test_design *design,
                             size_t slab, uint64_t seed, double std)
{
    const size_t *s = design->shape;
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, s[0], s[1], s[2], &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, (double)slab));
    design->build(network);
    assert_ok(ebm_model_create_network(network, seed, &model));
    ebm_network_destroy(network);
    test_hyper_shake(model, seed, std);
    return model;
}

/* A batch, and all that the library says of it. */
typedef struct answers {
    size_t size, count;
    int32_t labels[BATCH];
    float scale[BATCH], energy[BATCH];
    float *x, *v, *grad, *hv, *theta, *mixed;
} answers;

static void draw(answers *a, const ebm_model *model, uint64_t seed)
{
    size_t shape[3], classes = ebm_model_class_count(model);
    assert_ok(ebm_model_shape(model, shape, shape + 1, shape + 2));
    a->size = shape[0] * shape[1] * shape[2];
    a->count = ebm_model_parameter_count(model);
    a->x = test_floats(BATCH * a->size);
    a->v = test_floats(BATCH * a->size);
    a->grad = test_floats(BATCH * a->size);
    a->hv = test_floats(BATCH * a->size);
    a->theta = test_floats(a->count);
    a->mixed = test_floats(a->count);
    test_fill_normal(&seed, a->x, BATCH * a->size, 1);
    test_fill_normal(&seed, a->v, BATCH * a->size, 1);
    test_fill_uniform(&seed, a->scale, BATCH, -1, 1);
    for (size_t i = 0; i < BATCH; i++)
        a->labels[i] =
            (int32_t)(classes ? test_random_word(&seed) % classes : 0);
}

static void release(answers *a)
{
    free(a->x);
    free(a->v);
    free(a->grad);
    free(a->hv);
    free(a->theta);
    free(a->mixed);
}

static void ask(answers *a, ebm_model *model)
{
    assert_ok(ebm_model_energy_grad(model, a->x, a->labels, BATCH, a->energy,
                                    a->grad));
    assert_ok(
        ebm_model_hessian_vector(model, a->x, a->labels, BATCH, a->v, a->hv));
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(
        ebm_model_backward(model, a->x, a->labels, BATCH, a->scale, NULL));
    assert_ok(ebm_model_get_gradient(model, 0, a->theta, a->count));
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_mixed_backward(model, a->x, a->labels, BATCH, a->v,
                                       a->scale, NULL));
    assert_ok(ebm_model_get_gradient(model, 0, a->mixed, a->count));
    assert_ok(ebm_model_zero_gradient(model));
}

static void assert_same_answers(const answers *a, const answers *b)
{
    assert_same_bits(a->energy, b->energy, BATCH);
    assert_same_bits(a->grad, b->grad, BATCH * a->size);
    assert_same_bits(a->hv, b->hv, BATCH * a->size);
    assert_same_bits(a->theta, b->theta, a->count);
    assert_same_bits(a->mixed, b->mixed, a->count);
}

static void same_on_all_threads(const test_design *design)
{
    answers first = {0};
    for (int threads = 1; threads <= 4; threads *= 2) {
        ebm_context *context = test_context_threads(threads);
        ebm_model *model = test_design_model(context, design, SLAB, 5, 0.1);
        answers a;
        draw(&a, model, 6);
        ask(&a, model);
        if (threads == 1)
            first = a;
        else
            assert_same_answers(&a, &first);
        if (threads > 1)
            release(&a);
        ebm_model_destroy(model);
        ebm_context_destroy(context);
    }
    release(&first);
}

/* Every sample in turn keeps its place while all others become something
   else, small or large. */
static void same_beside_others(const test_design *design)
{
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_design_model(context, design, SLAB, 5, 0.1);
    answers a, other;
    draw(&a, model, 6);
    ask(&a, model);
    size_t bytes = a.size * sizeof *a.x;
    for (size_t i = 0; i < BATCH; i++) {
        draw(&other, model, 100 + i);
        for (size_t j = 0; j < BATCH * a.size; j++)
            other.x[j] *= i % 2 ? 20 : 0.01f;
        memcpy(other.x + i * a.size, a.x + i * a.size, bytes);
        memcpy(other.v + i * a.size, a.v + i * a.size, bytes);
        other.labels[i] = a.labels[i];
        ask(&other, model);
        assert_same_bits(other.energy + i, a.energy + i, 1);
        assert_same_bits(other.grad + i * a.size, a.grad + i * a.size, a.size);
        assert_same_bits(other.hv + i * a.size, a.hv + i * a.size, a.size);
        release(&other);
    }
    release(&a);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

void assert_batch_laws(const test_design *design)
{
    same_on_all_threads(design);
    same_beside_others(design);
}

void assert_design(const test_design *design, double energy, double gradient)
{
    static const size_t slabs[] = {0, 1, SLAB};
    ebm_context *context = test_context_threads(2);
    test_hyper_errors worst = {0};
    for (size_t s = 0; s < TEST_COUNT(slabs); s++) {
        ebm_model *model =
            test_design_model(context, design, slabs[s], 3 + s, 0.3);
        test_hyper_check_random(model, s == 0 ? 1 : 4, 10 + s, &worst);
        ebm_model_destroy(model);
    }
    assert_hyper_errors(design->name, &worst, energy, gradient);
    assert_batch_laws(design);
    ebm_context_destroy(context);
}
