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
double EBM_KERNEL(clip_and_square)(size_t n, float limit, float *g);
void EBM_KERNEL(adam)(size_t n, const ebm_adam *adam, const float *g, float *m,
                      float *v, float *theta);

#endif
