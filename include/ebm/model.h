/**
 * @file model.h
 * Energies E(x), with p(x) = exp(-E(x)) / Z.
 *
 * A model maps n samples, float [n, height, width, channels], to n energies.
 * Networks come from network.h, energies of the caller's own from
 * ebm_model_create_custom(); all kinds answer the same calls.
 *
 * The parameters are one flat array, the gradient dL/dtheta a second one of
 * the same length, and named views say which part is what. Gradients add up
 * until ebm_optimizer_step() or ebm_model_zero_gradient() clears them.
 *
 * Low energy means likely. Every call that takes samples takes labels too:
 * int32_t [n], or NULL for a model without classes. A conditional model
 * E(x | y) needs them, in 0 .. ebm_model_class_count() - 1: NULL is
 * EBM_ERROR_ARGUMENT and a label out of range EBM_ERROR_RANGE wherever such a
 * model is used. Custom models get labels as they came, other models ignore
 * them.
 *
 * Models made of other models (composition.h) share the parameters of their
 * parts. One with several parts has no array of its own to borrow: its flat
 * parameters are the parts' one after the other, and
 * ebm_model_get_parameters() and ebm_model_set_parameters() work for all
 * kinds.
 */
#ifndef EBM_MODEL_H
#define EBM_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An energy, its parameters and their gradient. */
typedef struct ebm_model ebm_model;

/**
 * The caller's energy: writes energy[n] and grad[n, h, w, c] = dE(x_i)/dx_i
 * for n samples at once. params is the model's flat array (NULL when it has
 * none). A return value other than 0 stops the library call, which then
 * returns EBM_ERROR_CALLBACK.
 *
 * @param params  [parameter_count], the model's; NULL when it has none.
 * @param[out] energy  [n].
 * @param[out] grad    [n, height, width, channels].
 */
typedef int (*ebm_energy_grad_fn)(const float *params, const float *x,
                                  const int32_t *labels, size_t n,
                                  float *energy, float *grad, void *user);

/**
 * The caller's parameter gradient: adds sum_i scale[i] dE(x_i)/dtheta to
 * param_grad[parameter_count].
 *
 * @param params  [parameter_count].
 * @param scale   [n].
 * @param param_grad  [parameter_count], to add to.
 */
typedef int (*ebm_param_grad_fn)(const float *params, const float *x,
                                 const int32_t *labels, size_t n,
                                 const float *scale, float *param_grad,
                                 void *user);

/**
 * The caller's second derivatives, for a direction v[n, h, w, c]: writes
 * hv[n, h, w, c] = H(x_i) v_i and, when param_grad is not NULL, adds
 * sum_i scale[i] d/dtheta <grad_x E(x_i), v_i> to it.
 *
 * @param params  as above.
 * @param v       [n, height, width, channels], the directions.
 * @param scale   [n]; of no meaning without param_grad.
 * @param[out] hv     of the shape of v.
 * @param param_grad  [parameter_count] to add to, or NULL.
 */
typedef int (*ebm_tangent_fn)(const float *params, const float *x,
                              const int32_t *labels, size_t n, const float *v,
                              const float *scale, float *hv, float *param_grad,
                              void *user);

/** The table of a custom energy. Callbacks run on the thread that made the
    library call, never inside a parallel region. */
typedef struct ebm_energy_ops {
    /** sizeof(ebm_energy_ops) of the caller. */
    size_t struct_size;
    /** Length of the flat parameter array; 0 for a fixed function. */
    size_t parameter_count;
    /** Required. */
    ebm_energy_grad_fn energy_grad;
    /** Optional; without it ebm_model_backward() is UNSUPPORTED. */
    ebm_param_grad_fn param_grad;
    /** Optional; without it second derivatives are UNSUPPORTED. */
    ebm_tangent_fn tangent;
} ebm_energy_ops;

/**
 * Makes a model of the caller's functions. Parameters begin at 0.
 *
 * @param ops   copied.
 * @param user  handed to each callback; must outlive the model.
 * @param[out] model  owned by the caller.
 *
 * Errors: HANDLE, ARGUMENT (a size of 0, energy_grad missing, struct_size too
 * small), OVERFLOW, MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_create_custom(ebm_context *context, size_t height,
                                           size_t width, size_t channels,
                                           const ebm_energy_ops *ops,
                                           void *user, ebm_model **model);

/**
 * Gives up the caller's hold; objects that were given the model keep it
 * alive. NULL is allowed.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_model_destroy(ebm_model *model);

/**
 * The shape of one sample. Any output may be NULL.
 *
 * Errors: HANDLE. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_shape(const ebm_model *model, size_t *height,
                                   size_t *width, size_t *channels);

/**
 * How many samples go through the model together (see EBM_NETWORK_SLAB): the
 * unit in which chains are split over objects or processes without changing a
 * bit. 0 for a custom model, whose callbacks get whole batches, for a
 * composition with one, and for a wrong handle.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_model_slab_size(const ebm_model *model);

/**
 * Length of the flat parameter array; 0 for a wrong handle.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_model_parameter_count(const ebm_model *model);

/**
 * The flat parameter array, to read. Borrowed, at the same address as long as
 * the model lives; NULL for a wrong handle, a model without parameters, and
 * one whose parameters are those of several parts.
 *
 * Errors: none. Thread safety: reading is safe while no thread writes them.
 * Since: 0.1.
 */
