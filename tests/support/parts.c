/* Small models to compose. */
#include "parts.h"

#include "ebm_test.h"

ebm_model *test_part_points(ebm_context *context, size_t size)
{
    ebm_model *model = NULL;
    assert_ok(ebm_model_create_double_well(context, size, 1, &model));
    return model;
}

ebm_model *test_part_custom(ebm_context *context, test_quadratic *q)
{
    const float theta = 0.5f;
    ebm_model *model = NULL;
    q->size = TEST_PART_SIZE;
    assert_ok(ebm_model_create_custom(context, 1, 1, TEST_PART_SIZE,
                                      &test_quadratic_ops, q, &model));
    assert_ok(ebm_model_set_parameters(model, 0, &theta, 1));
    return model;
}

ebm_model *test_part_network(ebm_context *context, size_t slab, size_t classes)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    uint64_t random = classes + 1;
    assert_ok(ebm_network_create(context, 1, 1, TEST_PART_SIZE, &net));
    assert_ok(ebm_network_set(net, EBM_NETWORK_SLAB, (double)slab));
    assert_ok(ebm_network_conv2d(net, 4, 1, 1, 0));
    if (classes)
        assert_ok(ebm_network_class_affine(net, classes));
    assert_ok(ebm_network_swish(net));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, 1, &model));
    ebm_network_destroy(net);
    size_t n = ebm_model_parameter_count(model);
    float *theta = test_floats(n);
    test_fill_normal(&random, theta, n, 0.5);
    assert_ok(ebm_model_set_parameters(model, 0, theta, n));
    free(theta);
    return model;
}

void test_part_fill(float *x, size_t n)
{
    uint64_t random = 3;
    test_fill_uniform(&random, x, n, -1, 1);
}
