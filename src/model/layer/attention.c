/*
 * Self-attention over the P positions of an image, as layers: a fork, a 1 x 1
 * convolution to [Q | K | V] of q + q + C channels, attend, gain, a join.
 *
 * Attend, for each sample, with Q, K [P, q], V [P, C] and rows of softmax:
 *
 *     A = softmax(Q K^T),   Y = A V,
 *     dA = dY V^T,  dS = A (dA - <A, dA>),
 *     dQ = dS K,    dK = dS^T Q,    dV = A^T dY,
 *
 * the product A (..) taken element by element and <,> along a row. The
 * tangents are those of each line by the product rule. Rows of A go through in
 * blocks that stay in the cache; the whole of A is kept, since backward reads
 * it again, and for second derivatives its tangent.
 *
 * Zhang et al. 2019, arXiv:1805.08318, without the projection of the output.
 */
#include <string.h>

#include "core/blas.h"
#include "core/memory.h"
#include "model/network/network.h"

/* Floats of a block of rows of A. Part of what fixes the bits. */
enum { BLOCK_FLOATS = 64 * 1024 };

/* Numbers of positions and channels. */
typedef struct extent {
    size_t positions;
    size_t stride;   /* floats from one row of A to the next: whole vectors */
    size_t queries;  /* channels of Q and of K */
    size_t channels; /* of V and Y */
    size_t length;   /* of a row of the input */
    size_t rows;     /* of a block */
} extent;

static extent extent_of(const ebm_layer *layer)
{
    extent e = {.positions = layer->in[0] * layer->in[1],
                .queries = layer->queries,
                .channels = layer->out[2],
                .length = layer->in[2]};
    e.stride = ebm_round_up(e.positions, EBM_LANES);
    e.rows = BLOCK_FLOATS / e.stride;
    e.rows = e.rows < 1 ? 1 : e.rows > e.positions ? e.positions : e.rows;
    return e;
}

/* A copy of the input of all samples, then A of all samples. */
static size_t copies_size(const ebm_layer *layer, size_t n)
{
    return ebm_round_up(n * layer->in_size, EBM_LANES);
}

static size_t saved_size(const ebm_layer *layer, size_t n)
{
    extent e = extent_of(layer);
    return copies_size(layer, n) + n * e.positions * e.stride;
}

/* A block of dS, and one of its tangent. */
static size_t scratch_size(const ebm_layer *layer, size_t n)
{
    (void)n;
    extent e = extent_of(layer);
    return 2 * e.rows * e.stride;
}

/* Where a sample's [Q | K | V] and A lie in `saved`, or their tangents in
   `bend`. */
typedef struct kept {
    float *q, *k, *v, *a;
} kept;

static kept kept_of(const ebm_layer *layer, size_t n, float *saved, size_t i)
{
    extent e = extent_of(layer);
    float *q = saved + i * layer->in_size;
    float *a = saved + copies_size(layer, n) + i * e.positions * e.stride;
    return (kept){q, q + e.queries, q + 2 * e.queries, a};
}

static size_t block_rows(const extent *e, size_t first)
{
    return e->positions - first < e->rows ? e->positions - first : e->rows;
}

/* Products of a block of `rows` rows. S [rows, P] (+)= Q K^T, for queries or
   for dY and V. */
static void product_with_turned(const extent *e, size_t rows, size_t inner,
                                const float *q, size_t q_length,
                                const float *k, float beta, float *s)
{
    ebm_sgemm(0, 1, rows, e->positions, inner, q, q_length, k, e->length, beta,
              s, e->stride);
}

/* Y [rows, columns] (+)= A [rows, P] V. */
static void product(const extent *e, size_t rows, size_t columns,
                    const float *a, const float *v, float beta, float *y,
                    size_t y_length)
{
    ebm_sgemm(0, 0, rows, columns, e->positions, a, e->stride, v, e->length,
              beta, y, y_length);
}

/* K [P, columns] (+)= A^T [P, rows] Q. */
static void turned_product(const extent *e, size_t rows, size_t columns,
                           const float *a, const float *q, size_t q_length,
                           float beta, float *k)
{
    ebm_sgemm(1, 0, e->positions, columns, rows, a, e->stride, q, q_length,
              beta, k, e->length);
}

