/**
 * @file check.h
 * The gradient checker: are the derivatives of an energy those of the energy?
 *
 * For energies of the caller's own (ebm_model_create_custom()) above all, but
 * it takes any model. Three derivatives are held against central differences:
 *
 *     input       dE/dx             of ebm_model_energy_grad()
 *     parameters  dE/dtheta         of ebm_model_backward()
 *     hessian     H v               of ebm_model_hessian_vector(), against
 *                                   differences of dE/dx
 *
 * Energies are floats, so one step size will not do: too long a step is not a
 * derivative and too short a one is rounding error. Each difference is taken
 * at 10 steps, each half of the one before, and extrapolated (Richardson;
 * Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)"); the estimate
 * whose own error estimate is the smallest, and which shorter steps do not
 * contradict, counts. That error, rounding included, is reported as the
 * uncertainty: a check that fails with an uncertainty above the tolerance says
 * that the energy is too rough, or too large a number, for differences in
 * float. Kinks (ReLU) show as roughness.
 *
 * What is compared: single elements of the gradient, chosen at random, and
 * derivatives along directions, the gradient's own and random ones, in which
 * every element takes part.
 */
#ifndef EBM_CHECK_H
#define EBM_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/option.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A checker: settings and what its last run found. */
typedef struct ebm_check ebm_check;

/** Settings of a check. */
typedef enum ebm_check_key {
    /** Elements that are compared one by one: of each sample's input gradient,
        and of the parameter gradient, where every named array gets its share.
        Integer, 1 to 1e6, initially 32. At most all there are. */
    EBM_CHECK_ELEMENTS = 0,
    /** Directions that are compared: of each sample, and of the parameters.
        The first is the gradient's. For H v, the number of v, and every
        element of H v is compared. Integer, 1 to 1e6, initially 4. */
    EBM_CHECK_DIRECTIONS = 1,
    /** The longest step, in units of the root mean square of what is moved (of
        1 if that is 0): the sample, the named array of an element, or all
        parameters. Real, > 0, at most 1e3, initially 0.5. Steps whose energies
        are not finite are left out. */
    EBM_CHECK_STEP = 2,
    /** Largest error, of WORST_ERROR and of DIRECTION_ERROR, that passes.
        Real, > 0, at most 1, initially 0.01. */
    EBM_CHECK_TOLERANCE = 3,
    EBM_CHECK_KEY_MAX = 0x7fffffff
} ebm_check_key;

/** Which derivative. */
typedef enum ebm_derivative {
    /** dE/dx. */
    EBM_DERIVATIVE_INPUT = 0,
    /** dE/dtheta. */
    EBM_DERIVATIVE_PARAMETERS = 1,
    /** H v. */
    EBM_DERIVATIVE_HESSIAN = 2,
    EBM_DERIVATIVE_MAX = 0x7fffffff
} ebm_derivative;

/** What a check found. a are elements as the model gives them, b the
    differences, over all elements that were compared. */
typedef enum ebm_check_result {
    /** 1 when no error exceeds the tolerance, else 0. */
    EBM_CHECK_PASSED = 0,
    /** |a - b| / max(|a|, |b|), Euclidean norms; 0 when both are 0. */
    EBM_CHECK_RELATIVE_NORM = 1,
    /** a.b / (|a| |b|); 1 when both are 0, 0 when one of them is. */
    EBM_CHECK_COSINE = 2,
    /** Largest |a_j - b_j| / max(|a_k|, |b_k|) over j, over all k. */
    EBM_CHECK_WORST_ERROR = 3,
    /** Where that is: the sample, 0 for the parameters. */
    EBM_CHECK_WORST_SAMPLE = 4,
    /** Where that is: the element of the sample, or of the flat parameters. */
    EBM_CHECK_WORST_ELEMENT = 5,
    /** a there. */
    EBM_CHECK_WORST_GIVEN = 6,
    /** b there. */
    EBM_CHECK_WORST_DIFFERENCE = 7,
    /** Largest |<a, v> - difference along v| over the directions, in units of
        |a| |v| / sqrt(size) (of the difference's, if that is more): what is
        usual for a random v. Not for H v: NOT_COMPUTED. */
    EBM_CHECK_DIRECTION_ERROR = 8,
    /** The largest estimated error of a difference, in the units of the two
        errors above. Infinity, and not passed, when a difference could not be
        taken at all because energies around the sample are not finite. */
    EBM_CHECK_UNCERTAINTY = 9,
    /** Number of elements that were compared. */
    EBM_CHECK_COUNT = 10,
    EBM_CHECK_RESULT_MAX = 0x7fffffff
} ebm_check_result;

/**
 * Creates a check.
 *
 * @param seed  of the elements and directions.
 *
 * Errors: HANDLE, ARGUMENT, MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_check_create(ebm_context *context, uint64_t seed,
                                    ebm_check **check);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_check_destroy(ebm_check *check);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: one thread a check. Since: 0.1.
 */
EBM_API ebm_status ebm_check_set(ebm_check *check, ebm_check_key key,
                                 double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a check. Since: 0.1.
 */
EBM_API ebm_status ebm_check_get(const ebm_check *check, ebm_check_key key,
                                 double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_check_option(ebm_check_key key, const char **name,
                                    ebm_option_kind *kind, double *minimum,
                                    double *maximum, double *initial);

/**
 * Checks a model at n samples. EBM_OK says that the check was carried out, not
 * that it was passed: see ebm_check_get_result(). Derivatives that the model
 * does not have (no parameters, no param_grad, no tangent) are left out.
 *
 * The parameters are moved and, whatever comes back, end with the bits that
 * they had; the gradient keeps what it had added up. For the rest of the
 * library they count as written: a tail that chains keep for the KL term is
 * void. Costs some 20 energies an element or direction, and for parameters n
 * times that.
 *
 * @param x       [n, height, width, channels], finite: take them apart from
 *                kinks, bounds and symmetric points such as 0.
 * @param labels  [n] or NULL.
 * @param n       at least 1; a few will do.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT (x is NULL, n is 0), RANGE (a label),
 * NON_FINITE (x, or an energy or derivative at x), STATE (the parameters are
 * lent), OVERFLOW, MEMORY, CALLBACK. On an error the results of the run before
 * stay. Thread safety: not while another thread uses this model. Since: 0.1.
 */
EBM_API ebm_status ebm_check_run(ebm_check *check, ebm_model *model,
                                 const float *x, const int32_t *labels,
                                 size_t n);

/**
 * Reads what the last run found.
 *
 * Errors: HANDLE, ARGUMENT (no such derivative or result, value is NULL),
 * NOT_COMPUTED (no run yet, or the model has no such derivative).
 * Thread safety: one thread a check. Since: 0.1.
 */
EBM_API ebm_status ebm_check_get_result(const ebm_check *check,
                                        ebm_derivative derivative,
                                        ebm_check_result result,
                                        double *value);

#ifdef __cplusplus
}
#endif

#endif
