/* Kernel MMD: blocks of the matrix of inner products, each by one product in
   double, its kernel values added up in a fixed order. */
#include <math.h>
#include <stdint.h>

#include <ebm/distance.h>

#include "core/blas.h"
#include "core/context.h"
#include "core/memory.h"
#include "core/object.h"
#include "core/parallel.h"
#include "diagnostics/features.h"

/* Rows and columns of a block. */
enum { BLOCK = 64 };

typedef struct kernel {
    int is_polynomial;
    size_t degree;
    double scale, offset; /* polynomial */
    double rate;          /* Gaussian: 1 / (2 width^2) */
} kernel;

/* Kernel values of a[n, d] and b[m, d], added up row block by row block. */
typedef struct sum {
    const kernel *k;
    size_t d, n, m;
    const double *a, *b;
    const double *a_norms, *b_norms; /* |a_i|^2 */
    double *products;                /* [workers, BLOCK, BLOCK] */
    double *totals;                  /* [row blocks] */
} sum;

static double power(double base, size_t exponent)
{
    double result = 1;
    for (; exponent; exponent--)
        result *= base;
    return result;
}

/* Differences in double: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b has an error of
   some 1e-16 of the norms, about the common mean. Float could not do that. */
static double value(const sum *s, size_t i, size_t j, double product)
{
    const kernel *k = s->k;
    if (k->is_polynomial)
        return power(k->scale * product + k->offset, k->degree);
    double square = s->a_norms[i] + s->b_norms[j] - 2 * product;
    return exp(-k->rate * fmax(square, 0));
}

static void add_rows(void *argument, size_t task, int worker)
{
    const sum *s = argument;
    double *products = s->products + (size_t)worker * BLOCK * BLOCK;
    size_t first = task * BLOCK, d = s->d;
    size_t rows = s->n - first < BLOCK ? s->n - first : BLOCK;
    double total = 0;
    for (size_t other = 0; other < s->m; other += BLOCK) {
        size_t columns = s->m - other < BLOCK ? s->m - other : BLOCK;
        ebm_dgemm(0, 1, rows, columns, d, s->a + first * d, d,
                  s->b + other * d, d, 0, products, BLOCK);
        double block = 0;
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
                if (s->a != s->b || first + i != other + j)
                    block += value(s, first + i, other + j,
                                   products[i * BLOCK + j]);
        total += block;
    }
    s->totals[task] = total;
}

static double add_up(const ebm_context *context, const sum *s)
{
    size_t tasks = (s->n + BLOCK - 1) / BLOCK;
    double total = 0;
    sum writable = *s;
    ebm_parallel_for(context, tasks, add_rows, &writable);
    for (size_t i = 0; i < tasks; i++)
        total += s->totals[i];
    return total;
}

/* x in double less a common point, and norms. */
static void load(const float *x, size_t n, size_t d, const double *origin,
                 double *to, double *norms)
{
    for (size_t i = 0; i < n; i++) {
        norms[i] = 0;
        for (size_t j = 0; j < d; j++) {
            double v = (double)x[i * d + j] - (origin ? origin[j] : 0);
            to[i * d + j] = v;
            norms[i] += v * v;
        }
    }
}

static ebm_status mmd(ebm_context *context, const kernel *k, const float *x,
                      size_t n, const float *y, size_t m, size_t d,
                      double *result)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    EBM_TRY(ebm_check_features(context, x, n, y, m, d, result));
    size_t workers = (size_t)ebm_context_threads(context), elements;
    size_t blocks = ((n > m ? n : m) + BLOCK - 1) / BLOCK;
    if (!ebm_multiply(n + m + 2, d + 2, &elements) || elements > SIZE_MAX / 64)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "[%zu, %zu] and [%zu, %zu] in double do not fit into "
                        "memory",
                        n, d, m, d);
    double *memory = ebm_alloc(
        context, elements + blocks + workers * BLOCK * BLOCK, sizeof *memory);
    if (!memory)
        return ebm_out_of_memory(context, "a kernel MMD");
    double *a = memory, *b = a + n * d, *origin = b + m * d;
    double *a_norms = origin + d, *b_norms = a_norms + n;
    double *totals = b_norms + m, *products = totals + blocks;
    /* A Gaussian kernel does not change when both sets are moved. */
    ebm_feature_mean(x, n, d, origin);
    load(x, n, d, k->is_polynomial ? NULL : origin, a, a_norms);
    load(y, m, d, k->is_polynomial ? NULL : origin, b, b_norms);
    double n_ = (double)n, m_ = (double)m;
    sum within_x = {k, d, n, n, a, a, a_norms, a_norms, products, totals};
    sum within_y = {k, d, m, m, b, b, b_norms, b_norms, products, totals};
    sum between = {k, d, n, m, a, b, a_norms, b_norms, products, totals};
    double found = add_up(context, &within_x) / (n_ * (n_ - 1)) +
                   add_up(context, &within_y) / (m_ * (m_ - 1)) -
                   2 * (add_up(context, &between) / (n_ * m_));
    ebm_free(context, memory);
    if (!isfinite(found))
        return ebm_fail(context, EBM_ERROR_NON_FINITE,
                        "a kernel value exceeds the range of a double");
    *result = found;
    return EBM_OK;
}

ebm_status ebm_distance_mmd_polynomial(ebm_context *context, const float *x,
                                       size_t n, const float *y, size_t m,
                                       size_t d, size_t degree, double scale,
                                       double offset, double *result)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (degree < 1 || degree > 16 || !(scale > 0) || !isfinite(scale) ||
        !isfinite(offset))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the kernel (%g a.b + %g)^%zu is none: scale > 0, "
                        "degree 1 to 16",
                        scale, offset, degree);
    kernel k = {.is_polynomial = 1,
                .degree = degree,
                .scale = scale,
                .offset = offset};
    return mmd(context, &k, x, n, y, m, d, result);
}

ebm_status ebm_distance_mmd_rbf(ebm_context *context, const float *x, size_t n,
                                const float *y, size_t m, size_t d,
                                double width, double *result)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    double rate = 0.5 / width / width;
    if (!(width > 0) || !isfinite(width) || !isfinite(rate))
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "the kernel's width %g is not > 0 and finite", width);
    kernel k = {.rate = rate};
    return mmd(context, &k, x, n, y, m, d, result);
}
