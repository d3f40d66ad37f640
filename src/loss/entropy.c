/* The nearest-neighbour entropy: a search for the k-th nearest, parallel over
   rows, then a sum and its gradient in a fixed order. */
#include "loss/entropy.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "chains/chains.h"
#include "core/blas.h"
#include "core/context.h"
#include "core/memory.h"
#include "core/object.h"
#include "core/parallel.h"

/* Rows of x in one matrix product: a fixed number, so that what is computed
   does not depend on the number of threads. */
enum { BLOCK = 32 };

/* A candidate and what it is ranked by. */
typedef struct candidate {
    double key;
    size_t index;
} candidate;

/* What the parallel loop works on. */
typedef struct search {
    const float *x, *b; /* as given; b is x for the batch itself */
    size_t n, d, m, k;
    int leave_out;     /* whether b is the batch itself */
    size_t candidates; /* M */
    size_t kept;       /* how many the ranking hands on */

    float *x_centred, *b_centred; /* less the mean of b */
    double *mean;                 /* [d] */
    double *norms;                /* [m], |b|^2 of the centred b */
    double reach;                 /* the largest |b| of the centred b */

    /* For each worker. */
    float *products;    /* [BLOCK, m] */
    candidate *ranked;  /* [kept] */
    candidate *nearest; /* [k] */

    /* Results, [n]. */
    double *squares;    /* rho^2 */
    size_t *neighbours; /* of the k-th nearest */
} search;

static int before(candidate a, candidate b)
{
    return a.key < b.key || (a.key == b.key && a.index < b.index);
}

/* Offers a candidate to the `limit` first ones, a heap whose root is the last
   of them. */
static void offer(candidate *heap, size_t *count, size_t limit, candidate c)
{
    size_t at;
    if (*count < limit) {
        at = (*count)++;
        while (at && before(heap[(at - 1) / 2], c)) {
            heap[at] = heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }
    } else {
        if (!before(c, heap[0]))
            return;
        at = 0;
        for (size_t child = 1; child < limit; child = 2 * at + 1) {
            if (child + 1 < limit && before(heap[child], heap[child + 1]))
                child++;
            if (!before(c, heap[child]))
                break;
            heap[at] = heap[child];
            at = child;
        }
    }
    heap[at] = c;
}

/* |a - b|^2 from differences in double. The lanes are what lets a compiler
   use vectors without changing the order of the sum. */
