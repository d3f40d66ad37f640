/*
 * What all tests share: CMocka and its prelude, comparators that a NaN can
 * not pass, statuses by name, an allocator that counts and fails, and random
 * numbers that do not come from the library.
 *
 * The assert_ macros belong on the test's own thread, never into a callback
 * or a worker: a failed one leaves by longjmp.
 */
#ifndef EBM_TEST_H
#define EBM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

/* Length of an array. */
#define TEST_COUNT(array) (sizeof(array) / sizeof *(array))

/* The call returns exactly this status; prints both by name. */
#define assert_status(call, expected)                   \
    do {                                                \
        if (!test_status_is((call), (expected), #call)) \
            fail();                                     \
    } while (0)
#define assert_ok(call) assert_status(call, EBM_OK)

/* As assert_status, and the context's text names what is wrong: it contains
   `word`. */
#define assert_error(context, call, expected, word)      \
    do {                                                 \
        assert_status(call, expected);                   \
        if (!test_error_names((context), (word), #call)) \
            fail();                                      \
    } while (0)

/* |a - b| <= absolute + relative |b|, both finite. */
#define assert_close(a, b, absolute, relative)                 \
    do {                                                       \
        if (!test_close((a), (b), (absolute), (relative), #a)) \
            fail();                                            \
    } while (0)

/* max |a - b| <= tolerance max |b| for float arrays a and b, all finite. */
#define assert_arrays_close(a, b, n, tolerance)                 \
    do {                                                        \
        if (!test_arrays_close((a), (b), (n), (tolerance), #a)) \
            fail();                                             \
    } while (0)

/* The same where b is a reference in double. */
#define assert_arrays_near(a, b, n, tolerance)                 \
    do {                                                       \
        if (!test_arrays_near((a), (b), (n), (tolerance), #a)) \
            fail();                                            \
    } while (0)

/* The same bits in every element (so 0 differs from -0), and all finite. */
#define assert_same_bits(a, b, n)               \
    do {                                        \
        if (!test_same_bits((a), (b), (n), #a)) \
            fail();                             \
    } while (0)

/* At least one bit differs. */
#define assert_other_bits(a, b, n) \
    assert_true(memcmp((a), (b), (n) * sizeof(float)) != 0)

/* Bodies of the macros: 1 when it holds, else 0 and a printed line. */
int test_status_is(ebm_status status, ebm_status expected, const char *what);
int test_error_names(const ebm_context *context, const char *word,
                     const char *what);
int test_close(double a, double b, double absolute, double relative,
               const char *what);
int test_arrays_close(const float *a, const float *b, size_t n,
                      double tolerance, const char *what);
int test_arrays_near(const float *a, const double *b, size_t n,
                     double tolerance, const char *what);
int test_same_bits(const float *a, const float *b, size_t n, const char *what);

/* max |a - b| / max |b|, or infinity when a value is not finite. */
double test_array_error(const float *a, const double *b, size_t n);

/* Difference in units in the last place of a float; huge for NaN. */
double test_ulps(float a, float b);

/*
 * An allocator for ebm_context_create_with(). It counts, checks each release
 * against its allocation, fills new memory with NaN, and can run out of
 * memory. Zero-initialise, then test_context().
 */
typedef struct test_allocator {
    pthread_mutex_t lock;
    size_t live_blocks, live_bytes;
    size_t allocations; /* so far, failed ones included */
    size_t peak_bytes;
    size_t faults;  /* releases of a wrong block or size */
    size_t fail_at; /* the fail_at-th allocation from when this was set
                       fails; 0: none. test_fail_at() sets it */
    int fail_rest;  /* and every later one too */
} test_allocator;

/* Makes a context of that memory; fails the test if that fails. */
ebm_context *test_context(test_allocator *memory);

/* Makes the n-th allocation from now on fail, n from 1 on; 0 stops that.
   With `rest` all later ones fail as well. */
void test_fail_at(test_allocator *memory, size_t n, int rest);

/* Everything was given back, and properly. */
#define assert_no_leaks(memory)                     \
    do {                                            \
        assert_int_equal((memory)->live_blocks, 0); \
        assert_int_equal((memory)->live_bytes, 0);  \
        assert_int_equal((memory)->faults, 0);      \
    } while (0)

/* Lets the n-th allocation of construct(), which gives back all that it made,
   fail, once and then for ever, for every n until it needs no more: each time
   it must return MEMORY with a text and leak nothing. There must have been at
   least so many failures. */
void assert_memory_may_run_out(ebm_status (*construct)(ebm_context *context),
                               size_t least);

/* A context on the C library's memory with that many threads. */
ebm_context *test_context_threads(int threads);

/* SplitMix64 (Steele, Lea and Flood 2014): random numbers for test data. The
   state is any number. */
uint64_t test_random_word(uint64_t *state);
double test_random_uniform(uint64_t *state, double low, double high);
double test_random_normal(uint64_t *state);
void test_fill_uniform(uint64_t *state, float *x, size_t n, double low,
                       double high);
void test_fill_normal(uint64_t *state, float *x, size_t n, double std);

/* malloc or calloc that can not fail (the process ends); free() it. */
void *test_memory(size_t bytes);
float *test_floats(size_t n);
double *test_doubles(size_t n);

/* Kolmogorov-Smirnov: sqrt(n) sup |F_n - F| of n values, which are sorted in
   place. Above 1.95 has a probability of 0.1 %, above 2.65 of 1.6e-6. */
double test_ks(double *values, size_t n,
               double (*cdf)(double value, const void *argument),
               const void *argument);
double test_cdf_uniform(double value, const void *low_high); /* double[2] */
double test_cdf_normal(double value, const void *mean_std);  /* double[2] */

#endif