static void forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                    const float *x, float *y)
{
    extent e = extent_of(layer);
    memcpy(pass->saved, x, pass->n * layer->in_size * sizeof *x);
    for (size_t i = 0; i < pass->n; i++) {
        kept s = kept_of(layer, pass->n, pass->saved, i);
        float *to = y + i * layer->out_size;
        for (size_t r = 0, some; r < e.positions; r += some) {
            some = block_rows(&e, r);
            float *a = s.a + r * e.stride;
            product_with_turned(&e, some, e.queries, s.q + r * e.length,
                                e.length, s.k, 0, a);
            pass->kernels->softmax(some, e.positions, e.stride, a);
            product(&e, some, e.channels, a, s.v, 0, to + r * e.channels,
                    e.channels);
        }
    }
}

static void backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                     const float *dy, float *dx)
{
    extent e = extent_of(layer);
    for (size_t i = 0; dx && i < pass->n; i++) {
        kept s = kept_of(layer, pass->n, pass->saved, i);
        const float *from = dy + i * layer->out_size;
        float *dq = dx + i * layer->in_size, *dk = dq + e.queries;
        float *dv = dk + e.queries, *ds = pass->scratch;
        for (size_t r = 0, some; r < e.positions; r += some) {
            some = block_rows(&e, r);
            const float *a = s.a + r * e.stride, *dr = from + r * e.channels;
            float more = r ? 1 : 0;
            turned_product(&e, some, e.channels, a, dr, e.channels, more, dv);
            product_with_turned(&e, some, e.channels, dr, e.channels, s.v, 0,
                                ds);
            pass->kernels->softmax_slope(some, e.positions, e.stride, a, ds);
            product(&e, some, e.queries, ds, s.k, 0, dq + r * e.length,
                    e.length);
            turned_product(&e, some, e.queries, ds, s.q + r * e.length,
                           e.length, more, dk);
        }
    }
}

/* S' = Q' K^T + Q K'^T, A' = A (S' - <A, S'>), Y' = A' V + A V'. */
static void tangent_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                            const float *x, const float *tx, float *y,
                            float *ty)
{
    extent e = extent_of(layer);
    forward(layer, pass, x, y);
    memcpy(pass->bend, tx, pass->n * layer->in_size * sizeof *tx);
    for (size_t i = 0; i < pass->n; i++) {
        kept s = kept_of(layer, pass->n, pass->saved, i);
        kept t = kept_of(layer, pass->n, pass->bend, i);
        float *to = ty + i * layer->out_size;
        for (size_t r = 0, some; r < e.positions; r += some) {
            some = block_rows(&e, r);
            float *a = s.a + r * e.stride, *ta = t.a + r * e.stride;
            product_with_turned(&e, some, e.queries, t.q + r * e.length,
                                e.length, s.k, 0, ta);
            product_with_turned(&e, some, e.queries, s.q + r * e.length,
                                e.length, t.k, 1, ta);
            pass->kernels->softmax_slope(some, e.positions, e.stride, a, ta);
            product(&e, some, e.channels, ta, s.v, 0, to + r * e.channels,
                    e.channels);
            product(&e, some, e.channels, a, t.v, 1, to + r * e.channels,
                    e.channels);
        }
    }
}

/* dA' = dY' V^T + dY V'^T, dS' by the kernel, and
   dQ' = dS' K + dS K',  dK' = dS'^T Q + dS^T Q',  dV' = A'^T dY + A^T dY'. */
static void tangent_backward(const ebm_layer *layer,
                             const ebm_layer_pass *pass, const float *dy,
                             const float *tdy, float *dx, float *tdx)
{
    extent e = extent_of(layer);
    size_t c = e.channels, q = e.queries, length = e.length;
    float *ds = pass->scratch, *tds = ds + e.rows * e.stride;
    for (size_t i = 0; i < pass->n; i++) {
        kept s = kept_of(layer, pass->n, pass->saved, i);
        kept t = kept_of(layer, pass->n, pass->bend, i);
        float *dq = dx + i * layer->in_size, *tdq = tdx + i * layer->in_size;
        for (size_t r = 0, some; r < e.positions; r += some) {
            some = block_rows(&e, r);
            const float *a = s.a + r * e.stride, *ta = t.a + r * e.stride;
            const float *dr = dy + i * layer->out_size + r * c;
            const float *tdr = tdy + i * layer->out_size + r * c;
            const float *qr = s.q + r * length, *tqr = t.q + r * length;
            float more = r ? 1 : 0;
            turned_product(&e, some, c, a, dr, c, more, dq + 2 * q);
            turned_product(&e, some, c, a, tdr, c, more, tdq + 2 * q);
            turned_product(&e, some, c, ta, dr, c, 1, tdq + 2 * q);
            product_with_turned(&e, some, c, dr, c, s.v, 0, ds);
            product_with_turned(&e, some, c, tdr, c, s.v, 0, tds);
            product_with_turned(&e, some, c, dr, c, t.v, 1, tds);
            pass->kernels->softmax_bend(some, e.positions, e.stride, a, ta, ds,
                                        tds);
            product(&e, some, q, ds, s.k, 0, dq + r * length, length);
            product(&e, some, q, tds, s.k, 0, tdq + r * length, length);
            product(&e, some, q, ds, t.k, 1, tdq + r * length, length);
            turned_product(&e, some, q, ds, qr, length, more, dq + q);
            turned_product(&e, some, q, tds, qr, length, more, tdq + q);
            turned_product(&e, some, q, ds, tqr, length, 1, tdq + q);
        }
    }
}

