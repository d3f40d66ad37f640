/**
 * @file preset.h
 * The energy networks of the papers, by name.
 *
 *     ebm_preset_create(context, "du2020-cifar", &preset);
 *     ebm_preset_set(preset, EBM_PRESET_WIDTH, 8);
 *     ebm_preset_make_model(preset, seed, &model);
 *
 *     name           takes
 *     digits-small   [28, 28, 1]    four strided convolutions and two dense
 *                                   layers; 76,993 parameters at width 16
 *     du2020-mnist   [28, 28, 1]    a stem and three residual blocks
 *     du2020-cifar   [32, 32, 3]    Du et al. 2020, supplement, Table 1:
 *                                   three scales
 *     du2020-celeba  [128, 128, 3]  Table 2: three scales
 *
 * A network of several scales is a sum (composition.h) of one energy for each,
 * full resolution first.
 *
 * docs/presets.md lists the rows, and where the paper and its code differ.
 */
#ifndef EBM_PRESET_H
#define EBM_PRESET_H

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

/** A preset with its settings. */
typedef struct ebm_preset ebm_preset;

/** Whose word counts where the paper and the published code differ. */
typedef enum ebm_preset_variant {
    /** Group norm of min(32, C / 2) groups, plain weights; the lower scales
        see block means, and lack the first or the first two blocks that halve
        the image. */
    EBM_PRESET_PAPER = 0,
    /** Instance norm up to 128 channels and group norm of 32 groups above,
        standardised weights in blocks; the lower scales see averages over
        3 x 3 with stride 2, and lack the last blocks. */
    EBM_PRESET_CODE = 1,
    EBM_PRESET_VARIANT_MAX = 0x7fffffff
} ebm_preset_variant;

/** Settings of a preset. */
typedef enum ebm_preset_key {
    /** Channels of the stem; 0: the preset's own (16 for digits-small, 64 for
        the others). Integer, 0 to 4096, 0. */
    EBM_PRESET_WIDTH = 0,
    /** An ebm_preset_variant. Choice, initially EBM_PRESET_PAPER. */
    EBM_PRESET_VARIANT = 1,
    /** Classes of a conditional energy, or 0. Integer, 0 to 65536, 0. Not for
        digits-small. */
    EBM_PRESET_CLASSES = 2,
    /** How many scales, from the full one down; 0: all that the preset has.
        Integer, 0 to 3, 0. */
    EBM_PRESET_SCALES = 3,
    EBM_PRESET_KEY_MAX = 0x7fffffff
} ebm_preset_key;

/**
 * The name of preset number index, from 0; NULL beyond the last.
 *
 * @param index  from 0 on.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API const char *ebm_preset_name(size_t index);

/**
 * Begins with a preset.
 *
 * @param name  one of the table above.
 *
 * Errors: HANDLE, ARGUMENT (NULL, no such name), MEMORY.
 * Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_preset_create(ebm_context *context, const char *name,
                                     ebm_preset **preset);

/**
 * NULL is allowed; models made from it live on.
 *
 * Errors: none. Thread safety: not while another thread uses this handle.
 * Since: 0.1.
 */
EBM_API void ebm_preset_destroy(ebm_preset *preset);

/**
 * Changes a setting.
 *
 * Errors: HANDLE, ARGUMENT (unknown key), RANGE, UNSUPPORTED (a setting that
 * this preset does not have). Thread safety: one thread a preset. Since: 0.1.
 */
EBM_API ebm_status ebm_preset_set(ebm_preset *preset, ebm_preset_key key,
                                  double value);

/**
 * Reads a setting.
 *
 * Errors: HANDLE, ARGUMENT. Thread safety: one thread a preset. Since: 0.1.
 */
EBM_API ebm_status ebm_preset_get(const ebm_preset *preset, ebm_preset_key key,
                                  double *value);

/**
 * Describes a setting, see ebm_context_option().
 *
 * Errors: ARGUMENT (unknown key). Thread safety: any thread. Since: 0.1.
 */
EBM_API ebm_status ebm_preset_option(ebm_preset_key key, const char **name,
                                     ebm_option_kind *kind, double *minimum,
                                     double *maximum, double *initial);

/**
 * Makes the model, with parameters of that seed.
 *
 * Errors: HANDLE, ARGUMENT, SHAPE (a width that the layers can not have; the
 * text names the layer), OVERFLOW, MEMORY. Thread safety: one thread a preset.
 * Since: 0.1.
 */
EBM_API ebm_status ebm_preset_make_model(const ebm_preset *preset,
                                         uint64_t seed, ebm_model **model);

#ifdef __cplusplus
}
#endif

#endif
