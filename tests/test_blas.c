/* Matrix products against plain loops, and the hold on BLAS threads. */
#include "ebm_test.h"

#include "core/blas.h"

extern int omp_get_max_threads(void);
extern int openblas_get_num_threads(void) __attribute__((weak));

typedef struct product {
    int transpose_a, transpose_b;
    size_t m, n, k;
    size_t slack; /* leading dimensions exceed row lengths by this */
    float beta;
} product;

/* C in double, and the sum of |a b| per element for the error bound. */
static void check_product(const product *p, uint64_t *random)
{
    size_t rows_a = p->transpose_a ? p->k : p->m;
    size_t rows_b = p->transpose_b ? p->n : p->k;
    size_t lda = (p->transpose_a ? p->m : p->k) + p->slack;
    size_t ldb = (p->transpose_b ? p->k : p->n) + p->slack;
    size_t ldc = p->n + p->slack;
    float *a = test_floats(rows_a * lda), *b = test_floats(rows_b * ldb);
    float *c = test_floats(p->m * ldc), *old = test_floats(p->m * ldc);
    test_fill_normal(random, a, rows_a * lda, 1);
    test_fill_normal(random, b, rows_b * ldb, 1);
    test_fill_normal(random, c, p->m * ldc, 1);
    /* With beta = 0 nothing of the old C may shine through. */
    for (size_t i = 0; p->beta == 0 && i < p->m; i++)
        for (size_t j = 0; j < p->n; j++)
            c[i * ldc + j] = NAN;
    memcpy(old, c, p->m * ldc * sizeof *c);
    ebm_sgemm(p->transpose_a, p->transpose_b, p->m, p->n, p->k, a, lda, b, ldb,
              p->beta, c, ldc);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double sum = p->beta == 0 ? 0 : p->beta * old[i * ldc + j];
            double size = fabs(sum);
            for (size_t l = 0; l < p->k; l++) {
                double x = p->transpose_a ? a[l * lda + i] : a[i * lda + l];
                double y = p->transpose_b ? b[j * ldb + l] : b[l * ldb + j];
                sum += x * y;
                size += fabs(x * y);
            }
            /* k roundings of 2^-24 at most, and usually sqrt(k). */
            assert_close(c[i * ldc + j], sum,
                         0x1p-23 * (4 + sqrt((double)p->k)) * size, 0);
        }
        for (size_t j = p->n; j < ldc; j++)
            assert_true(c[i * ldc + j] == old[i * ldc + j]);
    }
    free(a);
    free(b);
    free(c);
    free(old);
}

static void products_equal_plain_loops(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 5, 8, 17, 64};
    enum { SIZES = TEST_COUNT(sizes) };
    uint64_t random = 1;
    for (size_t i = 0; i < SIZES * SIZES * SIZES; i++)
        for (int form = 0; form < 4; form++) {
            product p = {form & 1,
                         form >> 1,
                         sizes[i % SIZES],
                         sizes[i / SIZES % SIZES],
                         sizes[i / SIZES / SIZES],
                         i % 3,
                         (float)(i % 2)};
            check_product(&p, &random);
        }
    product odd[] = {{0, 0, 129, 1, 577, 0, 0},
                     {1, 0, 25, 16, 4096, 0, 1},
                     {0, 1, 200, 145, 33, 5, 0.5f}};
    for (size_t i = 0; i < TEST_COUNT(odd); i++)
        check_product(odd + i, &random);
}

static void a_product_repeats_its_bits(void **state)
{
    (void)state;
    enum { N = 96 };
    uint64_t random = 2;
    float *a = test_floats(N * N), *b = test_floats(N * N);
    float *c = test_floats(N * N), *d = test_floats(N * N);
    test_fill_normal(&random, a, N * N, 1);
    test_fill_normal(&random, b, N * N, 1);
    ebm_sgemm(0, 0, N, N, N, a, N, b, N, 0, c, N);
    /* A row's bits do not depend on what stands in the other rows. */
    for (size_t i = 0; i < N * N; i++)
        if (i / N != 5)
            a[i] = (float)i;
    ebm_sgemm(0, 0, N, N, N, a, N, b, N, 0, d, N);
    assert_same_bits(c + 5 * N, d + 5 * N, N);
    assert_other_bits(c, d, N);
    free(a);
    free(b);
    free(c);
    free(d);
}

static void holds_nest_and_give_back(void **state)
{
    (void)state;
    int openmp = omp_get_max_threads();
    int blas = openblas_get_num_threads ? openblas_get_num_threads() : 0;
    ebm_blas_hold outer = ebm_blas_enter();
    assert_int_equal(omp_get_max_threads(), 1);
    ebm_blas_hold inner = ebm_blas_enter();
    assert_int_equal(omp_get_max_threads(), 1);
    ebm_blas_leave(inner);
    assert_int_equal(omp_get_max_threads(), 1);
    ebm_blas_leave(outer);
    assert_int_equal(omp_get_max_threads(), openmp);
    if (openblas_get_num_threads)
        assert_int_equal(openblas_get_num_threads(), blas);
}

static void *hold_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++)
        ebm_blas_leave(ebm_blas_enter());
    return NULL;
}

static void holds_of_many_threads_give_back(void **state)
{
    (void)state;
    pthread_t threads[4];
    int blas = openblas_get_num_threads ? openblas_get_num_threads() : 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(threads + i, NULL, hold_often, NULL),
                         0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    if (openblas_get_num_threads)
        assert_int_equal(openblas_get_num_threads(), blas);
}

static void blas_describes_itself(void **state)
{
    (void)state;
    char text[80] = "", cut[5] = "";
    ebm_blas_describe(text, sizeof text);
    assert_in_range(strlen(text), 4, 79);
    assert_null(strchr(text, '\n'));
    ebm_blas_describe(cut, sizeof cut);
    assert_int_equal(strlen(cut), 4);
    assert_true(ebm_blas_largest() >= 32767);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_plain_loops),
        cmocka_unit_test(a_product_repeats_its_bits),
        cmocka_unit_test(holds_nest_and_give_back),
        cmocka_unit_test(holds_of_many_threads_give_back),
        cmocka_unit_test(blas_describes_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
