/* Compositions that are sampled and trained: optimizers, tails, losses. */
#include "ebm_test.h"
#include "family.h"

enum { N = FAMILY_N, M = 5, SIZE = FAMILY_SIZE };

/* ---- Optimizer, sampler ------------------------------------------------ */

/* A step of the whole is one of each leaf. */
static void test_optimizer(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        family f, g;
        family_begin(&f, 1, 0);
        family_begin(&g, 1, 0);
        ebm_optimizer *whole = NULL, *each[2] = {NULL};
        ebm_model *leaves[] = {g.a.model, g.b.model};
        size_t one = ebm_model_parameter_count(f.a.model);
        float *all = test_floats(2 * one), *right = test_floats(2 * one);
        assert_ok(ebm_optimizer_create(f.context, (ebm_optimizer_kind)kind,
                                       f.whole.model, &whole));
        assert_ok(ebm_optimizer_set(whole, EBM_OPTIMIZER_EMA_DECAY, 0.75));
        for (size_t k = 0; k < 2; k++) {
            assert_ok(ebm_optimizer_create(g.context, (ebm_optimizer_kind)kind,
                                           leaves[k], each + k));
            assert_ok(
                ebm_optimizer_set(each[k], EBM_OPTIMIZER_EMA_DECAY, 0.75));
        }
        double squares = 0;
        for (size_t step = 0; step < 4; step++) {
            assert_ok(ebm_model_backward(f.whole.model, f.x, NULL, N, f.scale,
                                         NULL));
            assert_ok(ebm_model_backward(g.whole.model, f.x, NULL, N, f.scale,
                                         NULL));
            assert_ok(ebm_optimizer_step(whole));
            squares = 0;
            for (size_t k = 0; k < 2; k++) {
                double norm;
                assert_ok(ebm_optimizer_step(each[k]));
                assert_ok(ebm_optimizer_get_statistic(
                    each[k], EBM_OPTIMIZER_STAT_GRADIENT_NORM, &norm));
                squares += norm * norm;
            }
        }
        double norm;
        assert_ok(ebm_optimizer_get_statistic(
            whole, EBM_OPTIMIZER_STAT_GRADIENT_NORM, &norm));
        assert_close(norm, sqrt(squares), 0, 1e-12);
        for (int swapped = 0; swapped < 2; swapped++) {
            assert_ok(
                ebm_model_get_parameters(f.whole.model, 0, all, 2 * one));
            assert_ok(
                ebm_model_get_parameters(g.whole.model, 0, right, 2 * one));
            assert_same_bits(all, right, 2 * one);
            assert_ok(ebm_optimizer_swap_average(whole));
            assert_ok(ebm_optimizer_swap_average(each[0]));
            assert_ok(ebm_optimizer_swap_average(each[1]));
        }
        free(all);
        free(right);
        ebm_optimizer_destroy(whole);
        ebm_optimizer_destroy(each[0]);
        ebm_optimizer_destroy(each[1]);
        family_end(&f);
        family_end(&g);
    }
}

/* A step without noise goes down the sum's gradient. A tail is that of the
   parameters of all parts. */
static void test_sampler(void **state)
{
    (void)state;
    for (int custom = 0; custom < 2; custom++) {
        family f;
        family_begin(&f, 2, custom);
        ebm_sampler *sampler = NULL;
        ebm_chains *chains = NULL;
        ebm_loss *loss = NULL;
        static float grad[N * SIZE];
        assert_ok(
            ebm_model_energy_grad(f.whole.model, f.x, NULL, N, NULL, grad));
        assert_ok(
            ebm_sampler_create(f.context, EBM_SAMPLER_LANGEVIN, &sampler));
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 1));
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, 1));
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.5));
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 0));
        assert_ok(ebm_chains_create(f.context, N, 6, 5, 2, 1, &chains));
        assert_ok(ebm_chains_set_states(chains, f.x, NULL, EBM_ORIGIN_DATA));
        assert_ok(ebm_sampler_run(sampler, f.whole.model, chains));
        for (size_t i = 0; i < N * SIZE; i++)
            grad[i] = f.x[i] - 0.5f * grad[i];
        assert_arrays_close(ebm_chains_states(chains), grad, N * SIZE, 1e-6);
        assert_ok(ebm_loss_create(f.context, EBM_LOSS_CD, &loss));
        assert_ok(ebm_loss_backward(loss, f.whole.model, f.x, NULL, N, chains,
                                    NULL));
        assert_error(
            f.context,
            ebm_loss_backward(loss, f.inner.model, f.x, NULL, N, chains, NULL),
            EBM_ERROR_STATE, "another model");
        assert_ok(ebm_model_set_parameters(f.b.model, 0, f.x, 1));
        assert_error(
            f.context,
            ebm_loss_backward(loss, f.whole.model, f.x, NULL, N, chains, NULL),
            EBM_ERROR_STATE, "written");
        ebm_loss_destroy(loss);
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
        family_end(&f);
    }
}

