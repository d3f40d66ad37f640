/**
 * @file buffer.h
 * The replay buffer: states of past chains, kept to go on from.
 *
 * One training iteration draws its chains from the buffer, moves them, and
 * stores them again. The literature writes back in three ways that are often
 * taken for one another; here the policy is explicit:
 *
 * - FIFO: the new states come in, the oldest go out;
 * - RESERVOIR: the buffer is a uniform sample of all states ever stored, on
 *   average very old ones;
 * - WRITE_BACK: each state returns to the slot it was drawn from: persistent
 *   chains (PCD).
 *
 * Each drawn chain is, with a set probability, fresh instead: drawn anew from
 * the buffer's source, which is what it was last filled from. States are kept
 * as float, so a round trip is exact. Origins, ages and labels travel along;
 * a state of age > 0 is drawn as persisted.
 */
#ifndef EBM_BUFFER_H
#define EBM_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/chains.h>
#include <ebm/context.h>
#include <ebm/dataset.h>
#include <ebm/export.h>
#include <ebm/option.h>
#include <ebm/status.h>
#include <ebm/transition.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A replay buffer: states, their histories, a policy and a source. */
typedef struct ebm_buffer ebm_buffer;

/** How states come back, a value of EBM_BUFFER_POLICY. */
typedef enum ebm_buffer_policy {
    /** The oldest state leaves. */
    EBM_BUFFER_FIFO = 0,
    /** State number t stays with probability capacity / t, in the place of a
        random one. */
    EBM_BUFFER_RESERVOIR = 1,
    /** Into the slot it was drawn from. */
    EBM_BUFFER_WRITE_BACK = 2,
    EBM_BUFFER_POLICY_MAX = 0x7fffffff
} ebm_buffer_policy;

/** Settings of a buffer. */
typedef enum ebm_buffer_key {
    /** An ebm_buffer_policy. Choice, initially EBM_BUFFER_FIFO. */
    EBM_BUFFER_POLICY = 0,
    /** Probability that a drawn chain is fresh. Real, 0 to 1, 0.05. */
    EBM_BUFFER_FRESH_RATE = 1,
    /** Draws after which all chains begin anew: with N > 0, before the draws
        number N + 1, 2 N + 1, ... since the buffer was created, everything it
        holds is replaced by as many states from its source. With WRITE_BACK
        this is persistent contrastive divergence with resets. 0: never.
        Integer, 0 to 1e9, 0. */
    EBM_BUFFER_RESET_INTERVAL = 2,
    EBM_BUFFER_KEY_MAX = 0x7fffffff
} ebm_buffer_key;

/** What the buffer holds at the moment. */
typedef enum ebm_buffer_statistic {
    /** States held. */
    EBM_BUFFER_STAT_SIZE = 0,
    /** States that were ever offered by store, add, fill or a reset. */
    EBM_BUFFER_STAT_SEEN = 1,
    /** Chains drawn fresh so far. */
    EBM_BUFFER_STAT_FRESH = 2,
    /** MCMC steps that the states held have lived: the mean. */
    EBM_BUFFER_STAT_AGE_MEAN = 3,
    /** The least of them. */
    EBM_BUFFER_STAT_AGE_MIN = 4,
    /** The most. */
    EBM_BUFFER_STAT_AGE_MAX = 5,
    /** ebm_buffer_store() calls since the states held were written, how out of
        date they are: the mean. */
    EBM_BUFFER_STAT_STALENESS_MEAN = 6,
    /** The most. */
    EBM_BUFFER_STAT_STALENESS_MAX = 7,
    EBM_BUFFER_STATISTIC_MAX = 0x7fffffff
} ebm_buffer_statistic;

