/* The network on hyper-dual numbers, layer by layer. */
#include "hyper.h"

#include "ebm_test.h"
#include "hyper_numbers.h"
#include "model/layer/weight.h"
#include "model/network/network.h"

/* ---- Layers ---------------------------------------------------------- */

/* A sample on its way. */
typedef struct walk {
    const ebm_model *model;
    const ebm_network_model *network;
    size_t parameter; /* that moves along e1 */
    int32_t label;
    test_hyper_facts facts;
    double noise; /* see test_hyper_energy_near() */
    uint64_t random;
} walk;

static hyper *numbers(size_t n)
{
    hyper *x = test_memory(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = constant(0);
    return x;
}

static hyper parameter(const walk *w, const ebm_layer *l, size_t view,
                       size_t i)
{
    size_t at = l->parameter_offset + l->views[view].offset + i;
    hyper p = constant((double)w->model->parameters[at]);
    p.b = at == w->parameter;
    return p;
}

/* (W - mean) / (std + 1e-5), output by output. */
static void standardise(hyper *weight, size_t taps, size_t out)
{
    for (size_t o = 0; o < out; o++) {
        hyper mean = constant(0), square = constant(0);
        for (size_t t = 0; t < taps; t++)
            mean = plus(mean, weight[t * out + o]);
        mean = scaled(1 / (double)taps, mean);
        for (size_t t = 0; t < taps; t++) {
            hyper rest = minus(weight[t * out + o], mean);
            square = plus(square, times(rest, rest));
        }
        hyper std = root(scaled(1 / (double)(taps - 1), square));
        hyper scale = inverse(plus(std, constant(1e-5)));
        for (size_t t = 0; t < taps; t++)
            weight[t * out + o] =
                times(minus(weight[t * out + o], mean), scale);
    }
}

/* W / (v^T W u) with u and v of the model's state. */
static void normalise_spectrum(const walk *w, const ebm_layer *l,
                               hyper *weight, size_t taps, size_t out)
{
    const float *state = w->network->state + l->state_offset;
    const float *u = state + l->states[EBM_STATE_U].offset;
    const float *v = state + l->states[EBM_STATE_V].offset;
    hyper sigma = constant(0);
    for (size_t t = 0; t < taps; t++)
        for (size_t o = 0; o < out; o++)
            sigma = plus(sigma, scaled((double)v[t] * (double)u[o],
                                       weight[t * out + o]));
    hyper scale = inverse(sigma);
    for (size_t i = 0; i < taps * out; i++)
        weight[i] = times(weight[i], scale);
}

/* The weights that a convolution or dense layer works with, [taps, out]. */
static hyper *weights_of(const walk *w, const ebm_layer *l)
{
    size_t count = l->views[0].count, out = l->out[2];
    hyper *weight = numbers(count);
    for (size_t i = 0; i < count; i++)
        weight[i] = parameter(w, l, 0, i);
    if (l->weights == EBM_WEIGHTS_STANDARDISED)
        standardise(weight, count / out, out);
    if (l->weights == EBM_WEIGHTS_SPECTRAL)
        normalise_spectrum(w, l, weight, count / out, out);
    return weight;
}

/* One output of a layer that sums begins; with one output, the absolute terms
   are those of the energy. */
static void begin_sum(walk *w, const ebm_layer *l, hyper first, hyper *y)
{
    if (l->out_size == 1)
        w->facts.magnitude = fabs(first.a);
    *y = first;
}

static void add_term(walk *w, const ebm_layer *l, hyper *y, hyper weight,
                     hyper x)
{
    if (l->out_size == 1)
        w->facts.magnitude += fabs(weight.a * x.a);
    add_product(y, weight, x);
}

/* The pixel of an axis that tap a of window i is over; -1 when it is none. */
static ptrdiff_t pixel(const ebm_conv_shape *s, size_t i, size_t a,
                       size_t size)
{
    size_t at = i * s->stride + a;
    return at < s->padding || at - s->padding >= size
               ? -1
               : (ptrdiff_t)(at - s->padding);
}

static void conv2d(walk *w, const ebm_layer *l, const hyper *x, hyper *y)
{
    const ebm_conv_shape *s = &l->conv;
    size_t in = l->in[2], out = l->out[2];
    hyper *weight = weights_of(w, l);
    for (size_t i = 0; i < l->out[0]; i++)
        for (size_t j = 0; j < l->out[1]; j++, y += out) {
            for (size_t o = 0; o < out; o++)
                begin_sum(w, l, l->bias ? parameter(w, l, 1, o) : constant(0),
                          y + o);
            for (size_t t = 0; t < s->kernel * s->kernel; t++) {
                ptrdiff_t row = pixel(s, i, t / s->kernel, l->in[0]);
                ptrdiff_t column = pixel(s, j, t % s->kernel, l->in[1]);
                if (row < 0 || column < 0)
                    continue;
                const hyper *from =
                    x + ((size_t)row * l->in[1] + (size_t)column) * in;
                for (size_t c = 0; c < in; c++)
                    for (size_t o = 0; o < out; o++)
                        add_term(w, l, y + o, weight[(t * in + c) * out + o],
                                 from[c]);
            }
        }
    free(weight);
}

/* Puts numbers beside where they are, by some noise times the largest. */
static void disturb(walk *w, size_t n, hyper *y)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(y[i].a));
    for (size_t i = 0; i < n && w->noise > 0; i++) {
        float even; /* over -1 to 1 */
        test_fill_uniform(&w->random, &even, 1, -1, 1);
        y[i].a += w->noise * largest * (double)even;
    }
}

