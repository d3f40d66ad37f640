/*
 * Losses from the inside: the table of kinds.
 */
#ifndef EBM_LOSS_LOSS_H
#define EBM_LOSS_LOSS_H

#include <ebm/loss.h>

#include "core/object.h"
#include "model/gradient_sum.h"

enum { EBM_LOSS_KEYS = 2 };

/* A set of origins. */
#define EBM_ORIGIN_BIT(origin) (1u << (unsigned)(origin))

/* One kind of loss; the row's index in the table is the enumerator. */
typedef struct ebm_loss_row {
    const char *name;
    unsigned origins; /* those that its chains may have */
    const char *why;  /* what chains of the others make of it */
} ebm_loss_row;

/* Energies of a batch. */
typedef struct ebm_energies {
    float *values; /* [held], at least n after a call */
    size_t held;
    double mean, std, mean_square;
} ebm_energies;

struct ebm_loss {
    ebm_object object;
    const ebm_loss_row *kind;
    double values[EBM_LOSS_KEYS];

    /* Workspace, kept between calls and made anew for a model of another
       size. No model is referred to: its own call hands it in. */
    ebm_gradient_sum *sum;
    ebm_energies data, chains;
};

#endif
