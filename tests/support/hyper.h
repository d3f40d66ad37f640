/*
 * A network model in double precision on hyper-dual numbers,
 *
 *     a + b e1 + c e2 + d e1 e2,    e1^2 = e2^2 = 0,
 *
 * forward only, as plainly as it can be written (Fike and Alonso 2011, "The
 * development of hyper-dual numbers for exact second-derivative
 * calculations"). With e1 along one input or one parameter and e2 along a
 * direction v of the input, one evaluation gives E, its derivative, and that
 * derivative's derivative along v, all exactly: nothing here knows how a
 * gradient is computed backwards. All kinds of layers are known; the model
 * says which it has.
 */
#ifndef EBM_TEST_HYPER_H
#define EBM_TEST_HYPER_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

typedef struct test_hyper {
    double a, b, c, d;
} test_hyper;

/* What one evaluation reports besides the energy. */
typedef struct test_hyper_facts {
    /* Sum of the absolute values of the terms that the energy is the sum of,
       at the last layer that sums. */
    double magnitude;
    /* Smallest distance of an input of a (leaky) ReLU from the kink, but for
       zeros. */
    double kink;
} test_hyper_facts;

/* No input, or parameter, moves along e1. */
#define TEST_HYPER_NONE SIZE_MAX

/* E(x), where e1 is along coordinate `input` of x or along `parameter`, and e2
   along v. label is only looked at by a conditional model; facts and v may be
   NULL. */
test_hyper test_hyper_energy(const ebm_model *model, const float *x,
                             int32_t label, const float *v, size_t input,
                             size_t parameter, test_hyper_facts *facts);

/* The same where the sums of each convolution are off by up to `noise` times
   the largest of them, evenly and drawn from a seed: what exact arithmetic
   makes of sums as exact as that. */
test_hyper test_hyper_energy_near(const ebm_model *model, const float *x,
                                  int32_t label, const float *v, size_t input,
                                  size_t parameter, double noise,
                                  uint64_t seed);

/* The largest deviations of the library from that. Energies by max(1, sum of
   absolute terms); arrays as max |a - b| / max |b|, parameters view by view
   but with no less than a tenth of the whole array's largest. */
typedef struct test_hyper_errors {
    double energy, input, parameters, hessian, mixed;
} test_hyper_errors;

/* Compares everything for n samples x, directions v and scales of the
   parameter gradients, and raises *worst. Small arrays are compared whole, of
   larger ones a fixed sample. The model's gradient is cleared. Fails the test
   when a call fails. */
void test_hyper_check(ebm_model *model, const float *x, const int32_t *labels,
                      size_t n, const float *v, const float *scale,
                      test_hyper_errors *worst);

/* The same with samples, directions, scales and labels drawn from a seed, away
   from kinks. */
void test_hyper_check_random(ebm_model *model, size_t n, uint64_t seed,
                             test_hyper_errors *worst);

/* Adds normal numbers to all parameters, so that none is where it began: a
   gain at 1, a gamma at 0. */
void test_hyper_shake(ebm_model *model, uint64_t seed, double std);

/* Prints the errors, and fails the test when energies differ by more than
   `energy` or anything else by more than `gradient`. */
void assert_hyper_errors(const char *what, const test_hyper_errors *errors,
                         double energy, double gradient);

#endif
