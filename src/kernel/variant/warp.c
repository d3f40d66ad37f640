/*
 * Elastic deformation: the displacement field as sums of spline rows, cubic
 * B-spline coefficients, coordinates brought into the image, and the image
 * read at them.
 */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* The four taps of one pixel. */
typedef float quad __attribute__((vector_size(16)));

static inline quad load_quad(const float *p)
{
    quad q;
    memcpy(&q, p, sizeof q);
    return q;
}

static inline quad quad_of(float a, float b, float c, float d)
{
    return (quad){a, b, c, d};
}

/* Largest whole number <= v, for |v| < 2^31. */
static inline vec vec_floor(vec v)
{
    vec whole =
        __builtin_convertvector(__builtin_convertvector(v, vec_int), vec);
    return whole - vec_select(whole > v, vec_all(1.0f), vec_all(0.0f));
}

void EBM_KERNEL(mix_rows)(size_t terms, size_t columns, const float *weights,
                          const float *rows, size_t row_length, float *out)
{
    for (size_t c = 0; c < columns; c += VEC_LANES) {
        vec sum = weights[0] * vec_load(rows + c);
        for (size_t k = 1; k < terms; k++)
            sum += weights[k] * vec_load(rows + k * row_length + c);
        vec_store(out + c, sum);
    }
}

/*
 * Unser 1999, "Splines: a perfect fit for signal and image processing", box
 * 2: a causal and an anticausal recursion with the pole z = sqrt(3) - 2. The
 * first sums are those of the signal continued without end: by symmetry about
 * the last sample (mirror) or half a sample beyond it (reflect), or by going
 * round (wrap). |z|^16 < 1e-9 is beneath a float's precision, so 16 terms do.
 */
enum { HORIZON = 16 };

/* Where the sample number k >= 1 before the first is seen. */
static inline size_t before_first(size_t k, size_t n, ebm_edge edge)
{
    size_t period = 2 * n - 2;
    switch (edge) {
    case EBM_EDGE_WRAP:
        return n - 1 - (k - 1) % n;
    case EBM_EDGE_REFLECT:
        k = (k - 1) % (2 * n);
        return k < n ? k : 2 * n - 1 - k;
    default:
        k %= period;
        return k < n ? k : period - k;
    }
}

/* The causal recursion's first value is sum_k z^k s[-k]; what the anticausal
   one begins with follows from the symmetry in closed form, or, going round,
   is -sum_k z^(k + 1) c[n - 1 + k] of the causal results c. */
static inline vec last_coefficient(size_t rows, size_t columns, ebm_edge edge,
                                   const float *power, const float *c)
{
    const float z = power[1];
    vec end = vec_load(c + (rows - 1) * columns);
    if (edge == EBM_EDGE_REFLECT)
        return (z / (z - 1.0f)) * end;
    if (edge != EBM_EDGE_WRAP)
        return (z / (z * z - 1.0f)) *
               (end + z * vec_load(c + (rows - 2) * columns));
    vec sum = vec_all(0.0f);
    for (size_t k = HORIZON; k-- > 0;)
        sum += power[k + 1] * vec_load(c + (rows - 1 + k) % rows * columns);
    return -sum;
}

void EBM_KERNEL(spline_filter)(size_t rows, size_t columns, ebm_edge edge,
                               float *c)
{
    float power[HORIZON + 1] = {1.0f};
    size_t before[HORIZON + 1];
    if (rows < 2)
        return;
    for (size_t k = 1; k <= HORIZON; k++) {
        power[k] = -0.26794919243112270647f * power[k - 1];
        before[k] = before_first(k, rows, edge) * columns;
    }
    const float z = power[1];
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        float *at = c + j;
        vec sum = vec_load(at);
        for (size_t k = HORIZON; k >= 1; k--)
            sum += power[k] * vec_load(at + before[k]);
        vec last = 6.0f * sum;
        vec_store(at, last);
        for (size_t i = 1; i < rows; i++) {
            last = 6.0f * vec_load(at + i * columns) + z * last;
            vec_store(at + i * columns, last);
        }
        last = last_coefficient(rows, columns, edge, power, at);
        vec_store(at + (rows - 1) * columns, last);
        for (size_t i = rows - 1; i-- > 0;) {
            last = z * (last - vec_load(at + i * columns));
            vec_store(at + i * columns, last);
        }
    }
}

/* u - period floor(u / period), in [0, period] when rounding is unkind. */
static inline vec modulo(vec u, float period)
{
    vec r = u - period * vec_floor(u / period);
    return vec_min(vec_max(r, vec_all(0.0f)), vec_all(period));
}

