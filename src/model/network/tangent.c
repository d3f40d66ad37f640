/*
 * Second derivatives of a network, forward over reverse.
 *
 * With x_l the input of layer l, g_l the adjoint dE/dx_l, and a dot for the
 * derivative along a direction v of the input (x_0' = v), one pass carries
 * pairs:
 *
 *     forward     x_{l+1} = f(x_l),    x'_{l+1} = J x'_l
 *     backward    g_l = g_{l+1} J,     g'_l = g'_{l+1} J + g_{l+1} dJ/dx x'_l
 *
 * from g = 1, g' = 0 at the energy. Then g'_0 = H v, and since a linear
 * layer's parameter gradient is bilinear in (x_l, g_{l+1}),
 *
 *     d/dtheta <grad_x E, v> = (dE/dtheta)' = dW(x_l, g'_{l+1})
 *                                           + dW(x'_l, g_{l+1}).
 *
 * A constant has no tangent: the bias enters x but not x', and its gradient
 * is that of the first term. No graph is stored, and the memory is that of
 * two ordinary passes. (Pearlmutter 1994, "Fast exact multiplication by the
 * Hessian"; Griewank and Walther, "Evaluating Derivatives", chapter 5.)
 */
#include <string.h>

#include "core/context.h"
#include "core/memory.h"
#include "model/network/network.h"

/* Offsets in the workspace, in floats. */
typedef struct layout {
    size_t bend;    /* behind the saved arrays */
    size_t values;  /* inputs of all layers */
    size_t dots;    /* their tangents */
    size_t adjoint; /* four arrays of `widest`: g and g' in turn */
    size_t scaled;  /* one more */
    size_t widest;
    size_t scratch;
    size_t total;
} layout;

static layout lay_out(const ebm_network_model *self, size_t n)
{
    size_t saved = 0, scratch = 0, widest = 0;
    size_t kept = ebm_slab_floats(n, self->layers[0].in_size);
    for (size_t i = 0; i < self->count; i++) {
        const ebm_layer *layer = self->layers + i;
        size_t in = ebm_slab_floats(n, layer->in_size);
        size_t out = ebm_slab_floats(n, layer->out_size);
        saved += ebm_saved_floats(layer, n);
        if (layer->ops->forward && !layer->ops->in_place)
            kept += out;
        widest = in > widest ? in : widest;
        widest = out > widest ? out : widest;
        if (ebm_scratch_floats(layer, n) > scratch)
            scratch = ebm_scratch_floats(layer, n);
    }
    layout l = {.bend = saved, .values = 2 * saved, .widest = widest};
    l.dots = l.values + kept;
    l.adjoint = l.dots + kept;
    l.scaled = l.adjoint + 4 * widest;
    l.scratch = l.scaled + widest;
    l.total = l.scratch + scratch;
    return l;
}

size_t ebm_network_tangent_workspace(const ebm_model *model, size_t n)
{
    return lay_out(model->self, n).total;
}

/* A slab on its way; x and dx are the inputs of each layer. */
typedef struct journey {
    const ebm_model *model;
    const ebm_network_model *self;
    const ebm_tangent_slab *slab;
    layout layout;
    float *param_grad;             /* the model's own, or NULL */
    size_t saved[EBM_MOST_LAYERS]; /* where each layer's array lies */
    float *x[EBM_MOST_LAYERS + 1], *dot[EBM_MOST_LAYERS + 1];
} journey;

static ebm_layer_pass pass_of(const journey *j, size_t i)
{
    const ebm_layer *layer = j->self->layers + i;
    float *workspace = j->slab->workspace;
    ebm_layer_pass pass = ebm_network_layer_pass(j->model, i);
    pass.n = j->slab->n;
    pass.labels = j->slab->labels;
    pass.saved = workspace + j->saved[i];
    pass.bend = pass.saved + j->layout.bend;
    pass.back_saved = workspace + j->saved[i - layer->back];
    pass.back_bend = pass.back_saved + j->layout.bend;
    pass.scratch = workspace + j->layout.scratch;
    return pass;
}

