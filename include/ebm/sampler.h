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
 * The other kinds are after the law exp(-E / T) / Z_T of a temperature T.
 * docs/samplers.md has their equations side by side. EBM_SAMPLER_MALA and
 * EBM_SAMPLER_HMC have exactly that law, by the Metropolis test: a proposal x'
 * is taken with probability min(1, alpha), else the chain stays for this step,
 * which counts like any other. A proposal whose state, energy or gradient is
 * not finite, or that is outside the bounds, is refused and counted; no chain
 * diverges by it. Energies are floats: the test is as good as the difference
 * of two energies, divided by T, is.
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

/** A sampler: a kind, settings, counters, workspace. */
typedef struct ebm_sampler ebm_sampler;

/** The step that a sampler makes. */
typedef enum ebm_sampler_kind {
    /** The free Langevin step above. */
    EBM_SAMPLER_LANGEVIN = 0,
    /** Langevin with noise tied to the step, noise last:

            x' = clamp(x - step_size clip(grad E(x)) + sqrt(2 step_size T) xi).

        Its law is off by a term linear in step_size. (The paper's
        lambda is 2 step_size, at T = 1.) */
    EBM_SAMPLER_TIED_LANGEVIN = 1,
    /** The same without clip and clamp, as the proposal of a Metropolis step:

            log alpha = (E(x) - E(x')) / T
                        - (|x - x' + step_size grad E(x')|^2
                           - |x' - x + step_size grad E(x)|^2)
                          / (4 step_size T).

        (Besag 1994; Roberts and Tweedie 1996.) One gradient a step. */
    EBM_SAMPLER_MALA = 2,
    /** Hamiltonian Monte Carlo with unit mass: p ~ N(0, T), LEAPFROG_STEPS
        leapfrog steps of time step_size, and

            log alpha = (E(x) + |p|^2 / 2 - E(x') - |p'|^2 / 2) / T.

        (Duane et al. 1987; Neal 2011.) LEAPFROG_STEPS gradients a step. */
    EBM_SAMPLER_HMC = 3,
    /** Underdamped Langevin with unit mass,

            dx = p dt,
            dp = -grad E dt - friction p dt + sqrt(2 friction T) dW,

        by the BAOAB splitting with time step step_size. Its law is off by a
        term in step_size^2. (Leimkuhler and Matthews 2013.) Momenta are drawn
        from N(0, T) when a run begins and forgotten when it ends, so one long
        run is not the same as two short ones, while the law of both is. Bounds
        are walls that reflect. One gradient a step. */
    EBM_SAMPLER_BAOAB = 4,
    /** x' = clamp(x - step_size clip(grad E(x))): no noise, no law. */
    EBM_SAMPLER_GRADIENT_DESCENT = 5,
    EBM_SAMPLER_KIND_MAX = 0x7fffffff
} ebm_sampler_kind;