static double square_distance(const float *a, const float *b, size_t d)
{
    enum { LANES = 8 };
    double sums[LANES] = {0};
    size_t j = 0;
    for (; j + LANES <= d; j += LANES)
        for (size_t l = 0; l < LANES; l++) {
            double difference = (double)a[j + l] - (double)b[j + l];
            sums[l] += difference * difference;
        }
    for (size_t l = 0; j < d; j++, l++) {
        double difference = (double)a[j] - (double)b[j];
        sums[l] += difference * difference;
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* The square of the distance that smaller ones count as. */
static double least_square(size_t d)
{
    return 1e-12 * (double)d;
}

/* Measures `count` candidates, all M when `some` is NULL, and returns the k-th
   nearest with its squared distance. */
static candidate measure(const search *s, size_t i, const candidate *some,
                         size_t count, candidate *nearest)
{
    size_t held = 0;
    for (size_t c = 0; c < (some ? count : s->m); c++) {
        size_t j = some ? some[c].index : c;
        if (s->leave_out && j == i)
            continue;
        candidate measured = {
            square_distance(s->x + i * s->d, s->b + j * s->d, s->d), j};
        offer(nearest, &held, s->k, measured);
    }
    return nearest[0];
}

/* A bound below the squared distance of every candidate that the ranking left
   out, whose keys are at least `last`; -infinity when there is none. With
   u = 2^-24, X = |x| and R >= |b|: x.b is off by at most d u X R / (1 - d u)
   (Higham 2002, section 3.1), where 4 X R <= (X + R)^2; rounding after
   centring moves a distance by u (X + R). That makes (d / 2 + 2) u (X + R)^2,
   which is rounded up. Beyond FLT_MAX partial sums may have overflowed. */
static double beyond(const search *s, size_t i, double last)
{
    const float *x = s->x_centred + i * s->d;
    double square = 0;
    for (size_t j = 0; j < s->d; j++)
        square += (double)x[j] * (double)x[j];
    double span = sqrt(square) + s->reach;
    if (!(span * span < FLT_MAX))
        return -INFINITY;
    double unit = 0.5 * FLT_EPSILON;
    return square + last - unit * (0.6 * (double)s->d + 16) * span * span;
}

static void search_row(const search *s, size_t i, const float *products,
                       candidate *ranked, candidate *nearest)
{
    size_t held = 0;
    for (size_t j = 0; j < s->m; j++) {
        if (s->leave_out && j == i)
            continue;
        candidate c = {s->norms[j] - 2 * (double)products[j], j};
        offer(ranked, &held, s->kept, c);
    }
    double last = ranked[0].key;
    candidate found = measure(s, i, ranked, held, nearest);
    /* Under the least distance no nearer neighbour would change anything. */
    if (s->kept < s->candidates && found.key >= least_square(s->d) &&
        !(found.key < beyond(s, i, last)))
        found = measure(s, i, NULL, 0, nearest);
    s->squares[i] = found.key;
    s->neighbours[i] = found.index;
}

static void search_block(void *argument, size_t block, int worker)
{
    const search *s = argument;
    size_t first = block * BLOCK, w = (size_t)worker;
    size_t rows = s->n - first < BLOCK ? s->n - first : BLOCK;
    float *products = s->products + w * BLOCK * s->m;
    ebm_sgemm(0, 1, rows, s->m, s->d, s->x_centred + first * s->d, s->d,
              s->b_centred, s->d, 0, products, s->m);
    for (size_t r = 0; r < rows; r++)
        search_row(s, first + r, products + r * s->m, s->ranked + w * s->kept,
                   s->nearest + w * s->k);
}

/* The expansion |b|^2 - 2 x.b loses what the data's offset has in common. */
static void centre(search *s)
{
    memset(s->mean, 0, s->d * sizeof *s->mean);
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->d; j++)
            s->mean[j] += (double)s->b[i * s->d + j];
    for (size_t j = 0; j < s->d; j++)
        s->mean[j] /= (double)s->m;
    double largest = 0;
    for (size_t i = 0; i < s->m; i++) {
        double norm = 0;
        for (size_t j = 0; j < s->d; j++) {
            float value = (float)((double)s->b[i * s->d + j] - s->mean[j]);
            s->b_centred[i * s->d + j] = value;
            norm += (double)value * (double)value;
        }
        s->norms[i] = norm;
        largest = norm > largest ? norm : largest;
    }
    s->reach = sqrt(largest);
    if (s->x_centred == s->b_centred)
        return;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->d; j++)
            s->x_centred[i * s->d + j] =
                (float)((double)s->x[i * s->d + j] - s->mean[j]);
}

static size_t workers(const ebm_context *context, size_t n)
{
    size_t threads = (size_t)ebm_context_threads(context);
    size_t blocks = (n + BLOCK - 1) / BLOCK;
    return threads < blocks ? threads : blocks;
}

/* Whether all sizes, in any of the types above and added up, fit. */
static int sizes_fit(const search *s, size_t threads)
{
    size_t x, b, products, kept, k;
    size_t most = SIZE_MAX / (16 * sizeof(candidate));
    return ebm_multiply(s->n, s->d, &x) && x <= most &&
           ebm_multiply(s->m, s->d, &b) && b <= most &&
           ebm_multiply4(threads, BLOCK, s->m, 1, &products) &&
           products <= most && ebm_multiply(threads, s->kept, &kept) &&
           kept <= most && ebm_multiply(threads, s->k, &k) && k <= most &&
           s->m <= ebm_blas_largest() && s->d <= ebm_blas_largest();
}

/* The next `bytes` of a block; of none, only the count goes on. */
static void *carve(unsigned char *block, size_t *at, size_t count, size_t size)
{
    void *place = block ? block + *at : NULL;
    *at += ebm_round_up(count * size, 64);
    return place;
}

/* Lays the arrays out in the block and returns how long it must be. */
static size_t lay_out(search *s, size_t threads, unsigned char *block)
{
    size_t at = 0;
    s->b_centred = carve(block, &at, s->m * s->d, sizeof *s->b_centred);
    s->x_centred = s->leave_out
                       ? s->b_centred
                       : carve(block, &at, s->n * s->d, sizeof *s->x_centred);
    s->mean = carve(block, &at, s->d, sizeof *s->mean);
    s->norms = carve(block, &at, s->m, sizeof *s->norms);
    s->products =
        carve(block, &at, threads * BLOCK * s->m, sizeof *s->products);
    s->ranked = carve(block, &at, threads * s->kept, sizeof *s->ranked);
    s->nearest = carve(block, &at, threads * s->k, sizeof *s->nearest);
    s->squares = carve(block, &at, s->n, sizeof *s->squares);
    s->neighbours = carve(block, &at, s->n, sizeof *s->neighbours);
    return at;
}

