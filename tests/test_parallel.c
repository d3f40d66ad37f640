/* The slab-parallel loop: every task once, one worker a workspace, and the
   process's own thread settings as they were. */
#include "ebm_test.h"

#include <dirent.h>
#include <stdatomic.h>

#include "core/blas.h"
#include "core/context.h"
#include "core/parallel.h"

extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);
extern int openblas_get_num_threads(void) __attribute__((weak));

enum { TASKS = 500, WORKERS = 16 };

/* Results are only gathered here; the test asserts afterwards. */
typedef struct record {
    atomic_int runs[TASKS];
    atomic_int busy[WORKERS];
    atomic_int clashes;
    atomic_int wrong_workers;
    int threads;
} record;

static void note_task(void *argument, size_t task, int worker)
{
    record *r = argument;
    if (worker < 0 || worker >= r->threads || task >= TASKS) {
        atomic_fetch_add(&r->wrong_workers, 1);
        return;
    }
    if (atomic_exchange(&r->busy[worker], 1))
        atomic_fetch_add(&r->clashes, 1);
    for (volatile int spin = 0; spin < 200; spin++)
        ;
    atomic_fetch_add(&r->runs[task], 1);
    atomic_store(&r->busy[worker], 0);
}

static void every_task_runs_once(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 3, 4, 7, WORKERS};
    static const size_t counts[] = {0, 1, 2, 3, 17, TASKS};
    for (size_t t = 0; t < TEST_COUNT(threads); t++) {
        ebm_context *context = test_context_threads(threads[t]);
        for (size_t c = 0; c < TEST_COUNT(counts); c++) {
            static record r;
            memset(&r, 0, sizeof r);
            r.threads = threads[t];
            ebm_parallel_for(context, counts[c], note_task, &r);
            assert_int_equal(atomic_load(&r.wrong_workers), 0);
            assert_int_equal(atomic_load(&r.clashes), 0);
            for (size_t i = 0; i < TASKS; i++)
                assert_int_equal(atomic_load(&r.runs[i]), i < counts[c]);
        }
        ebm_context_destroy(context);
    }
}

/* Threads of this process, or 0 where there is no /proc. */
static size_t threads_alive(void)
{
    DIR *folder = opendir("/proc/self/task");
    size_t count = 0;
    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 2; /* . and .. */
}

enum { SIDE = 320 };

static void multiply_matrices(void *argument, size_t task, int worker)
{
    float *m = argument;
    (void)task;
    (void)worker;
    ebm_sgemm(0, 0, SIDE, SIDE, SIDE, m, SIDE, m + SIDE * SIDE, SIDE, 0,
              m + 2 * SIDE * SIDE, SIDE);
}

/* Runs first, when no pool of threads exists yet: a BLAS left alone would
   start its own for a product of this size. */
static void one_thread_means_one(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    float *m = test_floats(3 * SIDE * SIDE);
    size_t before = threads_alive();
    ebm_parallel_for(context, 3, multiply_matrices, m);
    size_t after = threads_alive();
    free(m);
    ebm_context_destroy(context);
    if (!before)
        skip();
    assert_int_equal(after, before);
}

static void no_more_threads_than_set(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(3);
    float *m = test_floats(3 * SIDE * SIDE);
    size_t before = threads_alive();
    /* Each task writes the same numbers: harmless one after the other, so
       the tasks are three products of one thread's own. */
    ebm_parallel_for(context, 1, multiply_matrices, m);
    size_t after = threads_alive();
    free(m);
    ebm_context_destroy(context);
    if (!before)
        skip();
    assert_int_equal(after, before);
}

static void settings_of_the_process_come_back(void **state)
{
    (void)state;
    int wanted = omp_get_max_threads();
    for (int openmp = 1; openmp <= 5; openmp += 2)
        for (int threads = 1; threads <= 4; threads++) {
            ebm_context *context = test_context_threads(threads);
            float *m = test_floats(3 * SIDE * SIDE);
            omp_set_num_threads(openmp);
            int blas =
                openblas_get_num_threads ? openblas_get_num_threads() : 0;
            ebm_parallel_for(context, 1, multiply_matrices, m);
            assert_int_equal(omp_get_max_threads(), openmp);
            if (openblas_get_num_threads)
                assert_int_equal(openblas_get_num_threads(), blas);
            free(m);
            ebm_context_destroy(context);
        }
    omp_set_num_threads(wanted);
}

/* Two host threads in loops of their own at once. */
typedef struct host {
    ebm_context *context;
    record record;
    int openmp_before, openmp_after;
} host;

static void *run_host(void *argument)
{
    host *h = argument;
    h->openmp_before = omp_get_max_threads();
    for (int i = 0; i < 20; i++)
        ebm_parallel_for(h->context, 40, note_task, &h->record);
    h->openmp_after = omp_get_max_threads();
    return NULL;
}

static void loops_of_several_hosts_do_not_mix(void **state)
{
    (void)state;
    static host hosts[3];
    pthread_t threads[3];
    int blas = openblas_get_num_threads ? openblas_get_num_threads() : 0;
    for (int i = 0; i < 3; i++) {
        memset(hosts + i, 0, sizeof *hosts);
        hosts[i].context = test_context_threads(2);
        hosts[i].record.threads = 2;
        assert_int_equal(
            pthread_create(threads + i, NULL, run_host, hosts + i), 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&hosts[i].record.wrong_workers), 0);
        assert_int_equal(atomic_load(&hosts[i].record.clashes), 0);
        for (size_t t = 0; t < 40; t++)
            assert_int_equal(atomic_load(&hosts[i].record.runs[t]), 20);
        assert_int_equal(hosts[i].openmp_after, hosts[i].openmp_before);
        ebm_context_destroy(hosts[i].context);
    }
    if (openblas_get_num_threads)
        assert_int_equal(openblas_get_num_threads(), blas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_means_one),
        cmocka_unit_test(no_more_threads_than_set),
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(settings_of_the_process_come_back),
        cmocka_unit_test(loops_of_several_hosts_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
