/*
 * The kernels of one instruction set. Every file of this folder is compiled
 * once for each set, with EBM_VARIANT as its name; table.c gathers them.
 */
#ifndef EBM_KERNEL_VARIANT_VARIANT_H
#define EBM_KERNEL_VARIANT_VARIANT_H

#include "kernel/kernels.h"

#define EBM_JOIN_(a, b) ebm_##a##_##b
#define EBM_JOIN(a, b) EBM_JOIN_(a, b)
#define EBM_KERNEL(name) EBM_JOIN(name, EBM_VARIANT)

void EBM_KERNEL(swish)(size_t n, float *x, float *slope);
void EBM_KERNEL(leaky_relu)(size_t n, float leak, float *x, float *slope);
void EBM_KERNEL(multiply)(size_t n, const float *slope, float *g);
void EBM_KERNEL(swish_tangent)(size_t n, float *x, float *slope, float *t,
                               float *bend);
void EBM_KERNEL(bend_multiply)(size_t n, const float *slope, const float *bend,
                               float *g, float *tg);
void EBM_KERNEL(square)(size_t n, float *x, float *slope);
void EBM_KERNEL(square_tangent)(size_t n, float *x, float *slope, float *t,
                                float *bend);
void EBM_KERNEL(softplus)(size_t n, float *x, float *slope);
void EBM_KERNEL(softplus_tangent)(size_t n, float *x, float *slope, float *t,
                                  float *bend);
void EBM_KERNEL(softmax)(size_t rows, size_t columns, size_t stride, float *s);
void EBM_KERNEL(softmax_slope)(size_t rows, size_t columns, size_t stride,
                               const float *p, float *g);
void EBM_KERNEL(softmax_bend)(size_t rows, size_t columns, size_t stride,
                              const float *p, const float *tp, float *g,
                              float *tg);
void EBM_KERNEL(scale_rows)(size_t rows, size_t columns, const float *scale,
                            const float *from, float *to);
void EBM_KERNEL(add_bias)(size_t rows, size_t columns, const float *bias,
                          float *y);
void EBM_KERNEL(column_sums)(size_t rows, size_t columns, const float *y,
                             int accumulate, float *sum);
void EBM_KERNEL(scale_columns)(size_t rows, size_t columns, const float *scale,
                               const float *from, float *to);
void EBM_KERNEL(column_dots)(size_t rows, size_t columns, const float *a,
                             const float *b, float *sum);
double EBM_KERNEL(dot)(size_t n, const float *a, const float *b);
void EBM_KERNEL(channel_sums)(size_t rows, size_t channels, const float *x,
                              double *sum);
void EBM_KERNEL(channel_squares)(size_t rows, size_t channels, const float *x,
                                 const float *mean, double *sum);
void EBM_KERNEL(channel_products)(size_t rows, size_t channels, const float *a,
                                  const float *b, double *sum,
                                  double *product_sum);
void EBM_KERNEL(normalise)(size_t rows, size_t channels,
                           const ebm_norm_rows *norm, float *x, float *normal);
void EBM_KERNEL(combine)(size_t rows, size_t channels,
                         const ebm_combination *k, const float *a,
                         const float *b, float *to);
void EBM_KERNEL(pool)(const ebm_conv_shape *shape, int exclude_pad,
                      const float *image, float *out);
void EBM_KERNEL(unpool)(const ebm_conv_shape *shape, int exclude_pad,
                        const float *out, float *image);
void EBM_KERNEL(im2col)(const ebm_conv_shape *shape, const float *image,
                        float *padded, float *columns);
void EBM_KERNEL(col2im)(const ebm_conv_shape *shape, const float *columns,
                        float *padded, float *image);
void EBM_KERNEL(planar_im2col)(const ebm_conv_shape *shape, const float *image,
                               float *scratch, float *rows, size_t row_length);
void EBM_KERNEL(planar_col2im)(const ebm_conv_shape *shape, const float *rows,
                               size_t row_length, float *scratch,
                               float *image);
void EBM_KERNEL(gather)(const ebm_gather *gather, const float *a,
                        const float *panels, const float *bias, float *y);
