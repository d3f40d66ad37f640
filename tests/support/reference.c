/* The double-precision reference network. */
#include "reference.h"

#include "ebm_test.h"

static size_t volume(const size_t shape[3])
{
    return shape[0] * shape[1] * shape[2];
}

void ref_begin(ref_network *ref, size_t height, size_t width, size_t channels)
{
    memset(ref, 0, sizeof *ref);
    ref->in[0] = height;
    ref->in[1] = width;
    ref->in[2] = channels;
}

void ref_free(ref_network *ref)
{
    free(ref->parameters);
    ref->parameters = NULL;
}

size_t ref_size(const ref_network *ref)
{
    return volume(ref->in);
}

static ref_layer *append(ref_network *ref, ref_kind kind)
{
    assert_true(ref->count < REF_LAYERS);
    ref_layer *layer = ref->layers + ref->count;
    const size_t *in = ref->count ? layer[-1].out : ref->in;
    layer->kind = kind;
    memcpy(layer->in, in, sizeof layer->in);
    memcpy(layer->out, in, sizeof layer->out);
    ref->count++;
    return layer;
}

static void add_parameters(ref_network *ref, ref_layer *layer, size_t weights,
                           size_t units, int bias)
{
    layer->units = units;
    layer->bias = bias;
    layer->weight_count = weights;
    layer->weight = ref->parameter_count;
    layer->biases = layer->weight + weights;
    ref->parameter_count += weights + (bias ? units : 0);
    free(ref->parameters);
    ref->parameters = test_doubles(ref->parameter_count);
}

void ref_conv2d(ref_network *ref, size_t channels, size_t kernel,
                size_t stride, size_t padding, int bias)
{
    ref_layer *layer = append(ref, REF_CONV2D);
    layer->kernel = kernel;
    layer->stride = stride;
    layer->padding = padding;
    for (int i = 0; i < 2; i++)
        layer->out[i] = (layer->in[i] + 2 * padding - kernel) / stride + 1;
    layer->out[2] = channels;
    add_parameters(ref, layer, kernel * kernel * layer->in[2] * channels,
                   channels, bias);
}

void ref_dense(ref_network *ref, size_t units, int bias)
{
    ref_layer *layer = append(ref, REF_DENSE);
    layer->out[2] = units;
    add_parameters(ref, layer, layer->in[2] * units, units, bias);
}

void ref_swish(ref_network *ref)
{
    append(ref, REF_SWISH);
}

void ref_relu(ref_network *ref)
{
    append(ref, REF_RELU);
}

void ref_leaky_relu(ref_network *ref, double slope)
{
    append(ref, REF_LEAKY_RELU)->slope = slope;
}

void ref_flatten(ref_network *ref)
{
    ref_layer *layer = append(ref, REF_FLATTEN);
    layer->out[2] = volume(layer->in);
    layer->out[0] = layer->out[1] = 1;
}

static ebm_status append_to(ebm_network *network, const ref_layer *layer)
{
    switch (layer->kind) {
    case REF_CONV2D:
        return ebm_network_conv2d(network, layer->units, layer->kernel,
                                  layer->stride, layer->padding);
    case REF_DENSE:
        return ebm_network_dense(network, layer->units);
    case REF_SWISH:
        return ebm_network_swish(network);
    case REF_RELU:
        return ebm_network_relu(network);
    case REF_LEAKY_RELU:
        return ebm_network_leaky_relu(network, layer->slope);
    case REF_FLATTEN:
        return ebm_network_flatten(network);
    }
    return EBM_ERROR_ARGUMENT;
}

ebm_model *ref_model(const ref_network *ref, ebm_context *context, size_t slab,
                     uint64_t seed)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, ref->in[0], ref->in[1], ref->in[2],
                                 &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, (double)slab));
    for (size_t i = 0; i < ref->count; i++) {
        const ref_layer *layer = ref->layers + i;
        size_t shape[3] = {0};
        if (layer->weight_count)
            assert_ok(ebm_network_set(network, EBM_NETWORK_BIAS, layer->bias));
        assert_ok(append_to(network, layer));
        assert_ok(ebm_network_shape(network, shape + 0, shape + 1, shape + 2));
        assert_memory_equal(shape, layer->out, sizeof shape);
    }
    assert_ok(ebm_model_create_network(network, seed, &model));
    ebm_network_destroy(network);
    return model;
}

