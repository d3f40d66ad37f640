/*
 * Several threads of the caller at once, each with its own sampler and chains,
 * on one context, one model and one dataset: what the headers allow. The bits
 * are those of one thread alone. Under the thread sanitizer (see run.sh) this
 * is also the proof that nothing of it is a race.
 */
#include <pthread.h>

#include "ebm_test.h"
#include "folder.h"
#include "model_file.h"
#include "pictures.h"

enum { THREADS = 4, CHAINS = 9, SIZE = 28 * 28, PICTURES = 5, ROUNDS = 3 };

typedef struct shared {
    ebm_context *context;
    ebm_model *model;
    ebm_dataset *dataset;
    test_folder files;
} shared;

typedef struct worker {
    const shared *with;
    size_t number;
    float states[CHAINS * SIZE], energy[CHAINS], pictures[PICTURES * 6];
    const char *failed; /* asserting is for the test's own thread */
} worker;

#define MUST(w, call)            \
    do {                         \
        if ((call) != EBM_OK) {  \
            (w)->failed = #call; \
            goto done;           \
        }                        \
    } while (0)

/* Chains of each worker have streams of their own. */
static void sample(worker *w)
{
    const shared *s = w->with;
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    MUST(w, ebm_sampler_create(s->context, EBM_SAMPLER_LANGEVIN, &sampler));
    MUST(w, ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 3));
    MUST(w, ebm_chains_create(s->context, CHAINS, 28, 28, 1, 1, &chains));
    MUST(w, ebm_chains_set_first_stream(chains, w->number * CHAINS));
    MUST(w, ebm_chains_init_uniform(chains, -1, 1));
    MUST(w, ebm_sampler_run(sampler, s->model, chains));
    memcpy(w->states, ebm_chains_states(chains), sizeof w->states);
    MUST(w, ebm_model_energy(s->model, w->states, NULL, CHAINS, w->energy));
done:
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
}

/* Reading, failing and saving besides. */
static void use_files(worker *w)
{
    const shared *s = w->with;
    char name[40], path[300], text[200];
    double value;
    MUST(w, ebm_dataset_read(s->dataset, 0, PICTURES, w->pictures, NULL));
    if (ebm_context_get(s->context, (ebm_context_key)99, &value) !=
        EBM_ERROR_ARGUMENT)
        w->failed = "an unknown key";
    MUST(w, ebm_context_copy_last_error(s->context, text, sizeof text));
    snprintf(name, sizeof name, "model%zu", w->number);
    test_folder_file(&s->files, name, path);
    MUST(w, ebm_model_save(s->model, path));
done:;
}

static void *work(void *argument)
{
    worker *w = argument;
    for (int round = 0; round < ROUNDS && !w->failed; round++) {
        sample(w);
        use_files(w);
    }
    return NULL;
}

static void several_threads_share_a_model(void **state)
{
    (void)state;
    static worker alone[THREADS], together[THREADS];
    shared s = {.context = test_context_threads(2)};
    test_folder pictures;
    pthread_t threads[THREADS];
    test_folder_make(&s.files);
    test_folder_make(&pictures);
    for (int i = 0; i < PICTURES; i++) {
        char name[20], path[300];
        snprintf(name, sizeof name, "%d.png", i);
        test_folder_file(&pictures, name, path);
        free(test_picture_write(path, &test_plain, 0, 7, 5, (uint64_t)i)
                 .pixels);
    }
    s.model = test_make_model(s.context, test_nets + DIGITS);
    /* Room for two of five: the cache is at work all the time. */
    const size_t shape[3] = {3, 2, 1};
    s.dataset = test_picture_dataset(s.context, pictures.path, shape, 12);
    for (size_t i = 0; i < THREADS; i++) {
        alone[i].with = together[i].with = &s;
        alone[i].number = together[i].number = i;
        work(alone + i);
        assert_null(alone[i].failed);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(threads + i, NULL, work, together + i),
                         0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++) {
        if (together[i].failed)
            fail_msg("thread %zu: %s", i, together[i].failed);
        assert_same_bits(together[i].states, alone[i].states, CHAINS * SIZE);
        assert_same_bits(together[i].energy, alone[i].energy, CHAINS);
        assert_same_bits(together[i].pictures, alone[i].pictures,
                         PICTURES * 6);
    }
    assert_int_equal(test_folder_count(&s.files), THREADS);
    ebm_dataset_destroy(s.dataset);
    ebm_model_destroy(s.model);
    ebm_context_destroy(s.context);
    test_folder_remove(&pictures);
    test_folder_remove(&s.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_threads_share_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
