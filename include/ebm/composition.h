/**
 * @file composition.h
 * Energies made of energies: sums, mixtures, views at lower resolution.
 *
 * Adding energies multiplies densities: a sum is a product of experts, "and".
 * A mixture adds densities, "or". A negative weight turns an expert round,
 * "not". Each composition is an ordinary model and can be part of another.
 *
 * Parts are shared, not copied: a composition keeps a reference to each,
 * trains their parameters in place, and one part may be in several
 * compositions, or several times in one. Its flat parameters are those of its
 * parts in the order in which they first appear, each once.
 *
 * A composition can do what all of its parts can: without a part's parameter
 * gradient or second derivatives it has none either. A part without parameters
 * needs no parameter gradient. With a custom energy among the parts, however
 * deep, the whole has slab 0 and computes on the calling thread; where there
 * is a network too, its callbacks get a batch in pieces of the smallest slab,
 * cut by row: a sample's place in a slab is its row, not its stream, so a
 * chain alone may differ in last bits from the same chain in a batch.
 *
 * Counting a model for each time that it appears, at most 512 stand in one
 * composition, itself included; beyond that is EBM_ERROR_RANGE.
 */
#ifndef EBM_COMPOSITION_H
#define EBM_COMPOSITION_H

#include <stddef.h>

#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * E(x) = sum_k weights[k] E_k(x), the product of experts.
 *
 * @param parts    [count], all of one shape and one context.
 * @param weights  [count], finite, not 0; NULL: all 1.
 * @param count    1 to 64.
 * @param[out] model  owned by the caller.
 *
 * ebm_model_part_energies() gives the parts one by one; a sum within a sum
 * counts as one part. The model is conditional if a part is. Labels go to all
 * parts.
 *
 * Errors: HANDLE, ARGUMENT (NULL, count; parts of different numbers of
 * classes), CONTEXT, SHAPE, RANGE (a weight, the nesting), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_sum(ebm_model *const *parts,
                                        const double *weights, size_t count,
                                        ebm_model **model);

/**
 * E(x) = -log sum_k weights[k] exp(-E_k(x)): the density is the parts' added,
 * each unnormalised as it is.
 *
 * @param weights  [count], finite, greater than 0; NULL: all 1.
 * @param parts    as for a sum.
 * @param count    1 to 64.
 *
 * Its gradient is that of the parts, weighted by the share
 * r_k = weights[k] exp(E(x) - E_k(x)) that each has in x. As the shares move
 * with the parameters, its second derivatives need the parameter gradients of
 * all parts too. A part whose energy is infinite has no share, but its mixed
 * derivative is not finite: ebm_model_mixed_backward() is NON_FINITE there.
 *
 * Errors: as ebm_model_create_sum(). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_mixture(ebm_model *const *parts,
                                            const double *weights,
                                            size_t count, ebm_model **model);

/**
 * E(x) = E_0(mean of x over factor x factor pixels): a model of small images,
 * seen by larger ones. The new model takes [factor height, factor width,
 * channels].
 *
 * @param factor  1 to 64.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (factor, the nesting), OVERFLOW,
 * MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_downsampled(ebm_model *part, size_t factor,
                                                ebm_model **model);

/**
 * E(x) = -E_0(x): what was likely is not. The parts of a sum stay its parts,
 * each negated.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (the nesting), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_negated(ebm_model *part,
                                            ebm_model **model);

/**
 * E(x) = E_0(x) / temperature. The parts of a sum stay its parts, each
 * divided.
 *
 * @param temperature  finite, greater than 0, as its inverse.
 *
 * Errors: HANDLE, ARGUMENT (NULL), RANGE (temperature, the nesting), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_tempered(ebm_model *part,
                                             double temperature,
                                             ebm_model **model);

#ifdef __cplusplus
}
#endif

#endif
