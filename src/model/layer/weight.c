/*
 * Weights that are made from parameters W [taps, out].
 *
 * Standardised, for each column o, with m its mean, s its unbiased standard
 * deviation and D = s + 1e-5:
 *
 *     V = (W - m) / D,
 *     dE/dW = (G - mean G) / D - V <G, V> / ((taps - 1) s),   G = dE/dV,
 *
 * means and products taken over the column. Where s is 0 so is V, and the
 * second term, which has no limit there, is left out.
 *
 * Spectral, with unit vectors u [out] and v [taps] that are constants:
 *
 *     V = W / sigma,   sigma = v^T W u,
 *     dE/dW = (G - <G, V> v u^T) / sigma.
 *
 * A sigma that is smaller than 1e-12 counts as that, with its sign, and is
 * then a constant too. One round of power iteration is v = W u / |W u| and
 * u = W^T v / |W^T v|.
 *
 * The derivatives are linear in G, so one fold serves a whole sum of
 * gradients, those of second order included. All sums are in double and in an
 * order that depends on the sizes alone.
 */
#include "model/layer/weight.h"

#include <math.h>

#include "core/memory.h"
#include "model/network/network.h"

static const double DEVIATION_FLOOR = 1e-5, SIGMA_FLOOR = 1e-12;

/* Columns that are worked on together, and partial sums of a row. */
enum { BLOCK = 64, LANES = 16 };

typedef struct matrix {
    const float *w;
    size_t taps, out;
} matrix;

static matrix matrix_of(const ebm_layer *layer, const float *parameters)
{
    const ebm_layer_view *view = layer->views;
    size_t out = view->shape[view->rank - 1];
    return (matrix){parameters + view->offset, view->count / out, out};
}

ebm_status ebm_weight_describe(const ebm_network *network, ebm_layer *layer)
{
    const size_t *shape = layer->views[0].shape;
    size_t out = shape[layer->views[0].rank - 1], count;
    if (layer->weights == EBM_WEIGHTS_PLAIN)
        return EBM_OK;
    if (!ebm_multiply4(shape[0], shape[1], shape[2], shape[3], &count))
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW, "too large");
    size_t taps = count / out;
    layer->derived_count = count;
    if (layer->weights == EBM_WEIGHTS_STANDARDISED) {
        if (taps == 1)
            return ebm_network_fail(network, EBM_ERROR_SHAPE,
                                    "weights of a single tap can not be "
                                    "standardised");
        return EBM_OK;
    }
    layer->state_view_count = 2;
    layer->states[EBM_STATE_U] =
        (ebm_layer_view){.name = "weight_u",
                         .rank = 1,
                         .shape = {out, 1, 1, 1},
                         .torch_shape = {out, 1, 1, 1}};
    layer->states[EBM_STATE_V] =
        (ebm_layer_view){.name = "weight_v",
                         .rank = 1,
                         .shape = {taps, 1, 1, 1},
                         .torch_shape = {taps, 1, 1, 1}};
    return EBM_OK;
}

/* ---- Standardised --------------------------------------------------------
 */

/* Up to BLOCK columns from `first` on. */
typedef struct columns {
    size_t first, count;
    double mean[BLOCK], deviation[BLOCK];
} columns;

/* Twice over the columns: the squares of differences do not cancel. */
static void measure(const matrix *m, size_t first, columns *c)
{
    double squares[BLOCK] = {0};
    *c = (columns){.first = first};
    c->count = m->out - first < BLOCK ? m->out - first : BLOCK;
    for (size_t t = 0; t < m->taps; t++) {
        const float *row = m->w + t * m->out + first;
        for (size_t o = 0; o < c->count; o++)
            c->mean[o] += (double)row[o];
    }
    for (size_t o = 0; o < c->count; o++)
        c->mean[o] /= (double)m->taps;
    for (size_t t = 0; t < m->taps; t++) {
        const float *row = m->w + t * m->out + first;
        for (size_t o = 0; o < c->count; o++) {
            double difference = (double)row[o] - c->mean[o];
            squares[o] += difference * difference;
        }
    }
    for (size_t o = 0; o < c->count; o++)
        c->deviation[o] = sqrt(squares[o] / (double)(m->taps - 1));
}

