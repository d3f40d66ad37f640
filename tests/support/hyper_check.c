/* The library's derivatives against those of the hyper-dual reference. */
#include "ebm_test.h"
#include "hyper.h"
#include "model/model.h"

/* Longer arrays are compared at this many places. */
enum { MOST_INPUTS = 100, MOST_PARAMETERS = 160 };

static void raise(double *worst, double error)
{
    if (!(error <= *worst))
        *worst = isfinite(error) ? error : INFINITY;
}

/* The j-th of `many` places in an array of n: all of them, or spread over it,
   with the two ends. */
static size_t place(size_t j, size_t many, size_t n)
{
    return many < 2 || many == n ? j : j * (n - 1) / (many - 1);
}

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

/* A batch and what the library says of it. */
typedef struct batch {
    ebm_model *model;
    size_t n;
    const float *x, *v, *scale;
    const int32_t *labels;
    float *energy, *grad, *hv, *theta, *mixed;
} batch;

static void ask_library(const batch *b)
{
    size_t count = b->model->parameter_count;
    ebm_model *model = b->model;
    float *energy = test_floats(2 * b->n),
          *hv = test_floats(b->n * model->size);
    assert_ok(ebm_model_energy(model, b->x, b->labels, b->n, b->energy));
    assert_ok(
        ebm_model_energy_grad(model, b->x, b->labels, b->n, energy, b->grad));
    assert_ok(
        ebm_model_hessian_vector(model, b->x, b->labels, b->n, b->v, b->hv));
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_backward(model, b->x, b->labels, b->n, b->scale,
                                 energy + b->n));
    assert_ok(ebm_model_get_gradient(model, 0, b->theta, count));
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_mixed_backward(model, b->x, b->labels, b->n, b->v,
                                       b->scale, hv));
    assert_ok(ebm_model_get_gradient(model, 0, b->mixed, count));
    assert_ok(ebm_model_zero_gradient(model));
    /* Whatever is computed beside it, the energy is the same. */
    assert_same_bits(energy, b->energy, b->n);
    assert_same_bits(energy + b->n, b->energy, b->n);
    assert_same_bits(hv, b->hv, b->n * model->size);
    free(energy);
    free(hv);
}

static test_hyper energy_at(const batch *b, size_t i, size_t input,
                            size_t parameter, test_hyper_facts *facts)
{
    size_t size = b->model->size;
    return test_hyper_energy(b->model, b->x + i * size,
                             b->labels ? b->labels[i] : 0, b->v + i * size,
                             input, parameter, facts);
}

/* max |a - b| / max |b|, where nothing differs 0. */
static double relative(double worst, double largest)
{
    return worst > 0 ? worst / largest : 0;
}

static void compare_inputs(const batch *b, test_hyper_errors *worst)
{
    size_t size = b->model->size, many = at_most(size, MOST_INPUTS / b->n);
    double largest = 0, largest_hv = 0, off = 0, off_hv = 0;
    for (size_t i = 0; i < b->n; i++) {
        test_hyper_facts facts;
        double e = energy_at(b, i, TEST_HYPER_NONE, TEST_HYPER_NONE, &facts).a;
        raise(&worst->energy,
              fabs((double)b->energy[i] - e) / fmax(1, facts.magnitude));
        for (size_t j = 0; j < many; j++) {
            size_t k = place(j, many, size);
            test_hyper h = energy_at(b, i, k, TEST_HYPER_NONE, NULL);
            largest = fmax(largest, fabs(h.b));
            largest_hv = fmax(largest_hv, fabs(h.d));
            raise(&off, fabs((double)b->grad[i * size + k] - h.b));
            raise(&off_hv, fabs((double)b->hv[i * size + k] - h.d));
        }
    }
    raise(&worst->input, relative(off, largest));
    raise(&worst->hessian, relative(off_hv, largest_hv));
}

enum { MOST_VIEWS = 256 };

/* Of one array of parameters: first the gradient, then the mixed one. */
typedef struct difference {
    double largest[2], off[2];
} difference;

static void compare_view(const batch *b, size_t offset, size_t count,
                         size_t most, difference *d)
{
    size_t many = at_most(count, most);
    for (size_t j = 0; j < many; j++) {
        size_t k = offset + place(j, many, count);
        double theta = 0, mixed = 0;
        for (size_t i = 0; i < b->n; i++) {
            test_hyper h = energy_at(b, i, TEST_HYPER_NONE, k, NULL);
            theta += (double)b->scale[i] * h.b;
            mixed += (double)b->scale[i] * h.d;
        }
        d->largest[0] = fmax(d->largest[0], fabs(theta));
        d->largest[1] = fmax(d->largest[1], fabs(mixed));
        raise(d->off + 0, fabs((double)b->theta[k] - theta));
        raise(d->off + 1, fabs((double)b->mixed[k] - mixed));
    }
}

