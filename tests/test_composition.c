/* Compositions as models: their parameters, their parts, the same bits. */
#include "ebm_test.h"
#include "family.h"

enum { N = FAMILY_N, SIZE = FAMILY_SIZE };

static void test_facts(void **state)
{
    (void)state;
    family f;
    family_begin(&f, 1, 0);
    size_t one = ebm_model_parameter_count(f.a.model), h, w, c;
    assert_ok(ebm_model_shape(f.whole.model, &h, &w, &c));
    assert_true(h == 6 && w == 5 && c == 2);
    assert_int_equal(ebm_model_parameter_count(f.whole.model), 2 * one);
    assert_int_equal(ebm_model_part_count(f.whole.model), 3);
    assert_int_equal(ebm_model_part_count(f.inner.model), 1);
    assert_int_equal(ebm_model_part_count(NULL), 0);
    assert_int_equal(ebm_model_slab_size(f.whole.model), 2);
    assert_int_equal(ebm_model_slab_size(f.extra.model), 4);
    assert_int_equal(ebm_model_class_count(f.whole.model), 0);
    /* Views: those of a, which comes first, then those of b. */
    size_t views = ebm_model_view_count(f.a.model);
    assert_int_equal(ebm_model_view_count(f.whole.model), 2 * views);
    for (size_t i = 0; i < 2 * views; i++) {
        const ebm_model *leaf = i < views ? f.a.model : f.b.model;
        const char *name, *own;
        char right[64];
        size_t offset, rank, shape[4], at, its_rank, its_shape[4];
        assert_ok(
            ebm_model_view(f.whole.model, i, &name, &offset, &rank, shape));
        assert_ok(
            ebm_model_view(leaf, i % views, &own, &at, &its_rank, its_shape));
        snprintf(right, sizeof right, "%d.%s", i >= views, own);
        assert_string_equal(name, right);
        assert_int_equal(offset, at + (i < views ? 0 : one));
        assert_int_equal(rank, its_rank);
        assert_memory_equal(shape, its_shape, sizeof shape);
    }
    family_end(&f);
}

/* The flat parameters are a's and then b's, read and written across. */
static void test_flat_parameters(void **state)
{
    (void)state;
    family f;
    family_begin(&f, 1, 0);
    size_t one = ebm_model_parameter_count(f.a.model);
    float *all = test_floats(2 * one), *same = test_floats(2 * one);
    float *lent = NULL, before[N], after[N];
    assert_ok(ebm_model_get_parameters(f.whole.model, 0, all, 2 * one));
    assert_same_bits(all, ebm_model_parameters(f.a.model), one);
    assert_same_bits(all + one, ebm_model_parameters(f.b.model), one);
    for (size_t i = 0; i < 2 * one; i++)
        all[i] *= 1.5f;
    assert_ok(ebm_model_energy(f.whole.model, f.x, NULL, N, before));
    assert_ok(
        ebm_model_set_parameters(f.whole.model, one - 3, all + one - 3, 7));
    assert_ok(ebm_model_energy(f.whole.model, f.x, NULL, N, after));
    assert_other_bits(before, after, N);
    assert_ok(ebm_model_set_parameters(f.whole.model, 0, all, 2 * one));
    assert_same_bits(all, ebm_model_parameters(f.a.model), one);
    assert_same_bits(all + one, ebm_model_parameters(f.b.model), one);
    assert_ok(ebm_model_get_parameters(f.whole.model, one - 2, same, 4));
    assert_same_bits(same, all + one - 2, 4);
    assert_error(f.context,
                 ebm_model_get_parameters(f.whole.model, one, same, one + 1),
                 EBM_ERROR_RANGE, "parameters");
    all[one + 1] = NAN;
    assert_status(ebm_model_set_parameters(f.whole.model, 0, all, 2 * one),
                  EBM_ERROR_NON_FINITE);
    /* Nothing to borrow where there are several; of one leaf it is its own. */
    assert_null(ebm_model_parameters(f.whole.model));
    assert_null(ebm_model_gradient(f.whole.model));
    assert_error(f.context, ebm_model_begin_write(f.whole.model, &lent),
                 EBM_ERROR_UNSUPPORTED, "2 parts");
    assert_null(lent);
    assert_status(ebm_model_end_write(f.whole.model), EBM_ERROR_UNSUPPORTED);
    assert_ptr_equal(ebm_model_parameters(f.extra.model),
                     ebm_model_parameters(f.b.model));
    assert_ptr_equal(ebm_model_gradient(f.extra.model),
                     ebm_model_gradient(f.b.model));
    assert_ok(ebm_model_begin_write(f.extra.model, &lent));
    assert_ptr_equal(lent, ebm_model_parameters(f.b.model));
    assert_error(f.context,
                 ebm_model_energy(f.whole.model, f.x, NULL, N, after),
                 EBM_ERROR_STATE, "lent");
    assert_status(ebm_model_energy(f.b.model, f.x, NULL, N, after),
                  EBM_ERROR_STATE);
    assert_status(ebm_model_set_parameters(f.whole.model, 0, same, 1),
                  EBM_ERROR_STATE);
    assert_ok(ebm_model_end_write(f.b.model));
    assert_ok(ebm_model_energy(f.whole.model, f.x, NULL, N, after));
    free(all);
    free(same);
    family_end(&f);
}

