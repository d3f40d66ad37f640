/*
 * The arithmetic on arrays that is worth compiling for several instruction
 * sets. Each set is a table of the same functions; one is chosen when a
 * context is created (no -march=native, one portable binary).
 *
 * All arrays are plain floats. Kernels marked "padded" work on whole vectors
 * of 16: the arrays must extend to the next multiple of 16 elements, and what
 * stands there is overwritten. That way no element is ever computed by a
 * scalar tail with other bits. The other kernels take any length.
 *
 * No handle is known here, nothing is allocated, nothing fails.
 */
#ifndef EBM_KERNEL_KERNELS_H
#define EBM_KERNEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/random.h"

/* Lengths of padded arrays are rounded up to this. */
enum { EBM_LANES = 16 };

/* Columns of a panel of weights, see gather. */
enum { EBM_PANEL = 16 };

/* The constants of a free Langevin step, see include/ebm/sampler.h. */
typedef struct ebm_langevin {
    float noise_std;
    float step_size;
    float clip;
    float minimum;
    float maximum;
} ebm_langevin;

/* What a step did to a coordinate, for the derivative of the step: the bit is
   set where it is the identity. Bounds count as inside. */
enum {
    EBM_MASK_NOISE = 1, /* x + noise_std xi is inside the bounds */
    EBM_MASK_CLIP = 2,  /* the gradient was not clipped */
    EBM_MASK_STEP = 4   /* y - step_size clip(g) is inside the bounds */
};

/* Coordinates that a step clipped or clamped. */
typedef struct ebm_langevin_counts {
    uint64_t clipped;
    uint64_t clamped_noise;
    uint64_t clamped_step;
} ebm_langevin_counts;

/* The constants of an Adam step; rates with the bias corrections in them. */
typedef struct ebm_adam {
    float scale; /* of the gradient: the norm clip */
    float beta1;
    float beta2;
    float rate;       /* learning rate / (1 - beta1^t) */
    float root_scale; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
} ebm_adam;

/* A convolution's geometry; out_* follow from the rest. */
typedef struct ebm_conv_shape {
    size_t height, width, channels;
    size_t kernel, stride, padding;
    size_t out_height, out_width, out_channels;
} ebm_conv_shape;

/* A product whose left rows are gathered: for a rectangle of positions of all
   samples,

       y[position, c] = bias[c] + sum_i a[position, from(i)] w[weight(i), c].

   The sum goes over runs of `length` floats; the next run begins run_step
   floats further on in a and weight_step rows further on in the weights.
   Weights are stored in panels of EBM_PANEL columns, [columns / EBM_PANEL
   rounded up, depth, EBM_PANEL]. */
typedef struct ebm_gather {
    size_t runs, length, run_step;
    size_t first_weight, weight_step; /* in rows of a panel */
    size_t depth;                     /* rows of a panel */
    size_t columns;
    size_t samples, height, width; /* how many positions */
    /* How far, in floats, from one sample, row and column to the next. */
    size_t in_sample, in_row, in_column;
    size_t out_sample, out_row, out_column;
} ebm_gather;

/* A 3 x 3 convolution of stride 1 in Winograd's tiles: edge^2 planes of
   [tiles, channels], `plane` floats each, for tiles of (edge - 2)^2 outputs.
   edge is 4 or 6, channels are whole vectors of 16. Tiles go row by row. */
typedef struct ebm_winograd {
    size_t edge;
    size_t height, width, channels, padding;
    size_t out_height, out_width, out_channels;
    size_t plane;
} ebm_winograd;

/* Rows of a panel of 3 x 3 weights in Winograd's planes: a row is EBM_PANEL
   weights, of which those of another tap stand tap_step further on. */
typedef struct ebm_winograd_weights {
    size_t edge, rows;
    size_t row_step, tap_step; /* in the weights */
    size_t plane;              /* floats from one plane to the next */
} ebm_winograd_weights;

/* What normalise takes: rows of numbers per channel. */
typedef struct ebm_norm_rows {
    const float *mean, *scale, *gain, *bias;
} ebm_norm_rows;

/* The coefficients of combine, likewise. */
typedef struct ebm_combination {
    const float *a, *b, *constant;
} ebm_combination;

