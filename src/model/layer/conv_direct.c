/*
 * The direct way of a convolution: sums gathered where the pixels stand.
 *
 * On each axis an output m sees the inputs
 *
 *     i = m step + base + t,   t = 0 .. taps - 1,   0 <= i < limit.
 *
 * Forward: step = stride, base = -padding. Backward, the outputs are the
 * image's pixels of one phase (i + padding) mod stride; only every stride-th
 * tap of the kernel meets them, and with those taken in descending order the
 * gradients that they see ascend: step = 1. So both ways are the same loop,
 * and no product with a zero of the padding or between strides is computed.
 *
 * Where taps fall outside, fewer are summed: an axis is cut into spans of
 * outputs that see the same taps, and a rectangle of two spans is one call of
 * the kernel.
 */
#include <string.h>

#include "model/layer/conv.h"

typedef struct axis {
    size_t taps, limit;
    ptrdiff_t step, base;
    size_t count;               /* outputs */
    size_t out_first, out_step; /* where they are */
    size_t residue;             /* backward: of the taps, modulo the stride */
} axis;

static axis forward_axis(const ebm_conv_shape *s, size_t in, size_t out)
{
    return (axis){.taps = s->kernel,
                  .limit = in,
                  .step = (ptrdiff_t)s->stride,
                  .base = -(ptrdiff_t)s->padding,
                  .count = out,
                  .out_step = 1};
}

/* The taps of the phase are residue + stride j. Pixel m of the phase is
   i = stride q - padding + residue with q = first + m, and tap j of it meets
   the gradient q - j. */
static axis backward_axis(const ebm_conv_shape *s, size_t in, size_t out,
                          size_t residue)
{
    size_t stride = s->stride;
    axis a = {.limit = out, .step = 1, .out_step = stride};
    a.residue = residue;
    a.taps = residue < s->kernel ? (s->kernel - residue - 1) / stride + 1 : 0;
    size_t first = s->padding > residue
                       ? (s->padding - residue + stride - 1) / stride
                       : 0;
    a.out_first = stride * first + residue - s->padding;
    a.base = (ptrdiff_t)first - (ptrdiff_t)a.taps + 1;
    if (a.out_first < in)
        a.count = (in - a.out_first - 1) / stride + 1;
    return a;
}

/* Phases on an axis that a tap meets: the first ones. */
static size_t phases_with_taps(const ebm_conv_shape *s)
{
    return s->stride < s->kernel ? s->stride : s->kernel;
}

/* Outputs from `first` on that see the same taps. */
typedef struct span {
    size_t first, count;
    size_t tap, taps; /* the first one, and how many */
    size_t in;        /* where the first output sees the first tap */
} span;

/* Taps [*tap, *end) of output m; an output that sees none has [0, 0), on
   whichever side of the image, so that all of a side are one span. */
static void taps_of(const axis *a, size_t m, size_t *tap, size_t *end)
{
    ptrdiff_t at = (ptrdiff_t)m * a->step + a->base;
    ptrdiff_t taps = (ptrdiff_t)a->taps, limit = (ptrdiff_t)a->limit;
    ptrdiff_t from = at < 0 ? -at : 0;
    ptrdiff_t to = limit - at < taps ? limit - at : taps;
    *tap = to > from ? (size_t)from : 0;
    *end = to > from ? (size_t)to : 0;
}

static span span_from(const axis *a, size_t first)
{
    size_t tap, end, next_tap, next_end;
    taps_of(a, first, &tap, &end);
    span s = {.first = first, .count = 1, .tap = tap, .taps = end - tap};
    for (; first + s.count < a->count; s.count++) {
        taps_of(a, first + s.count, &next_tap, &next_end);
        if (next_tap - tap || next_end - end)
            break;
    }
    if (s.taps)
        s.in = (size_t)((ptrdiff_t)first * a->step + a->base) + tap;
    return s;
}

