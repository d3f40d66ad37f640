/*
 * Compositions: values, gradients, Hessian-vector products, parameter
 * gradients and mixed derivatives, against differences of the same energies
 * in double. Directions are random, so a wrong term anywhere shows.
 */
#include "ebm_test.h"
#include "tree.h"

/* ---- Points: analytic parts, a network, a custom energy ---------------- */

static double gauss(const double *x)
{
    double a = x[0] - 0.3, b = x[1] + 0.2;
    /* C = [[1, 0.5], [0.5, 2]], C^-1 = [[2, -0.5], [-0.5, 1]] / 1.75. */
    return (2 * a * a - a * b + b * b) / 1.75 / 2;
}

static double wells(const double *x)
{
    return 0.8 * (pow(x[0] * x[0] - 1, 2) + pow(x[1] * x[1] - 1, 2));
}

static double ring(const double *x)
{
    double r = sqrt(x[0] * x[0] + x[1] * x[1]);
    return -log(exp(-(r - 1) * (r - 1) / 0.5) + exp(-(r - 2) * (r - 2) / 0.5));
}

typedef struct points {
    ebm_context *context;
    tree gauss, wells, ring, small, large, custom;
} points;

static void begin_points(points *p, int threads)
{
    const double mean[2] = {0.3, -0.2}, c[4] = {1, 0.5, 0.5, 2};
    const double radii[2] = {1, 2};
    ebm_model *model = NULL;
    p->context = test_context_threads(threads);
    assert_ok(ebm_model_create_gaussian(p->context, 2, mean, c, &model));
    tree_formula(&p->gauss, model, gauss);
    assert_ok(ebm_model_create_double_well(p->context, 2, 0.8, &model));
    tree_formula(&p->wells, model, wells);
    assert_ok(ebm_model_create_rings(p->context, 2, radii, 0.5, &model));
    tree_formula(&p->ring, model, ring);
    tree_point_network(&p->small, p->context, 2, 1);
    tree_point_network(&p->large, p->context, 4, 2);
    tree_quadratic(&p->custom, p->context, 1, 1, 2, 0.75f);
}

static void end_points(points *p)
{
    tree_free(&p->gauss);
    tree_free(&p->wells);
    tree_free(&p->ring);
    tree_free(&p->small);
    tree_free(&p->large);
    tree_free(&p->custom);
    ebm_context_destroy(p->context);
}

static void test_sums(void **state)
{
    (void)state;
    points p;
    begin_points(&p, 2);
    tree t;
    tree *parts[] = {&p.gauss, &p.small, &p.wells, &p.large, &p.ring};
    const double weights[] = {0.7, 2, -0.3, -1.5, 1};
    for (size_t count = 1; count <= 5; count++) {
        tree_sum(&t, parts, weights, count);
        tree_check(&t, count);
        tree_free(&t);
    }
    tree_sum(&t, parts, NULL, 5);
    tree_check(&t, 6);
    tree_free(&t);
    end_points(&p);
}

static void test_mixtures(void **state)
{
    (void)state;
    points p;
    begin_points(&p, 2);
    tree t;
    tree *parts[] = {&p.gauss, &p.small, &p.wells, &p.large, &p.ring};
    const double weights[] = {0.7, 2, 0.3, 1.5, 1};
    for (size_t count = 1; count <= 5; count++) {
        tree_mixture(&t, parts, weights, count);
        tree_check(&t, count);
        tree_free(&t);
    }
    tree_mixture(&t, parts, NULL, 5);
    tree_check(&t, 6);
    tree_free(&t);
    end_points(&p);
}

/* A part several times, on several floors, with other weights each time. */
static void test_nested_and_shared(void **state)
{
    (void)state;
    points p;
    begin_points(&p, 2);
    tree inner_sum, inner_mixture, cold, minus, view, whole, upside;
    tree *one[] = {&p.small, &p.gauss, &p.large};
    tree *two[] = {&p.large, &p.small, &p.ring};
    const double w[] = {1.5, 0.5, 0.25};
    tree_sum(&inner_sum, one, w, 3);
    tree_mixture(&inner_mixture, two, w, 3);
    tree_tempered(&cold, &inner_sum, 0.6);
    tree_negated(&minus, &p.large);
    tree_view(&view, &inner_mixture, 1);
    tree *all[] = {&cold, &inner_mixture, &p.small, &minus, &inner_sum, &view};
    const double weights[] = {1, 2, 0.5, 0.75, 1, 0.3};
    tree_sum(&whole, all, weights, 6);
    tree_check(&whole, 1);
    assert_int_equal(ebm_model_parameter_count(whole.model), 2 * (15 + 6));
    tree_free(&whole);
    tree_mixture(&whole, all, weights, 6);
    tree_check(&whole, 2);
    tree_negated(&upside, &whole);
    tree_check(&upside, 3);
    tree_free(&upside);
    tree_free(&whole);
    tree_free(&view);
    tree_free(&minus);
    tree_free(&cold);
    tree_free(&inner_mixture);
    tree_free(&inner_sum);
    end_points(&p);
}

/* With a part of callbacks whole batches come, and are cut for the others. */
static void test_callbacks_among_parts(void **state)
{
    (void)state;
    points p;
    begin_points(&p, 3);
    tree inner, other, whole, cold;
    tree *one[] = {&p.custom, &p.large, &p.wells};
    const double w[] = {1.5, 0.5, 0.25};
    tree_sum(&inner, one, w, 3);
    tree_check(&inner, 1);
    tree_mixture(&other, one, w, 3);
    tree_check(&other, 2);
    tree_tempered(&cold, &inner, 2);
    tree_check(&cold, 3);
    tree *all[] = {&p.small, &inner, &p.custom, &other, &cold};
    tree_sum(&whole, all, NULL, 5);
    assert_int_equal(ebm_model_slab_size(whole.model), 0);
    tree_check(&whole, 4);
    tree_free(&whole);
    tree_mixture(&whole, all, NULL, 5);
    tree_check(&whole, 5);
    tree_free(&whole);
    /* And of callbacks alone. */
    tree *twice[] = {&p.custom, &p.custom};
    tree_mixture(&whole, twice, w, 2);
    tree_check(&whole, 6);
    tree_free(&whole);
    tree_free(&cold);
    tree_free(&other);
    tree_free(&inner);
    end_points(&p);
}

/* ---- Images: scales ---------------------------------------------------- */

static void test_scales(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    tree half, other, custom, view, again, sum, large, whole;
    tree_small_network(&half, context, 3, 1);
    tree_small_network(&other, context, 2, 2);
    tree_view(&view, &half, 2);
    tree_check(&view, 1);
    tree *parts[] = {&half, &other};
    tree_mixture(&sum, parts, NULL, 2);
    tree_view(&again, &sum, 2);
    tree_check(&again, 2);
    tree_quadratic(&custom, context, 4, 3, 2, 0.5f);
    tree_view(&large, &custom, 3);
    tree_check(&large, 3);
    tree_free(&large);
    tree_free(&custom);
    tree_quadratic(&custom, context, 12, 10, 2, 0.5f);
    tree *all[] = {&view, &custom, &again};
    tree_sum(&whole, all, NULL, 3);
    tree_check(&whole, 4);
    tree_free(&whole);
    tree_free(&again);
    tree_free(&sum);
    tree_free(&view);
    tree_free(&custom);
    tree_free(&other);
    tree_free(&half);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_mixtures),
        cmocka_unit_test(test_nested_and_shared),
        cmocka_unit_test(test_callbacks_among_parts),
        cmocka_unit_test(test_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