/* Offset and length of a model's view of that name; fails if there is none. */
static size_t find_view(const ebm_model *model, size_t layer, const char *what,
                        size_t *count)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%zu.%s", layer, what);
    for (size_t i = 0; i < ebm_model_view_count(model); i++) {
        const char *name;
        size_t offset, rank, shape[4];
        assert_ok(ebm_model_view(model, i, &name, &offset, &rank, shape));
        *count = shape[0] * shape[1] * shape[2] * shape[3];
        if (!strcmp(name, wanted))
            return offset;
    }
    fail_msg("no view %s", wanted);
    return 0;
}

void ref_pack(const ref_network *ref, const ebm_model *model,
              const float *flat, float *out)
{
    for (size_t i = 0; i < ref->count; i++) {
        const ref_layer *layer = ref->layers + i;
        size_t count, offset;
        if (!layer->weight_count)
            continue;
        offset = find_view(model, i, "weight", &count);
        assert_int_equal(count, layer->weight_count);
        memcpy(out + layer->weight, flat + offset, count * sizeof *out);
        if (!layer->bias)
            continue;
        offset = find_view(model, i, "bias", &count);
        assert_int_equal(count, layer->units);
        memcpy(out + layer->biases, flat + offset, count * sizeof *out);
    }
}

void ref_load(ref_network *ref, const ebm_model *model)
{
    float *packed = test_floats(ref->parameter_count);
    ref_pack(ref, model, ebm_model_parameters(model), packed);
    for (size_t i = 0; i < ref->parameter_count; i++)
        ref->parameters[i] = packed[i];
    free(packed);
}

/*
 * One convolution in either direction. For every pair of an output y[o] and
 * an input x[c] that a weight w connects, with dy = dL/dy:
 *
 *     forward   y += w x
 *     backward  dx += w dy,  dw += scale x dy
 *
 * y is NULL in the backward direction.
 */
static void convolve(const ref_layer *l, const double *w, const double *x,
                     double *y, const double *dy, double *dx, double *dw)
{
    const size_t *in = l->in, *out = l->out;
    for (size_t i = 0; i < out[0]; i++)
        for (size_t j = 0; j < out[1]; j++)
            for (size_t a = 0; a < l->kernel; a++)
                for (size_t e = 0; e < l->kernel; e++) {
                    size_t row = i * l->stride + a, column = j * l->stride + e;
                    if (row < l->padding || row - l->padding >= in[0] ||
                        column < l->padding || column - l->padding >= in[1])
                        continue;
                    size_t from =
                        ((row - l->padding) * in[1] + column - l->padding) *
                        in[2];
                    size_t to = (i * out[1] + j) * out[2];
                    size_t tap = (a * l->kernel + e) * in[2] * out[2];
                    for (size_t c = 0; c < in[2]; c++)
                        for (size_t o = 0; o < out[2]; o++) {
                            size_t t = tap + c * out[2] + o;
                            if (y) {
                                y[to + o] += w[t] * x[from + c];
                                continue;
                            }
                            dx[from + c] += w[t] * dy[to + o];
                            if (dw)
                                dw[t] += x[from + c] * dy[to + o];
                        }
                }
}

static void forward(const ref_network *ref, const ref_layer *l,
                    const double *x, double *y, ref_facts *facts)
{
    size_t n = volume(l->in), places = l->out[0] * l->out[1];
    const double *w = ref->parameters + l->weight;
    switch (l->kind) {
    case REF_CONV2D:
    case REF_DENSE:
        for (size_t i = 0; i < places * l->units; i++)
            y[i] = l->bias ? ref->parameters[l->biases + i % l->units] : 0;
        if (l->kind == REF_CONV2D)
            convolve(l, w, x, y, NULL, NULL, NULL);
        else
            for (size_t c = 0; c < n; c++)
                for (size_t o = 0; o < l->units; o++)
                    y[o] += x[c] * w[c * l->units + o];
        break;
    case REF_SWISH:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] / (1 + exp(-x[i]));
        break;
    case REF_RELU:
    case REF_LEAKY_RELU:
        for (size_t i = 0; i < n; i++) {
            y[i] = x[i] > 0 ? x[i] : l->slope * x[i];
            if (x[i] != 0)
                facts->kink = fmin(facts->kink, fabs(x[i]));
        }
        break;
    case REF_FLATTEN:
        memcpy(y, x, n * sizeof *y);
        break;
    }
}

