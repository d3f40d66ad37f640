/*
 * Losses from the inside: the table of kinds, and the KL term.
 */
#ifndef EBM_LOSS_LOSS_H
#define EBM_LOSS_LOSS_H

#include <ebm/loss.h>

#include "core/object.h"
#include "loss/entropy.h"
#include "model/gradient_sum.h"

enum { EBM_LOSS_KEYS = 9 };

/* A set of origins. */
#define EBM_ORIGIN_BIT(origin) (1u << (unsigned)(origin))

/* One kind of loss; the row's index in the table is the enumerator. */
typedef struct ebm_loss_row {
    const char *name;
    unsigned origins; /* those that its chains may have; a KL term on its own
                         goes by its direction instead */
    const char *why;  /* what chains of the others make of it */
    int has_phases;   /* L+ and L- */
    int has_kl;       /* L_opt and L_ent */
    ebm_kl_direction direction; /* the only one, or EBM_KL_UNSET */
} ebm_loss_row;

/* Energies of a batch. */
typedef struct ebm_energies {
    float *values; /* [held]; n after a call, or n rows of `parts` and then
                      the n sums */
    size_t held;
    size_t parts; /* that the statistics are over, for each sample */
    double mean, std, mean_square;
} ebm_energies;

/* The KL term: what the entropy is measured against, and its workspace. */
typedef struct ebm_kl_term {
    ebm_buffer *buffer; /* referred to; NULL: the array, or the batch itself */
    float *reference;   /* [count, size] of the caller's, or buffer draws */
    size_t held;        /* floats of reference */
    size_t count, size;
    float *energies; /* [energies_held] */
    size_t energies_held;
    float *adjoint; /* [adjoint_held] dL/dx of the final states */
    size_t adjoint_held;
    float *entropy_grad;
    size_t entropy_grad_held;
    ebm_slab_memory memory; /* for grad E of the final states */
    ebm_nearest_workspace entropy;

    /* What the last call computed. */
    double opt, ent;
    size_t near_copies;
    int has_drawn; /* a reference from the buffer */
} ebm_kl_term;

struct ebm_loss {
    ebm_object object;
    const ebm_loss_row *kind;
    double values[EBM_LOSS_KEYS];
    int is_running; /* a callback must not begin another pass */

    /* Workspace, kept between calls and made anew for a model of another
       size. No model is referred to: its own call hands it in. */
    ebm_gradient_sum *sum;
    ebm_energies data, chains;
    ebm_kl_term kl;
};

/* Parts that the loss takes the mean over: 1 unless EBM_LOSS_PARTS says so. */
static inline size_t ebm_loss_part_count(const ebm_loss *loss,
                                         const ebm_model *model)
{
    return loss->values[EBM_LOSS_PARTS] == EBM_PARTS_MEAN ? model->part_count
                                                          : 1;
}

/* STATE with a text while the loss is in a pass. */
ebm_status ebm_loss_check_idle(const ebm_loss *loss);

/* Frees what the KL term holds. */
void ebm_kl_finish(ebm_loss *loss);

/* All that can be wrong with the KL term before anything is computed. */
ebm_status ebm_kl_check(const ebm_loss *loss, const ebm_model *model,
                        const ebm_chains *chains);

/* Computes the terms whose weights are not 0 and adds the gradient of
   +-(opt_weight L_opt + ent_weight L_ent) to the loss's sum. */
ebm_status ebm_kl_add(ebm_loss *loss, const ebm_model *model,
                      const ebm_chains *chains);

/* A call of which ebm_kl_add() was a part has failed: takes back the buffer's
   count of reference draws, so that the call has changed nothing. */
void ebm_kl_undo(ebm_loss *loss);

/* Writes the term into a report and returns what it adds to the total. */
double ebm_kl_report(const ebm_loss *loss, ebm_report *report);

#endif
