/**
 * @file sampler.h
 * MCMC samplers: settings that move chains through an energy.
 *
 * The free Langevin step, in the order of the papers' code (noise first):
 *
 *     y  = clamp(x + noise_std xi),            xi ~ N(0, 1)
 *     x' = clamp(y - step_size clip(grad E(y)))
 *
 * with clip and clamp element by element. Step size and noise are free of
 * each other; without clip and clamp the pair has the implied temperature
 * noise_std^2 / (2 step_size). (Du & Mordatch 2019; clarifying paper, eq. 1.)
 *
 * A sampler holds settings, counters of its last run, and workspace. It holds
 * no random state: that belongs to the chains.
 */
#ifndef EBM_SAMPLER_H
#define EBM_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/chains.h>
#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/option.h>
#include <ebm/status.h>
#include <ebm/transition.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_sampler ebm_sampler;

typedef enum ebm_sampler_kind {
    /** The free Langevin step above. */
    EBM_SAMPLER_LANGEVIN = 0,
    EBM_SAMPLER_KIND_MAX = 0x7fffffff
} ebm_sampler_kind;

typedef enum ebm_sampler_key {
    /** Steps of one run. Integer, 1 to 1e9, initially 60. */
    EBM_SAMPLER_STEPS = 0,
    /** The factor before grad E. Real, >= 0, initially 10. */
    EBM_SAMPLER_STEP_SIZE = 1,
    /** Standard deviation of the noise of a step. Real, >= 0, 0.005. */
    EBM_SAMPLER_NOISE_STD = 2,
    /** Each element of grad E is clipped to +- this. Real, > 0, initially
        infinity: no clip. */
    EBM_SAMPLER_GRADIENT_CLIP = 3,
    /** Lower bound of each element of a state. Real, initially -infinity. A
        bound itself counts as inside. */
    EBM_SAMPLER_STATE_MIN = 4,
    /** Upper bound of each element of a state. Real, initially infinity. */
    EBM_SAMPLER_STATE_MAX = 5,
    /** How many of the last steps the chains keep for the KL term to
        differentiate through. Integer, 0 to 1e9 and at most STEPS at the run,
        initially 0. Costs 5 bytes an element, chain and kept step, held by
        the chains; no further memory grows with the number of steps. */
    EBM_SAMPLER_KEEP_STEPS = 6,
    EBM_SAMPLER_KEY_MAX = 0x7fffffff
} ebm_sampler_key;

/** What a sampler measured in its last run. Coordinates of chains that had
    diverged are not counted. */
typedef enum ebm_sampler_statistic {
    /** Steps that were carried out. */
    EBM_SAMPLER_STAT_STEPS = 0,
    /** Coordinates moved: steps x chains x elements. */
    EBM_SAMPLER_STAT_COORDINATES = 1,
    /** How many of them had their gradient clipped. */
    EBM_SAMPLER_STAT_CLIPPED = 2,
    /** How many left the bounds by the noise and were put back. */
    EBM_SAMPLER_STAT_CLAMPED_NOISE = 3,
    /** How many left the bounds by the gradient step and were put back. */
    EBM_SAMPLER_STAT_CLAMPED_STEP = 4,
    /** Chains that diverged during the run. */
    EBM_SAMPLER_STAT_DIVERGED = 5,
    EBM_SAMPLER_STATISTIC_MAX = 0x7fffffff
} ebm_sampler_statistic;

/**
 * Watches a run. Called after every so many steps, with all chains joined, on
 * the thread that called ebm_sampler_run().
 *
 * It may read anything, change the sampler's step size, noise, clip and bounds
 * (they hold from the next step on), write the model's parameters (which drops
 * the tail that EBM_SAMPLER_KEEP_STEPS keeps), and destroy handles. A change
 * of the context's threads holds from the next run on, at the latest. Moving
 * or restarting these chains, or running this sampler, is EBM_ERROR_STATE.
 *
 * @param step    steps of this run so far, from 1 on.
 * @param chains  to read; valid during the call.
 * @return 0 to go on; anything else stops the run, which then returns
 *         EBM_ERROR_CALLBACK with the chains where they are.
 */