static void standardise(const matrix *m, float *derived)
{
    columns c;
    for (size_t first = 0; first < m->out; first += BLOCK) {
        measure(m, first, &c);
        for (size_t t = 0; t < m->taps; t++) {
            const float *row = m->w + t * m->out + first;
            float *to = derived + t * m->out + first;
            for (size_t o = 0; o < c.count; o++)
                to[o] = (float)(((double)row[o] - c.mean[o]) /
                                (c.deviation[o] + DEVIATION_FLOOR));
        }
    }
}

static void fold_standardised(const matrix *m, const float *derived,
                              float *gradient)
{
    columns c;
    for (size_t first = 0; first < m->out; first += BLOCK) {
        double mean[BLOCK] = {0}, along[BLOCK] = {0}, scale[BLOCK];
        measure(m, first, &c);
        for (size_t t = 0; t < m->taps; t++) {
            const float *g = gradient + t * m->out + first;
            const float *v = derived + t * m->out + first;
            for (size_t o = 0; o < c.count; o++) {
                mean[o] += (double)g[o];
                along[o] += (double)g[o] * (double)v[o];
            }
        }
        for (size_t o = 0; o < c.count; o++) {
            double s = c.deviation[o];
            mean[o] /= (double)m->taps;
            scale[o] = 1 / (s + DEVIATION_FLOOR);
            along[o] = s > 0 ? along[o] / ((double)(m->taps - 1) * s) : 0;
        }
        for (size_t t = 0; t < m->taps; t++) {
            float *g = gradient + t * m->out + first;
            const float *v = derived + t * m->out + first;
            for (size_t o = 0; o < c.count; o++)
                g[o] = (float)(((double)g[o] - mean[o]) * scale[o] -
                               (double)v[o] * along[o]);
        }
    }
}

/* ---- Spectral ------------------------------------------------------------
 */