/* What is seen beyond the ends of a row of samples: nothing (coordinates there
   are outside), the last sample, the samples mirrored half a pixel beyond the
   last one, mirrored at it, or those of the other end. */
typedef enum ebm_edge {
    EBM_EDGE_CONSTANT,
    EBM_EDGE_NEAREST,
    EBM_EDGE_REFLECT,
    EBM_EDGE_MIRROR,
    EBM_EDGE_WRAP
} ebm_edge;

typedef struct ebm_kernels {
    const char *name;
    /* Whether this processor can run them. */
    int (*usable)(void);

    /* Padded. x <- swish(x), slope <- swish'(x). */
    void (*swish)(size_t n, float *x, float *slope);
    /* Padded. x <- x > 0 ? x : leak x; slope <- its derivative. */
    void (*leaky_relu)(size_t n, float leak, float *x, float *slope);
    /* Padded. g <- g slope. */
    void (*multiply)(size_t n, const float *slope, float *g);

    /* Padded. The same with a tangent t of x, for second derivatives: also
       bend <- swish''(x) t, and t <- swish'(x) t. */
    void (*swish_tangent)(size_t n, float *x, float *slope, float *t,
                          float *bend);
    /* Padded. Backward: tg <- tg slope + g bend, then g <- g slope. */
    void (*bend_multiply)(size_t n, const float *slope, const float *bend,
                          float *g, float *tg);
    /* Padded. The heads, likewise: x^2, and log(1 + exp(x)) for any x. */
    void (*square)(size_t n, float *x, float *slope);
    void (*square_tangent)(size_t n, float *x, float *slope, float *t,
                           float *bend);
    void (*softplus)(size_t n, float *x, float *slope);
    void (*softplus_tangent)(size_t n, float *x, float *slope, float *t,
                             float *bend);

    /* Padded rows, `stride` apart: s <- softmax(s) over the first `columns`
       of each row, and 0 in the rest. */
    void (*softmax)(size_t rows, size_t columns, size_t stride, float *s);
    /* g <- p (g - <p, g>) for such p: what a softmax makes of a tangent, and
       of an adjoint. */
    void (*softmax_slope)(size_t rows, size_t columns, size_t stride,
                          const float *p, float *g);
    /* The same, and its tangent for tangents tp of p and tg of g:
       tg <- tp (g - <p, g>) + p (tg - <tp, g> - <p, tg>), of the old g. */
    void (*softmax_bend)(size_t rows, size_t columns, size_t stride,
                         const float *p, const float *tp, float *g, float *tg);

    /* to[r, c] = scale[r] from[r, c]. */
    void (*scale_rows)(size_t rows, size_t columns, const float *scale,
                       const float *from, float *to);

    /* y[r, c] += bias[c]. */
    void (*add_bias)(size_t rows, size_t columns, const float *bias, float *y);
    /* sum[c] (+)= sum_r y[r, c], added up in row order. */
    void (*column_sums)(size_t rows, size_t columns, const float *y,
                        int accumulate, float *sum);

    /* to[r, c] = scale[c] from[r, c]. */
    void (*scale_columns)(size_t rows, size_t columns, const float *scale,
                          const float *from, float *to);
    /* sum[c] = sum_r a[r, c] b[r, c], added up in row order. */
    void (*column_dots)(size_t rows, size_t columns, const float *a,
                        const float *b, float *sum);
    /* sum_i a[i] b[i], in double and in a fixed order. */
    double (*dot)(size_t n, const float *a, const float *b);

    /* Norms, for x[rows, channels]: sums over the rows, in double, the same
       bits in every variant. sum[c] = sum_r x; = sum_r (x - mean[c])^2; and
       sum[c] = sum_r a together with product_sum[c] = sum_r a b. */
    void (*channel_sums)(size_t rows, size_t channels, const float *x,
                         double *sum);
    void (*channel_squares)(size_t rows, size_t channels, const float *x,
                            const float *mean, double *sum);
    void (*channel_products)(size_t rows, size_t channels, const float *a,
                             const float *b, double *sum, double *product_sum);
    /* normal <- (x - mean) scale, then x <- gain normal + bias. */
    void (*normalise)(size_t rows, size_t channels, const ebm_norm_rows *norm,
                      float *x, float *normal);
    /* to[r, c] = k.a[c] a[r, c] + k.b[c] b[r, c] + k.constant[c]; `to` may be
       a or b. */
    void (*combine)(size_t rows, size_t channels, const ebm_combination *k,
                    const float *a, const float *b, float *to);

    /* Sums over the windows of a pooling, times a weight each: 1 / kernel^2,
       or with exclude_pad one over the pixels in the window. Then the adjoint:
       out[out_height, out_width, C] -> image[H, W, C]. */
    void (*pool)(const ebm_conv_shape *shape, int exclude_pad,
                 const float *image, float *out);
    void (*unpool)(const ebm_conv_shape *shape, int exclude_pad,
                   const float *out, float *image);

    /* image[H, W, C] -> columns[out_height out_width, kernel kernel C];
       `padded` is scratch of [H + 2 padding, W + 2 padding, C]. */
    void (*im2col)(const ebm_conv_shape *shape, const float *image,
                   float *padded, float *columns);
    /* The adjoint: sums columns into image. */
    void (*col2im)(const ebm_conv_shape *shape, const float *columns,
                   float *padded, float *image);

    /* The same for one channel, turned round: rows[tap] is a row of output
       positions, row_length apart; scratch holds the framed image,
       [stride, H + 2 padding, ceil((W + 2 padding) / stride)]. */
    void (*planar_im2col)(const ebm_conv_shape *shape, const float *image,
                          float *scratch, float *rows, size_t row_length);
    void (*planar_col2im)(const ebm_conv_shape *shape, const float *rows,
                          size_t row_length, float *scratch, float *image);

    /* See ebm_gather. a and y are the first position's; bias is padded to
       whole panels, or NULL for none. */
    void (*gather)(const ebm_gather *gather, const float *a,
                   const float *panels, const float *bias, float *y);

    /* The same for few columns, without a bias: weights are [columns, depth],
       and the length of a run is a multiple of 16. */
    void (*gather_dots)(const ebm_gather *gather, const float *a,
                        const float *weights, float *y);

    /* A panel of transposed weights from panels of weights: blocks of
       [EBM_PANEL, EBM_PANEL] floats, `step` floats apart, each with its rows
       and columns exchanged, one behind the other. */
    void (*turn_panel)(size_t blocks, size_t step, const float *from,
                       float *to);

    /* Tiles first, first + 1, ... of an image, into or out of rows of the
       planes. _back is the adjoint; input_back adds to the image. bias may be
       NULL. */
    void (*winograd_input)(const ebm_winograd *w, size_t first, size_t count,
                           const float *image, float *planes);
    void (*winograd_input_back)(const ebm_winograd *w, size_t first,
                                size_t count, const float *planes,
                                float *image);
    void (*winograd_output)(const ebm_winograd *w, size_t first, size_t count,
                            const float *planes, const float *bias,
                            float *image);
    void (*winograd_output_back)(const ebm_winograd *w, size_t first,
                                 size_t count, const float *image,
                                 float *planes);
    /* Weights -> rows [rows, EBM_PANEL] of the planes. */
    void (*winograd_weights)(const ebm_winograd_weights *w,
                             const float *weight, float *planes);
    /* The adjoint: adds planes[edge^2, n] to weight[3, 3, n]. n: whole
       vectors. */
    void (*winograd_weights_back)(size_t edge, size_t n, const float *planes,
                                  float *weight);

    /* out[i] = element i of the generator: uniform in [low, high), and
       N(mean, std^2). */
    void (*uniform)(const ebm_random *random, size_t n, float low, float high,
                    float *out);
    void (*normal)(const ebm_random *random, size_t n, float mean, float std,
                   float *out);

    /* y <- clamp(x + noise_std xi), xi = normals of the generator. masks[n],
       or NULL, gets EBM_MASK_NOISE where the clamp did nothing. */
    void (*langevin_noise)(const ebm_random *random, size_t n,
                           const ebm_langevin *langevin, const float *x,
                           float *y, ebm_langevin_counts *counts,
                           uint8_t *masks);
    /* y <- clamp(y - step_size clip(g)). Returns whether all of g and of the
       new y is finite. EBM_MASK_CLIP and _STEP are added to masks. */
    int (*langevin_step)(size_t n, const ebm_langevin *langevin,
                         const float *g, float *y, ebm_langevin_counts *counts,
                         uint8_t *masks);
    /* One step backwards, for the adjoint a of its result: see
       chains/tail.c. First half: a <- a [STEP], v = a [CLIP]. Second half:
       a <- (a - step_size hv) [NOISE]. */
    void (*langevin_direction)(size_t n, const uint8_t *masks, float *a,
                               float *v);
    void (*langevin_adjoint)(size_t n, const uint8_t *masks, float step_size,
                             const float *hv, float *a);

    /* Padded columns. out[c] = sum_k weights[k] rows[k row_length + c], terms
       at least 1: a field from spline rows, a blur. */
    void (*mix_rows)(size_t terms, size_t columns, const float *weights,
                     const float *rows, size_t row_length, float *out);
    /* Padded columns. Samples c[rows, columns] <- coefficients of the cubic
       B-spline through them along the first axis, continued as edge says
       (CONSTANT and NEAREST as MIRROR). */
    void (*spline_filter)(size_t rows, size_t columns, ebm_edge edge,
                          float *c);
    /* Padded. Brings coordinates into [0, length - 1], NEAREST and CONSTANT
       into [-border, length - 1 + border], REFLECT half a pixel beyond the
       ends and WRAP one beyond the last. CONSTANT: outside[i] becomes all ones
       where u[i] left [0, length - 1], else it stays. |u| < 2^30. */
    void (*place)(size_t n, ebm_edge edge, size_t length, size_t border,
                  float *u, int32_t *outside);
    /* out[i] = the plane, row stride, at (u[i], v[i]): of the nearest sample;
       by linear interpolation; of the cubic B-spline of these coefficients.
       Samples from floor(u) - 1 to floor(u) + 2 must exist, u > -14. */
    void (*read_nearest)(size_t n, const float *u, const float *v,
                         const float *plane, size_t stride, float *out);
    void (*read_linear)(size_t n, const float *u, const float *v,
                        const float *plane, size_t stride, float *out);
    void (*read_cubic)(size_t n, const float *u, const float *v,
                       const float *plane, size_t stride, float *out);
    /* Padded. x <- clamp(x), or fill where outside is all ones. */
    void (*finish_warp)(size_t n, const int32_t *outside, float fill,
                        float minimum, float maximum, float *x);
    /* How often the determinant uu vv - uv vu is not positive. */
    size_t (*count_folds)(size_t n, const float *uu, const float *uv,
                          const float *vu, const float *vv);

    /* x[n, channels] -> planes[channels, plane_length] of (x - offset) scale,
       clamped into [0, 1], and back: x <- clamp(offset + scale plane). */
    void (*to_planes)(size_t n, size_t channels, size_t plane_length,
                      float offset, float scale, const float *x,
                      float *planes);
    void (*from_planes)(size_t n, size_t channels, size_t plane_length,
                        float offset, float scale, float minimum,
                        float maximum, const float *planes, float *x);
    /* Mean over n pixels of the luma (three planes) or of the one plane. */
    double (*mean_luma)(size_t n, size_t channels, size_t plane_length,
                        const float *planes);
    /* Padded, values in [0, 1]. x <- clamp(factor x + (1 - factor) other). */
    void (*blend)(size_t n, float factor, float other, float *x);
    /* The same where `other` is each pixel's luma. */
    void (*saturate)(size_t n, float factor, float *red, float *green,
                     float *blue);
    /* Turns the hue by shift, in [-0.5, 0.5] of the circle. */
    void (*turn_hue)(size_t n, float shift, float *red, float *green,
                     float *blue);
    /* All three planes <- luma. */
    void (*to_grey)(size_t n, float *red, float *green, float *blue);

    /* g <- clip to +-limit; returns sum g^2 (in double, fixed order), which
       is not finite when an element is not. */
    double (*clip_and_square)(size_t n, float limit, float *g);
    /* One Adam update of theta, m, v; g is only read. With beta1 = 0, m is
       left alone. */
    void (*adam)(size_t n, const ebm_adam *adam, const float *g, float *m,
                 float *v, float *theta);
} ebm_kernels;

/* The best table that this processor can run. */
const ebm_kernels *ebm_kernels_best(void);

/* All tables of this build, for the tests; NULL beyond the last. */
const ebm_kernels *ebm_kernels_variant(size_t index);

#endif
