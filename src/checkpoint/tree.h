/*
 * How a composition is made of networks, for model files: a tree as a flat
 * list, each composition before its parts. A network that appears in several
 * places is one network of the file, named by its number; a composition that
 * does is written out each time.
 */
#ifndef EBM_CHECKPOINT_TREE_H
#define EBM_CHECKPOINT_TREE_H

#include "model/composition/composition.h"
#include "model/model.h"

typedef enum ebm_node_kind {
    EBM_NODE_SUM,
    EBM_NODE_MIXTURE,
    EBM_NODE_DOWNSAMPLED,
    EBM_NODE_NEGATED,
    EBM_NODE_TEMPERED,
    EBM_NODE_KINDS,
    EBM_NODE_NETWORK = EBM_NODE_KINDS
} ebm_node_kind;

/* What a kind is called in files, and by ebm_model_ops. */
extern const char *const ebm_node_names[EBM_NODE_KINDS];

typedef struct ebm_node {
    ebm_node_kind kind;
    size_t count;       /* parts, which follow in turn; 0 for a network */
    size_t network;     /* number of the network */
    size_t factor;      /* downsampled */
    double temperature; /* tempered */
    double weight; /* its own within a sum or mixture that it is part of */
} ebm_node;

typedef struct ebm_tree {
    ebm_node *nodes; /* at most EBM_MOST_MEMBERS */
    size_t count;
} ebm_tree;

/* Networks by their numbers. */
typedef struct ebm_network_list {
    const ebm_model **models;
    size_t count;
} ebm_network_list;

/* The networks that a model is made of, each once, in the order in which they
   first appear; a network is made of itself. Free list->models.
   Errors: UNSUPPORTED (something that no file can hold), MEMORY. */
ebm_status ebm_tree_networks(const ebm_model *model, ebm_network_list *list);

size_t ebm_network_number(const ebm_network_list *list,
                          const ebm_model *network);

/* Puts the models of the networks together again. The model is the caller's;
   it holds what it needs. Errors: those of the compositions. */
ebm_status ebm_tree_make_model(const ebm_context *context,
                               const ebm_tree *tree,
                               ebm_model *const *networks, ebm_model **model);

#endif
