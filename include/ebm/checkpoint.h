/**
 * @file checkpoint.h
 * Models in files, in the safetensors format.
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

#include <ebm/context.h>
#include <ebm/export.h>
#include <ebm/model.h>
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

#ifdef __cplusplus
}
#endif

#endif
