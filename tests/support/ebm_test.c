/* Comparators, allocator and random numbers of the tests. */
#include "ebm_test.h"

int test_status_is(ebm_status status, ebm_status expected, const char *what)
{
    if (status == expected)
        return 1;
    print_error("%s\n  is %s, not %s\n", what, ebm_status_name(status),
                ebm_status_name(expected));
    return 0;
}

int test_error_names(const ebm_context *context, const char *word,
                     const char *what)
{
    const char *text = ebm_context_last_error(context);
    if (strstr(text, word) && !strchr(text, '\n'))
        return 1;
    print_error("%s\n  says \"%s\", which does not name \"%s\"\n", what, text,
                word);
    return 0;
}

int test_close(double a, double b, double absolute, double relative,
               const char *what)
{
    double error = fabs(a - b), allowed = absolute + relative * fabs(b);
    /* Each comparison is written so that NaN fails it. */
    if (isfinite(a) && isfinite(b) && error <= allowed)
        return 1;
    print_error("%s = %.9g is not %.9g: off by %.3g, allowed %.3g\n", what, a,
                b, error, allowed);
    return 0;
}

/* b is a float array or, when that is NULL, a double one. */
static int arrays_close(const float *a, const float *b, const double *b_double,
                        size_t n, double tolerance, const char *what)
{
    double largest = 0, worst = 0;
    size_t worst_at = 0;
    for (size_t i = 0; i < n; i++) {
        double value = b ? (double)b[i] : b_double[i];
        double error = fabs((double)a[i] - value);
        if (!isfinite(a[i]) || !isfinite(value)) {
            print_error("%s[%zu] = %.9g, expected %.9g: not finite\n", what, i,
                        (double)a[i], value);
            return 0;
        }
        if (fabs(value) > largest)
            largest = fabs(value);
        if (error > worst) {
            worst = error;
            worst_at = i;
        }
    }
    if (worst <= tolerance * largest)
        return 1;
    print_error("%s[%zu of %zu] = %.9g is not %.9g: off by %.3g, "
                "%.3g of the largest (%.3g), allowed %.3g\n",
                what, worst_at, n, (double)a[worst_at],
                b ? (double)b[worst_at] : b_double[worst_at], worst,
                worst / largest, largest, tolerance);
    return 0;
}

int test_arrays_close(const float *a, const float *b, size_t n,
                      double tolerance, const char *what)
{
    return arrays_close(a, b, NULL, n, tolerance, what);
}

int test_arrays_near(const float *a, const double *b, size_t n,
                     double tolerance, const char *what)
{
    return arrays_close(a, NULL, b, n, tolerance, what);
}

double test_array_error(const float *a, const double *b, size_t n)
{
    double largest = 0, worst = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
        largest = fmax(largest, fabs(b[i]));
        worst = fmax(worst, fabs((double)a[i] - b[i]));
    }
    return worst > 0 ? worst / largest : 0;
}

int test_same_bits(const float *a, const float *b, size_t n, const char *what)
{
    size_t differ = 0, first = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(a[i])) {
            print_error("%s[%zu] = %g is not finite\n", what, i, (double)a[i]);
            return 0;
        }
        if (memcmp(a + i, b + i, sizeof *a)) {
            if (!differ)
                first = i;
            differ++;
        }
    }
    if (!differ)
        return 1;
    print_error("%s: %zu of %zu have other bits, first [%zu]: %a, not %a\n",
                what, differ, n, first, (double)a[first], (double)b[first]);
    return 0;
}

double test_ulps(float a, float b)
{
    if (isnan(a) || isnan(b))
        return HUGE_VAL;
    if (a == b)
        return 0;
    float larger = fmaxf(fabsf(a), fabsf(b));
    if (isinf(larger))
        return HUGE_VAL;
    int exponent;
    frexpf(larger, &exponent);
    /* 24 significant bits; below FLT_MIN the spacing stays as it is there. */
    double ulp = ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
    return fabs((double)a - (double)b) / ulp;
}

/* In front of each block, padded to the largest alignment. */
typedef struct head {
    size_t size;
    uint64_t magic;
} head;
enum { HEAD_BYTES = 64 };
#define LIVE 0x6c69766562626c6bu