/* Images of one side of a convolution. */
typedef struct side {
    size_t width, channels, size;
} side;

static side image_side(const ebm_layer *layer)
{
    const ebm_conv_shape *s = &layer->conv;
    return (side){s->width, s->channels, layer->in_size};
}

static side result_side(const ebm_layer *layer)
{
    const ebm_conv_shape *s = &layer->conv;
    return (side){s->out_width, s->out_channels, layer->out_size};
}

/* Columns of a panel. On the way back to an image of few channels it would be
   mostly empty: there each column is for itself, and its sum runs along
   vectors of the result's channels. */
static size_t back_width(const ebm_conv_shape *s)
{
    return s->channels < EBM_PANEL / 2 ? 1 : EBM_PANEL;
}

int ebm_conv_direct_goes_back(const ebm_conv_shape *s)
{
    return back_width(s) > 1 || s->out_channels % EBM_LANES == 0;
}

static size_t out_padded(const ebm_conv_shape *s)
{
    return ebm_round_up(s->out_channels, EBM_PANEL);
}

static size_t in_padded(const ebm_conv_shape *s)
{
    return ebm_round_up(s->channels, back_width(s));
}

/* All rectangles of two axes; width is that of the panels. */
static void gather_all(const ebm_layer_pass *pass, const axis *vertical,
                       const axis *horizontal, const side *from,
                       const side *to, size_t width, const float *panels,
                       const float *bias, const float *a, float *y)
{
    const ebm_kernels *kernels = pass->kernels;

    size_t pixel = from->channels, row = from->width * from->channels;
    ebm_gather g = {.run_step = row,
                    .weight_step = horizontal->taps * pixel,
                    .depth = vertical->taps * horizontal->taps * pixel,
                    .columns = to->channels,
                    .samples = pass->n,
                    .in_row = (size_t)vertical->step * row,
                    .in_column = (size_t)horizontal->step * pixel,
                    .in_sample = from->size,
                    .out_row = vertical->out_step * to->width * to->channels,
                    .out_column = horizontal->out_step * to->channels,
                    .out_sample = to->size};
    span v, h;
    for (size_t m = 0; m < vertical->count; m += v.count) {
        v = span_from(vertical, m);
        for (size_t k = 0; k < horizontal->count; k += h.count) {
            h = span_from(horizontal, k);
            g.runs = h.taps ? v.taps : 0;
            g.length = h.taps * pixel;
            g.first_weight = (v.tap * horizontal->taps + h.tap) * pixel;
            g.height = v.count;
            g.width = h.count;
            size_t out_row = vertical->out_first + m * vertical->out_step;
            size_t out_column =
                horizontal->out_first + k * horizontal->out_step;
            const float *from_here = a + v.in * row + h.in * pixel;
            float *here =
                y + (out_row * to->width + out_column) * to->channels;
            if (width == 1)
                kernels->gather_dots(&g, from_here, panels, here);
            else
                kernels->gather(&g, from_here, panels, bias, here);
        }
    }
}

/* ---- What is prepared: the bias, panels forward, panels of each phase -----
 */

size_t ebm_conv_direct_size(const ebm_conv_shape *s)
{
    size_t window = s->kernel * s->kernel;
    size_t size = out_padded(s) * (1 + window * s->channels);
    if (ebm_conv_direct_goes_back(s))
        size += in_padded(s) * window * s->out_channels;
    return size;
}

static const float *forward_panels(const ebm_conv_shape *s,
                                   const float *prepared)
{
    return prepared + out_padded(s);
}

static const float *backward_panels(const ebm_conv_shape *s,
                                    const float *prepared)
{
    return prepared + out_padded(s) * (1 + ebm_conv_taps(s));
}

/* One row of panels of some width: `columns` numbers that are `stride` apart,
   then zeros. */
