/* The log callback: which calls write a line, and which do not. */
#include "ebm_test.h"
#include "gaussian.h"

typedef struct book {
    size_t lines;
    ebm_log_level level;
    char text[300];
    int other_thread;
    pthread_t thread;
} book;

static void note(ebm_log_level level, const char *text, void *user)
{
    book *b = user;
    b->lines++;
    b->level = level;
    snprintf(b->text, sizeof b->text, "%s", text);
    b->other_thread |= !pthread_equal(b->thread, pthread_self());
}

/* One more line: a warning with these words, the same as the last error. */
static void assert_line(const book *b, const ebm_context *context,
                        size_t lines, const char *word)
{
    assert_int_equal(b->lines, lines);
    assert_int_equal(b->level, EBM_LOG_WARNING);
    assert_non_null(strstr(b->text, word));
    assert_null(strchr(b->text, '\n'));
    assert_string_equal(b->text, ebm_context_last_error(context));
    assert_false(b->other_thread);
}

static void diverged_chains_are_logged(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    test_gaussian g = {.theta = 1, .size = 3};
    ebm_model *model = test_gaussian_model(context, &g);
    ebm_sampler *sampler = test_langevin(context, 5, 0.1, 0.1);
    ebm_chains *chains = NULL;
    book b = {.thread = pthread_self()};
    assert_ok(ebm_chains_create(context, 4, 1, 3, 1, 1, &chains));
    assert_ok(ebm_context_set_log(context, note, &b));
    assert_ok(ebm_sampler_run(sampler, model, chains));
    /* Other failures are no matter for a log. */
    assert_status(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, -1),
                  EBM_ERROR_RANGE);
    assert_status(ebm_chains_init_normal(chains, 0, -1), EBM_ERROR_RANGE);
    g.fail_call = g.calls + 2;
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_CALLBACK);
    assert_int_equal(b.lines, 0);
    g.spoil_call = g.calls + 2;
    g.spoil_row = 1;
    g.grad_spoil = INFINITY;
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_DIVERGED);
    assert_line(&b, context, 1, "1 of 4 chains");
    /* A chain is in the news once. */
    assert_ok(ebm_sampler_run(sampler, model, chains));
    assert_int_equal(b.lines, 1);
    g.spoil_call = g.calls + 1;
    g.spoil_row = 2;
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_DIVERGED);
    assert_int_equal(b.lines, 2);
    assert_ok(ebm_context_set_log(context, NULL, NULL));
    g.spoil_call = g.calls + 1;
    g.spoil_row = 3;
    assert_status(ebm_sampler_run(sampler, model, chains), EBM_ERROR_DIVERGED);
    assert_int_equal(b.lines, 2);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static ebm_model *linear(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 1, 1, 2, &network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 1, &model));
    ebm_network_destroy(network);
    return model;
}

static void refused_steps_are_logged(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = linear(context);
    ebm_optimizer *optimizer = NULL;
    float *parameters = NULL;
    /* The gradient is x: fine, and then with a square beyond double. */
    const float x[2] = {1, 2}, scale = 1, large = 3e38f;
    const float far[2] = {3e38f, 3e38f};
    book b = {.thread = pthread_self()};
    assert_ok(
        ebm_optimizer_create(context, EBM_OPTIMIZER_SGD, model, &optimizer));
    assert_ok(ebm_context_set_log(context, note, &b));
    assert_ok(ebm_model_backward(model, x, NULL, 1, &scale, NULL));
    assert_ok(ebm_optimizer_step(optimizer));
    assert_ok(ebm_model_begin_write(model, &parameters));
    assert_status(ebm_optimizer_step(optimizer), EBM_ERROR_STATE);
    assert_ok(ebm_model_end_write(model));
    assert_int_equal(b.lines, 0);
    assert_ok(
        ebm_optimizer_set(optimizer, EBM_OPTIMIZER_LEARNING_RATE, large));
    assert_ok(ebm_model_backward(model, far, NULL, 1, &scale, NULL));
    assert_status(ebm_optimizer_step(optimizer), EBM_ERROR_NON_FINITE);
    assert_line(&b, context, 1, "step 2 is refused");
    assert_ok(ebm_context_set_log(context, NULL, NULL));
    assert_ok(ebm_model_backward(model, far, NULL, 1, &scale, NULL));
    assert_status(ebm_optimizer_step(optimizer), EBM_ERROR_NON_FINITE);
    assert_int_equal(b.lines, 1);
    ebm_optimizer_destroy(optimizer);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* What a log callback lets go of when it hears of trouble. */
typedef struct holder {
    ebm_context *context;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_chains *chains;
    ebm_optimizer *optimizer;
} holder;

static void let_go(ebm_log_level level, const char *text, void *user)
{
    holder *h = user;
    (void)level;
    (void)text;
    ebm_sampler_destroy(h->sampler);
    ebm_chains_destroy(h->chains);
    ebm_optimizer_destroy(h->optimizer);
    ebm_model_destroy(h->model);
    ebm_context_destroy(h->context);
}

static void listeners_may_destroy(void **state)
{
    (void)state;
    test_allocator memory;
    test_gaussian g = {
        .theta = 1, .size = 3, .spoil_call = 2, .grad_spoil = NAN};
    holder h = {.context = test_context(&memory)};
    h.model = test_gaussian_model(h.context, &g);
    h.sampler = test_langevin(h.context, 5, 0.1, 0.1);
    assert_ok(ebm_chains_create(h.context, 4, 1, 3, 1, 1, &h.chains));
    assert_ok(ebm_context_set_log(h.context, let_go, &h));
    assert_status(ebm_sampler_run(h.sampler, h.model, h.chains),
                  EBM_ERROR_DIVERGED);
    assert_no_leaks(&memory);
    const float far[2] = {3e38f, 3e38f}, scale = 1;
    h = (holder){.context = test_context(&memory)};
    h.model = linear(h.context);
    assert_ok(ebm_optimizer_create(h.context, EBM_OPTIMIZER_SGD, h.model,
                                   &h.optimizer));
    assert_ok(
        ebm_optimizer_set(h.optimizer, EBM_OPTIMIZER_LEARNING_RATE, 3e38));
    assert_ok(ebm_model_backward(h.model, far, NULL, 1, &scale, NULL));
    assert_ok(ebm_context_set_log(h.context, let_go, &h));
    assert_status(ebm_optimizer_step(h.optimizer), EBM_ERROR_NON_FINITE);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diverged_chains_are_logged),
        cmocka_unit_test(refused_steps_are_logged),
        cmocka_unit_test(listeners_may_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
