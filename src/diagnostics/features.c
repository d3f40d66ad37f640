/* What is asked of sets of features. */
#include "diagnostics/features.h"

#include <stdint.h>
#include <string.h>

#include "chains/chains.h"
#include "core/blas.h"
#include "core/memory.h"
#include "core/object.h"

ebm_status ebm_check_features(const ebm_context *context, const float *x,
                              size_t n, const float *y, size_t m, size_t d,
                              const double *output)
{
    if (!x || !y || !output)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        !x   ? "x"
                        : !y ? "y"
                             : "the output");
    if (!d)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "d is 0");
    if (n < 2 || m < 2)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "sets of %zu and %zu: it takes 2 samples at least", n,
                        m);
    size_t elements;
    EBM_TRY(ebm_check_size(context, n, d, 1, 1, &elements));
    EBM_TRY(ebm_check_size(context, m, d, 1, 1, &elements));
    size_t most = ebm_blas_largest();
    if (n > most || m > most || d > most)
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "sets [%zu, %zu] and [%zu, %zu] are more than BLAS's "
                        "integers can count",
                        n, d, m, d);
    EBM_TRY(ebm_check_finite(context, "x", x, n, d));
    return ebm_check_finite(context, "y", y, m, d);
}

void ebm_feature_mean(const float *x, size_t n, size_t d, double *mean)
{
    memset(mean, 0, d * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            mean[j] += (double)x[i * d + j];
    for (size_t j = 0; j < d; j++)
        mean[j] /= (double)n;
}
