/* The kinds of layers. Adding one: a file beside this one, a row here. */
#include "model/layer/layer.h"

#include <string.h>

extern const ebm_layer_ops ebm_layer_conv2d;
extern const ebm_layer_ops ebm_layer_dense;
extern const ebm_layer_ops ebm_layer_swish;
extern const ebm_layer_ops ebm_layer_relu;
extern const ebm_layer_ops ebm_layer_leaky_relu;
extern const ebm_layer_ops ebm_layer_flatten;

const ebm_layer_ops *const ebm_layer_kinds[] = {
    &ebm_layer_conv2d,
    &ebm_layer_dense,
    &ebm_layer_swish,
    &ebm_layer_relu,
    &ebm_layer_leaky_relu,
    &ebm_layer_flatten,
    NULL,
};

const ebm_layer_ops *ebm_layer_kind(const char *kind)
{
    const ebm_layer_ops *const *row = ebm_layer_kinds;
    while (*row && strcmp((*row)->kind, kind) != 0)
        row++;
    return *row;
}