static void forward(journey *j)
{
    const ebm_tangent_slab *slab = j->slab;
    size_t n = slab->n, saved = 0, at = 0;
    float *values = slab->workspace + j->layout.values;
    float *dots = slab->workspace + j->layout.dots;
    size_t bytes = n * j->model->size * sizeof *values;
    j->x[0] = memcpy(values, slab->x, bytes);
    j->dot[0] = memcpy(dots, slab->v, bytes);
    at = ebm_slab_floats(n, j->model->size);
    for (size_t i = 0; i < j->self->count; i++) {
        const ebm_layer *layer = j->self->layers + i;
        j->saved[i] = saved;
        saved += ebm_saved_floats(layer, n);
        ebm_layer_pass pass = pass_of(j, i);
        float *x = j->x[i], *dot = j->dot[i];
        if (layer->ops->forward && !layer->ops->in_place) {
            x = values + at;
            dot = dots + at;
            at += ebm_slab_floats(n, layer->out_size);
        }
        j->x[i + 1] = x;
        j->dot[i + 1] = dot;
        if (layer->ops->tangent_forward) {
            layer->ops->tangent_forward(layer, &pass, j->x[i], j->dot[i], x,
                                        dot);
        } else if (layer->ops->forward) {
            layer->ops->forward(layer, &pass, j->x[i], x);
            pass.with_bias = 0;
            layer->ops->forward(layer, &pass, j->dot[i], dot);
        }
    }
}

/* dW(x, s g') + dW(x', s g), where s is the scale of each sample. What a
   layer that is not linear reads instead of x is in `saved`, with its tangent
   in `bend`. */
static void param_gradient(const journey *j, size_t i,
                           const ebm_layer_pass *pass, const float *g,
                           const float *dot_g)
{
    const ebm_tangent_slab *slab = j->slab;
    const ebm_layer *layer = j->self->layers + i;
    float *scaled = slab->workspace + j->layout.scaled;
    float *gradient = j->param_grad + layer->parameter_offset;
    pass->kernels->scale_rows(slab->n, layer->out_size, slab->scale, dot_g,
                              scaled);
    layer->ops->param_gradient(layer, pass, j->x[i], scaled, gradient);
    ebm_layer_pass dotted = *pass;
    dotted.with_bias = 0;
    dotted.saved = pass->bend;
    pass->kernels->scale_rows(slab->n, layer->out_size, slab->scale, g,
                              scaled);
    layer->ops->param_gradient(layer, &dotted, j->dot[i], scaled, gradient);
}

static void backward(journey *j)
{
    const ebm_tangent_slab *slab = j->slab;
    const layout *l = &j->layout;
    size_t n = slab->n;
    float *adjoint = slab->workspace + l->adjoint;
    float *g = adjoint, *next_g = adjoint + l->widest;
    float *dot_g = adjoint + 2 * l->widest;
    float *next_dot_g = adjoint + 3 * l->widest;
    for (size_t i = 0; i < n; i++) {
        g[i] = 1;
        dot_g[i] = 0;
    }
    for (size_t i = j->self->count; i-- > 0;) {
        const ebm_layer *layer = j->self->layers + i;
        if (!layer->ops->forward)
            continue;
        ebm_layer_pass pass = pass_of(j, i);
        if (j->param_grad && layer->ops->param_gradient)
            param_gradient(j, i, &pass, g, dot_g);
        if (layer->ops->in_place) {
            layer->ops->tangent_backward(layer, &pass, g, dot_g, g, dot_g);
            continue;
        }
        if (layer->ops->tangent_backward) {
            layer->ops->tangent_backward(layer, &pass, g, dot_g, next_g,
                                         next_dot_g);
        } else {
            layer->ops->backward(layer, &pass, g, next_g);
            layer->ops->backward(layer, &pass, dot_g, next_dot_g);
        }
        float *swap = g;
        g = next_g;
        next_g = swap;
        swap = dot_g;
        dot_g = next_dot_g;
        next_dot_g = swap;
    }
    memcpy(slab->hv, dot_g, n * j->model->size * sizeof *dot_g);
}

ebm_status ebm_network_tangent(const ebm_model *model,
                               const ebm_tangent_slab *slab)
{
    journey j;
    j.model = model;
    j.self = model->self;
    j.slab = slab;
    j.layout = lay_out(j.self, slab->n);
    j.param_grad = ebm_model_own_gradient(model, slab->root, slab->param_grad);
    forward(&j);
    backward(&j);
    return EBM_OK;
}
