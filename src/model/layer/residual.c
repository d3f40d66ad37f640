/*
 * A residual connection as two layers, y = f(x) + x: the fork keeps x, the
 * join adds it. On the way back the join keeps dy, which the fork adds to what
 * came through f. Both ways use the fork's one saved array, since forward is
 * over for all layers in between when backward begins.
 */
#include <string.h>

#include "model/network/network.h"

static size_t saved_size(const ebm_layer *layer, size_t n)
{
    return n * layer->in_size;
}

static size_t bytes_of(const ebm_layer *layer, const ebm_layer_pass *pass)
{
    return pass->n * layer->in_size * sizeof(float);
}

static void fork_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                         const float *x, float *y)
{
    (void)x; /* in place */
    memcpy(pass->saved, y, bytes_of(layer, pass));
}

static void add(size_t n, const float *from, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

static void fork_backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                          const float *dy, float *dx)
{
    (void)dy;
    if (dx)
        add(pass->n * layer->in_size, pass->saved, dx);
}

static void fork_tangent_forward(const ebm_layer *layer,
                                 const ebm_layer_pass *pass, const float *x,
                                 const float *tx, float *y, float *ty)
{
    (void)x, (void)tx;
    memcpy(pass->saved, y, bytes_of(layer, pass));
    memcpy(pass->bend, ty, bytes_of(layer, pass));
}

static void fork_tangent_backward(const ebm_layer *layer,
                                  const ebm_layer_pass *pass, const float *dy,
                                  const float *tdy, float *dx, float *tdx)
{
    (void)dy, (void)tdy;
    add(pass->n * layer->in_size, pass->saved, dx);
    add(pass->n * layer->in_size, pass->bend, tdx);
}

const ebm_layer_ops ebm_layer_fork = {
    .kind = "fork",
    .in_place = 1,
    .saved_size = saved_size,
    .forward = fork_forward,
    .backward = fork_backward,
    .tangent_forward = fork_tangent_forward,
    .tangent_backward = fork_tangent_backward,
};

static void join_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                         const float *x, float *y)
{
    (void)x;
    add(pass->n * layer->in_size, pass->back_saved, y);
}

static void join_backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                          const float *dy, float *dx)
{
    (void)dx; /* in place: it is dy */
    memcpy(pass->back_saved, dy, bytes_of(layer, pass));
}

static void join_tangent_forward(const ebm_layer *layer,
                                 const ebm_layer_pass *pass, const float *x,
                                 const float *tx, float *y, float *ty)
{
    (void)x, (void)tx;
    add(pass->n * layer->in_size, pass->back_saved, y);
    add(pass->n * layer->in_size, pass->back_bend, ty);
}

static void join_tangent_backward(const ebm_layer *layer,
                                  const ebm_layer_pass *pass, const float *dy,
                                  const float *tdy, float *dx, float *tdx)
{
    (void)dx, (void)tdx;
    memcpy(pass->back_saved, dy, bytes_of(layer, pass));
    memcpy(pass->back_bend, tdy, bytes_of(layer, pass));
}

const ebm_layer_ops ebm_layer_join = {
    .kind = "join",
    .in_place = 1,
    .forward = join_forward,
    .backward = join_backward,
    .tangent_forward = join_tangent_forward,
    .tangent_backward = join_tangent_backward,
};

static ebm_status append_same(ebm_network *network, const ebm_layer_ops *ops,
                              size_t back)
{
    ebm_layer layer = {.ops = ops, .back = back};
    memcpy(layer.out, network->end.shape, sizeof layer.out);
    return ebm_network_append(network, &layer);
}

ebm_status ebm_append_fork(ebm_network *network)
{
    return append_same(network, &ebm_layer_fork, 0);
}

ebm_status ebm_append_join(ebm_network *network, size_t fork)
{
    return append_same(network, &ebm_layer_join, network->end.layers - fork);
}
