/* The networks that several tests use. */
#include "reference.h"

void ref_digits(ref_network *ref)
{
    ref_begin(ref, 28, 28, 1);
    ref_conv2d(ref, 16, 5, 2, 4, 1);
    ref_swish(ref);
    ref_conv2d(ref, 32, 3, 2, 1, 1);
    ref_swish(ref);
    ref_conv2d(ref, 64, 3, 2, 1, 1);
    ref_swish(ref);
    ref_conv2d(ref, 64, 3, 2, 1, 1);
    ref_swish(ref);
    ref_flatten(ref);
    ref_dense(ref, 64, 1);
    ref_swish(ref);
    ref_dense(ref, 1, 1);
}

const size_t ref_convolutions[REF_CONVOLUTIONS][7] = {
    {6, 6, 1, 1, 1, 1, 0},   {6, 6, 3, 5, 1, 1, 0},    {7, 5, 3, 4, 1, 2, 0},
    {5, 9, 2, 3, 1, 3, 0},   {8, 8, 1, 4, 3, 1, 1},    {9, 7, 3, 5, 3, 2, 1},
    {6, 10, 2, 7, 2, 2, 0},  {7, 7, 3, 3, 4, 2, 3},    {8, 8, 2, 2, 2, 3, 1},
    {9, 11, 3, 4, 2, 5, 0},  {11, 6, 5, 9, 5, 2, 4},   {3, 3, 7, 13, 3, 1, 2},
    {1, 1, 3, 5, 1, 1, 0},   {1, 9, 2, 3, 3, 1, 2},    {4, 4, 16, 17, 4, 1, 0},
    {6, 5, 33, 31, 3, 1, 1}, {28, 28, 1, 16, 5, 2, 4}, {10, 10, 4, 6, 6, 4, 5},
};

void ref_mixed(ref_network *ref, int bias)
{
    ref_begin(ref, 13, 9, 3);
    ref_conv2d(ref, 7, 3, 1, 1, bias);
    ref_relu(ref);
    ref_conv2d(ref, 12, 4, 2, 2, bias);
    ref_leaky_relu(ref, 0.1);
    ref_conv2d(ref, 5, 1, 1, 0, bias);
    ref_swish(ref);
    ref_conv2d(ref, 6, 2, 3, 1, !bias);
    ref_flatten(ref);
    ref_leaky_relu(ref, 0.3);
    ref_dense(ref, 11, bias);
    ref_swish(ref);
    ref_dense(ref, 1, bias);
}

void ref_small(ref_network *ref)
{
    ref_begin(ref, 6, 5, 2);
    ref_conv2d(ref, 7, 3, 1, 1, 1);
    ref_swish(ref);
    ref_conv2d(ref, 8, 3, 2, 1, 1);
    ref_swish(ref);
    ref_flatten(ref);
    ref_dense(ref, 1, 1);
}

ebm_model *ref_small_model(ebm_context *context, size_t slab, uint64_t seed)
{
    ref_network ref;
    ref_small(&ref);
    ebm_model *model = ref_model(&ref, context, slab, seed);
    ref_free(&ref);
    return model;
}