static ebm_model *spectral(ebm_context *context, uint64_t seed)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 6, 5, 2, &net));
    assert_ok(ebm_network_set(net, EBM_NETWORK_SLAB, 2));
    assert_ok(ebm_network_set(net, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL));
    assert_ok(ebm_network_conv2d(net, 3, 3, 1, 1));
    assert_ok(ebm_network_swish(net));
    assert_ok(ebm_network_flatten(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, seed, &model));
    ebm_network_destroy(net);
    return model;
}

/* Gradients of derived weights become those of parameters in each leaf, and
   the optimizer's power iteration reaches them all. */
static void test_derived_weights(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *parts[2], *twins[2], *whole = NULL, *rounds = NULL;
    ebm_optimizer *sgd = NULL, *each = NULL;
    const double weights[2] = {0.5, 2};
    uint64_t random = 5;
    float x[N * SIZE], scale[N], e[2][N], both[2 * N];
    test_fill_uniform(&random, x, N * SIZE, -1, 1);
    test_fill_uniform(&random, scale, N, -1, 1);
    for (size_t k = 0; k < 2; k++) {
        parts[k] = spectral(context, k + 1);
        twins[k] = spectral(context, k + 1);
    }
    size_t one = ebm_model_parameter_count(parts[0]);
    assert_ok(ebm_model_create_sum(parts, weights, 2, &whole));
    assert_ok(ebm_optimizer_create(context, EBM_OPTIMIZER_SGD, whole, &sgd));
    assert_ok(ebm_optimizer_set(sgd, EBM_OPTIMIZER_LEARNING_RATE, 0.1));
    assert_ok(ebm_model_backward(whole, x, NULL, N, scale, NULL));
    for (size_t k = 0; k < 2; k++) {
        float *g = test_floats(one), scaled[N];
        for (size_t i = 0; i < N; i++)
            scaled[i] = (float)weights[k] * scale[i];
        assert_ok(ebm_model_backward(twins[k], x, NULL, N, scaled, NULL));
        assert_ok(ebm_model_get_gradient(whole, k * one, g, one));
        assert_arrays_close(g, ebm_model_gradient(twins[k]), one, 1e-6);
        free(g);
        assert_ok(
            ebm_optimizer_create(context, EBM_OPTIMIZER_SGD, twins[k], &each));
        assert_ok(ebm_optimizer_set(each, EBM_OPTIMIZER_LEARNING_RATE, 0.1));
        assert_ok(ebm_optimizer_step(each));
        ebm_optimizer_destroy(each);
        assert_ok(ebm_model_energy(twins[k], x, NULL, N, e[k]));
    }
    assert_ok(ebm_optimizer_step(sgd));
    assert_ok(ebm_model_part_energies(whole, x, NULL, N, both));
    for (size_t i = 0; i < 2 * N; i++)
        assert_close((double)both[i], weights[i % 2] * (double)e[i % 2][i / 2],
                     1e-5, 1e-5);
    /* And by hand. */
    assert_ok(ebm_model_create_negated(whole, &rounds));
    assert_ok(ebm_model_iterate(rounds, 3));
    for (size_t k = 0; k < 2; k++) {
        float now[N];
        assert_ok(ebm_model_iterate(twins[k], 3));
        assert_ok(ebm_model_energy(twins[k], x, NULL, N, e[k]));
        assert_ok(ebm_model_energy(parts[k], x, NULL, N, now));
        assert_arrays_close(now, e[k], N, 1e-5);
    }
    ebm_optimizer_destroy(sgd);
    ebm_model_destroy(rounds);
    ebm_model_destroy(whole);
    for (size_t k = 0; k < 2; k++) {
        ebm_model_destroy(parts[k]);
        ebm_model_destroy(twins[k]);
    }
    ebm_context_destroy(context);
}

