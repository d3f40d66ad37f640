/*
 * Energies of the caller's own, with second derivatives, that can go wrong:
 * test_quadratic  E(x) = theta |x|^2 / 2
 * test_quartic    E(x) = theta0 |x|^2 / 2 + theta1 sum x^4 / 4
 *
 * The tables take the struct of the same name as `user`.
 */
#ifndef EBM_TEST_QUADRATIC_H
#define EBM_TEST_QUADRATIC_H

#include <ebm/ebm.h>

/* energy_nan spoils the energy of sample 1; called(argument), unless NULL,
   runs at the beginning of each callback. */
typedef struct test_quadratic {
    size_t size; /* of a sample */
    int energy_fails, tangent_fails, energy_nan;
    void (*called)(void *argument);
    void *argument;
} test_quadratic;

extern const ebm_energy_ops test_quadratic_ops;

/* Without a parameter gradient. The tangent counts its calls and samples, and
   notes the last label, or -1. */
typedef struct test_quartic {
    size_t size; /* of a sample */
    int tangent_fails, mixed_nan;
    size_t calls, samples;
    int32_t label;
} test_quartic;

extern const ebm_energy_ops test_quartic_ops;

#endif