static void dense(walk *w, const ebm_layer *l, const hyper *x, hyper *y)
{
    hyper *weight = weights_of(w, l);
    for (size_t o = 0; o < l->out_size; o++) {
        begin_sum(w, l, l->bias ? parameter(w, l, 1, o) : constant(0), y + o);
        for (size_t c = 0; c < l->in_size; c++)
            add_term(w, l, y + o, weight[c * l->out_size + o], x[c]);
    }
    free(weight);
}

static void avg_pool(walk *w, const ebm_layer *l, const hyper *x, hyper *y)
{
    const ebm_conv_shape *s = &l->conv;
    for (size_t k = 0; k < l->out_size; k++) {
        size_t c = k % l->out[2], place = k / l->out[2], inside = 0;
        begin_sum(w, l, constant(0), y + k);
        for (size_t t = 0; t < s->kernel * s->kernel; t++) {
            ptrdiff_t row =
                pixel(s, place / l->out[1], t / s->kernel, l->in[0]);
            ptrdiff_t column =
                pixel(s, place % l->out[1], t % s->kernel, l->in[1]);
            if (row < 0 || column < 0)
                continue;
            inside++;
            add_term(
                w, l, y + k, constant(1),
                x[((size_t)row * l->in[1] + (size_t)column) * l->in[2] + c]);
        }
        size_t count = l->exclude_pad ? inside : s->kernel * s->kernel;
        y[k] = scaled(1 / (double)count, y[k]);
        if (l->out_size == 1)
            w->facts.magnitude /= (double)count;
    }
}

static void global_pool(walk *w, const ebm_layer *l, const hyper *x, hyper *y)
{
    size_t positions = l->in[0] * l->in[1];
    int is_mean = !strcmp(l->ops->kind, "global_mean_pool");
    double share = is_mean ? 1 / (double)positions : 1;
    for (size_t c = 0; c < l->in[2]; c++) {
        begin_sum(w, l, constant(0), y + c);
        for (size_t p = 0; p < positions; p++)
            add_term(w, l, y + c, constant(share), x[p * l->in[2] + c]);
    }
}

