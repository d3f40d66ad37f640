/*
 * Convolution as one matrix product over the slab: rows are the output
 * positions of all samples, columns the taps. With W [taps, out],
 *
 *     Y = col(X) W + b,   dX = col^T(dY W^T),   dW = col(X)^T dY.
 *
 * The matrix is made a few samples at a time, so that it is still in the
 * cache when the product reads it.
 */
#include "core/blas.h"
#include "core/memory.h"
#include "model/layer/weight.h"
#include "model/network/network.h"

/* Floats of the column matrix that are made at a time: half of a common
   second-level cache. Part of what fixes the bits. */
enum { COLUMN_FLOATS = 64 * 1024 };

static size_t taps_of(const ebm_conv_shape *s)
{
    return s->kernel * s->kernel * s->channels;
}

/* A 1 x 1 kernel that visits every pixel: the image is its column matrix. */
static int is_plain(const ebm_conv_shape *s)
{
    return s->kernel == 1 && s->stride == 1 && s->padding == 0;
}

/* One channel: the matrix is made with taps as rows, see planar.c. */
static int is_planar(const ebm_conv_shape *s)
{
    return s->channels == 1 && !is_plain(s);
}

/* Scratch in front of the matrix: the framed image, or its planes, which may
   be a column wider. */
static size_t framed_size(const ebm_conv_shape *s)
{
    return ebm_round_up((s->height + 2 * s->padding) *
                            (s->width + 2 * s->padding + s->stride) *
                            s->channels,
                        EBM_LANES);
}

static size_t samples_at_once(const ebm_layer *layer, size_t n)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t sample = s->out_height * s->out_width * taps_of(s);
    size_t some = n;
    while (some > 1 && some * sample > COLUMN_FLOATS)
        some = (some + 1) / 2;
    return some;
}

static size_t scratch_size(const ebm_layer *layer, size_t n)
{
    const ebm_conv_shape *s = &layer->conv;
    if (is_plain(s))
        return 0;
    return framed_size(s) + samples_at_once(layer, n) * s->out_height *
                                s->out_width * taps_of(s);
}

/* The column matrix of a few samples as BLAS sees it: [rows, taps], or stored
   [taps, rows] when it is turned round. */
typedef struct matrix {
    float *values;
    size_t rows;   /* output positions of all these samples */
    size_t length; /* of a row in memory */
    int turned;
} matrix;

/* A 1 x 1 layer's matrix is the image itself, which is then only read. */
static matrix matrix_of(const ebm_layer *layer, const ebm_layer_pass *pass,
                        size_t samples, const float *image)
{
    const ebm_conv_shape *s = &layer->conv;
    matrix m = {.rows = samples * s->out_height * s->out_width};
    m.turned = is_planar(s);
    m.length = m.turned ? m.rows : taps_of(s);
    m.values = is_plain(s) ? (float *)(uintptr_t)image
                           : pass->scratch + framed_size(s);
    return m;
}

static void fill(const ebm_layer *layer, const ebm_layer_pass *pass,
                 const matrix *m, size_t samples, const float *x)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t positions = s->out_height * s->out_width;
    for (size_t j = 0; j < samples && !is_plain(s); j++) {
        const float *image = x + j * layer->in_size;
        if (m->turned)
            pass->kernels->planar_im2col(s, image, pass->scratch,
                                         m->values + j * positions, m->length);
        else
            pass->kernels->im2col(s, image, pass->scratch,
                                  m->values + j * positions * m->length);
    }
}

static void spread(const ebm_layer *layer, const ebm_layer_pass *pass,
                   const matrix *m, size_t samples, float *dx)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t positions = s->out_height * s->out_width;
    for (size_t j = 0; j < samples && !is_plain(s); j++) {
        float *image = dx + j * layer->in_size;
        if (m->turned)
            pass->kernels->planar_col2im(s, m->values + j * positions,
                                         m->length, pass->scratch, image);
        else
            pass->kernels->col2im(s, m->values + j * positions * m->length,
                                  pass->scratch, image);
    }
}

