/*
 * Group norm, and instance norm as the case of one channel a group. With m and
 * r = (variance + epsilon)^-1/2 of a sample's group of N numbers, and E[.] the
 * mean over that group,
 *
 *     z = (x - m) r,    y = gain z + bias.
 *
 * Backward, with u = gain dy, a = E[u] and b = E[u z],
 *
 *     dx = r (u - a - b z),    dgain = sum dy z,    dbias = sum dy.
 *
 * The Jacobian of z is symmetric, so a tangent x' takes the same way:
 *
 *     z' = r (x' - E[x'] - e z)  with  e = E[x' z],    y' = gain z',
 *
 * and r' = - r^2 e. Hence the tangent of dx, for a tangent u' = gain dy',
 *
 *     dx' = r (u' - a' - b' z - b z') - r e dx,
 *     a' = E[u'],    b' = E[u' z] + E[u z'].
 *
 * Saved are z and r, bent are z' and e. Statistics are those of one sample.
 */
#include <math.h>

#include "core/memory.h"
#include "model/network/network.h"

/* Where things stand in the saved array of a slab, and e in the bend. */
static size_t normal_floats(const ebm_layer *layer, size_t n)
{
    return ebm_round_up(n * layer->in_size, EBM_LANES);
}

static size_t saved_size(const ebm_layer *layer, size_t n)
{
    return normal_floats(layer, n) + n * layer->in[2];
}

/* Scratch: rows of a number per channel, and such rows of doubles. */
enum { ROWS = 8, SUMS = 5 };

static size_t row_floats(const ebm_layer *layer)
{
    return ebm_round_up(layer->in[2], EBM_LANES);
}

static size_t scratch_size(const ebm_layer *layer, size_t n)
{
    (void)n;
    return (ROWS + 2 * SUMS) * row_floats(layer);
}

static float *row_of(const ebm_layer *layer, const ebm_layer_pass *pass, int i)
{
    return pass->scratch + (size_t)i * row_floats(layer);
}

static double *sum_of(const ebm_layer *layer, const ebm_layer_pass *pass,
                      int i)
{
    return (double *)(void *)row_of(layer, pass, ROWS + 2 * i);
}

/* One sample of a slab. */
typedef struct sample {
    size_t at;        /* its first number in arrays like x */
    size_t positions; /* rows of channels */
    float *scale;     /* r, for each channel */
    float *lean;      /* e, likewise */
    float *normal;    /* z */
    float *bend;      /* z' */
} sample;

static sample sample_of(const ebm_layer *layer, const ebm_layer_pass *pass,
                        size_t i)
{
    size_t rows = normal_floats(layer, pass->n) + i * layer->in[2];
    sample s = {.at = i * layer->in_size,
                .positions = layer->in[0] * layer->in[1]};
    s.normal = pass->saved + s.at;
    s.scale = pass->saved + rows;
    if (pass->bend) {
        s.bend = pass->bend + s.at;
        s.lean = pass->bend + rows;
    }
    return s;
}

static const float *gain_of(const ebm_layer *layer, const ebm_layer_pass *pass)
{
    return pass->parameters + layer->views[0].offset;
}

/* mean[c] = E[gain v] over the group of channel c, for the sums of v over the
   positions of each channel; gain NULL stands for 1. */
static void group_means(const ebm_layer *layer, const float *gain,
                        const double *sum, double *mean)
{
    size_t width = layer->in[2] / layer->groups;
    double share =
        1 / ((double)layer->in[0] * (double)layer->in[1] * (double)width);
    for (size_t first = 0; first < layer->in[2]; first += width) {
        double total = 0;
        for (size_t c = first; c < first + width; c++)
            total += gain ? (double)gain[c] * sum[c] : sum[c];
        for (size_t c = first; c < first + width; c++)
            mean[c] = total * share;
    }
}

/* 1 / sqrt(variance + epsilon). Where squares overflowed it is no number: 0
   would let a chain that has left all bounds look at rest. */
static void scales_of(const ebm_layer *layer, const double *variance,
                      float *scale)
{
    size_t width = layer->in[2] / layer->groups;
    for (size_t first = 0; first < layer->in[2]; first += width) {
        double v = variance[first];
        float r = isfinite(v) ? (float)(1 / sqrt(v + layer->epsilon)) : NAN;
        for (size_t c = first; c < first + width; c++)
            scale[c] = r;
    }
}