/* As many passes within each other as there can be: the stack of a worker
   holds them. */
static void test_deepest_nest(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    tree leaf;
    ebm_model *parts[64], *wide = NULL, *deep = NULL;
    uint64_t random = 1;
    float x[N * SIZE], scale[N], *g, *right;
    tree_small_network(&leaf, context, 2, 1);
    test_fill_uniform(&random, x, N * SIZE, -1, 1);
    test_fill_uniform(&random, scale, N, 0, 1);
    for (size_t k = 0; k < 64; k++)
        parts[k] = leaf.model;
    assert_ok(ebm_model_create_sum(parts, NULL, 64, &wide));
    for (size_t k = 0; k < 7; k++)
        parts[k] = wide;
    assert_ok(ebm_model_create_sum(parts, NULL, 7, &deep));
    size_t n = ebm_model_parameter_count(deep);
    assert_int_equal(n, ebm_model_parameter_count(leaf.model));
    g = test_floats(n);
    right = test_floats(n);
    assert_ok(ebm_model_backward(deep, x, NULL, N, scale, NULL));
    memcpy(g, ebm_model_gradient(deep), n * sizeof *g);
    assert_ok(ebm_model_zero_gradient(deep));
    for (size_t i = 0; i < N; i++)
        scale[i] *= 7 * 64;
    assert_ok(ebm_model_backward(leaf.model, x, NULL, N, scale, NULL));
    memcpy(right, ebm_model_gradient(leaf.model), n * sizeof *right);
    assert_arrays_close(g, right, n, 1e-5);
    free(g);
    free(right);
    ebm_model_destroy(deep);
    ebm_model_destroy(wide);
    tree_free(&leaf);
    ebm_context_destroy(context);
}

/* ---- Losses: the sum, or the mean of the parts ------------------------- */

/* L = 1/S sum_s mean(E_s(x+)) - mean(E_s(x-)) + alpha (mean(E_s(x+)^2) +
   mean(E_s(x-)^2)) by hand, part by part. */
static double by_hand(ebm_model *const *parts, const double *weights,
                      size_t count, const float *data, const float *chains,
                      double alpha)
{
    double total = 0;
    for (size_t k = 0; k < count; k++)
        for (int negative = 0; negative < 2; negative++) {
            const float *x = negative ? chains : data;
            size_t n = negative ? M : N;
            float energy[N], scale[N];
            assert_ok(ebm_model_energy(parts[k], x, NULL, n, energy));
            for (size_t i = 0; i < n; i++) {
                double e = weights[k] * (double)energy[i];
                double share = 1 / ((double)n * (double)count);
                double sign = negative ? -1 : 1;
                total += share * (sign * e + alpha * e * e);
                scale[i] =
                    (float)(share * weights[k] * (sign + 2 * alpha * e));
            }
            assert_ok(ebm_model_backward(parts[k], x, NULL, n, scale, NULL));
        }
    return total;
}

