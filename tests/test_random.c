/* Randomness: the generator's published answers, the laws of the draws, and
   that they are pure functions of all their arguments and no others. */
#include "ebm_test.h"

#include "core/random.h"
#include "kernel/kernels.h"

/* Random123 1.14, tests/kat_vectors, "philox4x32 10". */
static void philox_gives_its_published_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < TEST_COUNT(known); i++) {
        uint32_t out[4];
        ebm_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].answer, sizeof out);
    }
}

/* The layout of random.h: results of all programs hang on it. */
static void words_follow_the_documented_layout(void **state)
{
    (void)state;
    const uint64_t seed = 0x0123456789abcdefu;
    const uint64_t stream = 0x89a00000b0c, step = 0x12300000456;
    ebm_random random =
        ebm_random_at(seed, EBM_PURPOSE_LANGEVIN, stream, step);
    for (size_t e = 0; e < 500; e++) {
        uint32_t key[2] = {0x89abcdef, 0x01234567}, out[4];
        uint32_t counter[4] = {(uint32_t)(16 * (e / 64) + e % 16), 0x00000456,
                               0x00000b0c, 0x0312389a};
        ebm_philox(counter, key, out);
        assert_int_equal(ebm_random_word(&random, e), out[e % 64 / 16]);
    }
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Every argument moves every word: among n words of n different arguments
   none is equal to another (expected: n^2 / 2^33 = 0.05 pairs). */
static void all_arguments_matter(void **state)
{
    (void)state;
    enum { ELEMENTS = 64 };
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       3,
                                       (uint64_t)1 << 31,
                                       (uint64_t)1 << 32,
                                       ((uint64_t)1 << 32) + 1,
                                       (uint64_t)1 << 43,
                                       EBM_RANDOM_LIMIT - 1};
    static const uint64_t seeds[] = {1, 2, (uint64_t)1 << 32,
                                     (uint64_t)1 << 63, UINT64_MAX};
    static uint32_t words[400 * ELEMENTS];
    size_t n = 0;
    for (size_t i = 0; i < TEST_COUNT(seeds); i++)
        for (int purpose = 1; purpose <= 8; purpose++)
            for (size_t e = 0; e < ELEMENTS; e++) {
                ebm_random r =
                    ebm_random_at(seeds[i], (ebm_purpose)purpose, 0, 0);
                words[n++] = ebm_random_word(&r, e);
            }
    for (size_t i = 0; i < TEST_COUNT(numbers); i++)
        for (size_t j = 0; j < TEST_COUNT(numbers); j++)
            for (size_t e = 0; e < ELEMENTS; e++) {
                ebm_random r = ebm_random_at(7, EBM_PURPOSE_LANGEVIN,
                                             numbers[i], numbers[j]);
                words[n++] = ebm_random_word(&r, e);
            }
    assert_true(n <= TEST_COUNT(words));
    qsort(words, n, sizeof *words, ascending);
    for (size_t i = 1; i < n; i++)
        assert_int_not_equal(words[i - 1], words[i]);
}

static void draws_are_pure(void **state)
{
    (void)state;
    ebm_random a = ebm_random_at(5, EBM_PURPOSE_CHAIN_INIT, 3, 9);
    double forward[200];
    for (size_t e = 0; e < 200; e++)
        forward[e] = ebm_random_normal(&a, e) + ebm_random_uniform(&a, e);
    for (size_t e = 200; e-- > 0;) {
        ebm_random b = ebm_random_at(5, EBM_PURPOSE_CHAIN_INIT, 3, 9);
        assert_true(ebm_random_normal(&b, e) + ebm_random_uniform(&b, e) ==
                    forward[e]);
    }
}

enum { DRAWS = 200000 };

/* Means of u^1 to u^4 lie within 5 standard errors of 1 / (k + 1). */
static void uniforms_are_uniform(void **state)
{
    (void)state;
    ebm_random random = ebm_random_at(11, EBM_PURPOSE_CHAIN_INIT, 0, 0);
    double *u = test_doubles(DRAWS), sums[5] = {0}, range[2] = {0, 1};
    for (size_t e = 0; e < DRAWS; e++) {
        double power = 1;
        u[e] = ebm_random_uniform(&random, e);
        assert_true(u[e] >= 0 && u[e] < 1 && (float)u[e] == u[e]);
        assert_true(u[e] * 0x1p24 == floor(u[e] * 0x1p24));
        for (int k = 1; k < 5; k++)
            sums[k] += power *= u[e];
    }
    for (int k = 1; k < 5; k++) {
        double mean = 1.0 / (k + 1);
        double error = sqrt((1.0 / (2 * k + 1) - mean * mean) / DRAWS);
        assert_close(sums[k] / DRAWS, mean, 5 * error, 0);
    }
    assert_true(test_ks(u, DRAWS, test_cdf_uniform, range) < 1.95);
    free(u);
}

