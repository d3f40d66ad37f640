/**
 * @file checkpoint.h
 * Models and whole training runs in files, in the safetensors format.
 *
 * ebm_model_save() writes a model that a file alone brings back. A checkpoint
 * holds all that a run remembers, for a program that stops and goes on as if
 * it had not: see ebm_checkpoint_load().
 *
 * The tensors carry PyTorch's names and shapes: convolution weights [out, in,
 * kernel, kernel], dense weights [out, in] with the columns after a flatten
 * in PyTorch's order (channel, row, column), biases [out]; so
 * nn.Sequential.load_state_dict() takes them as they are. The layer list
 * stands in the header's __metadata__, so a file alone rebuilds the model;
 * docs/model-files.md has all names and keys.
 *
 * The slab size is not part of the file: a model that was built with its own
 * EBM_NETWORK_SLAB may lose its last bits.
 *
 * Files are written beside the target under a temporary name, flushed to the
 * disk and renamed (a symbolic link at the target is replaced), and they are
 * read as hostile: every length is checked before memory is asked for.
 */
#ifndef EBM_CHECKPOINT_H
#define EBM_CHECKPOINT_H

#include <stdint.h>

#include <ebm/buffer.h>
#include <ebm/chains.h>
#include <ebm/context.h>
#include <ebm/dataset.h>
#include <ebm/export.h>
#include <ebm/model.h>
#include <ebm/optimizer.h>
#include <ebm/sampler.h>
#include <ebm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes a network, or a composition of networks (composition.h), with the
 * vectors of its spectral norms. On an error an older file at the path stays
 * whole.
 *
 * Errors: HANDLE, ARGUMENT (path is NULL), UNSUPPORTED (a part that is no
 * network: analytic, or of callbacks; or more layers than a header of 1 MiB
 * describes), STATE (the parameters are lent), NON_FINITE (a parameter: such a
 * file could not be loaded), IO, MEMORY.
 * Thread safety: several threads may save one model, each to its own path.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_model_save(const ebm_model *model, const char *path);

/**
 * Reads a model that ebm_model_save() wrote; same parameters to the bit. A
 * network that is in several places of a composition is one again.
 *
 * Errors: HANDLE, ARGUMENT (NULL), IO, FORMAT (not such a file, truncated,
 * lengths that contradict each other, layers that this version does not know,
 * tensors missing, left over or of another shape), NON_FINITE (a parameter),
 * OVERFLOW, MEMORY. Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_model_load(ebm_context *context, const char *path,
                                  ebm_model **model);

/** Objects of a run, by name, and numbers of the program's own. */
typedef struct ebm_checkpoint ebm_checkpoint;