static void *allocate(size_t size, size_t alignment, void *user)
{
    test_allocator *memory = user;
    void *block = NULL;
    pthread_mutex_lock(&memory->lock);
    memory->allocations++;
    int refuse = memory->fail_at == 1;
    if (memory->fail_at > 1 || (refuse && !memory->fail_rest))
        memory->fail_at--;
    int valid = size > 0 && alignment <= 64 && !(alignment & (alignment - 1));
    if (!valid)
        memory->faults++;
    if (!refuse && valid && size < SIZE_MAX - HEAD_BYTES &&
        !posix_memalign(&block, HEAD_BYTES, size + HEAD_BYTES)) {
        memory->live_blocks++;
        memory->live_bytes += size;
        if (memory->live_bytes > memory->peak_bytes)
            memory->peak_bytes = memory->live_bytes;
    }
    pthread_mutex_unlock(&memory->lock);
    if (!block)
        return NULL;
    *(head *)block = (head){size, LIVE};
    /* All ones is a NaN in float and double. */
    return memset((unsigned char *)block + HEAD_BYTES, 0xff, size);
}

static void release(void *pointer, size_t size, void *user)
{
    test_allocator *memory = user;
    head *block = (head *)(void *)((unsigned char *)pointer - HEAD_BYTES);
    int right = block->magic == LIVE && block->size == size;
    pthread_mutex_lock(&memory->lock);
    if (right) {
        memory->live_blocks--;
        memory->live_bytes -= size;
    } else {
        memory->faults++;
    }
    pthread_mutex_unlock(&memory->lock);
    if (!right)
        return;
    block->magic = 0;
    free(block);
}

ebm_context *test_context(test_allocator *memory)
{
    ebm_allocator table = {sizeof table, allocate, release, memory};
    ebm_context *context = NULL;
    memset(memory, 0, sizeof *memory);
    assert_int_equal(pthread_mutex_init(&memory->lock, NULL), 0);
    assert_ok(ebm_context_create_with(&table, &context));
    return context;
}

void test_fail_at(test_allocator *memory, size_t n, int rest)
{
    pthread_mutex_lock(&memory->lock);
    memory->fail_at = n;
    memory->fail_rest = rest;
    pthread_mutex_unlock(&memory->lock);
}

void assert_memory_may_run_out(ebm_status (*construct)(ebm_context *context),
                               size_t least)
{
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    size_t before = memory.live_blocks, failures = 0;
    for (int rest = 0; rest < 2; rest++)
        for (size_t n = 1;; n++) {
            test_fail_at(&memory, n, rest);
            ebm_status status = construct(context);
            assert_int_equal(memory.live_blocks, before);
            if (status == EBM_OK)
                break;
            assert_error(context, status, EBM_ERROR_MEMORY, "memory");
            failures++;
        }
    assert_true(failures >= least);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

ebm_context *test_context_threads(int threads)
{
    ebm_context *context = NULL;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set(context, EBM_CONTEXT_THREADS, threads));
    return context;
}

uint64_t test_random_word(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double test_random_uniform(uint64_t *state, double low, double high)
{
    return low +
           (high - low) * ((double)(test_random_word(state) >> 11) * 0x1p-53);
}

double test_random_normal(uint64_t *state)
{
    double u = test_random_uniform(state, 0, 1);
    double angle = test_random_uniform(state, 0, 6.283185307179586);
    return sqrt(-2 * log(1 - u)) * cos(angle);
}

void test_fill_uniform(uint64_t *state, float *x, size_t n, double low,
                       double high)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)test_random_uniform(state, low, high);
}

void test_fill_normal(uint64_t *state, float *x, size_t n, double std)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(std * test_random_normal(state));
}

void *test_memory(size_t bytes)
{
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory) {
        print_error("out of memory in a test: %zu bytes\n", bytes);
        exit(1);
    }
    return memory;
}

float *test_floats(size_t n)
{
    return test_memory(n * sizeof(float));
}

double *test_doubles(size_t n)
{
    return test_memory(n * sizeof(double));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double test_ks(double *values, size_t n,
               double (*cdf)(double value, const void *argument),
               const void *argument)
{
    double worst = 0;
    qsort(values, n, sizeof *values, ascending);
    for (size_t i = 0; i < n; i++) {
        double f = cdf(values[i], argument);
        if (!isfinite(f))
            return INFINITY;
        worst = fmax(worst, f - (double)i / (double)n);
        worst = fmax(worst, (double)(i + 1) / (double)n - f);
    }
    return worst * sqrt((double)n);
}

double test_cdf_uniform(double value, const void *low_high)
{
    const double *range = low_high;
    double f = (value - range[0]) / (range[1] - range[0]);
    return f < 0 ? 0 : f > 1 ? 1 : f;
}

double test_cdf_normal(double value, const void *mean_std)
{
    const double *law = mean_std;
    return 0.5 * erfc((law[0] - value) / (law[1] * sqrt(2.0)));
}
