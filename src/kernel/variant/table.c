/* The table of one instruction set. */
#include "kernel/variant/variant.h"

static int usable(void)
{
#if defined(__AVX512F__)
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
#elif defined(__AVX2__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 1;
#endif
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

extern const ebm_kernels EBM_KERNEL(kernels);

const ebm_kernels EBM_KERNEL(kernels) = {
    .name = TEXT(EBM_VARIANT),
    .usable = usable,
    .swish = EBM_KERNEL(swish),
    .leaky_relu = EBM_KERNEL(leaky_relu),
    .multiply = EBM_KERNEL(multiply),
    .swish_tangent = EBM_KERNEL(swish_tangent),
    .bend_multiply = EBM_KERNEL(bend_multiply),
    .square = EBM_KERNEL(square),
    .square_tangent = EBM_KERNEL(square_tangent),
    .softplus = EBM_KERNEL(softplus),
    .softplus_tangent = EBM_KERNEL(softplus_tangent),
    .softmax = EBM_KERNEL(softmax),
    .softmax_slope = EBM_KERNEL(softmax_slope),
    .softmax_bend = EBM_KERNEL(softmax_bend),
    .scale_rows = EBM_KERNEL(scale_rows),
    .scale_columns = EBM_KERNEL(scale_columns),
    .column_dots = EBM_KERNEL(column_dots),
    .dot = EBM_KERNEL(dot),
    .add_bias = EBM_KERNEL(add_bias),
    .column_sums = EBM_KERNEL(column_sums),
    .channel_sums = EBM_KERNEL(channel_sums),
    .channel_squares = EBM_KERNEL(channel_squares),
    .channel_products = EBM_KERNEL(channel_products),
    .normalise = EBM_KERNEL(normalise),
    .combine = EBM_KERNEL(combine),
    .pool = EBM_KERNEL(pool),
    .unpool = EBM_KERNEL(unpool),
    .im2col = EBM_KERNEL(im2col),
    .col2im = EBM_KERNEL(col2im),
    .planar_im2col = EBM_KERNEL(planar_im2col),
    .planar_col2im = EBM_KERNEL(planar_col2im),
    .gather = EBM_KERNEL(gather),
    .gather_dots = EBM_KERNEL(gather_dots),
    .turn_panel = EBM_KERNEL(turn_panel),
    .winograd_input = EBM_KERNEL(winograd_input),
    .winograd_input_back = EBM_KERNEL(winograd_input_back),
    .winograd_output = EBM_KERNEL(winograd_output),
    .winograd_output_back = EBM_KERNEL(winograd_output_back),
    .winograd_weights = EBM_KERNEL(winograd_weights),
    .winograd_weights_back = EBM_KERNEL(winograd_weights_back),
    .uniform = EBM_KERNEL(uniform),
    .normal = EBM_KERNEL(normal),
    .langevin_noise = EBM_KERNEL(langevin_noise),
    .langevin_step = EBM_KERNEL(langevin_step),
    .langevin_direction = EBM_KERNEL(langevin_direction),
    .langevin_adjoint = EBM_KERNEL(langevin_adjoint),
    .mix_rows = EBM_KERNEL(mix_rows),
    .spline_filter = EBM_KERNEL(spline_filter),
    .place = EBM_KERNEL(place),
    .read_cubic = EBM_KERNEL(read_cubic),
    .read_linear = EBM_KERNEL(read_linear),
    .read_nearest = EBM_KERNEL(read_nearest),
    .finish_warp = EBM_KERNEL(finish_warp),
    .count_folds = EBM_KERNEL(count_folds),
    .to_planes = EBM_KERNEL(to_planes),
    .from_planes = EBM_KERNEL(from_planes),
    .mean_luma = EBM_KERNEL(mean_luma),
    .blend = EBM_KERNEL(blend),
    .saturate = EBM_KERNEL(saturate),
    .turn_hue = EBM_KERNEL(turn_hue),
    .to_grey = EBM_KERNEL(to_grey),
    .clip_and_square = EBM_KERNEL(clip_and_square),
    .adam = EBM_KERNEL(adam),
};