/* The next samples of a slab: how many, from number i on. */
static size_t next_samples(const ebm_layer *layer, size_t n, size_t i)
{
    size_t some = samples_at_once(layer, n);
    return n - i < some ? n - i : some;
}

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    size_t taps = taps_of(&layer->conv), out = layer->conv.out_channels;
    const float *weight = ebm_layer_weight(layer, pass);
    const float *bias = pass->parameters + layer->views[1].offset;
    for (size_t i = 0, some; i < pass->n; i += some) {
        some = next_samples(layer, pass->n, i);
        const float *from = x + i * layer->in_size;
        float *to = y + i * layer->out_size;
        matrix m = matrix_of(layer, pass, some, from);
        fill(layer, pass, &m, some, from);
        ebm_sgemm(m.turned, 0, m.rows, out, taps, m.values, m.length, weight,
                  out, 0, to, out);
        if (layer->bias && pass->with_bias)
            pass->kernels->add_bias(m.rows, out, bias, to);
    }
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    if (!dx)
        return;
    size_t taps = taps_of(&layer->conv), out = layer->conv.out_channels;
    const float *weight = ebm_layer_weight(layer, pass);
    for (size_t i = 0, some; i < pass->n; i += some) {
        some = next_samples(layer, pass->n, i);
        const float *from = dy + i * layer->out_size;
        float *to = dx + i * layer->in_size;
        matrix m = matrix_of(layer, pass, some, to);
        if (m.turned)
            ebm_sgemm(0, 1, taps, m.rows, out, weight, out, from, out, 0,
                      m.values, m.length);
        else
            ebm_sgemm(0, 1, m.rows, taps, out, from, out, weight, out, 0,
                      m.values, m.length);
        spread(layer, pass, &m, some, to);
    }
}

static void param_gradient(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient)
{
    size_t taps = taps_of(&layer->conv), out = layer->conv.out_channels;
    float *weight = gradient + layer->views[0].offset;
    for (size_t i = 0, some; i < pass->n; i += some) {
        some = next_samples(layer, pass->n, i);
        const float *from = x + i * layer->in_size;
        const float *dto = dy + i * layer->out_size;
        matrix m = matrix_of(layer, pass, some, from);
        fill(layer, pass, &m, some, from);
        ebm_sgemm(!m.turned, 0, taps, out, m.rows, m.values, m.length, dto,
                  out, 1, weight, out);
        if (layer->bias && pass->with_bias)
            pass->kernels->column_sums(m.rows, out, dto, 1,
                                       gradient + layer->views[1].offset);
    }
}

/* PyTorch keeps [out, in, row, column], we [row, column, in, out]; the
   spectral norm's v is a column of that, its u a row. */
static size_t torch_index(const ebm_layer *layer, size_t view, size_t i)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t window = s->kernel * s->kernel;
    size_t position = i % window, c = i / window % s->channels;
    size_t o = i / window / s->channels;
    if (view == EBM_LAYER_VIEWS + EBM_STATE_V)
        return position * s->channels + c;
    if (view)
        return i;
    return (position * s->channels + c) * s->out_channels + o;
}

const ebm_layer_ops ebm_layer_conv2d = {
    .kind = "conv2d",
    .linear = 1,
    .scratch_size = scratch_size,
    .forward = forward,
    .backward = backward,
    .param_gradient = param_gradient,
    .torch_index = torch_index,
    .start = ebm_weight_start,
    .iterate = ebm_weight_iterate,
    .derive = ebm_weight_derive,
    .fold = ebm_weight_fold,
};

/* Sizes that a BLAS and our own products can take. */
static int fits(const ebm_conv_shape *s)
{
    size_t taps, weights, out, framed, largest = ebm_blas_largest();
    return ebm_multiply4(s->kernel, s->kernel, s->channels, 1, &taps) &&
           ebm_multiply(taps, s->out_channels, &weights) &&
           ebm_multiply4(s->out_height, s->out_width, s->out_channels, 1,
                         &out) &&
           ebm_multiply4(s->height + 2 * s->padding,
                         s->width + 2 * s->padding + s->stride, s->channels, 1,
                         &framed) &&
           framed <= largest && taps <= largest && weights <= largest &&
           out <= largest && s->out_height * s->out_width <= largest / taps;
}