static void check_mean_of_parts(family *f, ebm_model *model,
                                ebm_model *const *parts, const double *weights,
                                size_t count)
{
    size_t parameters = ebm_model_parameter_count(model);
    float *g = test_floats(parameters), *right = test_floats(parameters);
    float states[M * SIZE];
    ebm_loss *loss = NULL;
    ebm_chains *chains = NULL;
    ebm_report *report = NULL;
    double total, hand;
    test_fill_uniform(&f->random, states, M * SIZE, -1, 1);
    assert_ok(ebm_report_create(f->context, &report));
    assert_ok(ebm_chains_create(f->context, M, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, states, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_loss_create(f->context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ENERGY_L2, 0.7));
    for (int mean = 1; mean >= 0; mean--) {
        assert_ok(ebm_loss_set(loss, EBM_LOSS_PARTS,
                               mean ? EBM_PARTS_MEAN : EBM_PARTS_SUM));
        assert_ok(ebm_model_zero_gradient(model));
        assert_ok(
            ebm_loss_backward(loss, model, f->x, NULL, N, chains, report));
        assert_ok(ebm_model_get_gradient(model, 0, g, parameters));
        assert_ok(ebm_model_zero_gradient(model));
        const double one = 1;
        hand = mean ? by_hand(parts, weights, count, f->x, states, 0.7)
                    : by_hand(&model, &one, 1, f->x, states, 0.7);
        assert_ok(ebm_model_get_gradient(model, 0, right, parameters));
        assert_ok(ebm_report_get(report, EBM_REPORT_TOTAL, &total));
        assert_close(total, hand, 1e-6, 1e-5);
        assert_arrays_close(g, right, parameters, 1e-5);
    }
    ebm_loss_destroy(loss);
    ebm_chains_destroy(chains);
    ebm_report_destroy(report);
    free(g);
    free(right);
}

static void test_mean_of_parts(void **state)
{
    (void)state;
    for (int custom = 0; custom < 2; custom++) {
        family f;
        family_begin(&f, 2, custom);
        double weights[] = {1, 0.5, -0.25};
        tree cold, minus, nested;
        ebm_model *parts[] = {f.a.model, f.inner.model, f.extra.model};
        check_mean_of_parts(&f, f.whole.model, parts, weights, 3);
        /* A sum in a sum is one part. */
        tree *two[] = {&f.whole, &f.b};
        ebm_model *outer[] = {f.whole.model, f.b.model};
        const double ones[] = {1, 1};
        tree_sum(&nested, two, NULL, 2);
        check_mean_of_parts(&f, nested.model, outer, ones, 2);
        tree_tempered(&cold, &f.whole, 0.5);
        tree_negated(&minus, &cold);
        for (size_t k = 0; k < 3; k++)
            weights[k] *= -2;
        check_mean_of_parts(&f, minus.model, parts, weights, 3);
        check_mean_of_parts(&f, f.inner.model, &f.inner.model, ones, 1);
        tree_free(&nested);
        tree_free(&minus);
        tree_free(&cold);
        family_end(&f);
    }
}

/* The KL term is linear in the energy: the mean's is a third of the sum's. */
static void test_kl_of_parts(void **state)
{
    (void)state;
    family f;
    family_begin(&f, 2, 1);
    ebm_model *m = f.whole.model;
    size_t parameters = ebm_model_parameter_count(m);
    float *sum = test_floats(parameters), *mean = test_floats(parameters);
    double opt[2];
    ebm_sampler *sampler = NULL;
    ebm_chains *chains = NULL;
    ebm_loss *loss = NULL;
    ebm_report *report = NULL;
    assert_ok(ebm_report_create(f.context, &report));
    assert_ok(ebm_sampler_create(f.context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 3));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, 3));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 0.1));
    assert_ok(ebm_chains_create(f.context, N, 6, 5, 2, 1, &chains));
    assert_ok(ebm_chains_init_uniform(chains, -1, 1));
    assert_ok(ebm_sampler_run(sampler, m, chains));
    assert_ok(ebm_loss_create(f.context, EBM_LOSS_KL, &loss));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ENT_WEIGHT, 0));
    for (int parts = 0; parts < 2; parts++) {
        assert_ok(ebm_loss_set(loss, EBM_LOSS_PARTS, parts));
        assert_ok(ebm_model_zero_gradient(m));
        assert_ok(ebm_loss_backward(loss, m, NULL, NULL, 0, chains, report));
        assert_ok(ebm_report_get(report, EBM_REPORT_OPT, opt + parts));
        assert_ok(
            ebm_model_get_gradient(m, 0, parts ? mean : sum, parameters));
    }
    assert_close(3 * opt[1], opt[0], 1e-12, 1e-12);
    for (size_t i = 0; i < parameters; i++)
        mean[i] *= 3;
    assert_arrays_close(mean, sum, parameters, 1e-5);
    free(sum);
    free(mean);
    ebm_report_destroy(report);
    ebm_loss_destroy(loss);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    family_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer),
        cmocka_unit_test(test_sampler),
        cmocka_unit_test(test_derived_weights),
        cmocka_unit_test(test_deepest_nest),
        cmocka_unit_test(test_mean_of_parts),
        cmocka_unit_test(test_kl_of_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