EBM_API const float *ebm_model_parameters(const ebm_model *model);

/**
 * The flat gradient dL/dtheta that has added up so far. As
 * ebm_model_parameters().
 *
 * Errors: none. Thread safety: as ebm_model_parameters(). Since: 0.1.
 */
EBM_API const float *ebm_model_gradient(const ebm_model *model);

/**
 * Copies count parameters from offset on, whatever the kind of the model.
 *
 * @param offset  0 .. ebm_model_parameter_count() - count.
 * @param[out] values  [count].
 * @param count   may be 0.
 *
 * Errors: HANDLE, ARGUMENT (values is NULL), RANGE (beyond the end).
 * Thread safety: reading is safe while no thread writes them. Since: 0.1.
 */
EBM_API ebm_status ebm_model_get_parameters(const ebm_model *model,
                                            size_t offset, float *values,
                                            size_t count);

/**
 * Copies count elements of the gradient, likewise.
 *
 * @param offset, count  as there.
 * @param[out] values  [count].
 *
 * Errors: as ebm_model_get_parameters().
 * Thread safety: reading is safe while no thread adds to it. Since: 0.1.
 */
EBM_API ebm_status ebm_model_get_gradient(const ebm_model *model,
                                          size_t offset, float *values,
                                          size_t count);

/**
 * Writes count parameters from offset on. All must be finite. A count of 0
 * changes nothing.
 *
 * @param offset  0 .. ebm_model_parameter_count() - count.
 * @param values  [count], finite; copied.
 * @param count   may be 0.
 *
 * Errors: HANDLE, ARGUMENT (values is NULL), RANGE (beyond the end),
 * NON_FINITE, STATE (between begin_write and end_write).
 * Thread safety: not while another thread uses this model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_set_parameters(ebm_model *model, size_t offset,
                                            const float *values, size_t count);

/**
 * Lends the parameter array for writing, until ebm_model_end_write(). In
 * between, calls that would use the parameters are EBM_ERROR_STATE.
 *
 * @param[out] parameters  [ebm_model_parameter_count()], borrowed.
 *
 * Errors: HANDLE, ARGUMENT, STATE (already lent), UNSUPPORTED (the parameters
 * are those of several parts: borrow from each).
 * Thread safety: not while another thread uses this model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_begin_write(ebm_model *model, float **parameters);

/**
 * Takes the array back and brings up to date what is derived from it. When a
 * value is not finite the array stays lent, so that it can be mended.
 *
 * Errors: HANDLE, STATE (not lent), UNSUPPORTED (as there), NON_FINITE.
 * Thread safety: as ebm_model_begin_write(). Since: 0.1.
 */
EBM_API ebm_status ebm_model_end_write(ebm_model *model);

