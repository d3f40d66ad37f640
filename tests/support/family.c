/* A sum for the tests of compositions. */
#include "family.h"

#include "ebm_test.h"

void family_begin(family *f, int threads, int custom)
{
    static const double weights[] = {1, 0.5, -0.25};
    f->context = test_context_threads(threads);
    f->random = 1;
    tree_small_network(&f->a, f->context, 2, 1);
    tree_small_network(&f->b, f->context, 4, 2);
    tree *pair[] = {&f->b, &f->a};
    if (custom)
        tree_quadratic(&f->extra, f->context, 6, 5, 2, 0.125f);
    else
        tree_negated(&f->extra, &f->b);
    tree_mixture(&f->inner, pair, NULL, 2);
    tree *parts[] = {&f->a, &f->inner, &f->extra};
    tree_sum(&f->whole, parts, weights, 3);
    test_fill_uniform(&f->random, f->x, FAMILY_N * FAMILY_SIZE, -1, 1);
    test_fill_normal(&f->random, f->v, FAMILY_N * FAMILY_SIZE, 1);
    test_fill_uniform(&f->random, f->scale, FAMILY_N, -1, 1);
}

void family_end(family *f)
{
    tree_free(&f->a);
    tree_free(&f->inner);
    tree_free(&f->extra);
    tree_free(&f->b);
    tree_free(&f->whole);
    ebm_context_destroy(f->context);
}
