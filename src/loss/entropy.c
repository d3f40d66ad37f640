/* The nearest-neighbour entropy: a sum over distances to the k-th nearest, and
   its gradient, in a fixed order. */
#include "loss/entropy.h"

#include <math.h>
#include <string.h>

#include "core/object.h"

/* The square of the distance that smaller ones count as. */
static double least_square(size_t d)
{
    return 1e-12 * (double)d;
}

/* A batch whose neighbours were found: [n, k] each. */
typedef struct found {
    const float *x, *b;
    size_t n, d, k;
    int is_batch; /* whether b is the batch itself */
    const double *squares;
    const size_t *neighbours;
} found;

/* Of the k-th nearest of sample i. */
static double square_of(const found *f, size_t i)
{
    return f->squares[i * f->k + f->k - 1];
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

static void add_gradient(const found *f, float *gradient)
{
    memset(gradient, 0, f->n * f->d * sizeof *gradient);
    for (size_t i = 0; i < f->n; i++) {
        double square = square_of(f, i);
        if (square < least_square(f->d))
            continue;
        double scale = (double)f->d / (double)f->n / square;
        size_t other = f->neighbours[i * f->k + f->k - 1];
        const float *x = f->x + i * f->d, *b = f->b + other * f->d;
        float *at_x = gradient + i * f->d;
        float *at_b = f->is_batch ? gradient + other * f->d : NULL;
        for (size_t j = 0; j < f->d; j++) {
            float g = (float)(scale * ((double)x[j] - (double)b[j]));
            at_x[j] += g;
            if (at_b)
                at_b[j] -= g;
        }
    }
}

ebm_status ebm_entropy_nearest(const ebm_context *context, const float *x,
                               size_t n, size_t d, const float *b, size_t m,
                               size_t k, ebm_nearest_workspace *workspace,
                               double *entropy, float *gradient,
                               size_t *near_zero)
{
    if (!x || !workspace || !entropy)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        !x           ? "x"
                        : !workspace ? "workspace"
                                     : "entropy");
    double *squares;
    size_t *neighbours;
    EBM_TRY(ebm_nearest(context, x, n, d, b, m, k, least_square(d), workspace,
                        &squares, &neighbours));
    found f = {x, b ? b : x, n, d, k, !b, squares, neighbours};

    double sum = 0;
    size_t under = 0;
    for (size_t i = 0; i < n; i++) {
        double square = square_of(&f, i);
        int is_under = square < least_square(d);
        under += (size_t)is_under;
        sum += 0.5 * log(is_under ? least_square(d) : square);
    }
    if (gradient)
        add_gradient(&f, gradient);
    *entropy = constant(b ? m : n - 1, k, d) + (double)d / (double)n * sum;
    if (near_zero)
        *near_zero = under;
    return EBM_OK;
}
