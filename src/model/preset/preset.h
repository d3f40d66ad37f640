/*
 * Presets: networks as tables of rows, one row of the papers' tables each.
 */
#ifndef EBM_MODEL_PRESET_PRESET_H
#define EBM_MODEL_PRESET_PRESET_H

#include <ebm/preset.h>

#include "core/object.h"

enum { EBM_PRESET_KEYS = 4, EBM_PRESET_MOST_SCALES = 3 };

/* A row of a table. Channels are multiples of the width. */
typedef enum ebm_preset_row_kind {
    EBM_ROW_END,
    EBM_ROW_SHRINK,    /* average over 3 x 3, stride 2 */
    EBM_ROW_STEM,      /* 3 x 3 convolution and swish */
    EBM_ROW_STRIDED,   /* 3 x 3 convolution, stride 2, and swish */
    EBM_ROW_WIDE,      /* 5 x 5 convolution, stride 2, padding 4, and swish */
    EBM_ROW_BLOCK,     /* residual block */
    EBM_ROW_DOWN,      /* that halves the image */
    EBM_ROW_WIDEN,     /* and doubles the channels */
    EBM_ROW_ATTENTION, /* self-attention; channels only for the reader */
    EBM_ROW_MEAN,      /* swish, global mean, dense to one number */
    EBM_ROW_DENSE      /* flatten, dense, swish, dense to one number */
} ebm_preset_row_kind;

typedef struct ebm_preset_row {
    ebm_preset_row_kind kind;
    size_t channels;
} ebm_preset_row;

/* One energy of a preset. */
typedef struct ebm_preset_scale {
    size_t factor; /* the network sees block means over factor x factor */
    const ebm_preset_row *rows;
} ebm_preset_scale;

typedef struct ebm_preset_table {
    const char *name;
    size_t height, width, channels; /* of a sample */
    size_t stem;                    /* the width that 0 stands for */
    int has_norms;                  /* residual blocks, and so classes */
    size_t scale_count;
    /* By ebm_preset_variant. */
    ebm_preset_scale scales[2][EBM_PRESET_MOST_SCALES];
} ebm_preset_table;

/* All presets; a NULL name ends the list: tables.c. */
extern const ebm_preset_table ebm_preset_tables[];

struct ebm_preset {
    ebm_object object;
    double values[EBM_PRESET_KEYS];
    const ebm_preset_table *table;
};

#endif