static ebm_status prepare(const ebm_context *context, search *s,
                          ebm_entropy_workspace *workspace)
{
    size_t threads = workers(context, s->n);
    if (!sizes_fit(s, threads))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "the entropy of [%zu, %zu] against [%zu, %zu] does "
                        "not fit into memory",
                        s->n, s->d, s->m, s->d);
    EBM_TRY(ebm_check_finite(context, "batch", s->x, s->n, s->d));
    if (!s->leave_out)
        EBM_TRY(ebm_check_finite(context, "set B", s->b, s->m, s->d));
    size_t bytes = lay_out(s, threads, NULL);
    if (workspace->held < bytes) {
        void *block = ebm_alloc(context, bytes, 1);
        if (!block)
            return ebm_out_of_memory(context, "an entropy");
        ebm_free(context, workspace->block);
        workspace->block = block;
        workspace->held = bytes;
    }
    lay_out(s, threads, workspace->block);
    return EBM_OK;
}

/* psi(M + 1) - psi(k) + log V_d. At whole numbers psi(j + 1) = psi(j) + 1 / j,
   and V_d = V_(d - 2) 2 pi / d with V_0 = 1, V_1 = 2. */
static double constant(size_t candidates, size_t k, size_t d)
{
    const double two_pi = 6.283185307179586;
    double sum = d % 2 ? log(2) : 0;
    for (size_t j = candidates; j >= k; j--)
        sum += 1 / (double)j;
    for (size_t j = d; j > 1; j -= 2)
        sum += log(two_pi / (double)j);
    return sum;
}

static void add_gradient(const search *s, float *gradient)
{
    memset(gradient, 0, s->n * s->d * sizeof *gradient);
    for (size_t i = 0; i < s->n; i++) {
        if (s->squares[i] < least_square(s->d))
            continue;
        double scale = (double)s->d / (double)s->n / s->squares[i];
        size_t other = s->neighbours[i];
        const float *x = s->x + i * s->d, *b = s->b + other * s->d;
        float *at_x = gradient + i * s->d;
        float *at_b = s->leave_out ? gradient + other * s->d : NULL;
        for (size_t j = 0; j < s->d; j++) {
            float g = (float)(scale * ((double)x[j] - (double)b[j]));
            at_x[j] += g;
            if (at_b)
                at_b[j] -= g;
        }
    }
}

static ebm_status describe(const ebm_context *context, search *s)
{
    if (!s->n || !s->d)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a size is 0 in the batch [%zu, %zu]", s->n, s->d);
    if (!s->leave_out && !s->m)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "the set B of the entropy is empty");
    s->candidates = s->leave_out ? s->n - 1 : s->m;
    if (s->k < 1 || s->k > s->candidates)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the entropy needs k from 1 to the %zu candidates, "
                        "not k = %zu",
                        s->candidates, s->k);
    s->kept = s->k < s->candidates / 2 ? 2 * s->k + 8 : s->candidates;
    if (s->kept > s->candidates)
        s->kept = s->candidates;
    return EBM_OK;
}

ebm_status ebm_entropy_nearest(const ebm_context *context, const float *x,
                               size_t n, size_t d, const float *b, size_t m,
                               size_t k, ebm_entropy_workspace *workspace,
                               double *entropy, float *gradient,
                               size_t *near_zero)
{
    if (!x || !workspace || !entropy)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        !x           ? "x"
                        : !workspace ? "workspace"
                                     : "entropy");
    search s = {.x = x,
                .b = b ? b : x,
                .n = n,
                .d = d,
                .m = b ? m : n,
                .k = k,
                .leave_out = !b};
    EBM_TRY(describe(context, &s));
    EBM_TRY(prepare(context, &s, workspace));
    centre(&s);
    ebm_parallel_for(context, (n + BLOCK - 1) / BLOCK, search_block, &s);

    double sum = 0;
    size_t under = 0;
    for (size_t i = 0; i < n; i++) {
        int is_under = s.squares[i] < least_square(d);
        under += (size_t)is_under;
        sum += 0.5 * log(is_under ? least_square(d) : s.squares[i]);
    }
    if (gradient)
        add_gradient(&s, gradient);
    *entropy = constant(s.candidates, k, d) + (double)d / (double)n * sum;
    if (near_zero)
        *near_zero = under;
    return EBM_OK;
}

void ebm_entropy_free(const ebm_context *context,
                      ebm_entropy_workspace *workspace)
{
    ebm_free(context, workspace->block);
    *workspace = (ebm_entropy_workspace){NULL, 0};
}
