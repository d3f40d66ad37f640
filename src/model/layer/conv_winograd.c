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
 * error of about 5e-6 of the largest value instead of 1e-6) and where an image
 * has a single tile the planes of U, four times as large as the weights, are
 * read for very few rows. There it is m = 2, with 4 products an output.
 */
#include <string.h>

#include "core/blas.h"
#include "model/layer/conv.h"

/* The gradient's sum over tiles is a product for each plane that writes a
   matrix as large as the weights: with few tiles that is all it does. */
enum { LEAST_CHANNELS = 32, LEAST_GRADIENT_TILES = 16 };

/* A chunk of tiles: enough rows for the matrix products, few enough to stay
   near the cache. Part of what fixes the bits. */
enum { CHUNK_ROWS = 32, CHUNK_FLOATS = 128 * 1024 };

int ebm_conv_winograd_is_possible(const ebm_conv_shape *s)
{
    return s->kernel == 3 && s->stride == 1 && s->channels % EBM_LANES == 0 &&
           s->out_channels % EBM_LANES == 0;
}

/* With fewer channels the transforms cost more than they save. */
ebm_network_convolution ebm_conv_winograd_choice(const ebm_conv_shape *s)
{
    if (!ebm_conv_winograd_is_possible(s) || s->channels < LEAST_CHANNELS ||
        s->out_channels < LEAST_CHANNELS || s->out_height < 2 ||
        s->out_width < 2)
        return EBM_CONVOLUTION_AUTOMATIC;
    return s->out_height > 4 || s->out_width > 4 ? EBM_CONVOLUTION_WINOGRAD_4
                                                 : EBM_CONVOLUTION_WINOGRAD_2;
}

static size_t edge_of(const ebm_layer *layer)
{
    return layer->way == EBM_CONVOLUTION_WINOGRAD_4 ? 6 : 4;
}

static size_t tiles_of(const ebm_layer *layer)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t m = edge_of(layer) - 2;
    return ((s->out_height + m - 1) / m) * ((s->out_width + m - 1) / m);
}

static size_t planes_of(const ebm_layer *layer)
{
    return edge_of(layer) * edge_of(layer);
}

static size_t chunk_rows(const ebm_layer *layer, size_t n)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t row = planes_of(layer) * (s->channels + s->out_channels);
    size_t rows = CHUNK_FLOATS / row, all = n * tiles_of(layer);
    rows = rows < CHUNK_ROWS ? CHUNK_ROWS : rows;
    return rows < all ? rows : all;
}

/* ---- What is prepared: U in panels of out channels ----------------------

   Backward multiplies with U^T, in panels of in channels. Small ones, of at
   most MOST_TURNED floats, are prepared too. A second set of large ones would
   cost as much memory again, and about as much time to be read from there as
   to be made anew for each chunk. */

enum { MOST_TURNED = 320 * 1024 };

static size_t panels_size(const ebm_layer *layer)
{
    return planes_of(layer) * layer->conv.channels * layer->conv.out_channels;
}

static int has_turned(const ebm_layer *layer)
{
    return panels_size(layer) <= MOST_TURNED;
}

size_t ebm_conv_winograd_size(const ebm_layer *layer)
{
    return panels_size(layer) * (has_turned(layer) ? 2 : 1);
}

/* U^T's panel of in channels from i on, of one plane. */
static void turn(const ebm_layer *layer, const ebm_kernels *kernels,
                 const float *plane, size_t i, float *panel)
{
    const ebm_conv_shape *s = &layer->conv;
    kernels->turn_panel(s->out_channels / EBM_PANEL, s->channels * EBM_PANEL,
                        plane + i * EBM_PANEL, panel);
}

void ebm_conv_winograd_prepare(const ebm_layer *layer,
                               const ebm_kernels *kernels, const float *weight,
                               float *prepared)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t in = s->channels, out = s->out_channels;
    ebm_winograd_weights w = {.edge = edge_of(layer),
                              .rows = in,
                              .row_step = out,
                              .tap_step = in * out,
                              .plane = in * out};
    for (size_t o = 0; o < out; o += EBM_PANEL)
        kernels->winograd_weights(&w, weight + o, prepared + o * in);
    float *turned = prepared + panels_size(layer);
    for (size_t p = 0; has_turned(layer) && p < planes_of(layer); p++)
        for (size_t i = 0; i < in; i += EBM_PANEL, turned += EBM_PANEL * out)
            turn(layer, kernels, prepared + p * in * out, i, turned);
}

int ebm_conv_winograd_has_gradient(const ebm_layer *layer)
{
    return tiles_of(layer) >= LEAST_GRADIENT_TILES;
}

static size_t chunk_size(const ebm_layer *layer, size_t n)
{
    const ebm_conv_shape *s = &layer->conv;
    return planes_of(layer) * chunk_rows(layer, n) *
           (s->channels + s->out_channels);
}