/**
 * Creates an empty buffer for states [height, width, channels].
 *
 * @param capacity  at least 1; all its memory is allocated here.
 * @param seed      of all its draws.
 *
 * Errors: HANDLE, ARGUMENT (a size of 0), OVERFLOW, MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_create(ebm_context *context, size_t capacity,
                                     size_t height, size_t width,
                                     size_t channels, uint64_t seed,
                                     ebm_buffer **buffer);

/**
 * Gives up the caller's hold. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_buffer_destroy(ebm_buffer *buffer);

/**
 * Changes a setting. The policy can change at any time.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE.
 * Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_set(ebm_buffer *buffer, ebm_buffer_key key,
                                  double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_get(const ebm_buffer *buffer, ebm_buffer_key key,
                                  double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_option(ebm_buffer_key key, const char **name,
                                     ebm_option_kind *kind, double *minimum,
                                     double *maximum, double *initial);

/**
 * Sets the transition that every state drawn from a slot passes: a chain goes
 * on from a changed image, and the buffer keeps the old one until a store.
 * Fresh chains begin where the source says. Origin and age stay what they are
 * without; ebm_chains_transitions() counts. So do the references that an
 * entropy is measured against (ebm_loss_set_entropy_reference()) pass it. A
 * callback of it is told the labels of the states. The draws are a function of
 * the buffer's seed, the chain's stream and the number of the draw.
 *
 * @param transition  kept alive by the buffer; NULL for none.
 *
 * Errors: HANDLE, CONTEXT, those of ebm_transition_check(), STATE (a callback
 * of the transition). Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_set_transition(ebm_buffer *buffer,
                                             ebm_transition *transition);

/**
 * Empties the buffer, puts `count` uniform draws from [minimum, maximum) into
 * it (origin noise, age 0), and makes this law the source of fresh chains.
 *
 * @param count  0 to the capacity.
 * @param minimum  finite.
 * @param maximum  finite, at least minimum.
 *
 * Errors: HANDLE, RANGE (count; bounds not finite or in the wrong order).
 * Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_fill_uniform(ebm_buffer *buffer, size_t count,
                                           double minimum, double maximum);

/**
 * The same from N(mean, std^2).
 *
 * @param count  0 to the capacity.
 * @param mean   finite.
 * @param std    finite, >= 0.
 *
 * Errors: HANDLE, RANGE (count; mean or std not finite, std negative).
 * Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_fill_normal(ebm_buffer *buffer, size_t count,
                                          double mean, double std);

/**
 * The same from samples of a dataset, drawn with replacement and without
 * noise: origin data, age 0. The buffer keeps the dataset alive.
 *
 * @param count  0 to the capacity.
 *
 * Errors: HANDLE, CONTEXT, SHAPE, RANGE (count); for a dataset from a folder
 * also IO, FORMAT and MEMORY, see ebm_dataset_read(). On an error the buffer
 * is what it was.
 * Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_fill_data(ebm_buffer *buffer,
                                        ebm_dataset *dataset, size_t count);

/**
 * Adds the caller's states, age 0, as the policy says (under WRITE_BACK: into
 * free slots, then over the oldest).
 *
 * @param x       [n, height, width, channels], finite; copied.
 * @param labels  [n], or NULL for all 0.
 * @param origin  of all of them.
 *
 * Errors: HANDLE, ARGUMENT (x is NULL, n is 0, no such origin), OVERFLOW,
 * NON_FINITE.
 * Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_add(ebm_buffer *buffer, const float *x,
                                  const int32_t *labels, size_t n,
                                  ebm_origin origin);

/**
 * Restarts every chain: fresh with probability FRESH_RATE, else from a slot
 * drawn uniformly, with replacement (WRITE_BACK: without, and a fresh chain
 * takes the place of the state in its slot). Marks of divergence are cleared.
 * The chains remember this buffer and their slots.
 *
 * Drawn states then pass the transition, if one is set; fresh ones do not.
 *
 * When a reset is due (EBM_BUFFER_RESET_INTERVAL), the buffer is filled anew
 * first. Under WRITE_BACK, chains that were drawn before a reset can not be
 * stored after it.
 *
 * Errors: HANDLE, CONTEXT, SHAPE, STATE (nothing to draw from: the buffer is
 * empty, or it has no source while FRESH_RATE > 0 or a reset is due; the
 * chains are in the middle of a run or of a loss's pass), RANGE (WRITE_BACK:
 * more chains than states); when the source is a dataset from a folder also
 * IO, FORMAT and MEMORY; with a transition also SHAPE, RANGE, MEMORY, and
 * CALLBACK and NON_FINITE, where its callback failed. On an error nothing is
 * reset or drawn, except that the last two leave the chains drawn, and as the
 * buffer held them.
 * Thread safety: one thread a buffer and a chains object. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_draw(ebm_buffer *buffer, ebm_chains *chains);

/**
 * Stores every chain as the policy says.
 *
 * Errors: HANDLE, CONTEXT, SHAPE, DIVERGED (a chain is marked), STATE
 * (WRITE_BACK: the chains' last draw was not from this buffer or not under
 * this policy, or the buffer was filled, added to or stored into otherwise
 * since). On an error nothing is stored.
 * Thread safety: one thread a buffer and a chains object. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_store(ebm_buffer *buffer,
                                    const ebm_chains *chains);

/**
 * Number of states held.
 *
 * Errors: none (0 for a wrong handle). Thread safety: one thread a buffer.
 * Since: 0.1.
 */
EBM_API size_t ebm_buffer_size(const ebm_buffer *buffer);

/**
 * Copies n states, counted from the one written longest ago, starting at
 * `first`.
 *
 * @param[out] x  [n, height, width, channels].
 * @param first  0 for the oldest; first + n at most ebm_buffer_size().
 *
 * Errors: HANDLE, ARGUMENT, RANGE (beyond the end).
 * Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_read(const ebm_buffer *buffer, size_t first,
                                   size_t n, float *x);

/**
 * Reads a statistic; ages of an empty buffer are 0.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a buffer. Since: 0.1.
 */
EBM_API ebm_status ebm_buffer_get_statistic(const ebm_buffer *buffer,
                                            ebm_buffer_statistic statistic,
                                            double *value);

#ifdef __cplusplus
}
#endif

#endif
