/*
 * Energies made of energies once more, in double, by their definitions. A tree
 * has a value and no derivatives of its own: those of the library are held
 * against differences of it, in samples and parameters.
 */
#ifndef EBM_TEST_TREE_H
#define EBM_TEST_TREE_H

#include <ebm/ebm.h>

#include "quadratic.h"
#include "reference.h"

enum { TREE_PARTS = 8, TREE_LEAVES = 8, TREE_LARGEST = 12 * 10 * 2 };

typedef enum tree_kind {
    TREE_NETWORK,
    TREE_QUADRATIC, /* a custom energy, theta |x|^2 / 2 */
    TREE_FORMULA,   /* without parameters */
    TREE_SUM,
    TREE_MIXTURE,
    TREE_TIMES, /* negated or tempered */
    TREE_VIEW
} tree_kind;

/* The caller makes the models of the leaves; one leaf may be in a tree several
   times. */
typedef struct tree {
    tree_kind kind;
    ebm_model *model;
    size_t height, width, channels;
    struct tree *parts[TREE_PARTS];
    size_t count, factor;
    double weights[TREE_PARTS];
    double (*formula)(const double *x);
    ref_network ref;
    test_quadratic quadratic;
    double theta;
    double *direction; /* in the order of the parameters here */
} tree;

/* A direction in all parameters of a tree. */
typedef struct tree_leaves {
    tree *leaves[TREE_LEAVES];
    size_t count;
} tree_leaves;

void tree_small_network(tree *t, ebm_context *context, size_t slab,
                        uint64_t seed);
/* The same of points [1, 1, 2]. */
void tree_point_network(tree *t, ebm_context *context, size_t slab,
                        uint64_t seed);
void tree_quadratic(tree *t, ebm_context *context, size_t height, size_t width,
                    size_t channels, float theta);
void tree_formula(tree *t, ebm_model *model,
                  double (*formula)(const double *x));

/* Weights NULL: all 1. */
void tree_sum(tree *t, tree **parts, const double *weights, size_t count);
void tree_mixture(tree *t, tree **parts, const double *weights, size_t count);
void tree_negated(tree *t, tree *part);
void tree_tempered(tree *t, tree *part, double temperature);
void tree_view(tree *t, tree *part, size_t factor);
/* Gives up the model and what belongs to it, not the parts. */
void tree_free(tree *t);

size_t tree_size(const tree *t);
double tree_energy(const tree *t, const double *x);

/* All leaves with parameters, each once. */
tree_leaves tree_find_leaves(tree *t);

/* Draws a direction; moves all parameters along it by that much; the library's
   gradient along it. */
void tree_draw_direction(tree_leaves *leaves, uint64_t *random);
void tree_move(tree_leaves *leaves, double by);
double tree_slope(const tree_leaves *leaves);
double tree_gradient_norm(const tree_leaves *leaves);

/* Holds energies, gradients, Hessian-vector products, parameter gradients and
   mixed derivatives of the library against differences of tree_energy(), on a
   few random samples of at most TREE_LARGEST elements along random
   directions. Leaves all gradients at 0. */
void tree_check(tree *t, uint64_t seed);

#endif