static inline vec fold(vec u, float period)
{
    vec r = modulo(u, period);
    return vec_min(r, period - r);
}

void EBM_KERNEL(place)(size_t n, ebm_edge edge, size_t length, size_t border,
                       float *u, int32_t *outside)
{
    const float end = (float)length - 1.0f, far = (float)border;
    const vec zero = vec_all(0.0f), top = vec_all(end);
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec v = vec_load(u + i);
        vec_int out = (v < zero) | (v > top);
        if (edge == EBM_EDGE_CONSTANT) {
            vec_int before;
            memcpy(&before, outside + i, sizeof before);
            before |= out;
            memcpy(outside + i, &before, sizeof before);
        }
        if (edge == EBM_EDGE_MIRROR && length > 1)
            v = vec_select(out, fold(v, 2.0f * end), v);
        else if (edge == EBM_EDGE_REFLECT)
            v = vec_select(out, fold(v + 0.5f, 2.0f * end + 2.0f) - 0.5f, v);
        else if (edge == EBM_EDGE_WRAP)
            v = vec_select(out, modulo(v, end + 1.0f), v);
        else
            v = vec_min(vec_max(v, vec_all(-far)), vec_all(end + far));
        vec_store(u + i, v);
    }
}

/* Weights of the taps at floor(u) - 1 .. floor(u) + 2: the cubic B-spline at
   t + 1, t, 1 - t, 2 - t, as polynomials of t = u - floor(u). */
static inline quad cubic_weights(float t)
{
    const quad c0 = quad_of(1.0f / 6, 4.0f / 6, 1.0f / 6, 0.0f);
    const quad c1 = quad_of(-0.5f, 0.0f, 0.5f, 0.0f);
    const quad c2 = quad_of(0.5f, -1.0f, 0.5f, 0.0f);
    const quad c3 = quad_of(-1.0f / 6, 0.5f, -0.5f, 1.0f / 6);
    return c0 + t * (c1 + t * (c2 + t * c3));
}

/* floor(u) for u > -16, far beyond any frame, without a branch. */
static inline int32_t floor_of(float u)
{
    return (int32_t)(u + 16.0f) - 16;
}

void EBM_KERNEL(read_cubic)(size_t n, const float *u, const float *v,
                            const float *plane, size_t stride, float *out)
{
    const ptrdiff_t s = (ptrdiff_t)stride;
    for (size_t i = 0; i < n; i++) {
        int32_t r = floor_of(u[i]), c = floor_of(v[i]);
        quad a = cubic_weights(u[i] - (float)r);
        quad b = cubic_weights(v[i] - (float)c);
        const float *at = plane + (r - 1) * s + c - 1;
        quad sum = a[0] * load_quad(at) + a[1] * load_quad(at + s) +
                   a[2] * load_quad(at + 2 * s) + a[3] * load_quad(at + 3 * s);
        sum *= b;
        out[i] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }
}

void EBM_KERNEL(read_linear)(size_t n, const float *u, const float *v,
                             const float *plane, size_t stride, float *out)
{
    const ptrdiff_t s = (ptrdiff_t)stride;
    for (size_t i = 0; i < n; i++) {
        int32_t r = floor_of(u[i]), c = floor_of(v[i]);
        float a = u[i] - (float)r, b = v[i] - (float)c;
        const float *at = plane + r * s + c;
        float upper = at[0] + b * (at[1] - at[0]);
        float lower = at[s] + b * (at[s + 1] - at[s]);
        out[i] = upper + a * (lower - upper);
    }
}

void EBM_KERNEL(read_nearest)(size_t n, const float *u, const float *v,
                              const float *plane, size_t stride, float *out)
{
    const ptrdiff_t s = (ptrdiff_t)stride;
    for (size_t i = 0; i < n; i++)
        out[i] = plane[floor_of(u[i] + 0.5f) * s + floor_of(v[i] + 0.5f)];
}

void EBM_KERNEL(finish_warp)(size_t n, const int32_t *outside, float fill,
                             float minimum, float maximum, float *x)
{
    for (size_t i = 0; i < n; i += VEC_LANES) {
        vec_int mask;
        memcpy(&mask, outside + i, sizeof mask);
        vec v = vec_select(mask, vec_all(fill), vec_load(x + i));
        vec_store(x + i,
                  vec_min(vec_max(v, vec_all(minimum)), vec_all(maximum)));
    }
}

size_t EBM_KERNEL(count_folds)(size_t n, const float *uu, const float *uv,
                               const float *vu, const float *vv)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !(uu[i] * vv[i] - uv[i] * vu[i] > 0.0f);
    return count;
}