/**
 * Makes an empty checkpoint. Objects are added once, when they are built, and
 * the checkpoint keeps a reference to each; then it is saved as often as one
 * likes, or loaded.
 *
 *     ebm_checkpoint_create(context, &run);
 *     ebm_checkpoint_add_dataset(run, "data", images);
 *     ebm_checkpoint_add_model(run, "model", model);
 *     ebm_checkpoint_add_optimizer(run, "adam", adam);
 *     ebm_checkpoint_add_buffer(run, "buffer", buffer);
 *     ebm_checkpoint_add_chains(run, "chains", chains);
 *     ...
 *     ebm_checkpoint_set_number(run, "iteration", done);
 *     ebm_checkpoint_save(run, "run.safetensors");
 *
 * Reports and losses hold nothing that outlives a call (the states that an
 * entropy is measured against are counted by their buffer), and transitions
 * draw by the counters of whoever applies them.
 *
 * Errors: HANDLE, ARGUMENT (NULL), MEMORY.
 * Thread safety: any thread; one checkpoint is for one thread at a time.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_create(ebm_context *context,
                                         ebm_checkpoint **checkpoint);

/**
 * Gives a checkpoint up, and its references. NULL is fine.
 *
 * Errors: none. Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API void ebm_checkpoint_destroy(ebm_checkpoint *checkpoint);

/**
 * Adds a model of any kind: its parameters and the vectors of its spectral
 * norms. In the file its tensors have PyTorch's names and shapes, as in a
 * model's own file, behind the name and a point: "model.0.weight". The
 * parameters of what is no network are one tensor "model.parameters".
 *
 * @param name  1 to 32 letters, digits, "-" and "_"; another one for each
 *              object.
 *
 * Errors: HANDLE, CONTEXT, ARGUMENT (name, or the object is in it already),
 * UNSUPPORTED (more than 256 objects), MEMORY.
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_add_model(ebm_checkpoint *checkpoint,
                                            const char *name,
                                            ebm_model *model);

/**
 * Adds an optimizer: its moments and average, in the shapes of the parameters,
 * its count of steps, and whether the average is in the model's place. The
 * model is added by itself.
 *
 * @param name  as of a model.
 *
 * Errors: as ebm_checkpoint_add_model().
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_add_optimizer(ebm_checkpoint *checkpoint,
                                                const char *name,
                                                ebm_optimizer *optimizer);

/**
 * Adds a replay buffer: its states with origins, ages and labels, seed and
 * counters, and the law of fresh states. Where these are from a dataset, the
 * program that loads gives it: it calls ebm_buffer_fill_data() before, with a
 * count of 0 if it likes.
 *
 * @param name  as of a model.
 *
 * Errors: as ebm_checkpoint_add_model().
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_add_buffer(ebm_checkpoint *checkpoint,
                                             const char *name,
                                             ebm_buffer *buffer);

/**
 * Adds chains: states, origins, ages, labels, marks of divergence, seed, first
 * stream, count of steps; and their slots in the buffer of their last draw, if
 * that is in the checkpoint too. The tail of a run (EBM_SAMPLER_KEEP_STEPS) is
 * not kept.
 *
 * @param name  as of a model.
 *
 * Errors: as ebm_checkpoint_add_model().
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_add_chains(ebm_checkpoint *checkpoint,
                                             const char *name,
                                             ebm_chains *chains);

/**
 * Adds a dataset: seed, epoch, and position in the epoch's order. The samples
 * are not in the file; a dataset of another count or shape is refused.
 *
 * @param name  as of a model.
 *
 * Errors: as ebm_checkpoint_add_model().
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_add_dataset(ebm_checkpoint *checkpoint,
                                              const char *name,
                                              ebm_dataset *dataset);

/**
 * Adds a sampler: where its warm-up is, and the step size that this has come
 * to. One without EBM_SAMPLER_WARMUP_STEPS remembers nothing and need not be
 * added.
 *
 * @param name  as of a model.
 *
 * Errors: as ebm_checkpoint_add_model().
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_add_sampler(ebm_checkpoint *checkpoint,
                                              const char *name,
                                              ebm_sampler *sampler);

/**
 * Sets a number of the program's own.
 *
 * @param name   as of an object, and apart from theirs.
 * @param value  kept with all 64 bits.
 *
 * Errors: HANDLE, ARGUMENT (name), UNSUPPORTED (more than 256), MEMORY.
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_set_number(ebm_checkpoint *checkpoint,
                                             const char *name, uint64_t value);

/**
 * A number that was set, or loaded.
 *
 * @param name        as it was set.
 * @param[out] value  the number.
 *
 * Errors: HANDLE, ARGUMENT (name, NULL), NOT_COMPUTED (there is none).
 * Thread safety: as ebm_checkpoint_create(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_get_number(const ebm_checkpoint *checkpoint,
                                             const char *name,
                                             uint64_t *value);

/**
 * Writes all objects and numbers as they are now; equal content gives equal
 * bytes. To be called between iterations, not from a callback. On an error an
 * older file at the path stays whole; a process that is killed leaves the old
 * file or the new one.
 *
 * Errors: HANDLE, ARGUMENT (path is NULL), STATE (an object is in the middle
 * of a run, a draw or a write, or a gradient waits for its step, which is not
 * kept), NON_FINITE (a state or a parameter), UNSUPPORTED (a header of more
 * than 1 MiB), OVERFLOW (a name of a tensor), IO, MEMORY.
 * Thread safety: no other call may change the objects meanwhile. Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_save(const ebm_checkpoint *checkpoint,
                                       const char *path);

/**
 * Puts everything back. The program builds its objects as for a new run, with
 * the same settings (which are not in the file) and adds them by the same
 * names; after loading, each goes on as the one that was saved would have, to
 * the bit and on any number of threads. Seeds are those of the file. The
 * checkpoint's numbers become those of the file. All or nothing: on an error
 * every object is as it was.
 *
 * Errors: HANDLE, ARGUMENT (path is NULL), IO, FORMAT (no checkpoint, or a
 * damaged one), NON_FINITE (in the file), SHAPE (the file has other objects,
 * or of other kinds, sizes or layers), STATE (an object is in the middle of
 * something; the file has an average and the optimizer no
 * EBM_OPTIMIZER_EMA_DECAY; a buffer lacks its dataset), OVERFLOW, MEMORY.
 * Thread safety: as ebm_checkpoint_save(). Since: 0.1.
 */
EBM_API ebm_status ebm_checkpoint_load(ebm_checkpoint *checkpoint,
                                       const char *path);

#ifdef __cplusplus
}
#endif

#endif