static void forward_sample(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const sample *s, float *x)
{
    const ebm_kernels *kernels = pass->kernels;
    size_t channels = layer->in[2];
    double *sum = sum_of(layer, pass, 0), *mean = sum_of(layer, pass, 1);
    float *mean_row = row_of(layer, pass, 0);
    kernels->channel_sums(s->positions, channels, x, sum);
    group_means(layer, NULL, sum, mean);
    for (size_t c = 0; c < channels; c++)
        mean_row[c] = (float)mean[c];
    kernels->channel_squares(s->positions, channels, x, mean_row, sum);
    group_means(layer, NULL, sum, mean);
    scales_of(layer, mean, s->scale);
    ebm_norm_rows rows = {mean_row, s->scale, gain_of(layer, pass),
                          pass->parameters + layer->views[1].offset};
    kernels->normalise(s->positions, channels, &rows, x, s->normal);
}

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    (void)x; /* in place: x is y */
    for (size_t i = 0; i < pass->n; i++) {
        sample s = sample_of(layer, pass, i);
        forward_sample(layer, pass, &s, y + s.at);
    }
}

/* The coefficients of r (u - a - b z), for u = gain times what is combined. */
static ebm_combination coefficients(const ebm_layer *layer,
                                    const ebm_layer_pass *pass,
                                    const sample *s, const float *gain,
                                    const double *a, const double *b,
                                    int first_row)
{
    float *rows[3];
    for (int k = 0; k < 3; k++)
        rows[k] = row_of(layer, pass, first_row + k);
    for (size_t c = 0; c < layer->in[2]; c++) {
        double r = (double)s->scale[c];
        rows[0][c] = (float)(gain ? r * (double)gain[c] : r);
        rows[1][c] = (float)(-r * b[c]);
        rows[2][c] = (float)(-r * a[c]);
    }
    return (ebm_combination){rows[0], rows[1], rows[2]};
}

/* E[gain v], unless that is NULL, and E[gain v w]. */
static void two_means(const ebm_layer *layer, const ebm_layer_pass *pass,
                      const sample *s, const float *gain, const float *v,
                      const float *w, double *mean, double *product_mean)
{
    double *sum = sum_of(layer, pass, 0), *product = sum_of(layer, pass, 1);
    pass->kernels->channel_products(s->positions, layer->in[2], v, w, sum,
                                    product);
    if (mean)
        group_means(layer, gain, sum, mean);
    group_means(layer, gain, product, product_mean);
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    (void)dy; /* in place: it is dx */
    const float *gain = gain_of(layer, pass);
    double *a = sum_of(layer, pass, 2), *b = sum_of(layer, pass, 3);
    for (size_t i = 0; i < pass->n && dx; i++) {
        sample s = sample_of(layer, pass, i);
        float *g = dx + s.at;
        two_means(layer, pass, &s, gain, g, s.normal, a, b);
        ebm_combination k = coefficients(layer, pass, &s, gain, a, b, 0);
        pass->kernels->combine(s.positions, layer->in[2], &k, g, s.normal, g);
    }
}

/* x is not looked at: z is in saved, or z' in the pass of tangents. */
static void param_gradient(const ebm_layer *layer, const ebm_layer_pass *pass,
                           const float *x, const float *dy, float *gradient)
{
    (void)x;
    size_t channels = layer->in[2];
    double *sum = sum_of(layer, pass, 0), *product = sum_of(layer, pass, 1);
    pass->kernels->channel_products(pass->n * layer->in[0] * layer->in[1],
                                    channels, dy, pass->saved, sum, product);
    float *gain = gradient + layer->views[0].offset;
    float *bias = gradient + layer->views[1].offset;
    for (size_t c = 0; c < channels; c++) {
        gain[c] += (float)product[c];
        if (pass->with_bias)
            bias[c] += (float)sum[c];
    }
}

static void tangent_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                            const float *x, const float *tx, float *y,
                            float *ty)
{
    (void)tx; /* in place: it is ty */
    size_t channels = layer->in[2];
    const float *gain = gain_of(layer, pass);
    double *mean = sum_of(layer, pass, 2), *e = sum_of(layer, pass, 3);
    forward(layer, pass, x, y);
    for (size_t i = 0; i < pass->n; i++) {
        sample s = sample_of(layer, pass, i);
        float *t = ty + s.at;
        two_means(layer, pass, &s, NULL, t, s.normal, mean, e);
        ebm_combination k = coefficients(layer, pass, &s, NULL, mean, e, 0);
        pass->kernels->combine(s.positions, channels, &k, t, s.normal, s.bend);
        pass->kernels->scale_columns(s.positions, channels, gain, s.bend, t);
        for (size_t c = 0; c < channels; c++)
            s.lean[c] = (float)e[c];
    }
}

