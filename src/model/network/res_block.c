/*
 * The residual block of Du et al. 2020, as a row of layers:
 *
 *     fork, conv1, norm1, [class1], swish, conv2, norm2, [class2], swish,
 *     join; down: down, average over 3 x 3 with stride 2, swish.
 */
#include "model/network/network.h"

/* One of the two: convolution, norm, what the class does, swish. */
static ebm_status append_half(ebm_network *network, size_t channels,
                              const char *const *names)
{
    const double *v = network->values;
    int norm = (int)v[EBM_NETWORK_NORM];
    size_t groups = (size_t)v[EBM_NETWORK_GROUPS];
    size_t classes = (size_t)v[EBM_NETWORK_CLASSES];
    EBM_TRY(ebm_append_conv2d(network, names[0], channels, 3, 1, 1,
                              (ebm_network_weights)v[EBM_NETWORK_WEIGHTS]));
    if (norm != EBM_NORM_NONE)
        EBM_TRY(ebm_append_norm(network, names[1],
                                norm == EBM_NORM_GROUP
                                    ? ebm_norm_groups(groups, channels)
                                    : channels));
    if (classes)
        EBM_TRY(ebm_append_class_affine(network, names[2], classes));
    return ebm_append_swish(network);
}

static ebm_status append(ebm_network *network, const double *arguments)
{
    static const char *const first[] = {"conv1", "norm1", "class1"};
    static const char *const second[] = {"conv2", "norm2", "class2"};
    size_t channels = (size_t)arguments[0], fork = network->end.layers;
    double kind = arguments[1];
    if (kind != EBM_RES_PLAIN && kind != EBM_RES_DOWN &&
        kind != EBM_RES_DOWN_WIDEN)
        return ebm_network_fail(network, EBM_ERROR_ARGUMENT,
                                "there is no kind %g", kind);
    if (channels != network->end.shape[2])
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "a block of %zu channels on an image of %zu",
                                channels, network->end.shape[2]);
    EBM_TRY(ebm_append_fork(network));
    EBM_TRY(append_half(network, channels, first));
    EBM_TRY(append_half(network, channels, second));
    EBM_TRY(ebm_append_join(network, fork));
    if (kind == EBM_RES_PLAIN)
        return EBM_OK;
    size_t out = kind == EBM_RES_DOWN ? channels : 2 * channels;
    EBM_TRY(
        ebm_append_conv2d(network, "down", out, 3, 1, 1, EBM_WEIGHTS_PLAIN));
    EBM_TRY(ebm_append_avg_pool(network, 3, 2, 1, 1));
    return ebm_append_swish(network);
}

extern const ebm_row_ops ebm_row_res_block;
const ebm_row_ops ebm_row_res_block = {
    .kind = "res_block",
    .argument_names = {"channels", "residual"},
    .settings = 1 << EBM_NETWORK_BIAS | 1 << EBM_NETWORK_NORM |
                1 << EBM_NETWORK_GROUPS | 1 << EBM_NETWORK_NORM_EPSILON |
                1 << EBM_NETWORK_WEIGHTS | 1 << EBM_NETWORK_CLASSES |
                1 << EBM_NETWORK_CONVOLUTION,
    .append = append,
};

ebm_status ebm_network_res_block(ebm_network *network, size_t channels,
                                 ebm_res_kind kind)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)channels, (double)kind};
    return ebm_network_add(network, &ebm_row_res_block, arguments);
}