static void norm(const walk *w, const ebm_layer *l, const hyper *x, hyper *y)
{
    size_t channels = l->in[2], positions = l->in[0] * l->in[1];
    size_t width = channels / l->groups;
    double share = 1 / (double)(positions * width);
    for (size_t g = 0; g < l->groups; g++) {
        hyper mean = constant(0), variance = constant(l->epsilon);
        for (size_t i = 0; i < positions * width; i++)
            mean = plus(mean, x[i / width * channels + g * width + i % width]);
        mean = scaled(share, mean);
        for (size_t i = 0; i < positions * width; i++) {
            hyper rest =
                minus(x[i / width * channels + g * width + i % width], mean);
            variance = plus(variance, scaled(share, times(rest, rest)));
        }
        hyper scale = inverse(root(variance));
        for (size_t i = 0; i < positions * width; i++) {
            size_t c = g * width + i % width, at = i / width * channels + c;
            hyper z = times(minus(x[at], mean), scale);
            y[at] =
                plus(times(parameter(w, l, 0, c), z), parameter(w, l, 1, c));
        }
    }
}

/* out = x (G[label] + g) + B[label] + b. */
static void class_affine(const walk *w, const ebm_layer *l, const hyper *x,
                         hyper *y)
{
    size_t channels = l->in[2], row = (size_t)w->label * 2 * channels;
    for (size_t i = 0; i < l->in_size; i++) {
        size_t c = i % channels;
        hyper gain = plus(parameter(w, l, 0, row + c), parameter(w, l, 1, c));
        hyper bias = plus(parameter(w, l, 0, row + channels + c),
                          parameter(w, l, 1, channels + c));
        y[i] = plus(times(x[i], gain), bias);
    }
}

/* softmax(Q K^T) V of channels [q | k | v]. */
static void attend(const ebm_layer *l, const hyper *x, hyper *y)
{
    size_t positions = l->in[0] * l->in[1], in = l->in[2], d = l->queries;
    hyper *share = numbers(positions);
    for (size_t i = 0; i < positions; i++) {
        hyper total = constant(0);
        double largest = -INFINITY;
        for (size_t j = 0; j < positions; j++) {
            share[j] = constant(0);
            for (size_t c = 0; c < d; c++)
                share[j] =
                    plus(share[j], times(x[i * in + c], x[j * in + d + c]));
            largest = fmax(largest, share[j].a);
        }
        for (size_t j = 0; j < positions; j++) {
            share[j] = exponential(minus(share[j], constant(largest)));
            total = plus(total, share[j]);
        }
        hyper scale = inverse(total);
        for (size_t c = 0; c < l->out[2]; c++) {
            hyper sum = constant(0);
            for (size_t j = 0; j < positions; j++)
                sum = plus(sum, times(share[j], x[j * in + 2 * d + c]));
            y[i * l->out[2] + c] = times(sum, scale);
        }
    }
    free(share);
}

/* ---- Layers that work element by element ----------------------------- */

/* f(x); *slope is f'(x). */
typedef hyper element_fn(walk *w, const ebm_layer *l, hyper x, double *slope);

static hyper same(walk *w, const ebm_layer *l, hyper x, double *slope)
{
    (void)w, (void)l;
    *slope = 1;
    return x;
}

static hyper swish(walk *w, const ebm_layer *l, hyper x, double *slope)
{
    (void)w, (void)l;
    double v = x.a, s = sigmoid(v);
    *slope = s + v * s * (1 - s);
    return applied(x, v * s, *slope, s * (1 - s) * (2 + v * (1 - 2 * s)));
}

static hyper leaky_relu(walk *w, const ebm_layer *l, hyper x, double *slope)
{
    *slope = x.a > 0 ? 1 : l->slope;
    if (x.a != 0)
        w->facts.kink = fmin(w->facts.kink, fabs(x.a));
    return scaled(*slope, x);
}

static hyper square(walk *w, const ebm_layer *l, hyper x, double *slope)
{
    (void)w, (void)l;
    *slope = 2 * x.a;
    return times(x, x);
}

static hyper softplus(walk *w, const ebm_layer *l, hyper x, double *slope)
{
    (void)w, (void)l;
    double s = *slope = sigmoid(x.a);
    return applied(x, fmax(x.a, 0) + log1p(exp(-fabs(x.a))), s, s * (1 - s));
}