const ebm_layer_ops ebm_layer_attend = {
    .kind = "attend",
    .saved_size = saved_size,
    .scratch_size = scratch_size,
    .forward = forward,
    .backward = backward,
    .tangent_forward = tangent_forward,
    .tangent_backward = tangent_backward,
};

ebm_status ebm_append_attend(ebm_network *network, size_t queries)
{
    const size_t *in = network->end.shape;
    size_t positions, all, largest = ebm_blas_largest();
    if (!ebm_multiply(in[0], in[1], &positions) || positions > largest ||
        !ebm_multiply(ebm_round_up(positions, EBM_LANES), positions, &all) ||
        all > largest || in[2] > largest / positions)
        return ebm_network_fail(network, EBM_ERROR_OVERFLOW,
                                "attention between the positions of an image "
                                "of [%zu, %zu] is too large",
                                in[0], in[1]);
    /* So that a slab's, too, are a number. */
    EBM_TRY(ebm_check_size(ebm_context_of(network), 1024, positions,
                           ebm_round_up(positions, EBM_LANES), 1, &all));
    ebm_layer layer = {.ops = &ebm_layer_attend,
                       .queries = queries,
                       .out = {in[0], in[1], in[2] - 2 * queries}};
    return ebm_network_append(network, &layer);
}

/* ---- Gain: y = gamma x ---------------------------------------------------
 */

static void gain_forward(const ebm_layer *layer, const ebm_layer_pass *pass,
                         const float *x, float *y)
{
    pass->kernels->scale_rows(1, pass->n * layer->out_size, pass->parameters,
                              x, y);
}

static void gain_backward(const ebm_layer *layer, const ebm_layer_pass *pass,
                          const float *dy, float *dx)
{
    if (dx)
        gain_forward(layer, pass, dy, dx);
}

static void gain_param_gradient(const ebm_layer *layer,
                                const ebm_layer_pass *pass, const float *x,
                                const float *dy, float *gradient)
{
    gradient[0] += (float)pass->kernels->dot(pass->n * layer->out_size, x, dy);
}

const ebm_layer_ops ebm_layer_gain = {
    .kind = "gain",
    .linear = 1,
    .forward = gain_forward,
    .backward = gain_backward,
    .param_gradient = gain_param_gradient,
};

ebm_status ebm_append_gain(ebm_network *network)
{
    ebm_layer layer = {.ops = &ebm_layer_gain, .fan_in = 1, .view_count = 1};
    memcpy(layer.out, network->end.shape, sizeof layer.out);
    layer.views[0] = (ebm_layer_view){.name = "gamma",
                                      .rank = 1,
                                      .shape = {1, 1, 1, 1},
                                      .torch_shape = {1, 1, 1, 1},
                                      .is_constant = 1,
                                      .constant = 0};
    return ebm_network_append(network, &layer);
}

/* ---- The row -------------------------------------------------------------
 */

static ebm_status append(ebm_network *network, const double *arguments)
{
    (void)arguments;
    size_t channels = network->end.shape[2], fork = network->end.layers;
    size_t queries = channels / 8 ? channels / 8 : 1;
    EBM_TRY(ebm_append_fork(network));
    EBM_TRY(ebm_append_conv2d(network, "qkv", channels + 2 * queries, 1, 1, 0,
                              EBM_WEIGHTS_PLAIN));
    EBM_TRY(ebm_append_attend(network, queries));
    EBM_TRY(ebm_append_gain(network));
    return ebm_append_join(network, fork);
}

extern const ebm_row_ops ebm_row_self_attention;
const ebm_row_ops ebm_row_self_attention = {
    .kind = "self_attention",
    .settings = 1 << EBM_NETWORK_BIAS,
    .append = append,
};

ebm_status ebm_network_self_attention(ebm_network *network)
{
    EBM_CHECK_HANDLE(network, EBM_TYPE_NETWORK);
    return ebm_network_add(network, &ebm_row_self_attention, NULL);
}