static void put_row(size_t width, size_t columns, const float *numbers,
                    size_t stride, size_t depth, size_t row, float *panels)
{
    for (size_t c = 0; c < ebm_round_up(columns, width); c++)
        panels[(c / width * depth + row) * width + c % width] =
            c < columns ? numbers[c * stride] : 0.0f;
}

/* Row (row of the kernel, column, out channel) of a phase's panels, rows and
   columns of the kernel descending. */
static float *prepare_phase(const ebm_conv_shape *s, const axis *vertical,
                            const axis *horizontal, const float *weight,
                            float *panels)
{
    size_t out = s->out_channels, row = 0;
    size_t depth = vertical->taps * horizontal->taps * out;
    for (size_t v = vertical->taps; v-- > 0;)
        for (size_t h = horizontal->taps; h-- > 0;) {
            size_t tap = (vertical->residue + v * s->stride) * s->kernel +
                         horizontal->residue + h * s->stride;
            const float *from = weight + tap * s->channels * out;
            for (size_t o = 0; o < out; o++)
                put_row(back_width(s), s->channels, from + o, out, depth,
                        row++, panels);
        }
    return panels + depth * in_padded(s);
}

void ebm_conv_direct_prepare(const ebm_conv_shape *s, const float *weight,
                             const float *bias, float *prepared)
{
    size_t taps = ebm_conv_taps(s), out = s->out_channels;
    memset(prepared, 0, out_padded(s) * sizeof *prepared);
    if (bias)
        memcpy(prepared, bias, out * sizeof *bias);
    float *panels = (float *)(uintptr_t)forward_panels(s, prepared);
    for (size_t t = 0; t < taps; t++)
        put_row(EBM_PANEL, out, weight + t * out, 1, taps, t, panels);
    if (!ebm_conv_direct_goes_back(s))
        return;
    panels = (float *)(uintptr_t)backward_panels(s, prepared);
    for (size_t v = 0; v < phases_with_taps(s); v++) {
        axis vertical = backward_axis(s, s->height, s->out_height, v);
        for (size_t h = 0; h < phases_with_taps(s); h++) {
            axis horizontal = backward_axis(s, s->width, s->out_width, h);
            panels = prepare_phase(s, &vertical, &horizontal, weight, panels);
        }
    }
}

/* ---- Passes ---------------------------------------------------------------
 */

void ebm_conv_direct_forward(const ebm_layer *layer,
                             const ebm_layer_pass *pass, const float *prepared,
                             const float *x, float *y)
{
    const ebm_conv_shape *s = &layer->conv;
    side from = image_side(layer), to = result_side(layer);
    axis vertical = forward_axis(s, s->height, s->out_height);
    axis horizontal = forward_axis(s, s->width, s->out_width);
    gather_all(pass, &vertical, &horizontal, &from, &to, EBM_PANEL,
               forward_panels(s, prepared), pass->with_bias ? prepared : NULL,
               x, y);
}

void ebm_conv_direct_backward(const ebm_layer *layer,
                              const ebm_layer_pass *pass,
                              const float *prepared, const float *dy,
                              float *dx)
{
    const ebm_conv_shape *s = &layer->conv;
    side from = result_side(layer), to = image_side(layer);
    const float *panels = backward_panels(s, prepared);
    size_t phases = phases_with_taps(s);
    if (phases < s->stride) /* pixels that nothing saw */
        memset(dx, 0, pass->n * layer->in_size * sizeof *dx);
    for (size_t v = 0; v < phases; v++) {
        axis vertical = backward_axis(s, s->height, s->out_height, v);
        size_t row = vertical.taps * from.channels * in_padded(s);
        if (!vertical.count) { /* the taps of its phases are the kernel's */
            panels += row * s->kernel;
            continue;
        }
        for (size_t h = 0; h < phases; h++) {
            axis horizontal = backward_axis(s, s->width, s->out_width, h);
            gather_all(pass, &vertical, &horizontal, &from, &to, back_width(s),
                       panels, NULL, dy, dx);
            panels += row * horizontal.taps;
        }
    }
}