/** Settings of a sampler. */
typedef enum ebm_sampler_key {
    /** Steps of one run. Integer, 1 to 1e9, initially 60. */
    EBM_SAMPLER_STEPS = 0,
    /** The factor before grad E; in HMC and BAOAB the integrator's time step.
        Real, >= 0 (these two and MALA: > 0 at the run), initially 10, which
        suits the digits recipe of the free kind and hardly anything else. */
    EBM_SAMPLER_STEP_SIZE = 1,
    /** Standard deviation of the noise of a step. Real, >= 0, 0.005. The free
        kind only. */
    EBM_SAMPLER_NOISE_STD = 2,
    /** Each element of grad E is clipped to +- this. Real, > 0, initially
        infinity: no clip. Not for MALA, HMC and BAOAB, whose law it would
        spoil. */
    EBM_SAMPLER_GRADIENT_CLIP = 3,
    /** Lower bound of each element of a state. Real, initially -infinity. A
        bound itself counts as inside. */
    EBM_SAMPLER_STATE_MIN = 4,
    /** Upper bound of each element of a state. Real, initially infinity. */
    EBM_SAMPLER_STATE_MAX = 5,
    /** How many of the last steps the chains keep for the KL term to
        differentiate through. Integer, 0 to 1e9 and at most STEPS at the run,
        initially 0. Costs 5 bytes an element, chain and kept step, held by
        the chains; no further memory grows with the number of steps. The two
        Langevin kinds and gradient descent only: an accepted step has no
        derivative like theirs. */
    EBM_SAMPLER_KEEP_STEPS = 6,
    /** T of the law exp(-E / T). Real, > 0, initially 1. Tied Langevin, MALA,
        HMC and BAOAB. */
    EBM_SAMPLER_TEMPERATURE = 7,
    /** Leapfrog steps of one HMC step. Integer, 1 to 1e9, initially 10. */
    EBM_SAMPLER_LEAPFROG_STEPS = 8,
    /** BAOAB's friction, per unit of time. Real, > 0, initially 1. */
    EBM_SAMPLER_FRICTION = 9,
    /** MALA and HMC: how many of the sampler's next steps, in this run and in
        those that follow, adapt STEP_SIZE to TARGET_ACCEPTANCE. Integer, 0 to
        1e9, initially 0. Setting it begins a new warm-up at the present
        STEP_SIZE. In the warm-up STEP_SIZE changes after every step (whatever
        else sets it) and the chains do not have the law; afterwards it is
        frozen, and ebm_sampler_get() reads it.
        The adaptation (Hoffman and Gelman 2014, section 3.2) pools the
        acceptance of all chains: the same bits for any number of threads, but
        a chain that warms up alone is another one than in a batch. */
    EBM_SAMPLER_WARMUP_STEPS = 10,
    /** The mean acceptance that a warm-up aims at. Real, 0 to below 1. 0, the
        initial value, stands for the kind's own: 0.574 for MALA (Roberts and
        Rosenthal 1998), 0.65 for HMC (Beskos et al. 2013). */
    EBM_SAMPLER_TARGET_ACCEPTANCE = 11,
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
    /** How many left the bounds by the step and were put back; for BAOAB, how
        often one was reflected. */
    EBM_SAMPLER_STAT_CLAMPED_STEP = 4,
    /** Chains that diverged during the run. */
    EBM_SAMPLER_STAT_DIVERGED = 5,
    /** MALA and HMC: proposals made, steps x chains; else 0. */
    EBM_SAMPLER_STAT_PROPOSALS = 6,
    /** How many of them were accepted. */
    EBM_SAMPLER_STAT_ACCEPTED = 7,
    /** How many were refused because a state, energy or gradient was not
        finite. */
    EBM_SAMPLER_STAT_NON_FINITE = 8,
    /** How many were refused because they were outside the bounds. */
    EBM_SAMPLER_STAT_OUTSIDE = 9,
    /** Accepted / proposals, or 0 when there were none. Steps of a warm-up
        count too: let a run of its own do the warm-up to keep them apart. */
    EBM_SAMPLER_STAT_ACCEPTANCE = 10,
    EBM_SAMPLER_STATISTIC_MAX = 0x7fffffff
} ebm_sampler_statistic;

/**
 * Watches a run. Called after every so many steps, with all chains joined, on
 * the thread that called ebm_sampler_run().
 *
 * It may read anything, change the sampler's step size, noise, temperature,
 * friction, leapfrog steps, clip and bounds (they hold from the next step on,
 * unless a schedule or a warm-up says otherwise), write the model's parameters
 * (which drops the tail that EBM_SAMPLER_KEEP_STEPS keeps), and destroy
 * handles. A change of the context's threads holds from the next run on, at
 * the latest. Moving or restarting these chains, or running this sampler, is
 * EBM_ERROR_STATE.
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
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE, UNSUPPORTED (a key that this
 * kind of sampler does not have).
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

/** How a setting goes from one value to another over the steps of a run, with
    t = k / (steps - 1) at step k = 0, 1, ...; a single step takes `from`. */
typedef enum ebm_schedule_kind {
    /** The key's own value: takes a schedule away. */
    EBM_SCHEDULE_CONSTANT = 0,
    /** from + (to - from) t. */
    EBM_SCHEDULE_LINEAR = 1,
    /** to + (from - to) (1 + cos(pi t)) / 2. */
    EBM_SCHEDULE_COSINE = 2,
    /** from (to / from)^t. */
    EBM_SCHEDULE_GEOMETRIC = 3,
    EBM_SCHEDULE_KIND_MAX = 0x7fffffff
} ebm_schedule_kind;

/**
 * Lets a setting follow a schedule, in every run from the next one on; the
 * key's own value is neither used nor changed meanwhile. With a schedule on
 * the temperature, the law of the chains is at best that of its last value.
 *
 * @param key   EBM_SAMPLER_STEP_SIZE, _NOISE_STD or _TEMPERATURE, as far as
 *              the kind of sampler has it.
 * @param kind  CONSTANT ignores from and to.
 * @param from, to  values that the key takes; for GEOMETRIC both > 0.
 *
 * Errors: HANDLE, ARGUMENT (no such kind of schedule), RANGE, UNSUPPORTED (not
 * such a key), STATE (a callback of this sampler's run).
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_set_schedule(ebm_sampler *sampler,
                                            ebm_sampler_key key,
                                            ebm_schedule_kind kind,
                                            double from, double to);

/**
 * The caller's own schedule: writes the value of step `step`, 0 to steps - 1,
 * of a run of `steps` steps. Called for all steps before the first of them, on
 * the thread that called ebm_sampler_run().
 *
 * @param step        0 .. steps - 1.
 * @param steps       of the run.
 * @param[out] value  finite, in the range of the key.
 * @return 0; anything else stops the run, which then returns
 *         EBM_ERROR_CALLBACK before any chain has moved.
 */