size_t ebm_conv_winograd_scratch(const ebm_layer *layer, size_t n)
{
    size_t panel = layer->conv.out_channels * EBM_PANEL;
    size_t sums =
        ebm_conv_winograd_has_gradient(layer) ? panels_size(layer) : 0;
    return chunk_size(layer, n) + (sums > panel ? sums : panel);
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
    chunk c = {.layer = layer, .pass = pass, .tiles = tiles_of(layer)};
    c.w = (ebm_winograd){.edge = edge_of(layer),
                         .height = s->height,
                         .width = s->width,
                         .channels = s->channels,
                         .padding = s->padding,
                         .out_height = s->out_height,
                         .out_width = s->out_width,
                         .out_channels = s->out_channels};
    c.rows = chunk_rows(layer, pass->n);
    c.in = pass->scratch;
    c.out = c.in + planes_of(layer) * c.rows * s->channels;
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

/* A product of all rows of a plane and a panel: all meet it while it is in the
   cache, so U is read once for a chunk. */
static ebm_gather product_of(const chunk *c, size_t depth, size_t columns)
{
    return (ebm_gather){.runs = 1,
                        .length = depth,
                        .depth = depth,
                        .columns = EBM_PANEL,
                        .samples = c->rows,
                        .height = 1,
                        .width = 1,
                        .in_sample = depth,
                        .out_sample = columns};
}

/* out = in U, for each plane. */
static void multiply(const chunk *c, const float *panels)
{
    size_t in = c->w.channels, out = c->w.out_channels;
    const ebm_gather g = product_of(c, in, out);
    for (size_t p = 0; p < planes_of(c->layer); p++)
        for (size_t o = 0; o < out; o += EBM_PANEL, panels += in * EBM_PANEL)
            c->pass->kernels->gather(&g, c->in + p * c->rows * in, panels,
                                     NULL, c->out + p * c->rows * out + o);
}

/* in = out U^T. */
static void multiply_back(const chunk *c, const float *panels)
{
    size_t in = c->w.channels, out = c->w.out_channels, size = out * EBM_PANEL;
    const ebm_gather g = product_of(c, out, in);
    int has = has_turned(c->layer);
    float *made = c->pass->scratch + chunk_size(c->layer, c->pass->n);
    const float *panel = has ? panels + panels_size(c->layer) : made;
    for (size_t p = 0; p < planes_of(c->layer); p++, panels += in * out)
        for (size_t i = 0; i < in; i += EBM_PANEL, panel += has ? size : 0) {
            if (!has)
                turn(c->layer, c->pass->kernels, panels, i, made);
            c->pass->kernels->gather(&g, c->out + p * c->rows * out, panel,
                                     NULL, c->in + p * c->rows * in + i);
        }
}

void ebm_conv_winograd_forward(const ebm_layer *layer,
                               const ebm_layer_pass *pass,
                               const float *prepared, const float *x, float *y)
{
    const float *bias = layer->bias && pass->with_bias
                            ? pass->parameters + layer->views[1].offset
                            : NULL;
    chunk c = first_chunk(layer, pass);
    do {
        each_image(&c, READ_INPUT, NULL, (float *)(uintptr_t)x);
        multiply(&c, prepared);
        each_image(&c, WRITE_OUTPUT, bias, y);
    } while (next_chunk(&c));
}

void ebm_conv_winograd_backward(const ebm_layer *layer,
                                const ebm_layer_pass *pass,
                                const float *prepared, const float *dy,
                                float *dx)
{
    memset(dx, 0, pass->n * layer->in_size * sizeof *dx);
    chunk c = first_chunk(layer, pass);
    do {
        each_image(&c, READ_OUTPUT, NULL, (float *)(uintptr_t)dy);
        multiply_back(&c, prepared);
        each_image(&c, ADD_INPUT, NULL, dx);
    } while (next_chunk(&c));
}

void ebm_conv_winograd_gradient(const ebm_layer *layer,
                                const ebm_layer_pass *pass, const float *x,
                                const float *dy, float *gradient)
{
    const ebm_conv_shape *s = &layer->conv;
    size_t in = s->channels, out = s->out_channels, size = in * out;
    float *sums = pass->scratch + chunk_size(layer, pass->n);
    chunk c = first_chunk(layer, pass);
    do {
        each_image(&c, READ_INPUT, NULL, (float *)(uintptr_t)x);
        each_image(&c, READ_OUTPUT, NULL, (float *)(uintptr_t)dy);
        for (size_t p = 0; p < planes_of(layer); p++)
            ebm_sgemm(1, 0, in, out, c.rows, c.in + p * c.rows * in, in,
                      c.out + p * c.rows * out, out, c.first ? 1.0f : 0.0f,
                      sums + p * size, out);
    } while (next_chunk(&c));
    pass->kernels->winograd_weights_back(edge_of(layer), size, sums,
                                         gradient + layer->views[0].offset);
    if (layer->bias && pass->with_bias)
        pass->kernels->column_sums(pass->n * s->out_height * s->out_width, out,
                                   dy, 1, gradient + layer->views[1].offset);
}
