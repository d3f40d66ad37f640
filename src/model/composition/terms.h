/*
 * Sums and mixtures from the inside: their passes (terms.c) and the memory for
 * them (terms_memory.c).
 */
#ifndef EBM_MODEL_COMPOSITION_TERMS_H
#define EBM_MODEL_COMPOSITION_TERMS_H

#include "model/composition/composition.h"

/* A pass's arrays. Rows are `stride` apart, samples of a part's gradient
   [n, size]. */
typedef struct ebm_terms_arrays {
    size_t stride;
    float *energies;  /* [parts, stride] */
    double *shares;   /* [parts, stride] */
    double *dots;     /* [parts, stride]: E_k', then r_k' */
    float *gradients; /* [parts, n, size], or one for all */
    float *scales;    /* [part_count, stride]: what the caller answers */
    float *given;     /* [stride]: one part's */
    float *hv;        /* [n, size]: one part's */
    float *workspace; /* of parts that run one after the other */
    float *own[EBM_MOST_PARTS]; /* of nested ones */
} ebm_terms_arrays;

static inline int ebm_is_trained(const ebm_model *part)
{
    return part->parameter_count > 0;
}

/* The arrays of the whole; returns their floats. The parts' workspaces come
   last, so that a pass need not know their sizes: to ask for one walks through
   all that a part is made of, and each level of a nest would do so again. */
size_t ebm_terms_lay_out(const ebm_model *model, ebm_pass_mode mode, size_t n,
                         float *workspace, ebm_terms_arrays *a);

/* Where the workspaces of parts that nest lie, for n samples. The part with
   most members is last, as its size does not matter there: so no member is
   asked more than log2(members) times, however deep it stands. */
void ebm_terms_place_nested(const ebm_model *model, size_t n,
                            ebm_terms_arrays *a);

#endif
