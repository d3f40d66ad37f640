/* The tail of a trajectory: how much memory it takes, and that nothing else
   grows with the number of steps. */
#include "ebm_test.h"
#include "reference.h"

/* Peak bytes of a run of m steps and the gradient of L_opt through all of
   them; two rounds, since workspace is kept. */
static size_t peak(size_t batch, int m, int threads)
{
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    ref_network ref;
    ref_digits(&ref);
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, threads));
    ebm_model *model = ref_model(&ref, context, 0, 1);
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    ebm_loss *loss = NULL;
    ref_free(&ref);
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, m));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, m));
    assert_ok(ebm_chains_create(context, batch, 28, 28, 1, 1, &chains));
    assert_ok(ebm_loss_create(context, EBM_LOSS_KL, &loss));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ENT_WEIGHT, 0));
    for (int round = 0; round < (batch > 16 ? 1 : 2); round++) {
        assert_ok(ebm_chains_init_uniform(chains, -1, 1));
        assert_ok(ebm_sampler_run(sampler, model, chains));
        assert_ok(ebm_loss_backward(loss, model, NULL, NULL, 0, chains, NULL));
    }
    ebm_loss_destroy(loss);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
    return memory.peak_bytes;
}

/* 5 bytes an element and kept step, a float a step, and the rounding of three
   allocations: nothing else. */
static void check_growth(size_t one, size_t more, size_t batch, size_t steps)
{
    size_t expected = steps * (5 * 784 * batch + sizeof(float));
    assert_true(more + 192 >= one + expected);
    assert_true(more <= one + expected + 192);
}

static void memory_is_that_of_the_tail(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads *= 2) {
        size_t one = peak(8, 1, threads);
        check_growth(one, peak(8, 2, threads), 8, 1);
        check_growth(one, peak(8, 9, threads), 8, 8);
    }
    size_t one = peak(128, 1, 2), all = peak(128, 40, 2);
    print_message("batch 128: %.1f MB through one step, %.1f MB through 40\n",
                  (double)one / 1e6, (double)all / 1e6);
    check_growth(one, all, 128, 39);
    assert_true(all - one < 40000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_that_of_the_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
