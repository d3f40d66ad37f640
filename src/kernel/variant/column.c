/* Rows of channels: one factor for each channel, sums over the rows, and the
   sum over everything. The same bits in every variant. */
#include "kernel/variant/variant.h"

#include <string.h>

void EBM_KERNEL(scale_columns)(size_t rows, size_t columns, const float *scale,
                               const float *from, float *to)
{
    for (size_t r = 0; r < rows; r++) {
        const float *a = from + r * columns;
        float *b = to + r * columns;
        for (size_t c = 0; c < columns; c++)
            b[c] = scale[c] * a[c];
    }
}

void EBM_KERNEL(column_dots)(size_t rows, size_t columns, const float *a,
                             const float *b, float *restrict sum)
{
    memset(sum, 0, columns * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            sum[c] += a[r * columns + c] * b[r * columns + c];
}

/* 16 partial sums, whatever the vector width. */
double EBM_KERNEL(dot)(size_t n, const float *a, const float *b)
{
    double lanes[EBM_LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + EBM_LANES <= n; i += EBM_LANES)
        for (size_t j = 0; j < EBM_LANES; j++)
            lanes[j] += (double)a[i + j] * (double)b[i + j];
    for (size_t j = 0; i < n; i++, j++)
        lanes[j] += (double)a[i] * (double)b[i];
    for (size_t j = 0; j < EBM_LANES; j++)
        sum += lanes[j];
    return sum;
}
