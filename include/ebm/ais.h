/**
 * @file ais.h
 * log Z by annealed importance sampling, from below and from above.
 *
 * With a base distribution exp(-E_0) / Z_0 whose normaliser is known, and
 * the energy E at a temperature T, the path
 *
 *     p_b(x) ~ exp(-(1 - b) E_0(x) - b E(x) / T),
 *     0 = b_0 < b_1 < ... < b_n = 1,
 *
 * leads from the base to the energy. Forward, a chain begins with an exact
 * draw x_0 of the base; a run of the caller's sampler on p_(b_t) takes
 * x_(t-1) to x_t, for t = 1 to n - 1, and
 *
 *     log w = sum_t (b_t - b_(t-1)) (E_0 - E / T)(x_(t-1)),   t = 1 to n.
 *
 * The mean of w is Z / Z_0 without bias (Neal 2001), so the logarithm of the
 * mean, and more so the mean of log w, are too small in expectation: a
 * stochastic lower bound of log Z. Backward, from exact samples of the energy
 * at T, the mean of 1 / w is Z_0 / Z: an upper bound (bidirectional Monte
 * Carlo; Grosse, Ghahramani and Adams 2015). Where the two meet, log Z is
 * between them.
 *
 * Both rest on runs that leave p_b as it is. MALA and HMC do, for any step and
 * number of steps. BAOAB, tied and free Langevin do in the limit of small
 * steps; what comes of them is an estimate, and no bound.
 *
 * The temperature is part of the question: log Z of E / T is another number
 * for each T, and so is every likelihood. A model that was trained with a free
 * Langevin sampler has, if any, the temperature that the sampler implies
 * (ebm_sampler_implied_temperature()), not 1. docs/diagnostics.md has more.
 */
#ifndef EBM_AIS_H
#define EBM_AIS_H

#include <stddef.h>

#include <ebm/chains.h>
#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/option.h>
#include <ebm/sampler.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An estimator: settings and the results of its last runs. */
typedef struct ebm_ais ebm_ais;

/** Where the path begins. It also says what Z is the integral over. */
typedef enum ebm_ais_base {
    /** Uniform in a box, the same for all elements: E_0 = 0 inside, Z_0 the
        volume, and Z = integral over the box of exp(-E / T). The box is the
        bounds of the sampler: MALA and HMC refuse what is outside and BAOAB
        reflects, as is right. Tied and free Langevin clamp, which leaves too
        many states on the walls. */
    EBM_AIS_BOX = 0,
    /** N(mean, std^2) for each element: Z is over all space, and the sampler
        has no bounds. */
    EBM_AIS_GAUSSIAN = 1,
    EBM_AIS_BASE_MAX = 0x7fffffff
} ebm_ais_base;

/** How b_t goes from 0 to 1, u = t / n. */
typedef enum ebm_ais_schedule {
    /** u. */
    EBM_AIS_LINEAR = 0,
    /** (s(8 u - 4) - s(-4)) / (s(4) - s(-4)) with s(v) = 1 / (1 + exp(-v)):
        short steps at both ends (Grosse, Ghahramani and Adams 2015). */
    EBM_AIS_SIGMOID = 1,
    /** FIRST_BETA^((n - t) / (n - 1)) from t = 1 on: for energies whose
        E / T is large, where the first steps decide. */
    EBM_AIS_GEOMETRIC = 2,
    EBM_AIS_SCHEDULE_MAX = 0x7fffffff
} ebm_ais_schedule;

/** Settings of an estimator. */
typedef enum ebm_ais_key {
    /** n: distributions after the base, the last of which is the energy's own.
        1 is plain importance sampling, with no run of the sampler.
        Integer, 1 to 1e7, initially 100. */
    EBM_AIS_LEVELS = 0,
    /** An ebm_ais_schedule, initially EBM_AIS_SIGMOID. */
    EBM_AIS_SCHEDULE = 1,
    /** b_1 of the geometric schedule. Real, > 0, below 1, initially 1e-4. */
    EBM_AIS_FIRST_BETA = 2,
    /** T. Real, > 0, initially 1. */
    EBM_AIS_TEMPERATURE = 3,
    /** The sampler's step size at the base in units of its own, which it has
        at b = 1: level b has STEP_SIZE factor^(1 - b). Broad distributions
        allow longer steps. Real, > 0, at most 1e6, initially 1: what a sampler
        must have whose step size has a schedule. */
    EBM_AIS_STEP_FACTOR = 4,
    /** The box. Real, finite as float, initially 0 and 1. Base BOX only. */
    EBM_AIS_BOX_MIN = 5,
    /** Its upper end. */
    EBM_AIS_BOX_MAX = 6,
    /** The normal law of each element. Real, std > 0, initially 0 and 1. Base
        GAUSSIAN only. */
    EBM_AIS_GAUSSIAN_MEAN = 7,
    /** Its standard deviation. */
    EBM_AIS_GAUSSIAN_STD = 8,
    /** Probability of the confidence interval. Real, > 0, below 1, initially
        0.95. */
    EBM_AIS_CONFIDENCE = 9,
    EBM_AIS_KEY_MAX = 0x7fffffff
} ebm_ais_key;

