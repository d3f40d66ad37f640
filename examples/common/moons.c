#include "moons.h"

#include <math.h>

#include "try.h"

float *moons_create(ebm_context *context, size_t n, uint64_t seed)
{
    ebm_chains *noise = NULL;
    float *points = try_allocate(2 * n, sizeof *points);
    /* It comes from where all noise here comes from, a chains object. */
    TRY(ebm_chains_create(context, n, 1, 1, 2, seed, &noise));
    TRY(ebm_chains_init_normal(noise, 0.0, 0.12));
    const float *xi = ebm_chains_states(noise);
    for (size_t i = 0; i < n; i++) {
        double angle =
            3.14159265358979 * (double)(i / 2) / (double)(n / 2 - 1);
        double side = i % 2 ? -1.0 : 1.0;
        points[2 * i] =
            (float)(1.5 * cos(angle) * side - 0.75 * side) + xi[2 * i];
        points[2 * i + 1] =
            (float)(1.5 * sin(angle) * side - 0.35 * side) + xi[2 * i + 1];
    }
    ebm_chains_destroy(noise);
    return points;
}
