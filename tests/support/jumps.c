/* A transition that counts. */
#include "jumps.h"

#include "ebm_test.h"

static int add(float *x, const int32_t *labels, size_t n, size_t height,
               size_t width, size_t channels, const uint64_t *keys, void *user)
{
    test_adder *a = user;
    (void)labels, (void)keys;
    a->calls++;
    a->images += n;
    for (size_t i = 0; i < n * height * width * channels; i++)
        x[i] += a->add;
    if (a->spoils)
        x[0] = NAN;
    if (a->called)
        a->called(a->argument);
    return a->calls == a->fail_call;
}

ebm_transition *test_adding(ebm_context *context, test_adder *a)
{
    ebm_transition *transition = NULL;
    assert_ok(ebm_transition_create_callback(context, add, a, &transition));
    return transition;
}

uint64_t test_transitions(const ebm_chains *chains, size_t i)
{
    uint64_t count = UINT64_MAX;
    assert_ok(ebm_chains_transitions(chains, i, &count));
    return count;
}