static void test_part_energies(void **state)
{
    (void)state;
    static const double weights[] = {1, 0.5, -0.25};
    for (int custom = 0; custom < 2; custom++) {
        family f;
        family_begin(&f, 2, custom);
        tree *parts[] = {&f.a, &f.inner, &f.extra};
        tree cold, again, one;
        float energy[N], each[N], by_part[3 * N], other[3 * N];
        assert_ok(ebm_model_energy(f.whole.model, f.x, NULL, N, energy));
        assert_ok(
            ebm_model_part_energies(f.whole.model, f.x, NULL, N, by_part));
        for (size_t k = 0; k < 3; k++) {
            assert_ok(ebm_model_energy(parts[k]->model, f.x, NULL, N, each));
            for (size_t i = 0; i < N; i++)
                assert_close((double)by_part[3 * i + k],
                             weights[k] * (double)each[i], 1e-6, 1e-6);
        }
        for (size_t i = 0; i < N; i++)
            assert_close((double)by_part[3 * i] + (double)by_part[3 * i + 1] +
                             (double)by_part[3 * i + 2],
                         (double)energy[i], 1e-6, 1e-6);
        /* Through a temperature and a sign; a sum of a sum is of one part. */
        tree_tempered(&cold, &f.whole, 0.5);
        tree_negated(&again, &cold);
        assert_int_equal(ebm_model_part_count(again.model), 3);
        assert_ok(ebm_model_part_energies(again.model, f.x, NULL, N, other));
        for (size_t i = 0; i < 3 * N; i++)
            by_part[i] *= -2;
        assert_same_bits(other, by_part, 3 * N);
        tree *alone[] = {&f.whole};
        tree_sum(&one, alone, NULL, 1);
        assert_int_equal(ebm_model_part_count(one.model), 1);
        assert_ok(ebm_model_part_energies(one.model, f.x, NULL, N, each));
        assert_same_bits(each, energy, N);
        assert_ok(ebm_model_part_energies(f.inner.model, f.x, NULL, N, each));
        assert_ok(ebm_model_energy(f.inner.model, f.x, NULL, N, energy));
        assert_same_bits(each, energy, N);
        assert_status(
            ebm_model_part_energies(f.whole.model, f.x, NULL, N, NULL),
            EBM_ERROR_ARGUMENT);
        tree_free(&one);
        tree_free(&again);
        tree_free(&cold);
        family_end(&f);
    }
}

/* ---- The same bits ----------------------------------------------------- */

/* Everything that can be computed, into one array. */
enum { RECORD = N + 3 * N * SIZE + 4096 };

static size_t record(family *f, float *out)
{
    size_t count = ebm_model_parameter_count(f->whole.model), at = 0;
    const ebm_model *m = f->whole.model;
    assert_ok(ebm_model_energy_grad(m, f->x, NULL, N, out, out + N));
    at += N + N * SIZE;
    assert_ok(ebm_model_hessian_vector(m, f->x, NULL, N, f->v, out + at));
    at += N * SIZE;
    assert_ok(ebm_model_zero_gradient(f->whole.model));
    assert_ok(
        ebm_model_backward(f->whole.model, f->x, NULL, N, f->scale, NULL));
    assert_ok(ebm_model_mixed_backward(f->whole.model, f->x, NULL, N, f->v,
                                       f->scale, NULL));
    assert_true(at + count + N * SIZE <= RECORD);
    assert_ok(ebm_model_get_gradient(m, 0, out + at, count));
    at += count;
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    assert_ok(ebm_sampler_create(f->context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 4));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_chains_create(f->context, N, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    assert_ok(ebm_sampler_run(sampler, m, chains));
    memcpy(out + at, ebm_chains_states(chains), N * SIZE * sizeof *out);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    return at + N * SIZE;
}

static void test_threads(void **state)
{
    (void)state;
    static float first[RECORD], other[RECORD];
    for (int custom = 0; custom < 2; custom++)
        for (int threads = 1; threads <= 4; threads *= 2) {
            family f;
            family_begin(&f, threads, custom);
            size_t n = record(&f, threads == 1 ? first : other);
            if (threads > 1)
                assert_same_bits(first, other, n);
            family_end(&f);
        }
}

/* What the other rows hold, and how many there are, changes nothing. */
static void test_rows_are_independent(void **state)
{
    (void)state;
    for (int custom = 0; custom < 2; custom++) {
        family f;
        family_begin(&f, 2, custom);
        const ebm_model *m = f.whole.model;
        static float grad[N * SIZE], hv[N * SIZE], g[N * SIZE], h[N * SIZE];
        float energy[N], e[N];
        assert_ok(ebm_model_energy_grad(m, f.x, NULL, N, energy, grad));
        assert_ok(ebm_model_hessian_vector(m, f.x, NULL, N, f.v, hv));
        for (size_t n = 1; n <= N; n++) {
            assert_ok(ebm_model_energy_grad(m, f.x, NULL, n, e, g));
            assert_ok(ebm_model_hessian_vector(m, f.x, NULL, n, f.v, h));
            assert_same_bits(e, energy, n);
            assert_same_bits(g, grad, n * SIZE);
            assert_same_bits(h, hv, n * SIZE);
        }
        for (size_t i = 0; i < N * SIZE; i++)
            if (i / SIZE != 3)
                f.x[i] = 3 - f.x[i];
        assert_ok(ebm_model_energy_grad(m, f.x, NULL, N, e, g));
        assert_ok(ebm_model_hessian_vector(m, f.x, NULL, N, f.v, h));
        assert_same_bits(e + 3, energy + 3, 1);
        assert_same_bits(g + 3 * SIZE, grad + 3 * SIZE, SIZE);
        assert_same_bits(h + 3 * SIZE, hv + 3 * SIZE, SIZE);
        family_end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_flat_parameters),
        cmocka_unit_test(test_part_energies),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_rows_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