/** From which end the path was walked. */
typedef enum ebm_ais_direction {
    /** From the base to the energy. */
    EBM_AIS_FORWARD = 0,
    /** From the energy to the base. */
    EBM_AIS_REVERSE = 1,
    EBM_AIS_DIRECTION_MAX = 0x7fffffff
} ebm_ais_direction;

/** What a run found. v stands for w forward, 1 / w in reverse. */
typedef enum ebm_ais_result {
    /** log Z_0 + log mean w; in reverse log Z_0 - log mean 1 / w. */
    EBM_AIS_LOG_Z = 0,
    /** Of LOG_Z, by the delta method: std(v) / (mean(v) sqrt(chains)). From 2
        chains on. */
    EBM_AIS_STANDARD_ERROR = 1,
    /** The confidence interval: LOG_Z -+ quantile x STANDARD_ERROR. It knows
        the weights that came up; with an ESS of a few, the ones that matter
        have not. */
    EBM_AIS_LOW = 2,
    /** Its upper end. */
    EBM_AIS_HIGH = 3,
    /** Effective number of weights, (sum v)^2 / sum v^2: between 1 and
        chains. */
    EBM_AIS_ESS = 4,
    /** log Z_0 + mean log w: in expectation at most log Z forward, at least
        log Z in reverse, and further away than LOG_Z. -infinity (in reverse
        infinity) when a weight v is 0. */
    EBM_AIS_BOUND = 5,
    /** Standard error of BOUND. From 2 chains on; not with a weight of 0. */
    EBM_AIS_BOUND_ERROR = 6,
    /** log Z_0. */
    EBM_AIS_LOG_Z_BASE = 7,
    /** T of the run. */
    EBM_AIS_RUN_TEMPERATURE = 8,
    /** Chains, all of them. */
    EBM_AIS_CHAINS = 9,
    /** Chains whose v is 0: diverged ones, and forward those whose base draw
        has infinite energy, where that is the true weight. */
    EBM_AIS_ZERO_WEIGHTS = 10,
    /** Chains that diverged. Their v counts as 0, which keeps a lower bound
        low and an upper bound high. */
    EBM_AIS_DIVERGED = 11,
    /** Acceptance of MALA and HMC over all levels. Not computed for other
        kinds, nor for 1 level. */
    EBM_AIS_ACCEPTANCE = 12,
    /** The same at the level that has the least. */
    EBM_AIS_LEAST_ACCEPTANCE = 13,
    EBM_AIS_RESULT_MAX = 0x7fffffff
} ebm_ais_result;

/**
 * Creates an estimator.
 *
 * Errors: HANDLE, ARGUMENT (no such base), MEMORY. Thread safety: any thread.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_ais_create(ebm_context *context, ebm_ais_base base,
                                  ebm_ais **ais);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_ais_destroy(ebm_ais *ais);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE, UNSUPPORTED (a key of the
 * other base), STATE (a callback of a run).
 * Thread safety: one thread an estimator. Since: 0.1.
 */