static void compare_parameters(const batch *b, test_hyper_errors *worst)
{
    difference views[MOST_VIEWS] = {{{0}, {0}}};
    size_t count = ebm_model_view_count(b->model);
    double whole[2] = {0, 0};
    assert_true(count <= MOST_VIEWS);
    if (!count)
        return;
    size_t most = MOST_PARAMETERS / b->n / count;
    if (b->model->parameter_count <= MOST_PARAMETERS / b->n)
        most = MOST_PARAMETERS;
    most = most < 4 ? 4 : most;
    for (size_t i = 0; i < count; i++) {
        const ebm_view *view = b->model->views + i;
        size_t length = 1;
        for (size_t r = 0; r < view->rank; r++)
            length *= view->shape[r];
        compare_view(b, view->offset, length, most, views + i);
        for (int k = 0; k < 2; k++)
            whole[k] = fmax(whole[k], views[i].largest[k]);
    }
    for (size_t i = 0; i < count; i++) {
        const difference *d = views + i;
        raise(&worst->parameters,
              relative(d->off[0], fmax(d->largest[0], 0.1 * whole[0])));
        raise(&worst->mixed,
              relative(d->off[1], fmax(d->largest[1], 0.1 * whole[1])));
    }
}

void test_hyper_check(ebm_model *model, const float *x, const int32_t *labels,
                      size_t n, const float *v, const float *scale,
                      test_hyper_errors *worst)
{
    size_t size = n * model->size, count = model->parameter_count;
    batch b = {.model = model,
               .n = n,
               .x = x,
               .v = v,
               .scale = scale,
               .labels = labels,
               .energy = test_floats(n),
               .grad = test_floats(size),
               .hv = test_floats(size),
               .theta = test_floats(count),
               .mixed = test_floats(count)};
    ask_library(&b);
    compare_inputs(&b, worst);
    compare_parameters(&b, worst);
    free(b.energy);
    free(b.grad);
    free(b.hv);
    free(b.theta);
    free(b.mixed);
}

void test_hyper_check_random(ebm_model *model, size_t n, uint64_t seed,
                             test_hyper_errors *worst)
{
    size_t size = model->size, classes = ebm_model_class_count(model);
    float *x = test_floats(n * size), *v = test_floats(n * size);
    float *scale = test_floats(n);
    int32_t *labels = test_memory(n * sizeof *labels);
    test_fill_normal(&seed, v, n * size, 1);
    test_fill_uniform(&seed, scale, n, 0.5, 2);
    for (size_t i = 0; i < n; i++) {
        test_hyper_facts facts;
        int tries = 0;
        if (i % 3 == 1)
            scale[i] *= -0.3f;
        labels[i] = (int32_t)(classes ? test_random_word(&seed) % classes : 0);
        do {
            test_fill_uniform(&seed, x + i * size, size, -1, 1);
            test_hyper_energy(model, x + i * size, labels[i], NULL,
                              TEST_HYPER_NONE, TEST_HYPER_NONE, &facts);
            assert_true(tries++ < 200);
        } while (facts.kink < 1e-5);
    }
    test_hyper_check(model, x, classes ? labels : NULL, n, v, scale, worst);
    free(x);
    free(v);
    free(scale);
    free(labels);
}

void test_hyper_shake(ebm_model *model, uint64_t seed, double std)
{
    size_t count = ebm_model_parameter_count(model);
    float *values = test_floats(count), *noise = test_floats(count);
    assert_ok(ebm_model_get_parameters(model, 0, values, count));
    test_fill_normal(&seed, noise, count, std);
    for (size_t i = 0; i < count; i++)
        values[i] += noise[i];
    assert_ok(ebm_model_set_parameters(model, 0, values, count));
    free(values);
    free(noise);
}

void assert_hyper_errors(const char *what, const test_hyper_errors *e,
                         double energy, double gradient)
{
    print_message("%s: energy %.1e, input %.1e, parameters %.1e, H v %.1e, "
                  "mixed %.1e\n",
                  what, e->energy, e->input, e->parameters, e->hessian,
                  e->mixed);
    assert_true(e->energy <= energy);
    assert_true(e->input <= gradient);
    assert_true(e->parameters <= gradient);
    assert_true(e->hessian <= gradient);
    assert_true(e->mixed <= gradient);
}
