/* The kinds of rows: what the builder offers and a model file may name.
   Adding one: its file in layer/ (or here, for a row of several layers), and a
   line in both lists. */
#include <string.h>

#include "model/network/network.h"

extern const ebm_row_ops ebm_row_avg_pool;
extern const ebm_row_ops ebm_row_class_affine;
extern const ebm_row_ops ebm_row_conv2d;
extern const ebm_row_ops ebm_row_dense;
extern const ebm_row_ops ebm_row_flatten;
extern const ebm_row_ops ebm_row_global_mean_pool;
extern const ebm_row_ops ebm_row_global_sum_pool;
extern const ebm_row_ops ebm_row_group_norm;
extern const ebm_row_ops ebm_row_instance_norm;
extern const ebm_row_ops ebm_row_leaky_relu;
extern const ebm_row_ops ebm_row_relu;
extern const ebm_row_ops ebm_row_res_block;
extern const ebm_row_ops ebm_row_self_attention;
extern const ebm_row_ops ebm_row_softplus;
extern const ebm_row_ops ebm_row_square;
extern const ebm_row_ops ebm_row_swish;

/* clang-format off */
const ebm_row_ops *const ebm_row_kinds[] = {
    &ebm_row_avg_pool,
    &ebm_row_class_affine,
    &ebm_row_conv2d,
    &ebm_row_dense,
    &ebm_row_flatten,
    &ebm_row_global_mean_pool,
    &ebm_row_global_sum_pool,
    &ebm_row_group_norm,
    &ebm_row_instance_norm,
    &ebm_row_leaky_relu,
    &ebm_row_relu,
    &ebm_row_res_block,
    &ebm_row_self_attention,
    &ebm_row_softplus,
    &ebm_row_square,
    &ebm_row_swish,
    NULL,
};
/* clang-format on */

const ebm_row_ops *ebm_row_kind(const char *kind)
{
    const ebm_row_ops *const *row = ebm_row_kinds;
    while (*row && strcmp((*row)->kind, kind) != 0)
        row++;
    return *row;
}