static void tangent_backward_sample(const ebm_layer *layer,
                                    const ebm_layer_pass *pass,
                                    const sample *s, float *g, float *tg)
{
    const ebm_kernels *kernels = pass->kernels;
    size_t channels = layer->in[2];
    const float *gain = gain_of(layer, pass);
    double *a = sum_of(layer, pass, 2), *b = sum_of(layer, pass, 3);
    double *mixed = sum_of(layer, pass, 4);
    float *scale_b = row_of(layer, pass, 6), *scale_e = row_of(layer, pass, 7);
    float *one = row_of(layer, pass, 0), *zero = row_of(layer, pass, 1);

    /* r (u' - a' - b' z), where b' needs E[u z'] too. */
    two_means(layer, pass, s, gain, g, s->bend, NULL, mixed);
    two_means(layer, pass, s, gain, tg, s->normal, a, b);
    for (size_t c = 0; c < channels; c++)
        b[c] += mixed[c];
    ebm_combination k = coefficients(layer, pass, s, gain, a, b, 3);
    kernels->combine(s->positions, channels, &k, tg, s->normal, tg);

    /* dx itself, and its part in dx'. */
    two_means(layer, pass, s, gain, g, s->normal, a, b);
    k = coefficients(layer, pass, s, gain, a, b, 3);
    kernels->combine(s->positions, channels, &k, g, s->normal, g);
    for (size_t c = 0; c < channels; c++) {
        double r = (double)s->scale[c];
        one[c] = 1;
        zero[c] = 0;
        scale_b[c] = (float)(-r * b[c]);
        scale_e[c] = (float)(-r * (double)s->lean[c]);
    }
    k = (ebm_combination){one, scale_b, zero};
    kernels->combine(s->positions, channels, &k, tg, s->bend, tg);
    k.b = scale_e;
    kernels->combine(s->positions, channels, &k, tg, g, tg);
}

static void tangent_backward(const ebm_layer *layer,
                             const ebm_layer_pass *pass, const float *dy,
                             const float *tdy, float *dx, float *tdx)
{
    (void)dy, (void)tdy; /* in place */
    for (size_t i = 0; i < pass->n; i++) {
        sample s = sample_of(layer, pass, i);
        tangent_backward_sample(layer, pass, &s, dx + s.at, tdx + s.at);
    }
}

const ebm_layer_ops ebm_layer_norm = {
    .kind = "norm",
    .in_place = 1,
    .saved_size = saved_size,
    .scratch_size = scratch_size,
    .forward = forward,
    .backward = backward,
    .param_gradient = param_gradient,
    .tangent_forward = tangent_forward,
    .tangent_backward = tangent_backward,
};

size_t ebm_norm_groups(size_t groups, size_t channels)
{
    if (groups)
        return groups;
    size_t half = channels / 2;
    return half > 32 ? 32 : half ? half : 1;
}

ebm_status ebm_append_norm(ebm_network *network, const char *part,
                           size_t groups)
{
    const size_t *in = network->end.shape;
    if (network->end.is_flat)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "it stands after flatten");
    if (in[2] % groups)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "%zu channels are not divisible into %zu "
                                "groups",
                                in[2], groups);
    if (in[0] * in[1] * in[2] == groups)
        return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                "[%zu, %zu, %zu] divided by %zu leaves groups "
                                "of a single number",
                                in[0], in[1], in[2], groups);
    ebm_layer layer = {.ops = &ebm_layer_norm,
                       .part = part,
                       .out = {in[0], in[1], in[2]},
                       .groups = groups,
                       .epsilon = network->values[EBM_NETWORK_NORM_EPSILON],
                       .fan_in = 1,
                       .view_count = 2};
    for (int v = 0; v < 2; v++)
        layer.views[v] = (ebm_layer_view){.name = v ? "bias" : "weight",
                                          .rank = 1,
                                          .shape = {in[2], 1, 1, 1},
                                          .torch_shape = {in[2], 1, 1, 1},
                                          .is_constant = 1,
                                          .constant = v ? 0 : 1};
    return ebm_network_append(network, &layer);
}

static ebm_status append_group_norm(ebm_network *network,
                                    const double *arguments)
{
    size_t channels = network->end.shape[2];
    return ebm_append_norm(network, NULL,
                           ebm_norm_groups((size_t)arguments[0], channels));
}

static ebm_status append_instance_norm(ebm_network *network,
                                       const double *arguments)
{
    (void)arguments;
    return ebm_append_norm(network, NULL, network->end.shape[2]);
}

#define ROW(name, ...)                             \
    extern const ebm_row_ops ebm_row_##name;       \
    const ebm_row_ops ebm_row_##name = {           \
        .kind = #name,                             \
        .argument_names = {__VA_ARGS__},           \
        .settings = 1 << EBM_NETWORK_NORM_EPSILON, \
        .append = append_##name,                   \
    }

ROW(group_norm, "groups");
ROW(instance_norm, NULL);

ebm_status ebm_network_group_norm(ebm_network *network, size_t groups)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    double arguments[] = {(double)groups};
    return ebm_network_add(network, &ebm_row_group_norm, arguments);
}

ebm_status ebm_network_instance_norm(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_instance_norm, NULL);
}