typedef int (*ebm_sampler_observer_fn)(size_t step, const ebm_chains *chains,
                                       void *user);

/**
 * Creates a sampler.
 *
 * Errors: HANDLE, ARGUMENT (no such kind), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_create(ebm_context *context,
                                      ebm_sampler_kind kind,
                                      ebm_sampler **sampler);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_sampler_destroy(ebm_sampler *sampler);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_set(ebm_sampler *sampler, ebm_sampler_key key,
                                   double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_get(const ebm_sampler *sampler,
                                   ebm_sampler_key key, double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_option(ebm_sampler_key key, const char **name,
                                      ebm_option_kind *kind, double *minimum,
                                      double *maximum, double *initial);

/**
 * Sets the observer, called after every `every` steps and after the last one;
 * NULL takes it away. Observing changes no bit of the chains.
 *
 * Errors: HANDLE, ARGUMENT (every is 0). Thread safety: one thread a sampler.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_set_observer(ebm_sampler *sampler, size_t every,
                                            ebm_sampler_observer_fn observer,
                                            void *user);

/**
 * Sets a transition: all healthy chains jump before a step once `every` steps
 * have passed since they were started, drawn or last jumped, in this run or
 * an earlier one. A run thus never ends on a jump, and two runs of 60 and 40
 * steps are one of 100. Jumps are no steps: origin, age and step count stay,
 * and ebm_chains_transitions() counts. Their draws are a function of the
 * chains' seed, the chain's stream, and the chains' step count.
 *
 * There is no derivative through a jump: the steps that
 * EBM_SAMPLER_KEEP_STEPS keeps must come after the last jump of a run.
 *
 * @param transition  kept alive by the sampler; NULL takes it away.
 * @param every       at least 1.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT (every is 0), STATE (a callback of a run).
 * Whether the transition takes the chains' shape is checked at the run.
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_set_transition(ebm_sampler *sampler,
                                              ebm_transition *transition,
                                              size_t every);

/**
 * Moves every healthy chain by EBM_SAMPLER_STEPS steps, in place.
 *
 * Ages and the chains' step count grow by the steps carried out. A chain that
 * turns non-finite stops and is marked (ebm_chains_diverged()); the others
 * finish and the call returns EBM_ERROR_DIVERGED, or EBM_ERROR_CALLBACK if a
 * callback stopped the run as well. Chains that were marked
 * before the call stay as they are and do not by themselves cause an error.
 *
 * Workspace is allocated at the first run with a model and kept; no step
 * allocates. The model is only read: several samplers may share it.
 *
 * Errors: HANDLE, CONTEXT, SHAPE (model and chains differ), RANGE (STATE_MIN
 * > STATE_MAX, before the run or by a callback; KEEP_STEPS > STEPS, or a step
 * count beyond 2^44, with a transition 2^36; KEEP_STEPS reaching back over a
 * jump), those of ebm_transition_check(), STATE (the model's parameters are
 * lent, before the run or by a callback; the sampler or the chains are in the
 * middle of a run, or a loss in that of a pass over the chains), MEMORY,
 * NON_FINITE (by a transition's callback), DIVERGED, CALLBACK. Only DIVERGED,
 * CALLBACK and what a callback caused change the chains. Thread safety: one
 * thread a sampler and a chains object.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_run(ebm_sampler *sampler,
                                   const ebm_model *model, ebm_chains *chains);

/**
 * The temperature noise_std^2 / (2 step_size) of which the step, without clip
 * and clamp, is a discretisation: exp(-E / T) in the limit of small steps.
 *
 * Errors: HANDLE, ARGUMENT, STATE (the step size is 0).
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_implied_temperature(const ebm_sampler *sampler,
                                                   double *temperature);

/**
 * Reads a counter of the last run, all 0 before the first.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_get_statistic(const ebm_sampler *sampler,
                                             ebm_sampler_statistic statistic,
                                             double *value);

#ifdef __cplusplus
}
#endif

#endif