void EBM_KERNEL(gather_dots)(const ebm_gather *gather, const float *a,
                             const float *weights, float *y);
void EBM_KERNEL(turn_panel)(size_t blocks, size_t step, const float *from,
                            float *to);
void EBM_KERNEL(winograd_input)(const ebm_winograd *w, size_t first,
                                size_t count, const float *image,
                                float *planes);
void EBM_KERNEL(winograd_input_back)(const ebm_winograd *w, size_t first,
                                     size_t count, const float *planes,
                                     float *image);
void EBM_KERNEL(winograd_output)(const ebm_winograd *w, size_t first,
                                 size_t count, const float *planes,
                                 const float *bias, float *image);
void EBM_KERNEL(winograd_output_back)(const ebm_winograd *w, size_t first,
                                      size_t count, const float *image,
                                      float *planes);
void EBM_KERNEL(winograd_weights)(const ebm_winograd_weights *w,
                                  const float *weight, float *planes);
void EBM_KERNEL(winograd_weights_back)(size_t edge, size_t n,
                                       const float *planes, float *weight);
void EBM_KERNEL(uniform)(const ebm_random *random, size_t n, float low,
                         float high, float *out);
void EBM_KERNEL(normal)(const ebm_random *random, size_t n, float mean,
                        float std, float *out);
void EBM_KERNEL(langevin_noise)(const ebm_random *random, size_t n,
                                const ebm_langevin *langevin, const float *x,
                                float *y, ebm_langevin_counts *counts,
                                uint8_t *masks);
int EBM_KERNEL(langevin_step)(size_t n, const ebm_langevin *langevin,
                              const float *g, float *y,
                              ebm_langevin_counts *counts, uint8_t *masks);
void EBM_KERNEL(langevin_direction)(size_t n, const uint8_t *masks, float *a,
                                    float *v);
void EBM_KERNEL(langevin_adjoint)(size_t n, const uint8_t *masks,
                                  float step_size, const float *hv, float *a);
void EBM_KERNEL(mix_rows)(size_t terms, size_t columns, const float *weights,
                          const float *rows, size_t row_length, float *out);
void EBM_KERNEL(spline_filter)(size_t rows, size_t columns, ebm_edge edge,
                               float *c);
void EBM_KERNEL(place)(size_t n, ebm_edge edge, size_t length, size_t border,
                       float *u, int32_t *outside);
void EBM_KERNEL(read_cubic)(size_t n, const float *u, const float *v,
                            const float *plane, size_t stride, float *out);
void EBM_KERNEL(read_linear)(size_t n, const float *u, const float *v,
                             const float *plane, size_t stride, float *out);
void EBM_KERNEL(read_nearest)(size_t n, const float *u, const float *v,
                              const float *plane, size_t stride, float *out);
void EBM_KERNEL(finish_warp)(size_t n, const int32_t *outside, float fill,
                             float minimum, float maximum, float *x);
size_t EBM_KERNEL(count_folds)(size_t n, const float *uu, const float *uv,
                               const float *vu, const float *vv);
void EBM_KERNEL(to_planes)(size_t n, size_t channels, size_t plane_length,
                           float offset, float scale, const float *x,
                           float *planes);
void EBM_KERNEL(from_planes)(size_t n, size_t channels, size_t plane_length,
                             float offset, float scale, float minimum,
                             float maximum, const float *planes, float *x);
double EBM_KERNEL(mean_luma)(size_t n, size_t channels, size_t plane_length,
                             const float *planes);
void EBM_KERNEL(blend)(size_t n, float factor, float other, float *x);
void EBM_KERNEL(saturate)(size_t n, float factor, float *red, float *green,
                          float *blue);
void EBM_KERNEL(turn_hue)(size_t n, float shift, float *red, float *green,
                          float *blue);
void EBM_KERNEL(to_grey)(size_t n, float *red, float *green, float *blue);
double EBM_KERNEL(clip_and_square)(size_t n, float limit, float *g);
void EBM_KERNEL(adam)(size_t n, const ebm_adam *adam, const float *g, float *m,
                      float *v, float *theta);

#endif
