/**
 * @file chains.h
 * Markov chains: the vehicle that sampler, buffer, loss and transitions share.
 *
 * An ebm_chains object holds n states [n, height, width, channels] and, for
 * every chain, where it began (its origin), how many MCMC steps it has lived
 * (its age), a label, and a random stream of its own. Where chains begin is
 * the difference between maximum likelihood and contrastive divergence, so
 * the library keeps track of it and losses check it.
 *
 * Randomness is a pure function of (seed, stream, count of steps): the
 * samplers hold none. Chain i has stream first + i. A chain's path is the
 * same to the bit alone or among others and for any number of threads. With a
 * callback in the model (slab size 0) only for the same batch: the callback,
 * and networks beside it, see rows (composition.h).
 */
#ifndef EBM_CHAINS_H
#define EBM_CHAINS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Chains: states, histories and random streams. */
typedef struct ebm_chains ebm_chains;

/** Where a chain began. */
typedef enum ebm_origin {
    /** At noise, in this run. */
    EBM_ORIGIN_NOISE = 0,
    /** At a sample of the data, in this run. */
    EBM_ORIGIN_DATA = 1,
    /** At noise, in an earlier run that it goes on from. */
    EBM_ORIGIN_PERSISTED_NOISE = 2,
    /** At data, in an earlier run that it goes on from. */
    EBM_ORIGIN_PERSISTED_DATA = 3,
    EBM_ORIGIN_MAX = 0x7fffffff
} ebm_origin;

/**
 * Creates n chains at 0 with origin noise, age 0, label 0 and streams 0 to
 * n - 1.
 *
 * @param n     at least 1.
 * @param seed  of all randomness that these chains consume.
 *
 * Errors: HANDLE, ARGUMENT (a size of 0), OVERFLOW, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_create(ebm_context *context, size_t n,
                                     size_t height, size_t width,
                                     size_t channels, uint64_t seed,
                                     ebm_chains **chains);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_chains_destroy(ebm_chains *chains);

/**
 * Numbers the random streams first, first + 1, ... instead of from 0. Chains
 * that are split over several objects or processes at multiples of the
 * model's slab size then draw what they would draw in one object.
 *
 * @param first  first + n at most 2^44.
 *
 * Errors: HANDLE, RANGE, STATE (a callback of a run or of a loss's pass over
 * these chains). Thread safety: one thread an object. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_set_first_stream(ebm_chains *chains,
                                               uint64_t first);

/**
 * Restarts every chain at independent draws from N(mean, std^2), origin noise,
 * age 0. Consumes one draw an element; the count of Langevin steps goes on.
 *
 * @param mean  finite.
 * @param std   finite, >= 0.
 *
 * Errors: HANDLE, RANGE (mean not finite, std negative or not finite), STATE
 * (as ebm_chains_set_first_stream()).
 * Thread safety: one thread an object. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_init_normal(ebm_chains *chains, double mean,
                                          double std);

/**
 * Restarts every chain at independent uniform draws from [minimum, maximum),
 * origin noise, age 0.
 *
 * @param minimum  finite.
 * @param maximum  finite, at least minimum.
 *
 * Errors: HANDLE, RANGE (not finite, or minimum > maximum), STATE (as
 * ebm_chains_set_first_stream()).
 * Thread safety: one thread an object. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_init_uniform(ebm_chains *chains, double minimum,
                                           double maximum);

/**
 * Restarts every chain at the caller's states, age 0.
 *
 * @param x       [n, height, width, channels], finite; copied.
 * @param labels  [n], copied, or NULL for all 0.
 * @param origin  of all these chains.
 *
 * Errors: HANDLE, ARGUMENT (x is NULL, no such origin), NON_FINITE, STATE (as
 * ebm_chains_set_first_stream()).
 * Thread safety: one thread an object. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_set_states(ebm_chains *chains, const float *x,
                                         const int32_t *labels,
                                         ebm_origin origin);

/**
 * Number of chains.
 *
 * Errors: none (0 for a wrong handle). Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_chains_count(const ebm_chains *chains);

/**
 * The shape of one state. Any output may be NULL.
 *
 * Errors: HANDLE. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_shape(const ebm_chains *chains, size_t *height,
                                    size_t *width, size_t *channels);

/**
 * The states, [n, height, width, channels]. Borrowed, at the same address as
 * long as the object lives; NULL for a wrong handle.
 *
 * Errors: none. Thread safety: reading is safe while no thread writes.
 * Since: 0.1.
 */
EBM_API const float *ebm_chains_states(const ebm_chains *chains);

/**
 * The labels, int32_t [n]; borrowed as ebm_chains_states().
 *
 * Errors: none. Thread safety: as the states. Since: 0.1.
 */
EBM_API const int32_t *ebm_chains_labels(const ebm_chains *chains);

/**
 * Langevin steps that this object has been through since it was created. It
 * keys the noise, so it is never reset.
 *
 * Errors: none (0 for a wrong handle). Thread safety: as the states.
 * Since: 0.1.
 */
EBM_API uint64_t ebm_chains_step_count(const ebm_chains *chains);

/**
 * The origin of one chain.
 *
 * @param[out] origin  where the chain began.
 *
 * Errors: HANDLE, ARGUMENT, RANGE (index). Thread safety: as the states.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_chains_origin(const ebm_chains *chains, size_t index,
                                     ebm_origin *origin);

/**
 * The age of one chain: MCMC steps since its origin, in this object or before
 * it was drawn from a buffer.
 *
 * @param[out] age  in MCMC steps.
 *
 * Errors: as ebm_chains_origin(). Thread safety: as the states. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_age(const ebm_chains *chains, size_t index,
                                  uint64_t *age);

/**
 * Whether and when a chain diverged: *step is 0 for a healthy chain, else the
 * number (from 1 on, see ebm_chains_step_count()) of the step at which its
 * energy, gradient or state turned non-finite. Such a chain keeps its last
 * finite state; losses and buffers refuse it until it is restarted by an
 * init, by ebm_chains_set_states() or by a buffer's draw.
 *
 * @param[out] step  0, or the step at which it diverged.
 *
 * Errors: as ebm_chains_origin(). Thread safety: as the states. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_diverged(const ebm_chains *chains, size_t index,
                                       uint64_t *step);

/**
 * How many transitions one chain went through since it began: draws from a
 * buffer and jumps of a sampler at which at least one operation was carried
 * out on it (ebm_buffer_set_transition(), ebm_sampler_set_transition()).
 * Origin and age are as they would be without.
 *
 * @param[out] count  of transitions.
 *
 * Errors: as ebm_chains_origin(). Thread safety: as the states. Since: 0.1.
 */
EBM_API ebm_status ebm_chains_transitions(const ebm_chains *chains,
                                          size_t index, uint64_t *count);

/**
 * How many chains are marked as diverged.
 *
 * Errors: none (0 for a wrong handle). Thread safety: as the states.
 * Since: 0.1.
 */
EBM_API size_t ebm_chains_diverged_count(const ebm_chains *chains);

#ifdef __cplusplus
}
#endif

#endif
