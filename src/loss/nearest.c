/* Nearest neighbours: ranked by a matrix product in float, measured as
   differences in double, parallel over rows. */
#include "loss/nearest.h"

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
    double floor;      /* smaller squares need not be the smallest */
    size_t candidates; /* M */
    size_t kept;       /* how many the ranking hands on */

    float *x_centred, *b_centred; /* less the mean of b */
    double *mean;                 /* [d] */
    double *norms;                /* [m], |b|^2 of the centred b */
    double reach;                 /* the largest |b| of the centred b */

    /* For each worker. */
    float *products;    /* [BLOCK, m] */
    candidate *ranked;  /* [kept] */
    candidate *nearest; /* [k], a heap */

    /* Results, [n, k], nearest first. */
    double *squares;
    size_t *neighbours;
} search;

static int before(candidate a, candidate b)
{
    return a.key < b.key || (a.key == b.key && a.index < b.index);
}

/* Puts a candidate in the place of the root of a heap of `count`. */
static void sink(candidate *heap, size_t count, candidate c)
{
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && before(heap[child], heap[child + 1]))
            child++;
        if (!before(c, heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = c;
}

/* Offers a candidate to the `limit` first ones, a heap whose root is the last
   of them. */
static void offer(candidate *heap, size_t *count, size_t limit, candidate c)
{
    if (*count == limit) {
        if (before(c, heap[0]))
            sink(heap, limit, c);
        return;
    }
    size_t at = (*count)++;
    while (at && before(heap[(at - 1) / 2], c)) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
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

/* Empties the heap into row i, the last one first. */
static void hand_out(const search *s, size_t i, candidate *heap)
{
    for (size_t left = s->k; left; left--) {
        s->squares[i * s->k + left - 1] = heap[0].key;
        s->neighbours[i * s->k + left - 1] = heap[0].index;
        sink(heap, left - 1, heap[left - 1]);
    }
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
    /* Under the floor no nearer neighbour would change anything. */
    if (s->kept < s->candidates && found.key >= s->floor &&
        !(found.key < beyond(s, i, last)))
        measure(s, i, NULL, 0, nearest);
    hand_out(s, i, nearest);
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
           kept <= most && ebm_multiply(threads + s->n, s->k, &k) &&
           k <= most && s->m <= ebm_blas_largest() &&
           s->d <= ebm_blas_largest();
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
    s->squares = carve(block, &at, s->n * s->k, sizeof *s->squares);
    s->neighbours = carve(block, &at, s->n * s->k, sizeof *s->neighbours);
    return at;
}

static ebm_status prepare(const ebm_context *context, search *s,
                          ebm_nearest_workspace *workspace)
{
    size_t threads = workers(context, s->n);
    if (!sizes_fit(s, threads))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "neighbours of [%zu, %zu] among [%zu, %zu] do not "
                        "fit into memory",
                        s->n, s->d, s->m, s->d);
    EBM_TRY(ebm_check_finite(context, "batch", s->x, s->n, s->d));
    if (!s->leave_out)
        EBM_TRY(ebm_check_finite(context, "set B", s->b, s->m, s->d));
    size_t bytes = lay_out(s, threads, NULL);
    if (workspace->held < bytes) {
        void *block = ebm_alloc(context, bytes, 1);
        if (!block)
            return ebm_out_of_memory(context, "nearest neighbours");
        ebm_free(context, workspace->block);
        workspace->block = block;
        workspace->held = bytes;
    }
    lay_out(s, threads, workspace->block);
    return EBM_OK;
}

static ebm_status describe(const ebm_context *context, search *s)
{
    if (!s->n || !s->d)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "a size is 0 in the batch [%zu, %zu]", s->n, s->d);
    if (!s->leave_out && !s->m)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "the set B of candidates is empty");
    s->candidates = s->leave_out ? s->n - 1 : s->m;
    if (s->k < 1 || s->k > s->candidates)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "k = %zu is not from 1 to the %zu candidates", s->k,
                        s->candidates);
    s->kept = s->k < s->candidates / 2 ? 2 * s->k + 8 : s->candidates;
    if (s->kept > s->candidates)
        s->kept = s->candidates;
    return EBM_OK;
}

ebm_status ebm_nearest(const ebm_context *context, const float *x, size_t n,
                       size_t d, const float *b, size_t m, size_t k,
                       double floor, ebm_nearest_workspace *workspace,
                       double **squares, size_t **neighbours)
{
    search s = {.x = x,
                .b = b ? b : x,
                .n = n,
                .d = d,
                .m = b ? m : n,
                .k = k,
                .leave_out = !b,
                .floor = floor};
    EBM_TRY(describe(context, &s));
    EBM_TRY(prepare(context, &s, workspace));
    centre(&s);
    ebm_parallel_for(context, (n + BLOCK - 1) / BLOCK, search_block, &s);
    *squares = s.squares;
    *neighbours = s.neighbours;
    return EBM_OK;
}

void ebm_nearest_free(const ebm_context *context,
                      ebm_nearest_workspace *workspace)
{
    ebm_free(context, workspace->block);
    *workspace = (ebm_nearest_workspace){NULL, 0};
}