/**
 * Does so many rounds of power iteration on the vectors of all spectral norms
 * of the model (EBM_WEIGHTS_SPECTRAL), which changes its energies. The
 * optimizer does one in each step; this is for parameters written by hand.
 * Nothing happens in a model without spectral norm, nor in 0 rounds: chains
 * then keep their tail (EBM_SAMPLER_KEEP_STEPS).
 *
 * @param rounds  at most 1000.
 *
 * Errors: HANDLE, RANGE (rounds), STATE.
 * Thread safety: not while another thread uses this model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_iterate(ebm_model *model, size_t rounds);

/**
 * Sets the gradient to 0.
 *
 * Errors: HANDLE. Thread safety: not while another thread uses this model.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_model_zero_gradient(ebm_model *model);

/**
 * Classes of a conditional model; 0 for one that ignores labels, for a custom
 * one and for a wrong handle.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_model_class_count(const ebm_model *model);

/**
 * How many named arrays the parameters consist of.
 *
 * Errors: none (0 for a wrong handle). Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_model_view_count(const ebm_model *model);

/**
 * Describes one named array. Any output may be NULL.
 *
 * Names are those that PyTorch gives the same network as nn.Sequential:
 * "0.weight", "0.bias", ... counted over all builder calls; inside a block the
 * part stands in between, "3.conv1.weight". Shapes are this library's:
 * convolution weights [kernel, kernel, in, out], dense weights [in, out],
 * biases [out]. A custom model has one view, "parameters". The views of a
 * composition are those of its parts, with a number in front that counts the
 * parts that have parameters, each once: "1.3.conv1.weight".
 *
 * @param index        0 .. ebm_model_view_count() - 1.
 * @param[out] name    borrowed, valid while the model lives.
 * @param[out] offset  first element in the flat array.
 * @param[out] rank    1 to 4.
 * @param[out] shape   [4], the first rank elements are used, the rest are 1.
 *
 * Errors: HANDLE, RANGE (index). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_view(const ebm_model *model, size_t index,
                                  const char **name, size_t *offset,
                                  size_t *rank, size_t *shape);

/**
 * Computes energy[i] = E(x_i).
 *
 * @param x       [n, height, width, channels], finite; not aliased.
 * @param labels  [n] or NULL.
 * @param n       at least 1.
 * @param[out] energy  [n]. May be non-finite when the network overflows.
 *
 * Allocates its workspace for the time of the call. The energy of a sample
 * does not depend on what the other samples are.
 *
 * Errors: HANDLE, ARGUMENT, NON_FINITE (x), RANGE (a label), STATE (the
 * parameters are lent), OVERFLOW, MEMORY, CALLBACK.
 * Thread safety: several threads may use one model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_energy(const ebm_model *model, const float *x,
                                    const int32_t *labels, size_t n,
                                    float *energy);

/**
 * Computes energies and the input gradient, grad[i] = dE(x_i)/dx_i. No
 * parameter gradient is computed.
 *
 * @param[out] energy  [n], or NULL.
 * @param[out] grad    [n, height, width, channels]. Like the energies it may
 *                     be non-finite when the network overflows.
 *
 * Errors: as ebm_model_energy().
 * Thread safety: several threads may use one model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_energy_grad(const ebm_model *model,
                                         const float *x, const int32_t *labels,
                                         size_t n, float *energy, float *grad);

/**
 * Adds sum_i scale[i] dE(x_i)/dtheta to the model's gradient, where scale[i]
 * = dL/dE(x_i) for a loss L of the caller's.
 *
 * @param scale        [n], finite.
 * @param[out] energy  [n], or NULL.
 *
 * The gradient is changed only when the whole sum is finite; its bits do not
 * depend on the number of threads.
 *
 * Errors: as ebm_model_energy(), and NON_FINITE (scale, or the result),
 * UNSUPPORTED (a custom model without param_grad).
 * Thread safety: not while another thread uses this model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_backward(ebm_model *model, const float *x,
                                      const int32_t *labels, size_t n,
                                      const float *scale, float *energy);

/**
 * Computes Hessian-vector products, hv[i] = H(x_i) v_i with
 * H = d^2 E / dx^2, by one forward-over-reverse pass: about twice the cost of
 * ebm_model_energy_grad() and exact, no difference quotient.
 *
 * @param x        [n, height, width, channels], finite.
 * @param v        directions, of the shape of x, finite.
 * @param[out] hv  of the shape of x. May be non-finite when the network
 *                 overflows.
 *
 * Errors: as ebm_model_energy(), and UNSUPPORTED (a custom model without
 * tangent). Thread safety: several threads may use one model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_hessian_vector(const ebm_model *model,
                                            const float *x,
                                            const int32_t *labels, size_t n,
                                            const float *v, float *hv);

/**
 * Adds the mixed derivative sum_i scale[i] d/dtheta <grad_x E(x_i), v_i> to
 * the model's gradient: how a step along the energy's slope changes with the
 * parameters. H v comes out of the same pass.
 *
 * @param scale    [n], finite.
 * @param[out] hv  of the shape of x, not scaled; or NULL.
 * @param v        directions, of the shape of x, finite.
 *
 * The gradient is changed only when the whole sum is finite.
 *
 * Errors: as ebm_model_backward(). Thread safety: not while another thread
 * uses this model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_mixed_backward(ebm_model *model, const float *x,
                                            const int32_t *labels, size_t n,
                                            const float *v, const float *scale,
                                            float *hv);

/**
 * Classifies by lowest energy: labels[i] = argmin_y E(x_i | y), the smallest y
 * of equals.
 *
 * @param x             [n, height, width, channels], finite.
 * @param[out] labels   [n], or NULL.
 * @param[out] energies [n, classes], or NULL.
 *
 * Errors: as ebm_model_energy(), and UNSUPPORTED (a model without classes),
 * NON_FINITE (an energy is not finite).
 * Thread safety: several threads may use one model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_classify(const ebm_model *model, const float *x,
                                      size_t n, int32_t *labels,
                                      float *energies);

/**
 * How many parts the energy is a sum of, as reported by
 * ebm_model_part_energies(): the parts of a sum (composition.h), negated or
 * tempered too, 1 for every other kind, 0 for a wrong handle.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API size_t ebm_model_part_count(const ebm_model *model);

/**
 * Computes the energy of each part of a sum, weight included, so that the
 * parts of a sample add up to its energy: the scales of a multi-scale model.
 *
 * @param[out] energies  [n, ebm_model_part_count()].
 *
 * Errors: as ebm_model_energy().
 * Thread safety: several threads may use one model. Since: 0.1.
 */
EBM_API ebm_status ebm_model_part_energies(const ebm_model *model,
                                           const float *x,
                                           const int32_t *labels, size_t n,
                                           float *energies);

#ifdef __cplusplus
}
#endif

#endif
