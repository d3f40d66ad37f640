/*
 * The two halves of the free Langevin step, and of its derivative.
 *
 * Each half is one pass: noise, sum, clamp and counters together, and clip,
 * descent, clamp and counters. A row is one chain, of any length: the rest
 * that does not fill a vector goes through a buffer, so every element is
 * computed by the same instructions.
 */
#include "kernel/variant/philox.h"
#include "kernel/variant/variant.h"

/* clamp(v) and, per lane, whether it was outside: bounds are inside. */
static inline vec clamp(vec v, vec minimum, vec maximum, vec_int *outside)
{
    *outside = (v < minimum) | (v > maximum);
    return vec_min(vec_max(v, minimum), maximum);
}

/* Writes `bit` to (or adds it to) each mask whose lane is not outside. */
static inline void set_masks(uint8_t *masks, size_t count, vec_int outside,
                             uint8_t bit, int add)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t mask = outside[i] ? 0 : bit;
        masks[i] = add ? (uint8_t)(masks[i] | mask) : mask;
    }
}

/* y = clamp(x + std xi) on `count` elements, at most VEC_LANES; the lanes
   beyond are computed on zeros and not reported as outside. */
static inline vec_int noise_vector(const ebm_langevin *langevin, vec xi,
                                   const float *x, float *y, size_t count)
{
    vec minimum = vec_all(langevin->minimum);
    vec maximum = vec_all(langevin->maximum);
    vec_int outside;
    if (count == VEC_LANES) {
        vec v = vec_load(x) + langevin->noise_std * xi;
        vec_store(y, clamp(v, minimum, maximum, &outside));
        return outside;
    }
    float rest[VEC_LANES] = {0};
    memcpy(rest, x, count * sizeof *x);
    vec v = vec_load(rest) + langevin->noise_std * xi;
    vec_store(rest, clamp(v, minimum, maximum, &outside));
    memcpy(y, rest, count * sizeof *y);
    return outside & (vec_int)(vec_lane_numbers() < (uint32_t)count);
}

void EBM_KERNEL(langevin_noise)(const ebm_random *random, size_t n,
                                const ebm_langevin *langevin, const float *x,
                                float *y, ebm_langevin_counts *counts,
                                uint8_t *masks)
{
    vec_int clamped = {0};
    philox_keys keys;
    philox_schedule(random, &keys);
    float z[NORMALS];
    if (!(langevin->noise_std > 0)) /* a short row shall not pay for this */
        memset(z, 0, sizeof z);
    for (size_t base = 0; base < n; base += NORMALS) {
        size_t chunk = n - base < NORMALS ? n - base : NORMALS;
        vec_expect_run(chunk, y + base);
        if (langevin->noise_std > 0)
            normals(random, &keys, base, chunk, z);
        for (size_t k = 0; k < chunk; k += VEC_LANES) {
            size_t i = base + k;
            size_t count = n - i < VEC_LANES ? n - i : VEC_LANES;
            vec_int outside =
                noise_vector(langevin, vec_load(z + k), x + i, y + i, count);
            clamped -= outside;
            if (masks)
                set_masks(masks + i, count, outside, EBM_MASK_NOISE, 0);
        }
    }
    counts->clamped_noise += vec_count(clamped);
}

/* What the second half gathers over a row. */
typedef struct gathered {
    vec finite; /* 0 g + 0 y + 0 y': zero while all is finite, then NaN */
    vec_int clipped, clamped;
} gathered;

/* y <- clamp(y - step clip(g)) on `count` elements, at most VEC_LANES. */
static inline void step_vector(const ebm_langevin *langevin, const float *g,
                               float *y, size_t count, uint8_t *masks,
                               gathered *all)
{
    vec clip = vec_all(langevin->clip);
    vec_int out_of_clip, out_of_bounds;
    float rest_g[VEC_LANES] = {0}, rest_y[VEC_LANES] = {0};
    if (count < VEC_LANES) {
        memcpy(rest_g, g, count * sizeof *g);
        memcpy(rest_y, y, count * sizeof *y);
    }
    vec gradient = vec_load(count < VEC_LANES ? rest_g : g);
    vec state = vec_load(count < VEC_LANES ? rest_y : y);
    vec v = clamp(gradient, -clip, clip, &out_of_clip);
    v = clamp(state - langevin->step_size * v, vec_all(langevin->minimum),
              vec_all(langevin->maximum), &out_of_bounds);
    all->finite += 0.0f * gradient + 0.0f * state + 0.0f * v;
    if (count < VEC_LANES) {
        vec_int real = (vec_int)(vec_lane_numbers() < (uint32_t)count);
        out_of_clip &= real;
        out_of_bounds &= real;
        vec_store(rest_y, v);
        memcpy(y, rest_y, count * sizeof *y);
    } else {
        vec_store(y, v);
    }
    all->clipped -= out_of_clip;
    all->clamped -= out_of_bounds;
    if (masks) {
        set_masks(masks, count, out_of_clip, EBM_MASK_CLIP, 1);
        set_masks(masks, count, out_of_bounds, EBM_MASK_STEP, 1);
    }
}

int EBM_KERNEL(langevin_step)(size_t n, const ebm_langevin *langevin,
                              const float *g, float *y,
                              ebm_langevin_counts *counts, uint8_t *masks)
{
    gathered all = {{0}, {0}, {0}};
    size_t i = 0;
    if (masks) {
        for (; i + VEC_LANES <= n; i += VEC_LANES)
            step_vector(langevin, g + i, y + i, VEC_LANES, masks + i, &all);
    } else {
        for (; i + VEC_LANES <= n; i += VEC_LANES)
            step_vector(langevin, g + i, y + i, VEC_LANES, NULL, &all);
    }
    if (i < n)
        step_vector(langevin, g + i, y + i, n - i, masks ? masks + i : NULL,
                    &all);
    counts->clipped += vec_count(all.clipped);
    counts->clamped_step += vec_count(all.clamped);
    return vec_sum(all.finite) == 0;
}

void EBM_KERNEL(langevin_direction)(size_t n, const uint8_t *masks, float *a,
                                    float *v)
{
    for (size_t i = 0; i < n; i++) {
        a[i] = masks[i] & EBM_MASK_STEP ? a[i] : 0.0f;
        v[i] = masks[i] & EBM_MASK_CLIP ? a[i] : 0.0f;
    }
}

void EBM_KERNEL(langevin_adjoint)(size_t n, const uint8_t *masks,
                                  float step_size, const float *hv, float *a)
{
    for (size_t i = 0; i < n; i++) {
        float through = a[i] - step_size * hv[i];
        a[i] = masks[i] & EBM_MASK_NOISE ? through : 0.0f;
    }
}