/* Moments of N(0, 1) are 0, 1, 0, 3; E z^2k = (2k - 1)!!. */
static void normals_are_normal(void **state)
{
    (void)state;
    static const double even[] = {1, 1, 3, 15, 105};
    ebm_random random = ebm_random_at(12, EBM_PURPOSE_LANGEVIN, 4, 5);
    double *z = test_doubles(DRAWS), sums[5] = {0}, law[2] = {0, 1};
    double pairs = 0, neighbours = 0, largest = 0;
    for (size_t e = 0; e < DRAWS; e++) {
        double power = 1;
        z[e] = ebm_random_normal(&random, e);
        for (int k = 1; k < 5; k++)
            sums[k] += power *= z[e];
        largest = fmax(largest, fabs(z[e]));
        neighbours += e ? z[e] * z[e - 1] : 0;
        /* Sine and cosine of one angle. */
        pairs += e % 32 >= 16 ? z[e] * z[e - 16] : 0;
    }
    for (int k = 1; k < 5; k++) {
        double mean = k % 2 ? 0 : even[k / 2];
        double error = sqrt((even[k] - mean * mean) / DRAWS);
        assert_close(sums[k] / DRAWS, mean, 5 * error, 0);
    }
    assert_close(neighbours / DRAWS, 0, 5 / sqrt(DRAWS), 0);
    assert_close(pairs / (DRAWS / 2), 0, 5 / sqrt(DRAWS / 2), 0);
    /* The most that 32 bits give is sqrt(2 log 2^33) = 6.76. */
    assert_true(largest > 4 && largest < 6.77);
    assert_true(test_ks(z, DRAWS, test_cdf_normal, law) < 1.95);
    free(z);
}

/* Draws of neighbouring streams, steps, purposes and seeds do not correlate:
   |r| sqrt(n) < 5. */
static void neighbours_are_independent(void **state)
{
    (void)state;
    enum { N = 50000 };
    ebm_random base = ebm_random_at(1, EBM_PURPOSE_LANGEVIN, 1, 1);
    ebm_random others[] = {
        ebm_random_at(2, EBM_PURPOSE_LANGEVIN, 1, 1),
        ebm_random_at(1, EBM_PURPOSE_BUFFER_DRAW, 1, 1),
        ebm_random_at(1, EBM_PURPOSE_LANGEVIN, 2, 1),
        ebm_random_at(1, EBM_PURPOSE_LANGEVIN, 1, 2),
        ebm_random_at(1, EBM_PURPOSE_LANGEVIN, 0, 1),
    };
    for (size_t i = 0; i < TEST_COUNT(others); i++) {
        double sum = 0;
        for (size_t e = 0; e < N; e++)
            sum +=
                ebm_random_normal(&base, e) * ebm_random_normal(&others[i], e);
        assert_close(sum / sqrt(N), 0, 5, 0);
    }
}

static void indices_are_uniform(void **state)
{
    (void)state;
    ebm_random random = ebm_random_at(13, EBM_PURPOSE_BUFFER_DRAW, 0, 1);
    static const uint64_t huge[] = {(uint64_t)1 << 40, UINT64_MAX};
    for (uint64_t n = 1; n <= 10; n++) {
        double counts[10] = {0}, chi2 = 0;
        enum { N = 20000 };
        for (size_t i = 0; i < N; i++) {
            uint64_t index =
                ebm_random_index(&random, 64 * (i / 16) + i % 16, n);
            assert_true(index < n);
            counts[index]++;
        }
        for (uint64_t k = 0; k < n; k++) {
            double expected = (double)N / (double)n;
            chi2 += (counts[k] - expected) * (counts[k] - expected) / expected;
        }
        /* chi^2 with 9 degrees of freedom exceeds 40 with probability 8e-6. */
        assert_true(chi2 < 40);
    }
    for (size_t h = 0; h < TEST_COUNT(huge); h++) {
        double mean = 0;
        for (size_t i = 0; i < 16; i++) {
            uint64_t index = ebm_random_index(&random, i, huge[h]);
            assert_true(index < huge[h]);
            mean += (double)index / (double)huge[h] / 16;
        }
        assert_close(mean, 0.5, 5 * sqrt(1.0 / 12 / 16), 0);
    }
}

/* What rounding to float may change in a normal of radius r = |(z, z')|: a
   few units of r; and in u = exp(-r^2 / 2), rounded to 24 bits, 2^-25 / r. */
static double normal_error(const ebm_random *random, size_t e, double *z)
{
    *z = ebm_random_normal(random, e);
    double r = hypot(*z, ebm_random_normal(random, e ^ 16));
    return 0x1p-22 * r + 0x1p-24 / r;
}