/* <a, b> in LANES partial sums. */
static double dot(size_t n, const float *a, const float *b)
{
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lanes[k] += (double)a[i + k] * (double)b[i + k];
    for (size_t k = 0; i < n; i++, k++)
        lanes[k] += (double)a[i] * (double)b[i];
    for (size_t k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

/* Up to BLOCK elements of W^T v. */
static size_t turned_block(const matrix *m, const float *v, size_t first,
                           double sum[BLOCK])
{
    size_t count = m->out - first < BLOCK ? m->out - first : BLOCK;
    for (size_t o = 0; o < count; o++)
        sum[o] = 0;
    for (size_t t = 0; t < m->taps; t++) {
        const float *row = m->w + t * m->out + first;
        for (size_t o = 0; o < count; o++)
            sum[o] += (double)v[t] * (double)row[o];
    }
    return count;
}

/* Each half of a round goes over W twice, first for the length: products that
   are not yet divided by it may be too large for a float, and without a length
   nothing shall have been written. */
static void iterate_v(const matrix *m, const float *u, float *v)
{
    double squares = 0;
    for (size_t t = 0; t < m->taps; t++) {
        double product = dot(m->out, m->w + t * m->out, u);
        squares += product * product;
    }
    double scale = 1 / sqrt(squares);
    if (!(squares > 0 && isfinite(scale)))
        return;
    for (size_t t = 0; t < m->taps; t++)
        v[t] = (float)(scale * dot(m->out, m->w + t * m->out, u));
}

static void iterate_u(const matrix *m, const float *v, float *u)
{
    double squares = 0, sum[BLOCK];
    for (size_t first = 0; first < m->out; first += BLOCK) {
        size_t count = turned_block(m, v, first, sum);
        for (size_t o = 0; o < count; o++)
            squares += sum[o] * sum[o];
    }
    double scale = 1 / sqrt(squares);
    if (!(squares > 0 && isfinite(scale)))
        return;
    for (size_t first = 0; first < m->out; first += BLOCK) {
        size_t count = turned_block(m, v, first, sum);
        for (size_t o = 0; o < count; o++)
            u[first + o] = (float)(scale * sum[o]);
    }
}

/* v^T W u, not yet held away from 0. */
static double sigma_of(const matrix *m, const float *u, const float *v)
{
    double sigma = 0;
    for (size_t t = 0; t < m->taps; t++)
        sigma += (double)v[t] * dot(m->out, m->w + t * m->out, u);
    return sigma;
}

static void normalise(const matrix *m, const float *u, const float *v,
                      float *derived)
{
    double sigma = sigma_of(m, u, v);
    if (fabs(sigma) < SIGMA_FLOOR)
        sigma = copysign(SIGMA_FLOOR, sigma);
    for (size_t i = 0; i < m->taps * m->out; i++)
        derived[i] = (float)((double)m->w[i] / sigma);
}

static void fold_spectral(const matrix *m, const float *u, const float *v,
                          const float *derived, float *gradient)
{
    double sigma = sigma_of(m, u, v), along = 0;
    if (fabs(sigma) < SIGMA_FLOOR)
        sigma = copysign(SIGMA_FLOOR, sigma);
    else
        for (size_t t = 0; t < m->taps; t++)
            along += dot(m->out, gradient + t * m->out, derived + t * m->out);
    for (size_t t = 0; t < m->taps; t++) {
        float *g = gradient + t * m->out;
        double part = along * (double)v[t];
        for (size_t o = 0; o < m->out; o++)
            g[o] = (float)(((double)g[o] - part * (double)u[o]) / sigma);
    }
}

/* ---- The entries of a layer's table --------------------------------------
 */

/* A random direction. */
static void draw(const ebm_random *random, size_t from, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)ebm_random_normal(random, from + i);
    double length = sqrt(dot(n, x, x));
    for (size_t i = 0; i < n; i++)
        x[i] = length > 0 ? (float)((double)x[i] / length) : (float)(i == 0);
}

void ebm_weight_start(const ebm_layer *layer, const float *parameters,
                      const ebm_random *random, float *state)
{
    if (layer->weights != EBM_WEIGHTS_SPECTRAL)
        return;
    matrix m = matrix_of(layer, parameters);
    draw(random, 0, m.out, state + layer->states[EBM_STATE_U].offset);
    draw(random, m.out, m.taps, state + layer->states[EBM_STATE_V].offset);
}

void ebm_weight_iterate(const ebm_layer *layer, const float *parameters,
                        float *state)
{
    if (layer->weights != EBM_WEIGHTS_SPECTRAL)
        return;
    matrix m = matrix_of(layer, parameters);
    float *u = state + layer->states[EBM_STATE_U].offset;
    float *v = state + layer->states[EBM_STATE_V].offset;
    iterate_v(&m, u, v);
    iterate_u(&m, v, u);
}

void ebm_weight_derive(const ebm_layer *layer, const ebm_kernels *kernels,
                       const float *parameters, const float *state,
                       float *derived)
{
    (void)kernels;
    if (layer->weights == EBM_WEIGHTS_PLAIN)
        return;
    matrix m = matrix_of(layer, parameters);
    if (layer->weights == EBM_WEIGHTS_STANDARDISED)
        standardise(&m, derived);
    else
        normalise(&m, state + layer->states[EBM_STATE_U].offset,
                  state + layer->states[EBM_STATE_V].offset, derived);
}

void ebm_weight_fold(const ebm_layer *layer, const float *parameters,
                     const float *state, const float *derived, float *gradient)
{
    if (layer->weights == EBM_WEIGHTS_PLAIN)
        return;
    matrix m = matrix_of(layer, parameters);
    float *own = gradient + layer->views[0].offset;
    if (layer->weights == EBM_WEIGHTS_STANDARDISED)
        fold_standardised(&m, derived, own);
    else
        fold_spectral(&m, state + layer->states[EBM_STATE_U].offset,
                      state + layer->states[EBM_STATE_V].offset, derived, own);
}
