/* Nearest neighbours in arrays and datasets, in pieces, and the entropy that
   follows from their distances. */
#include <math.h>
#include <stdint.h>

#include <ebm/distance.h>

#include "chains/chains.h"
#include "core/memory.h"
#include "core/object.h"
#include "dataset/dataset.h"
#include "loss/entropy.h"
#include "loss/nearest.h"

/* Candidates are searched in pieces of so many: what bounds the memory. Each
   piece is searched exactly, so the pieces do not show in the result. */
enum { PIECE = 4096 };

/* The k nearest so far, [n, k] ascending, and of one piece. */
typedef struct merge {
    size_t n, k;
    size_t held; /* neighbours of each so far */
    double *squares, *spare_squares;
    size_t *index, *spare_index;
} merge;

/* Merges two ascending rows. What was held has the smaller indices. */
static void merge_piece(merge *m, const double *squares, const size_t *index,
                        size_t count, size_t offset)
{
    size_t all = m->held + count, kept = all < m->k ? all : m->k;
    for (size_t i = 0; i < m->n; i++) {
        const double *a = m->squares + i * m->k, *b = squares + i * count;
        double *to = m->spare_squares + i * m->k;
        size_t from_a = 0, from_b = 0;
        for (size_t j = 0; j < kept; j++) {
            int take_a = from_a < m->held &&
                         (from_b == count || a[from_a] <= b[from_b]);
            to[j] = take_a ? a[from_a] : b[from_b];
            m->spare_index[i * m->k + j] =
                take_a ? m->index[i * m->k + from_a]
                       : index[i * count + from_b] + offset;
            from_a += (size_t)take_a;
            from_b += (size_t)!take_a;
        }
    }
    double *squares_now = m->spare_squares;
    size_t *index_now = m->spare_index;
    m->spare_squares = m->squares;
    m->spare_index = m->index;
    m->squares = squares_now;
    m->index = index_now;
    m->held = kept;
}

/* Where candidates come from: an array or a dataset. */
typedef struct candidates {
    const float *array;
    const ebm_dataset *dataset;
    float *piece; /* [PIECE, d] for a dataset */
    size_t m, d;
} candidates;

static ebm_status read_piece(const candidates *from, size_t first,
                             size_t count, const float **piece)
{
    *piece = from->array ? from->array + first * from->d : from->piece;
    if (from->array)
        return EBM_OK;
    return ebm_dataset_read(from->dataset, first, count, from->piece, NULL);
}

static ebm_status search(const ebm_context *context, const candidates *from,
                         const float *x, merge *m)
{
    ebm_nearest_workspace workspace = {NULL, 0};
    ebm_status status = EBM_OK;
    for (size_t first = 0; status == EBM_OK && first < from->m;
         first += PIECE) {
        size_t count = from->m - first < PIECE ? from->m - first : PIECE;
        size_t k = m->k < count ? m->k : count;
        double *squares;
        size_t *index;
        const float *piece;
        status = read_piece(from, first, count, &piece);
        if (status == EBM_OK)
            status = ebm_nearest(context, x, m->n, from->d, piece, count, k, 0,
                                 &workspace, &squares, &index);
        if (status == EBM_OK)
            merge_piece(m, squares, index, k, first);
    }
    ebm_nearest_free(context, &workspace);
    return status;
}

/* Searches and writes the outputs. */
static ebm_status nearest(const ebm_context *context, candidates *from,
                          const float *x, size_t n, size_t k, size_t *index,
                          double *distance)
{
    size_t elements, count, piece = from->m < PIECE ? from->m : PIECE;
    EBM_TRY(ebm_check_size(context, n, from->d, 1, 1, &elements));
    EBM_TRY(ebm_check_size(context, from->m, from->d, 1, 1, &elements));
    if (k < 1 || k > from->m)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "k = %zu is not from 1 to the %zu candidates", k,
                        from->m);
    if (!ebm_multiply(n, k, &count))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu neighbours of %zu samples do not fit into memory",
                        k, n);
    merge m = {.n = n, .k = k};
    m.squares = ebm_alloc(context, count, sizeof *m.squares);
    m.spare_squares = ebm_alloc(context, count, sizeof *m.squares);
    m.index = ebm_alloc(context, count, sizeof *m.index);
    m.spare_index = ebm_alloc(context, count, sizeof *m.index);
    if (from->dataset)
        from->piece = ebm_alloc(context, piece * from->d, sizeof(float));
    ebm_status status = EBM_OK;
    if (!m.squares || !m.spare_squares || !m.index || !m.spare_index ||
        (from->dataset && !from->piece))
        status = ebm_out_of_memory(context, "nearest neighbours");
    if (status == EBM_OK)
        status = search(context, from, x, &m);
    for (size_t i = 0; status == EBM_OK && i < count; i++) {
        if (index)
            index[i] = m.index[i];
        if (distance)
            distance[i] = sqrt(m.squares[i]);
    }
    ebm_free(context, m.squares);
    ebm_free(context, m.spare_squares);
    ebm_free(context, m.index);
    ebm_free(context, m.spare_index);
    ebm_free(context, from->piece);
    return status;
}

ebm_status ebm_distance_nearest(ebm_context *context, const float *x, size_t n,
                                const float *b, size_t m, size_t d, size_t k,
                                size_t *index, double *distance)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!x || !b)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        x ? "b" : "x");
    candidates from = {.array = b, .m = m, .d = d};
    return nearest(context, &from, x, n, k, index, distance);
}

ebm_status ebm_distance_nearest_data(const ebm_dataset *dataset,
                                     const float *x, size_t n, size_t k,
                                     size_t *index, double *distance)
{
    EBM_CHECK_HANDLE(dataset, EBM_TYPE_DATASET);
    const ebm_context *context = ebm_context_of(dataset);
    if (!x)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "x is NULL");
    candidates from = {
        .dataset = dataset, .m = dataset->count, .d = dataset->elements};
    return nearest(context, &from, x, n, k, index, distance);
}

ebm_status ebm_distance_entropy(ebm_context *context, const float *x, size_t n,
                                const float *b, size_t m, size_t d, size_t k,
                                double *entropy, size_t *near_copies)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!entropy)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "entropy is NULL");
    ebm_nearest_workspace workspace = {NULL, 0};
    ebm_status status = ebm_entropy_nearest(
        context, x, n, d, b, m, k, &workspace, entropy, NULL, near_copies);
    ebm_nearest_free(context, &workspace);
    return status;
}