static hyper gain(walk *w, const ebm_layer *l, hyper x, double *slope)
{
    hyper factor = parameter(w, l, 0, 0);
    *slope = factor.a;
    return times(factor, x);
}

static const struct {
    const char *kind;
    element_fn *fn;
} elementwise[] = {
    {"flatten", same},          {"fork", same},       {"gain", gain},
    {"leaky_relu", leaky_relu}, {"relu", leaky_relu}, {"softplus", softplus},
    {"square", square},         {"swish", swish},
};

/* Whether it is such a layer. The terms of an energy count for as much as
   their sum does. */
static int try_elementwise(walk *w, const ebm_layer *l, const hyper *x,
                           hyper *y)
{
    size_t k = 0;
    double slope = 1;
    while (k < TEST_COUNT(elementwise) &&
           strcmp(elementwise[k].kind, l->ops->kind) != 0)
        k++;
    if (k == TEST_COUNT(elementwise))
        return 0;
    for (size_t i = 0; i < l->in_size; i++)
        y[i] = elementwise[k].fn(w, l, x[i], &slope);
    if (l->in_size == 1)
        w->facts.magnitude *= fabs(slope);
    return 1;
}

/* values[0 .. index] are the inputs of the layers so far. */
static void layer_forward(walk *w, size_t index, hyper *const *values,
                          hyper *y)
{
    const ebm_layer *l = w->network->layers + index;
    const hyper *x = values[index];
    const char *kind = l->ops->kind;
    if (try_elementwise(w, l, x, y))
        return;
    if (!strcmp(kind, "conv2d")) {
        conv2d(w, l, x, y);
        disturb(w, l->out_size, y);
    } else if (!strcmp(kind, "dense"))
        dense(w, l, x, y);
    else if (!strcmp(kind, "avg_pool"))
        avg_pool(w, l, x, y);
    else if (!strncmp(kind, "global_", 7))
        global_pool(w, l, x, y);
    else if (!strcmp(kind, "norm"))
        norm(w, l, x, y);
    else if (!strcmp(kind, "class_affine"))
        class_affine(w, l, x, y);
    else if (!strcmp(kind, "attend"))
        attend(l, x, y);
    else if (!strcmp(kind, "join"))
        for (size_t i = 0; i < l->in_size; i++)
            y[i] = plus(x[i], values[index - l->back][i]);
    else
        fail_msg("no reference for a layer of kind %s", kind);
}

/* All layers. */
static hyper walk_on(walk *w, const float *x, const float *v, size_t input)
{
    const ebm_model *model = w->model;
    w->network = ebm_network_of(model);
    assert_non_null(w->network);
    size_t count = w->network->count;
    hyper **values = test_memory((count + 1) * sizeof *values);
    values[0] = numbers(model->size);
    for (size_t i = 0; i < model->size; i++)
        values[0][i] =
            (hyper){(double)x[i], i == input, v ? (double)v[i] : 0, 0};
    for (size_t i = 0; i < count; i++) {
        values[i + 1] = numbers(w->network->layers[i].out_size);
        layer_forward(w, i, values, values[i + 1]);
    }
    hyper energy = values[count][0];
    for (size_t i = 0; i <= count; i++)
        free(values[i]);
    free(values);
    return energy;
}

test_hyper test_hyper_energy(const ebm_model *model, const float *x,
                             int32_t label, const float *v, size_t input,
                             size_t moved, test_hyper_facts *facts)
{
    walk w = {.model = model,
              .parameter = moved,
              .label = label,
              .facts = {0, INFINITY}};
    hyper energy = walk_on(&w, x, v, input);
    if (facts)
        *facts = w.facts;
    return energy;
}

test_hyper test_hyper_energy_near(const ebm_model *model, const float *x,
                                  int32_t label, const float *v, size_t input,
                                  size_t moved, double noise, uint64_t seed)
{
    walk w = {.model = model,
              .parameter = moved,
              .label = label,
              .noise = noise,
              .random = seed};
    return walk_on(&w, x, v, input);
}