EBM_API ebm_status ebm_ais_set(ebm_ais *ais, ebm_ais_key key, double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread an estimator.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_ais_get(const ebm_ais *ais, ebm_ais_key key,
                               double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_ais_option(ebm_ais_key key, const char **name,
                                  ebm_option_kind *kind, double *minimum,
                                  double *maximum, double *initial);

/**
 * b of a level, by the present settings: 0 at level 0, 1 at level n.
 *
 * @param level      0 to n, the value of EBM_AIS_LEVELS.
 * @param[out] beta  between 0 and 1.
 *
 * Errors: HANDLE, ARGUMENT (beta is NULL), RANGE (level). Thread safety: one
 * thread an estimator. Since: 0.1.
 */
EBM_API ebm_status ebm_ais_beta(const ebm_ais *ais, size_t level,
                                double *beta);

/**
 * Walks from the base to the energy, with one weight for each chain.
 *
 * The chains are begun anew at draws of the base, as by
 * ebm_chains_init_uniform() or ebm_chains_init_normal(), with the labels that
 * they have, and end after n - 1 runs of the sampler, the last of them at
 * b_(n-1). They go through n energies and (n - 1) STEPS steps each.
 *
 * The sampler's STEPS are those of a level, and its settings count as they
 * would for the energy itself; for the time of the call it has the bounds of
 * the base, temperature T where it has one, the step size that STEP_FACTOR
 * makes of its own (free Langevin: the noise that belongs to it), and keeps no
 * tail. Afterwards its settings are what they were. A schedule of its step
 * size runs over the steps of each level anew. What would keep the runs from
 * being after p_b is refused: gradient descent, free Langevin whose implied
 * temperature is not T (to 1e-6), a gradient clip, a schedule of temperature
 * or noise, a warm-up that is not over, a transition, an observer. Adapt the
 * step size in a run of its own before.
 *
 * Energies are floats and divided by T: at small T the weights are as good
 * as they are, and their last digits may be worth many nats.
 *
 * A chain whose energy or state turns non-finite stops and is marked; its
 * weight is 0, the others go on, and the call returns EBM_ERROR_DIVERGED *with
 * the results written*. A base draw whose energy is infinite is no fault: its
 * weight is 0, and the chain is marked too, as no sampler moves it.
 *
 * @param chains  at least 2 for an error. Of a conditional model all labels
 *                must be equal: Z is that of this label.
 *
 * Results do not depend on the number of threads.
 *
 * Errors: HANDLE, CONTEXT, SHAPE (model and chains differ), ARGUMENT (labels
 * differ), RANGE (the box is empty; temperatures differ; a step size of 0;
 * what ebm_chains_init_normal() and ebm_sampler_run() refuse; too many steps),
 * UNSUPPORTED (as above), STATE (a run that is not over; lent parameters; a
 * callback destroyed the sampler or the chains), OVERFLOW, MEMORY, CALLBACK,
 * DIVERGED. All but DIVERGED leave the results of the run before; those that
 * arise after the beginning (a callback's, MEMORY) leave the chains where they
 * are.
 * Thread safety: one thread an estimator, a sampler and a chains object.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_ais_forward(ebm_ais *ais, ebm_sampler *sampler,
                                   const ebm_model *model, ebm_chains *chains);

/**
 * Walks from the energy to the base. The chains' states must be independent
 * exact samples of exp(-E / T), inside the box if that is the base: on the
 * caller's word. Samples of a long run are as good as the run; a forward run's
 * own end states will not do, as they make no bound.
 *
 * Otherwise as ebm_ais_forward(), and an infinite energy counts as diverged.
 *
 * Errors: as ebm_ais_forward(), and DIVERGED without results (a chain was
 * marked before), RANGE (a state is outside the box).
 * Thread safety: as ebm_ais_forward(). Since: 0.1.
 */
EBM_API ebm_status ebm_ais_reverse(ebm_ais *ais, ebm_sampler *sampler,
                                   const ebm_model *model, ebm_chains *chains);

/**
 * Reads what the last run in a direction found.
 *
 * Errors: HANDLE, ARGUMENT (no such direction or result, value is NULL),
 * NOT_COMPUTED (no run yet, all weights are 0, or as at the result).
 * Thread safety: one thread an estimator. Since: 0.1.
 */
EBM_API ebm_status ebm_ais_get_result(const ebm_ais *ais,
                                      ebm_ais_direction direction,
                                      ebm_ais_result result, double *value);

/**
 * Reads log w of each chain of the last run in a direction. Where v is 0 it
 * is -infinity forward and infinity in reverse.
 *
 * @param[out] log_weights  [n].
 * @param n  the number of chains of that run.
 *
 * Errors: HANDLE, ARGUMENT (no such direction, NULL), NOT_COMPUTED (no run
 * yet), SHAPE (another number of chains).
 * Thread safety: one thread an estimator. Since: 0.1.
 */
EBM_API ebm_status ebm_ais_log_weights(const ebm_ais *ais,
                                       ebm_ais_direction direction,
                                       double *log_weights, size_t n);

/**
 * Bits per dimension of data at the temperature of the last run in a
 * direction, d elements a sample:
 *
 *     (mean_energy / T + LOG_Z) / (d log 2) - log2(bin_width)
 *
 * As log Z is too small forward, so are the bits: they flatter the model. In
 * reverse they are too large.
 *
 * @param mean_energy  mean of E over the data, not divided by T.
 * @param bin_width    > 0: 1 for the density as it is; for data that were made
 *                     continuous by uniform noise, the width of a bin: 1 / 256
 *                     for bytes scaled to [0, 1].
 * @param[out] temperature  T, which must stand beside the bits; may be NULL.
 * @param[out] bits  in bits, not nats.
 *
 * Errors: HANDLE, ARGUMENT (no such direction, bits is NULL), NON_FINITE
 * (mean_energy), RANGE (bin_width), NOT_COMPUTED (no LOG_Z).
 * Thread safety: one thread an estimator. Since: 0.1.
 */
EBM_API ebm_status ebm_ais_bits_per_dimension(const ebm_ais *ais,
                                              ebm_ais_direction direction,
                                              double mean_energy,
                                              double bin_width, double *bits,
                                              double *temperature);

#ifdef __cplusplus
}
#endif

#endif
