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
#include "model/layer/conv.h"

/* Floats of the column matrix that are made at a time: half of a common
   second-level cache. Part of what fixes the bits. */
enum { COLUMN_FLOATS = 64 * 1024 };

/* One channel: the matrix is made with taps as rows, see planar.c. */
static int is_planar(const ebm_conv_shape *s)
{
    return s->channels == 1 && !ebm_conv_is_plain(s);
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
    size_t sample = s->out_height * s->out_width * ebm_conv_taps(s);
    size_t some = n;
    while (some > 1 && some * sample > COLUMN_FLOATS)
        some = (some + 1) / 2;
    return some;
}

size_t ebm_conv_columns_scratch(const ebm_layer *layer, size_t n)
{
    const ebm_conv_shape *s = &layer->conv;
    if (ebm_conv_is_plain(s))
        return 0;
    return framed_size(s) + samples_at_once(layer, n) * s->out_height *
                                s->out_width * ebm_conv_taps(s);
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
    m.length = m.turned ? m.rows : ebm_conv_taps(s);
    m.values = ebm_conv_is_plain(s) ? (float *)(uintptr_t)image
                                    : pass->scratch + framed_size(s);
    return m;
}

static void fill(const ebm_layer *layer, const ebm_layer_pass *pass,
                 const matrix *m, size_t samples, const float *x)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t positions = s->out_height * s->out_width;
    for (size_t j = 0; j < samples && !ebm_conv_is_plain(s); j++) {
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
    for (size_t j = 0; j < samples && !ebm_conv_is_plain(s); j++) {
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

void ebm_conv_columns_forward(const ebm_layer *layer,
                              const ebm_layer_pass *pass, const float *x,
                              float *y)
{
    size_t taps = ebm_conv_taps(&layer->conv), out = layer->conv.out_channels;
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

void ebm_conv_columns_backward(const ebm_layer *layer,
                               const ebm_layer_pass *pass, const float *dy,
                               float *dx)
{
    if (!dx)
        return;
    size_t taps = ebm_conv_taps(&layer->conv), out = layer->conv.out_channels;
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

void ebm_conv_columns_gradient(const ebm_layer *layer,
                               const ebm_layer_pass *pass, const float *x,
                               const float *dy, float *gradient)
{
    size_t taps = ebm_conv_taps(&layer->conv), out = layer->conv.out_channels;
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
