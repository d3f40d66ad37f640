/*
 * How much arithmetic a network is, by the plain method: two operations for
 * each product of a weight and an input, three products a step (forward, input
 * gradient, parameter gradient), nothing for what goes element by element
 * (activations, norms, pools, noise). A method that needs fewer, such as
 * Winograd's, so has a higher rate, which may exceed the peak of products.
 */
#ifndef EBM_TESTS_BENCH_FLOP_H
#define EBM_TESTS_BENCH_FLOP_H

#include <ebm/model.h>

/* Operations for one sample. */
typedef struct bench_flop {
    double forward;
    double input;     /* gradient */
    double parameter; /* gradient, the adjoints on the way not included */
    double first;     /* what `input` spends on the layers before which no
                         parameters come: learning leaves it out */
} bench_flop;

/* Of all networks in a model; other energies count for nothing. */
bench_flop bench_flop_of(const ebm_model *model);

/* E and dE/dx; E and dE/dtheta; the forward-over-reverse pass that gives H v
   and the mixed derivative: forward and backward for x and for its tangent,
   and two products for each parameter array. */
double bench_flop_gradient(const bench_flop *flop);
double bench_flop_learning(const bench_flop *flop);
double bench_flop_tangent(const bench_flop *flop);

#endif