typedef int (*ebm_sampler_schedule_fn)(size_t step, size_t steps,
                                       double *value, void *user);

/**
 * Lets a setting follow the caller's function; NULL takes the schedule away.
 * Costs 8 bytes a step of a run. A value that the key does not take is
 * EBM_ERROR_RANGE at the run.
 *
 * @param user  handed to the callback; must outlive its use.
 *
 * Errors: HANDLE, UNSUPPORTED, STATE, as ebm_sampler_set_schedule().
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_set_schedule_callback(
    ebm_sampler *sampler, ebm_sampler_key key,
    ebm_sampler_schedule_fn schedule, void *user);

/**
 * Sets the observer, called after every `every` steps and after the last one;
 * NULL takes it away. Observing changes no bit of the chains.
 *
 * @param every  at least 1.
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
 * an earlier one. A run thus never ends on a jump, and in runs of 60 and 40
 * steps the jumps are those of one run of 100. So are the states, but for
 * BAOAB, whose momenta are new in each run, and under a schedule, which runs
 * over one run. Jumps are no steps: origin, age and step count stay, and so do
 * the momenta of BAOAB; ebm_chains_transitions() counts. Their draws are a
 * function of the chains' seed, the chain's stream, and the chains' step
 * count.
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
 * Ages and the chains' step count grow by the steps carried out, accepted or
 * not. A chain that turns non-finite (under MALA and HMC: one whose state at
 * the beginning has an energy or gradient that is not finite) stops and is
 * marked (ebm_chains_diverged()); the others finish and the call returns
 * EBM_ERROR_DIVERGED, or EBM_ERROR_CALLBACK if a callback stopped the run as
 * well. Chains that were marked before the call stay as they are and do not by
 * themselves cause an error.
 *
 * Workspace is allocated at the first run with a model and kept; no step
 * allocates. The model is only read: several samplers may share it.
 *
 * Errors: HANDLE, CONTEXT, SHAPE (model and chains differ), RANGE (STATE_MIN
 * > STATE_MAX, or a step size of 0 that the kind can not have, before the run
 * or by a callback; a schedule's value; KEEP_STEPS > STEPS, or a step count
 * beyond 2^44, with a transition 2^36; KEEP_STEPS reaching back over a jump),
 * those of ebm_transition_check(), UNSUPPORTED (a warm-up of a scheduled step
 * size), STATE (the model's parameters are lent, before the run or by a
 * callback; the sampler or the chains are in the middle of a run, or a loss in
 * that of a pass over the chains), MEMORY, NON_FINITE (by a transition's
 * callback), DIVERGED, CALLBACK. Only DIVERGED, CALLBACK and what a callback
 * caused change the chains. Thread safety: one thread a sampler and a chains
 * object. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_run(ebm_sampler *sampler,
                                   const ebm_model *model, ebm_chains *chains);

/**
 * The temperature T of exp(-E / T), the law of the chains in the limit of
 * small steps, without clip and clamp: noise_std^2 / (2 step_size) for the
 * free Langevin kind, 0 for gradient descent, and for all others the setting.
 *
 * @param[out] temperature  T, in the unit of the energy.
 *
 * Errors: HANDLE, ARGUMENT, STATE (the step size is 0, or a setting that
 * decides has a schedule).
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

/**
 * Reads the acceptance of every chain in the last run of MALA or HMC: accepted
 * proposals / steps. 0 for a chain that made no step because it had diverged.
 *
 * @param[out] acceptance  [n], between 0 and 1.
 * @param n  the number of chains of that run.
 *
 * Errors: HANDLE, ARGUMENT (NULL), UNSUPPORTED (another kind), STATE (no run
 * yet), SHAPE (another number of chains).
 * Thread safety: one thread a sampler. Since: 0.1.
 */
EBM_API ebm_status ebm_sampler_acceptance(const ebm_sampler *sampler,
                                          double *acceptance, size_t n);

#ifdef __cplusplus
}
#endif

#endif