static void vector_fills_equal_the_scalars(void **state)
{
    (void)state;
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        for (size_t n = 1; n <= 200; n++) {
            ebm_random r = ebm_random_at(n, EBM_PURPOSE_CHAIN_INIT, 3, n % 7);
            float out[201];
            out[n] = 77;
            kernels->uniform(&r, n, 0, 1, out);
            for (size_t e = 0; e < n; e++)
                assert_true(out[e] == ebm_random_uniform(&r, e));
            kernels->uniform(&r, n, -3, 5, out);
            for (size_t e = 0; e < n; e++) {
                /* Rounded in float, and never as far as the upper end. */
                float unit = (float)ebm_random_uniform(&r, e);
                assert_close(out[e], -3 + 8 * unit, 0x1p-22, 0);
                assert_true(out[e] >= -3 && out[e] < 5);
            }
            kernels->normal(&r, n, 0, 1, out);
            for (size_t e = 0; e < n; e++) {
                double z, allowed = normal_error(&r, e, &z);
                assert_close(out[e], z, allowed, 0);
            }
            kernels->normal(&r, n, 2, 3, out);
            for (size_t e = 0; e < n; e++) {
                double z, allowed = normal_error(&r, e, &z);
                assert_close(out[e], 2 + 3 * z, 3 * allowed + 0x1p-20, 0);
            }
            assert_true(out[n] == 77);
        }
    }
}

/*
 * Words of all zeros and ones, which chance meets once in 2^32: the steps at
 * which they stand in stream 0 of seed 0 were searched for. A word of 0 must
 * not become log 0; the largest normal is sqrt(-2 log 2^-33) = 6.764.
 */
static void extreme_words_give_finite_normals(void **state)
{
    (void)state;
    static const struct {
        uint64_t step;
        size_t element;
        uint32_t word;
    } extremes[] = {
        {190209282, 13, 0},
        {144210587, 12, UINT32_MAX},
        {284786586, 6, UINT32_MAX},
    };
    const ebm_kernels *kernels;
    for (size_t i = 0; i < TEST_COUNT(extremes); i++) {
        ebm_random r =
            ebm_random_at(0, EBM_PURPOSE_LANGEVIN, 0, extremes[i].step);
        size_t e = extremes[i].element;
        assert_int_equal(ebm_random_word(&r, e), extremes[i].word);
        double z = ebm_random_normal(&r, e), y = ebm_random_normal(&r, e + 16);
        double radius = extremes[i].word ? 1.526e-5 : 6.7637;
        assert_close(hypot(z, y), radius, 0, 1e-4);
        for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
            float out[64];
            if (!kernels->usable())
                continue;
            kernels->normal(&r, 64, 0, 1, out);
            assert_close(out[e], z, 2e-5, 1e-6);
            assert_close(out[e + 16], y, 2e-5, 1e-6);
            kernels->uniform(&r, 64, -1, 1, out);
            assert_true(out[e] >= -1 && out[e] < 1);
            assert_true(fabsf(out[e]) > 0.9999f);
        }
    }
}

/* The fills have the right law also where the scalar form is not looked at:
   far out, and at bounds of a fill that rounds to its upper end. */
static void fills_keep_their_bounds_and_tails(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    const ebm_kernels *kernels;
    float *out = test_floats(N);
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        ebm_random r = ebm_random_at(21, EBM_PURPOSE_LANGEVIN, 0, 0);
        double beyond = 0, square = 0;
        kernels->normal(&r, N, 0, 1, out);
        for (size_t e = 0; e < N; e++) {
            assert_true(isfinite(out[e]));
            square += (double)out[e] * (double)out[e];
            beyond += fabsf(out[e]) > 4;
        }
        assert_close(square / N, 1, 5 * sqrt(2.0 / N), 0);
        double expected = N * erfc(4 / sqrt(2.0));
        assert_close(beyond, expected, 5 * sqrt(expected), 0);
        /* Here the last bits of the sum are coarser than the draws. */
        kernels->uniform(&r, N, 1000, 1001, out);
        for (size_t e = 0; e < N; e++)
            assert_true(out[e] >= 1000 && out[e] < 1001);
        kernels->uniform(&r, 70, 4, 4, out);
        for (size_t e = 0; e < 70; e++)
            assert_true(out[e] == 4);
    }
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_its_published_answers),
        cmocka_unit_test(words_follow_the_documented_layout),
        cmocka_unit_test(all_arguments_matter),
        cmocka_unit_test(draws_are_pure),
        cmocka_unit_test(uniforms_are_uniform),
        cmocka_unit_test(normals_are_normal),
        cmocka_unit_test(neighbours_are_independent),
        cmocka_unit_test(indices_are_uniform),
        cmocka_unit_test(vector_fills_equal_the_scalars),
        cmocka_unit_test(extreme_words_give_finite_normals),
        cmocka_unit_test(fills_keep_their_bounds_and_tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
