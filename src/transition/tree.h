/*
 * How transitions are put together, and the plan that a tree becomes.
 */
#ifndef EBM_TRANSITION_TREE_H
#define EBM_TRANSITION_TREE_H

#include "transition/transition.h"

/* A handle with the initial settings of its kind, without parts; NULL when
   memory runs out. */
ebm_transition *ebm_transition_make(ebm_context *context,
                                    ebm_transition_kind kind);

/* A node of the tree as an application sees it. The first part of an inner
   node is the next node; the node after a subtree is its `end`. */
typedef struct ebm_plan_node {
    const ebm_transition *transition;
    const ebm_transition_ops *ops; /* NULL for inner nodes and callbacks */
    int is_skipped;                /* nothing to do here or below */
    size_t end;
    double values[EBM_TRANSITION_KEYS];
    uint64_t applied, folded; /* of this application */
} ebm_plan_node;

struct ebm_plan {
    size_t count;
    int has_callbacks;
    ebm_plan_node nodes[EBM_TRANSITION_NODES];
};

/* Whether a transition does nothing, whatever is drawn. */
int ebm_transition_is_idle(const ebm_transition *transition);

/* Whether a callback stands in the tree. */
int ebm_transition_has_callbacks(const ebm_transition *transition);

/* Writes the tree into the plan, depth first. */
void ebm_plan_build(ebm_plan *plan, const ebm_transition *transition);

#endif
