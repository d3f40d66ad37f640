/* Eigenvalues and eigenvectors of symmetric matrices. */
#include "ebm_test.h"

#include "core/blas.h"
#include "core/lapack.h"

/* A v = l v, vectors of length 1 at right angles, ascending values. */
static void vectors_are_eigenvectors(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 17, 80};
    ebm_context *context = test_context_threads(2);
    uint64_t random = 1;
    for (size_t s = 0; s < TEST_COUNT(sizes); s++) {
        size_t n = sizes[s];
        double *a = test_doubles(n * n), *v = test_doubles(n * n);
        double *alone = test_doubles(n * n), *values = test_doubles(n);
        double *other = test_doubles(n);
        for (size_t i = 0; i < n * n; i++)
            a[i] = test_random_normal(&random);
        for (size_t i = 0; i < n * n; i++)
            v[i] = alone[i] = a[i] =
                i / n > i % n ? a[i % n * n + i / n] : a[i];
        assert_ok(ebm_eigen_symmetric(context, 1, n, v, values));
        assert_ok(ebm_eigen_symmetric(context, 0, n, alone, other));
        for (size_t i = 0; i < n; i++) {
            assert_true(!i || values[i] >= values[i - 1]);
            assert_close(other[i], values[i], 1e-12 * (double)n, 0);
            for (size_t j = 0; j < n; j++) {
                double product = 0, angle = 0;
                for (size_t k = 0; k < n; k++) {
                    product += a[j * n + k] * v[i * n + k];
                    angle += v[i * n + k] * v[j * n + k];
                }
                assert_close(product, values[i] * v[i * n + j],
                             1e-12 * (double)n, 0);
                assert_close(angle, i == j, 1e-12, 0);
            }
        }
        free(a);
        free(v);
        free(alone);
        free(values);
        free(other);
    }
    ebm_context_destroy(context);
}

static void sizes_and_memory_are_a_status(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    double a[4] = {2, 1, 1, 2}, values[2] = {5, 5};
    for (size_t at = 1; at <= 2; at++) {
        test_fail_at(&memory, at, 0);
        assert_error(context, ebm_eigen_symmetric(context, 1, 2, a, values),
                     EBM_ERROR_MEMORY, "eigenvalues");
    }
    assert_error(context, ebm_eigen_symmetric(context, 1, 30001, a, values),
                 EBM_ERROR_OVERFLOW, "30001");
    assert_true(a[0] == 2 && values[0] == 5);
    test_fail_at(&memory, 0, 0);
    assert_ok(ebm_eigen_symmetric(context, 0, 2, a, values));
    assert_close(values[0], 1, 0, 1e-15);
    assert_close(values[1], 3, 0, 1e-15);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

static void products_in_double_equal_plain_loops(void **state)
{
    (void)state;
    enum { M = 7, N = 5, K = 9 };
    double a[M * K], b[K * N], c[M * N];
    uint64_t random = 2;
    for (int form = 0; form < 8; form++) {
        int ta = form & 1, tb = form >> 1 & 1, beta = form >> 2;
        for (size_t i = 0; i < M * K; i++)
            a[i] = test_random_normal(&random);
        for (size_t i = 0; i < K * N; i++)
            b[i] = test_random_normal(&random);
        for (size_t i = 0; i < M * N; i++)
            c[i] = beta ? 3 : NAN;
        ebm_dgemm(ta, tb, M, N, K, a, ta ? M : K, b, tb ? K : N, beta, c, N);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                double sum = 3 * beta;
                for (size_t k = 0; k < K; k++)
                    sum += (ta ? a[k * M + i] : a[i * K + k]) *
                           (tb ? b[j * K + k] : b[k * N + j]);
                assert_close(c[i * N + j], sum, 1e-13, 0);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_eigenvectors),
        cmocka_unit_test(sizes_and_memory_are_a_status),
        cmocka_unit_test(products_in_double_equal_plain_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
