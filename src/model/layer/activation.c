/*
 * The activations: element by element, over the slab as one array. What
 * forward saves is the derivative, so backward is the same for all of them.
 */
#include "core/memory.h"
#include "model/network/network.h"

static size_t elements(const ebm_layer *layer, size_t n)
{
    return n * layer->out_size;
}

/* Arrays of a slab extend to whole vectors: kernels may run over the end. */
static size_t saved_size(const ebm_layer *layer, size_t n)
{
    return ebm_round_up(elements(layer, n), EBM_LANES);
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    (void)dy; /* in place: dx is dy */
    if (dx)
        pass->kernels->multiply(elements(layer, pass->n), pass->saved, dx);
}

static void swish_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                          const float *x, float *y)
{
    (void)x; /* in place: x is y */
    pass->kernels->swish(elements(layer, pass->n), y, pass->saved);
}

static void leaky_relu_forward(const ebm_layer *layer,
                               const ebm_layer_pass *pass, const float *x,
                               float *y)
{
    (void)x;
    pass->kernels->leaky_relu(elements(layer, pass->n), (float)layer->slope, y,
                              pass->saved);
}

static void swish_tangent_forward(const ebm_layer *layer,
                                  const ebm_layer_pass *pass, const float *x,
                                  const float *tx, float *y, float *ty)
{
    (void)x, (void)tx; /* in place */
    pass->kernels->swish_tangent(elements(layer, pass->n), y, pass->saved, ty,
                                 pass->bend);
}

/* What tangent_forward left in `bend` is f''(x) x'. */
static void curved_tangent_backward(const ebm_layer *layer,
                                    const ebm_layer_pass *pass,
                                    const float *dy, const float *tdy,
                                    float *dx, float *tdx)
{
    (void)dy, (void)tdy;
    pass->kernels->bend_multiply(elements(layer, pass->n), pass->saved,
                                 pass->bend, dx, tdx);
}

static void square_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, float *y)
{
    (void)x;
    pass->kernels->square(elements(layer, pass->n), y, pass->saved);
}

static void square_tangent_forward(const ebm_layer *layer,
                                   const ebm_layer_pass *pass, const float *x,
                                   const float *tx, float *y, float *ty)
{
    (void)x, (void)tx;
    pass->kernels->square_tangent(elements(layer, pass->n), y, pass->saved, ty,
                                  pass->bend);
}

static void softplus_forward(const ebm_layer *layer,
                             const ebm_layer_pass *pass, const float *x,
                             float *y)
{
    (void)x;
    pass->kernels->softplus(elements(layer, pass->n), y, pass->saved);
}

static void softplus_tangent_forward(const ebm_layer *layer,
                                     const ebm_layer_pass *pass,
                                     const float *x, const float *tx, float *y,
                                     float *ty)
{
    (void)x, (void)tx;
    pass->kernels->softplus_tangent(elements(layer, pass->n), y, pass->saved,
                                    ty, pass->bend);
}

/* Piecewise linear: no second derivative, except at the kink. */
static void leaky_relu_tangent_forward(const ebm_layer *layer,
                                       const ebm_layer_pass *pass,
                                       const float *x, const float *tx,
                                       float *y, float *ty)
{
    (void)tx;
    leaky_relu_forward(layer, pass, x, y);
    pass->kernels->multiply(elements(layer, pass->n), pass->saved, ty);
}

static void leaky_relu_tangent_backward(const ebm_layer *layer,
                                        const ebm_layer_pass *pass,
                                        const float *dy, const float *tdy,
                                        float *dx, float *tdx)
{
    backward(layer, pass, dy, dx);
    backward(layer, pass, tdy, tdx);
}

#define ACTIVATION(name, function, second)             \
    const ebm_layer_ops ebm_layer_##name = {           \
        .kind = #name,                                 \
        .in_place = 1,                                 \
        .saved_size = saved_size,                      \
        .forward = function##_forward,                 \
        .backward = backward,                          \
        .tangent_forward = function##_tangent_forward, \
        .tangent_backward = second##_tangent_backward, \
    }

ACTIVATION(swish, swish, curved);
ACTIVATION(square, square, curved);
ACTIVATION(softplus, softplus, curved);
/* ReLU is the leaky one with slope 0. */
ACTIVATION(relu, leaky_relu, leaky_relu);
ACTIVATION(leaky_relu, leaky_relu, leaky_relu);

static ebm_status append_activation(ebm_network *network,
                                    const ebm_layer_ops *ops, double slope)
{
    ebm_layer layer = {.ops = ops, .slope = slope};
    for (int i = 0; i < 3; i++)
        layer.out[i] = network->end.shape[i];
    return ebm_network_append(network, &layer);
}

ebm_status ebm_append_swish(ebm_network *network)
{
    return append_activation(network, &ebm_layer_swish, 0);
}

static ebm_status append_swish(ebm_network *network, const double *arguments)
{
    (void)arguments;
    return ebm_append_swish(network);
}

static ebm_status append_square(ebm_network *network, const double *arguments)
{
    (void)arguments;
    return append_activation(network, &ebm_layer_square, 0);
}

static ebm_status append_softplus(ebm_network *network,
                                  const double *arguments)
{
    (void)arguments;
    return append_activation(network, &ebm_layer_softplus, 0);
}

static ebm_status append_relu(ebm_network *network, const double *arguments)
{
    (void)arguments;
    return append_activation(network, &ebm_layer_relu, 0);
}

static ebm_status append_leaky_relu(ebm_network *network,
                                    const double *arguments)
{
    double slope = arguments[0];
    if (!(slope >= 0 && slope <= 1))
        return ebm_network_fail(network, EBM_ERROR_RANGE,
                                "a slope of %g is outside [0, 1]", slope);
    return append_activation(network, &ebm_layer_leaky_relu, slope);
}

#define ROW(name, ...)                       \
    extern const ebm_row_ops ebm_row_##name; \
    const ebm_row_ops ebm_row_##name = {     \
        .kind = #name,                       \
        .argument_names = {__VA_ARGS__},     \
        .reals = 1,                          \
        .append = append_##name,             \
    }

ROW(swish, NULL);
ROW(square, NULL);
ROW(softplus, NULL);
ROW(relu, NULL);
ROW(leaky_relu, "slope");

ebm_status ebm_network_swish(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_swish, NULL);
}

ebm_status ebm_network_square(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_square, NULL);
}

ebm_status ebm_network_softplus(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_softplus, NULL);
}

ebm_status ebm_network_relu(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_relu, NULL);
}

ebm_status ebm_network_leaky_relu(ebm_network *network, double slope)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_leaky_relu, &slope);
}
