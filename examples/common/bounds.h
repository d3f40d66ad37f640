/*
 * log Z of a model between two bounds: annealed importance sampling from a
 * base distribution to the model, and back from samples of the model, with HMC
 * between the levels.
 */
#ifndef EXAMPLES_COMMON_BOUNDS_H
#define EXAMPLES_COMMON_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

typedef struct bounds_plan {
    double temperature;    /* T of exp(-E / T) */
    double std;            /* of the Gaussian base, or 0: a box, ... */
    double low, high;      /* ... with these bounds */
    size_t levels, chains; /* at least 2 */
    size_t leapfrog;       /* steps of one HMC step */
    double step;           /* of the integrator, before it is adapted */
    double step_factor;    /* how much longer steps are at the base */
    size_t warmup;         /* HMC steps that adapt the step size, ... */
    size_t walk;           /* ... that bring chains to the model's law, ... */
    size_t watch; /* ... and along which their energies are compared */
    /* Where half of these chains begin, [chains / 2, ...]; the others begin at
       the base. NULL: all of them do. */
    const float *data;
    uint64_t seed;
} bounds_plan;

typedef struct bounds {
    ebm_ais *ais;        /* with the results of both directions */
    double lower, upper; /* log Z */
    double r_hat;        /* of the energies; 1 where all are the same */
    float *samples;      /* where the walk ended, [chains, ...] */
} bounds;

/* Finds and prints them. Chains that turn non-finite end the program. */
bounds bounds_find(ebm_context *context, const ebm_model *model,
                   const bounds_plan *plan);

void bounds_free(bounds *b);

/* Whether the lower bound is below the upper one, or above it by less than a
   nat: by chance, where they meet. */
int bounds_have_order(const bounds *b);

/* Bits per dimension between the two, at the temperature that the estimator
   itself says it had: one printed line, which says so where the bounds cross
   and nothing is between them. `mean_energy` is that of the data. */
void bounds_print_bits(ebm_context *context, const bounds *b,
                       double mean_energy, double bin_width);

#endif