ebm_status ebm_layer_conv_shape(const ebm_network *network, size_t channels,
                                size_t kernel, size_t stride, size_t padding,
                                ebm_conv_shape *shape)
{
    const size_t *in = network->end.shape;
    size_t largest = ebm_blas_largest();
    if (!channels || !kernel || !stride)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "channels, kernel and stride are at least 1, "
                                "not %zu, %zu and %zu",
                                channels, kernel, stride);
    if (network->end.is_flat)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "it stands after flatten");
    if (kernel > largest || stride > largest || padding > largest ||
        in[0] > largest || in[1] > largest)
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW, "too large");
    if (in[0] + 2 * padding < kernel || in[1] + 2 * padding < kernel)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "a kernel of %zu does not fit into [%zu, %zu] "
                                "with padding %zu",
                                kernel, in[0], in[1], padding);
    /* A stride beyond the framed image visits the same positions, and the
       kernels' planes shall not be as many as it says. */
    size_t framed = (in[0] > in[1] ? in[0] : in[1]) + 2 * padding;
    *shape = (ebm_conv_shape){in[0],
                              in[1],
                              in[2],
                              kernel,
                              stride < framed ? stride : framed,
                              padding,
                              (in[0] + 2 * padding - kernel) / stride + 1,
                              (in[1] + 2 * padding - kernel) / stride + 1,
                              channels};
    if (!fits(shape))
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW, "too large");
    return EBM_OK;
}

ebm_status ebm_append_conv2d(ebm_network *network, const char *part,
                             size_t channels, size_t kernel, size_t stride,
                             size_t padding, ebm_network_weights weights)
{
    const size_t *in = network->end.shape;
    ebm_layer layer = {.ops = &ebm_layer_conv2d,
                       .part = part,
                       .weights = weights,
                       .bias = network->values[EBM_NETWORK_BIAS] != 0};
    EBM_TRY(ebm_layer_conv_shape(network, channels, kernel, stride, padding,
                                 &layer.conv));
    layer.out[0] = layer.conv.out_height;
    layer.out[1] = layer.conv.out_width;
    layer.out[2] = channels;
    layer.fan_in = taps_of(&layer.conv);
    layer.view_count = layer.bias ? 2 : 1;
    layer.views[0] =
        (ebm_layer_view){.name = "weight",
                         .rank = 4,
                         .shape = {kernel, kernel, in[2], channels},
                         .torch_shape = {channels, in[2], kernel, kernel}};
    layer.views[1] = (ebm_layer_view){.name = "bias",
                                      .rank = 1,
                                      .shape = {channels, 1, 1, 1},
                                      .torch_shape = {channels, 1, 1, 1}};
    EBM_TRY(ebm_weight_describe(network, &layer));
    return ebm_network_append(network, &layer);
}

static ebm_status append(ebm_network *network, const double *arguments)
{
    return ebm_append_conv2d(
        network, NULL, (size_t)arguments[0], (size_t)arguments[1],
        (size_t)arguments[2], (size_t)arguments[3],
        (ebm_network_weights)network->values[EBM_NETWORK_WEIGHTS]);
}

extern const ebm_row_ops ebm_row_conv2d;
const ebm_row_ops ebm_row_conv2d = {
    .kind = "conv2d",
    .argument_names = {"channels", "kernel", "stride", "padding"},
    .settings = 1 << EBM_NETWORK_BIAS | 1 << EBM_NETWORK_WEIGHTS,
    .append = append,
};

ebm_status ebm_network_conv2d(ebm_network *network, size_t channels,
                              size_t kernel, size_t stride, size_t padding)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)channels, (double)kernel, (double)stride,
                          (double)padding};
    return ebm_network_add(network, &ebm_row_conv2d, arguments);
}
