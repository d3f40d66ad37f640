/*
 * Winograd's way of a 3 x 3 convolution of stride 1: tiles of m x m outputs
 * from (m + 2)^2 products for each pair of channels instead of 9 m^2. The sums
 * over channels are (m + 2)^2 matrix products [tiles, in] [in, out].
 *
 * Forward, with d a tile of the input, U = G g G^T prepared once for each
 * write to the weights:
 *
 *     Y = A^T [sum_in (B^T d B) U] A.
 *
 * Backward is the adjoint of exactly that, with the same U:
 *
 *     dd = B [sum_out (A dY A^T) U] B^T,   added up over tiles that overlap,
 *     dg = G^T [sum_tiles (B^T d B) (A dY A^T)] G.
 *
 * m = 4 spends 2.25 products an output, but its transforms cost accuracy (an
 * error of about 1e-5 of the largest value instead of 1e-6) and where an image
 * has a single tile the planes of U, four times as large as the weights, are
 * read for very few rows. There it is m = 2, with 4 products an output.
 */
#include <string.h>

#include "core/blas.h"
#include "model/layer/conv.h"

/* A chunk of tiles: enough rows for the matrix products, few enough to stay
   near the cache. Part of what fixes the bits. */
enum { CHUNK_ROWS = 32, CHUNK_FLOATS = 128 * 1024 };

int ebm_conv_winograd_fits(const ebm_conv_shape *s)
{
    return s->kernel == 3 && s->stride == 1 && s->channels % EBM_LANES == 0 &&
           s->out_channels % EBM_LANES == 0 && s->channels >= 32 &&
           s->out_channels >= 32 && s->out_height >= 2 && s->out_width >= 2;
}

static size_t edge_of(const ebm_conv_shape *s)
{
    return s->out_height > 4 || s->out_width > 4 ? 6 : 4;
}

static size_t tiles_of(const ebm_conv_shape *s)
{
    size_t m = edge_of(s) - 2;
    return ((s->out_height + m - 1) / m) * ((s->out_width + m - 1) / m);
}

static size_t planes_of(const ebm_conv_shape *s)
{
    size_t edge = edge_of(s);
    return edge * edge;
}

static size_t chunk_rows(const ebm_conv_shape *s, size_t n)
{
    size_t row = planes_of(s) * (s->channels + s->out_channels);
    size_t rows = CHUNK_FLOATS / row, all = n * tiles_of(s);
    rows = rows < CHUNK_ROWS ? CHUNK_ROWS : rows;
    return rows < all ? rows : all;
}

size_t ebm_conv_winograd_size(const ebm_conv_shape *s)
{
    return planes_of(s) * s->channels * s->out_channels;
}

void ebm_conv_winograd_prepare(const ebm_kernels *kernels,
                               const ebm_conv_shape *s, const float *weight,
                               float *prepared)
{
    kernels->winograd_weights(edge_of(s), s->channels * s->out_channels,
                              weight, prepared);
}

size_t ebm_conv_winograd_scratch(const ebm_layer *layer, size_t n)
{
    const ebm_conv_shape *s = &layer->conv;
    return planes_of(s) * chunk_rows(s, n) * (s->channels + s->out_channels);
}

/* A chunk of the tiles of all samples, and its planes in scratch. */
typedef struct chunk {
    const ebm_layer *layer;
    const ebm_layer_pass *pass;
    ebm_winograd w;
    size_t tiles;       /* of an image */
    size_t first, rows; /* counted over all images */
    float *in, *out;    /* planes [rows, channels], [rows, out_channels] */
} chunk;

static chunk first_chunk(const ebm_layer *layer, const ebm_layer_pass *pass)
{
    const ebm_conv_shape *s = &layer->conv;
    chunk c = {.layer = layer, .pass = pass, .tiles = tiles_of(s)};
    c.w = (ebm_winograd){.edge = edge_of(s),
                         .height = s->height,
                         .width = s->width,
                         .channels = s->channels,
                         .padding = s->padding,
                         .out_height = s->out_height,
                         .out_width = s->out_width,
                         .out_channels = s->out_channels};
    c.rows = chunk_rows(s, pass->n);
    c.in = pass->scratch;
    c.out = c.in + planes_of(s) * c.rows * s->channels;
    return c;
}

static int next_chunk(chunk *c)
{
    size_t all = c->pass->n * c->tiles;
    c->first += c->rows;
    if (c->first + c->rows > all)
        c->rows = all - c->first;
    return c->first < all;
}

/* What is done with the tiles of one image. */
enum { READ_INPUT, ADD_INPUT, WRITE_OUTPUT, READ_OUTPUT };

static void each_image(chunk *c, int what, const float *bias, float *images)
{
    const ebm_kernels *kernels = c->pass->kernels;
    int inner = what == READ_INPUT || what == ADD_INPUT;
    size_t channels = inner ? c->w.channels : c->w.out_channels;
    size_t size = inner ? c->layer->in_size : c->layer->out_size;
    float *planes = inner ? c->in : c->out;
    c->w.plane = c->rows * channels;
    for (size_t row = 0, count; row < c->rows; row += count) {
        size_t image = (c->first + row) / c->tiles;
        size_t tile = (c->first + row) % c->tiles;
        count =
            c->tiles - tile < c->rows - row ? c->tiles - tile : c->rows - row;
        float *at = planes + row * channels;
        float *pixels = images + image * size;
        if (what == READ_INPUT)
            kernels->winograd_input(&c->w, tile, count, pixels, at);
        else if (what == ADD_INPUT)
            kernels->winograd_input_back(&c->w, tile, count, at, pixels);
        else if (what == WRITE_OUTPUT)
            kernels->winograd_output(&c->w, tile, count, at, bias, pixels);
        else
            kernels->winograd_output_back(&c->w, tile, count, pixels, at);
    }
}

void ebm_conv_winograd_forward(const ebm_layer *layer,
                               const ebm_layer_pass *pass,
                               const float *prepared, const float *x, float *y)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t in = s->channels, out = s->out_channels;
    const float *bias = layer->bias && pass->with_bias
                            ? pass->parameters + layer->views[1].offset
                            : NULL;
    chunk c = first_chunk(layer, pass);
    do {
        each_image(&c, READ_INPUT, NULL, (float *)(uintptr_t)x);
        for (size_t p = 0; p < planes_of(s); p++)
            ebm_sgemm(0, 0, c.rows, out, in, c.in + p * c.rows * in, in,
                      prepared + p * in * out, out, 0,
                      c.out + p * c.rows * out, out);
        each_image(&c, WRITE_OUTPUT, bias, y);
    } while (next_chunk(&c));
}

void ebm_conv_winograd_backward(const ebm_layer *layer,
                                const ebm_layer_pass *pass,
                                const float *prepared, const float *dy,
                                float *dx)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t in = s->channels, out = s->out_channels;
    memset(dx, 0, pass->n * layer->in_size * sizeof *dx);
    chunk c = first_chunk(layer, pass);
    do {
        each_image(&c, READ_OUTPUT, NULL, (float *)(uintptr_t)dy);
        for (size_t p = 0; p < planes_of(s); p++)
            ebm_sgemm(0, 1, c.rows, in, out, c.out + p * c.rows * out, out,
                      prepared + p * in * out, out, 0, c.in + p * c.rows * in,
                      in);
        each_image(&c, ADD_INPUT, NULL, dx);
    } while (next_chunk(&c));
}
