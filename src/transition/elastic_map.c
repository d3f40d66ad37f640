/* The displacement field: a tensor product of cubic B-splines, so each row of
   it is a mixture of the P basis functions along x, sampled once. */
#include "core/memory.h"
#include "transition/elastic.h"

#include <math.h>
#include <string.h>

/* The part of the scratch that the field takes. */
typedef struct field {
    const ebm_kernels *kernels;
    size_t points, width;
    size_t row;    /* floats from one row to the next */
    size_t padded; /* P, up to whole vectors */
    /* [2, P, padded]: spline coefficients of the displacements, x slow. */
    float *coefficients;
    /* [P + 2, row]: the basis functions along x, then x itself and 1, by
       which a coordinate is a mixture too; and the derivatives of all. */
    float *basis, *slope;
    float *jacobian; /* [4, row] */
} field;

static size_t lay_out(field *f, size_t points, size_t width, float *scratch)
{
    f->points = points;
    f->width = width;
    f->row = ebm_round_up(width, EBM_LANES);
    f->padded = ebm_round_up(points, EBM_LANES);
    size_t grid = 3 * points * f->padded, basis = (points + 2) * f->row;
    if (scratch) {
        f->coefficients = scratch;
        f->basis = scratch + grid;
        f->slope = f->basis + basis;
        f->jacobian = f->slope + basis;
    }
    return grid + 2 * basis + 4 * f->row;
}

size_t ebm_elastic_map_scratch(size_t points, size_t width)
{
    field f = {0};
    return lay_out(&f, points, width, NULL);
}

/* Interpolating coefficients: the filter along y, turned round, along x. */
static void find_coefficients(const field *f, const float *controls)
{
    const size_t p = f->points, stride = f->padded;
    float *turned = f->coefficients + 2 * p * stride;
    memset(f->coefficients, 0, 3 * p * stride * sizeof *turned);
    for (size_t axis = 0; axis < 2; axis++) {
        float *c = f->coefficients + axis * p * stride;
        for (size_t i = 0; i < p; i++)
            memcpy(turned + i * stride, controls + (axis * p + i) * p,
                   p * sizeof *turned);
        f->kernels->spline_filter(p, stride, EBM_EDGE_MIRROR, turned);
        for (size_t j = 0; j < p; j++)
            for (size_t i = 0; i < p; i++)
                c[j * stride + i] = turned[i * stride + j];
        f->kernels->spline_filter(p, stride, EBM_EDGE_MIRROR, c);
    }
}

/* Weights of the P coefficients at pixel j of n, and their derivatives by j:
   the cubic B-spline at four grid points, those beyond the edge mirrored. */
static void weigh(size_t points, size_t j, size_t n, float *weights,
                  float *slopes, size_t stride)
{
    const double scale = n > 1 ? (double)(points - 1) / (double)(n - 1) : 0.0;
    const double at = scale * (double)j;
    size_t first = (size_t)at;
    first = first > points - 2 ? points - 2 : first;
    const double t = at - (double)first, r = 1.0 - t;
    const double value[4] = {
        r * r * r / 6.0, 2.0 / 3.0 - t * t * (2.0 - t) / 2.0,
        2.0 / 3.0 - r * r * (2.0 - r) / 2.0, t * t * t / 6.0};
    const double slope[4] = {-r * r / 2.0, t * (3.0 * t - 4.0) / 2.0,
                             r * (4.0 - 3.0 * r) / 2.0, t * t / 2.0};
    for (size_t k = 0; k < points; k++)
        weights[k * stride] = slopes[k * stride] = 0.0f;
    for (size_t k = 0; k < 4; k++) {
        /* Grid point first + k - 1. */
        size_t p = first + k == 0       ? 1
                   : first + k > points ? 2 * points - 1 - first - k
                                        : first + k - 1;
        weights[p * stride] += (float)value[k];
        slopes[p * stride] += (float)(scale * slope[k]);
    }
}

static void fill_basis(const field *f)
{
    const size_t p = f->points, row = f->row;
    float *x = f->basis + p * row, *one = x + row;
    memset(f->basis, 0, (p + 2) * row * sizeof *x);
    memset(f->slope, 0, (p + 2) * row * sizeof *x);
    for (size_t j = 0; j < f->width; j++) {
        weigh(p, j, f->width, f->basis + j, f->slope + j, row);
        x[j] = (float)j;
        one[j] = 1.0f;
        f->slope[p * row + j] = 1.0f;
    }
}

/* to[j] = sum_i weights[i] coefficients[axis, j, i] */
static void mix_down(const field *f, size_t axis, const float *weights,
                     float *to)
{
    for (size_t j = 0; j < f->points; j++) {
        const float *c = f->coefficients + (axis * f->points + j) * f->padded;
        float sum = 0.0f;
        for (size_t i = 0; i < f->points; i++)
            sum += weights[i] * c[i];
        to[j] = sum;
    }
}

static void mix(const field *f, const float *weights, const float *rows,
                float *out)
{
    f->kernels->mix_rows(f->points + 2, f->row, weights, rows, f->row, out);
}

size_t ebm_elastic_map(const ebm_kernels *kernels, size_t points,
                       size_t height, size_t width, const float *controls,
                       float *scratch, float *u, float *v)
{
    enum { ROOM = EBM_ELASTIC_POINTS_MAX + 2 };
    float across[ROOM], down[ROOM], weights[ROOM], slopes[ROOM];
    const size_t p = points;
    size_t folds = 0;
    field f = {.kernels = kernels};
    lay_out(&f, points, width, scratch);
    find_coefficients(&f, controls);
    fill_basis(&f);
    float *uu = f.jacobian, *uv = uu + f.row, *vu = uv + f.row;
    float *vv = vu + f.row;
    for (size_t y = 0; y < height; y++) {
        weigh(p, y, height, weights, slopes, 1);
        /* u = x + d_x, v = y + d_y, and their derivatives by x. */
        mix_down(&f, 1, weights, across);
        mix_down(&f, 0, weights, down);
        across[p] = 1.0f;
        across[p + 1] = 0.0f;
        down[p] = 0.0f;
        down[p + 1] = (float)y;
        mix(&f, across, f.basis, u + y * f.row);
        mix(&f, across, f.slope, uu);
        mix(&f, down, f.basis, v + y * f.row);
        mix(&f, down, f.slope, vu);
        /* By y. */
        mix_down(&f, 1, slopes, across);
        mix_down(&f, 0, slopes, down);
        across[p] = 0.0f;
        down[p + 1] = 1.0f;
        mix(&f, across, f.basis, uv);
        mix(&f, down, f.basis, vv);
        folds += kernels->count_folds(width, uu, uv, vu, vv);
    }
    return folds;
}
