/*
 * The gradient checker's inside.
 */
#ifndef EBM_DIAGNOSTICS_CHECK_H
#define EBM_DIAGNOSTICS_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/check.h>

#include "core/object.h"
#include "core/random.h"
#include "diagnostics/difference.h"

enum {
    EBM_CHECK_KEYS = EBM_CHECK_TOLERANCE + 1,
    EBM_CHECK_RESULTS = EBM_CHECK_COUNT + 1,
    EBM_DERIVATIVES = EBM_DERIVATIVE_HESSIAN + 1
};

/* What was found of one derivative. */
typedef struct ebm_findings {
    int is_computed;
    double values[EBM_CHECK_RESULTS];
} ebm_findings;

struct ebm_check {
    ebm_object object;
    uint64_t seed;
    double values[EBM_CHECK_KEYS];
    ebm_findings findings[EBM_DERIVATIVES];
};

/* Elements and directions as they are compared, before they are turned into
   findings: tally.c. */
typedef struct ebm_tally {
    size_t count;
    double given, different, product; /* sums of a^2, b^2, a b */
    double apart;                     /* sum of (a - b)^2 */
    double largest;                   /* of all |a|, |b| */
    double worst, uncertain;          /* |a - b| and error, the largest */
    double worst_given, worst_difference;
    size_t worst_sample, worst_element;
    double direction, direction_uncertain; /* in their units */
    int lost; /* a difference could not be taken */
} ebm_tally;

/* Takes in an element: what the model gives, and the difference. */
void ebm_tally_element(ebm_tally *tally, size_t sample, size_t element,
                       double given, ebm_slope slope);

/* Takes in a derivative along v. unit: |a| |v| / sqrt(size). */
void ebm_tally_direction(ebm_tally *tally, double given, ebm_slope slope,
                         double unit);

void ebm_tally_finish(const ebm_tally *tally, double tolerance,
                      int with_directions, ebm_findings *findings);

/* Everything a run works with. */
typedef struct ebm_check_run_state {
    const ebm_check *check;
    ebm_model *model;
    const float *x;
    const int32_t *labels;
    size_t n, size;
    size_t elements, directions;
    double step;
    float *grad;   /* [n, size]: dE/dx at x */
    float *moved;  /* [2 EBM_STEPS, size] */
    float *at;     /* [2 EBM_STEPS, size]: gradients at moved */
    float *v, *hv; /* [size] */
    float *energy; /* [max(n, 2 EBM_STEPS)] */
    float *theta;  /* [parameters]: as they were */
    float *dtheta; /* [parameters]: their derivative */
    float *kept;   /* [parameters]: the gradient as it was */
    float *aim;    /* [parameters]: a direction */
    float *scale;  /* [n] */
    int32_t *same; /* [2 EBM_STEPS]: labels */
} ebm_check_run_state;

/* The three derivatives. */
ebm_status ebm_check_input(ebm_check_run_state *run, ebm_tally *tally);
ebm_status ebm_check_hessian(ebm_check_run_state *run, ebm_tally *tally);
ebm_status ebm_check_parameters(ebm_check_run_state *run, ebm_tally *tally);

/* Random numbers of the check: `what` numbers the use, `index` the sample or
   direction. */
ebm_random ebm_check_random(const ebm_check_run_state *run, uint64_t what,
                            size_t index);

/* Steps are in units of this: the root mean square, or 1 if that is 0. */
double ebm_root_mean_square(const float *x, size_t n);

/* What float arithmetic makes of a number of that size: an energy is a sum of
   many terms, so more than the half unit of its last place. */
double ebm_float_rounding(double largest);

/* NON_FINITE with a text that names what is not, and where. */
ebm_status ebm_check_is_finite(const ebm_check_run_state *run,
                               const float *values, size_t n,
                               const char *what);

#endif