/* dx = dL/dx from dy = dL/dy, and dtheta += dL/dtheta unless NULL. */
static void backward(const ref_network *ref, const ref_layer *l,
                     const double *x, const double *dy, double *dx,
                     double *dtheta)
{
    size_t n = volume(l->in), m = volume(l->out);
    const double *w = ref->parameters + l->weight;
    double *dw = dtheta ? dtheta + l->weight : NULL;
    memset(dx, 0, n * sizeof *dx);
    switch (l->kind) {
    case REF_CONV2D:
        convolve(l, w, x, NULL, dy, dx, dw);
        break;
    case REF_DENSE:
        for (size_t c = 0; c < n; c++)
            for (size_t o = 0; o < l->units; o++) {
                dx[c] += w[c * l->units + o] * dy[o];
                if (dw)
                    dw[c * l->units + o] += x[c] * dy[o];
            }
        break;
    case REF_SWISH:
        for (size_t i = 0; i < n; i++) {
            double s = 1 / (1 + exp(-x[i]));
            dx[i] = dy[i] * (s + x[i] * s * (1 - s));
        }
        break;
    case REF_RELU:
    case REF_LEAKY_RELU:
        for (size_t i = 0; i < n; i++)
            dx[i] = dy[i] * (x[i] > 0 ? 1 : l->slope);
        break;
    case REF_FLATTEN:
        memcpy(dx, dy, n * sizeof *dx);
        break;
    }
    if (dtheta && l->weight_count && l->bias)
        for (size_t i = 0; i < m; i++)
            dtheta[l->biases + i % l->units] += dy[i];
}

/* Sum of the absolute terms of the last layer with weights, for an energy
   that this layer's single output (or what follows from it) is. */
static double magnitude(const ref_network *ref, double *const *values)
{
    for (size_t i = ref->count; i-- > 0;) {
        const ref_layer *l = ref->layers + i;
        double sum = 0;
        if (!l->weight_count)
            continue;
        for (size_t c = 0; c < volume(l->in) && c < l->weight_count; c++)
            sum += fabs(values[i][c] * ref->parameters[l->weight + c]);
        return sum + (l->bias ? fabs(ref->parameters[l->biases]) : 0);
    }
    return fabs(values[ref->count][0]);
}

double ref_gradient(const ref_network *ref, const double *x, double scale,
                    double *dx, double *dtheta, ref_facts *facts)
{
    double *values[REF_LAYERS + 1];
    ref_facts found = {0, INFINITY};
    size_t largest = ref_size(ref);
    values[0] = test_doubles(largest);
    memcpy(values[0], x, largest * sizeof *x);
    for (size_t i = 0; i < ref->count; i++) {
        const ref_layer *layer = ref->layers + i;
        size_t size = volume(layer->out);
        values[i + 1] = test_doubles(size);
        forward(ref, layer, values[i], values[i + 1], &found);
        largest = size > largest ? size : largest;
    }
    double energy = values[ref->count][0];
    found.magnitude = magnitude(ref, values);
    if (dx || dtheta) {
        double *dy = test_doubles(largest), *into = test_doubles(largest);
        dy[0] = scale;
        for (size_t i = ref->count; i-- > 0;) {
            backward(ref, ref->layers + i, values[i], dy, into, dtheta);
            double *swap = dy;
            dy = into;
            into = swap;
        }
        for (size_t i = 0; dx && i < ref_size(ref); i++)
            dx[i] = dy[i] / scale;
        free(dy);
        free(into);
    }
    for (size_t i = 0; i <= ref->count; i++)
        free(values[i]);
    if (facts)
        *facts = found;
    return energy;
}

double ref_energy(const ref_network *ref, const double *x, ref_facts *facts)
{
    return ref_gradient(ref, x, 1, NULL, NULL, facts);
}
