/* Losses: terms and gradient against closed forms. Faults and origins stand
   in test_loss_faults.c. */
#include "ebm_test.h"

#include "chains/chains.h"
#include "model/model.h"

enum { SIZE = 6, MOST = 200 };

/* E(x) = theta0 |x|^2 / 2 + theta1 sum x + label / 4 (none: label 0). */
static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    (void)user;
    for (size_t i = 0; i < n; i++) {
        double e = labels ? labels[i] / 4. : 0;
        for (size_t j = 0; j < SIZE; j++) {
            double v = x[i * SIZE + j];
            e += params[0] * v * v / 2 + params[1] * v;
            grad[i * SIZE + j] = params[0] * x[i * SIZE + j] + params[1];
        }
        energy[i] = (float)e;
    }
    return 0;
}

static int param_grad(const float *params, const float *x,
                      const int32_t *labels, size_t n, const float *scale,
                      float *gradient, void *user)
{
    (void)params;
    (void)labels;
    (void)user;
    double sum[2] = {0, 0};
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < SIZE; j++) {
            double v = x[i * SIZE + j];
            sum[0] += scale[i] * v * v / 2;
            sum[1] += scale[i] * v;
        }
    gradient[0] += (float)sum[0];
    gradient[1] += (float)sum[1];
    return 0;
}

/* One side of the loss in double. */
typedef struct side {
    double mean, std, square;
    double grad_mean[2];   /* mean dE/dtheta */
    double grad_square[2]; /* mean dE^2/dtheta */
} side;

static side closed_form(const float *theta, const float *x,
                        const int32_t *labels, size_t n)
{
    side s = {0, 0, 0, {0, 0}, {0, 0}};
    for (size_t i = 0; i < n; i++) {
        double g[2] = {0, 0};
        for (size_t j = 0; j < SIZE; j++) {
            double v = x[i * SIZE + j];
            g[0] += v * v / 2;
            g[1] += v;
        }
        double e =
            theta[0] * g[0] + theta[1] * g[1] + (labels ? labels[i] / 4. : 0);
        s.mean += e / (double)n;
        s.square += e * e / (double)n;
        for (int k = 0; k < 2; k++) {
            s.grad_mean[k] += g[k] / (double)n;
            s.grad_square[k] += 2 * e * g[k] / (double)n;
        }
    }
    s.std = sqrt(s.square - s.mean * s.mean);
    return s;
}

static double term(const ebm_report *report, ebm_report_key key)
{
    double value = NAN;
    assert_ok(ebm_report_get(report, key, &value));
    return value;
}

static void check_report(const ebm_report *report, const side *d,
                         const side *c, double alpha)
{
    assert_close(term(report, EBM_REPORT_POSITIVE), d->mean, 1e-6, 1e-6);
    assert_close(term(report, EBM_REPORT_NEGATIVE), -c->mean, 1e-6, 1e-6);
    assert_close(term(report, EBM_REPORT_ENERGY_L2), d->square + c->square, 0,
                 1e-6);
    assert_close(term(report, EBM_REPORT_TOTAL),
                 d->mean - c->mean + alpha * (d->square + c->square), 1e-6,
                 1e-6);
    assert_close(term(report, EBM_REPORT_DATA_ENERGY_MEAN), d->mean, 1e-6,
                 1e-6);
    assert_close(term(report, EBM_REPORT_CHAIN_ENERGY_MEAN), c->mean, 1e-6,
                 1e-6);
    assert_close(term(report, EBM_REPORT_DATA_ENERGY_STD), d->std, 1e-6, 1e-6);
    assert_close(term(report, EBM_REPORT_CHAIN_ENERGY_STD), c->std, 1e-6,
                 1e-6);
}

/* Parameters beyond the first two have no effect. */
static ebm_model *make_model(ebm_context *context, size_t count,
                             const float *theta)
{
    ebm_model *model = NULL;
    ebm_energy_ops ops = {sizeof ops, count, energy_grad, param_grad, NULL};
    assert_ok(ebm_model_create_custom(context, 1, 2, 3, &ops, NULL, &model));
    assert_ok(ebm_model_set_parameters(model, 0, theta, 2));
    return model;
}

/* Counts that differ both ways, shrink and grow, with and without the squared
   energies and labels, one loss for all. */
static void test_closed_form(void **state)
{
    (void)state;
    static const size_t counts[][2] = {{5, 7},   {7, 5},   {1, 1},
                                       {200, 3}, {4, 150}, {5, 7}};
    static const double alphas[] = {0, 0.1, 3};
    const float theta[2] = {0.7f, -0.4f};
    ebm_context *context = test_context_threads(2);
    ebm_model *model = make_model(context, 2, theta);
    ebm_loss *loss = NULL;
    ebm_report *report = NULL;
    float *data = test_floats(MOST * SIZE), *x = test_floats(MOST * SIZE);
    int32_t labels[MOST], tags[MOST];
    uint64_t random = 5;
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_report_create(context, &report));
    for (size_t i = 0; i < MOST; i++) {
        labels[i] = (int32_t)(i % 5);
        tags[i] = -(int32_t)(i % 3);
    }
    for (size_t c = 0; c < TEST_COUNT(counts); c++)
        for (size_t a = 0; a < TEST_COUNT(alphas); a++) {
            size_t n = counts[c][0], m = counts[c][1];
            const int32_t *given = a == 1 ? NULL : labels;
            ebm_chains *chains = NULL;
            test_fill_normal(&random, data, n * SIZE, 1);
            test_fill_normal(&random, x, m * SIZE, 1.5);
            assert_ok(ebm_chains_create(context, m, 1, 2, 3, 1, &chains));
            assert_ok(ebm_chains_set_states(chains, x, tags,
                                            EBM_ORIGIN_PERSISTED_DATA));
            assert_ok(ebm_loss_set(loss, EBM_LOSS_ENERGY_L2, alphas[a]));
            assert_ok(ebm_model_zero_gradient(model));
            assert_ok(ebm_loss_backward(loss, model, data, given, n, chains,
                                        report));
            side d = closed_form(theta, data, given, n);
            side s = closed_form(theta, x, tags, m);
            check_report(report, &d, &s, alphas[a]);
            double g[2];
            for (int k = 0; k < 2; k++)
                g[k] = d.grad_mean[k] - s.grad_mean[k] +
                       alphas[a] * (d.grad_square[k] + s.grad_square[k]);
            const float *gradient = ebm_model_gradient(model);
            assert_arrays_near(gradient, g, 2, 2e-6);
            /* Chains are only read; gradients add up; no report is fine. */
            assert_same_bits(ebm_chains_states(chains), x, m * SIZE);
            float once[2] = {2 * gradient[0], 2 * gradient[1]};
            assert_ok(
                ebm_loss_backward(loss, model, data, given, n, chains, NULL));
            assert_arrays_close(gradient, once, 2, 1e-6);
            ebm_chains_destroy(chains);
        }
    free(x);
    free(data);
    ebm_report_destroy(report);
    ebm_loss_destroy(loss);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* A network, small enough to be quick and with more slabs than one. */
static ebm_model *make_network(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 6, 6, 1, &network));
    assert_ok(ebm_network_conv2d(network, 8, 3, 2, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 3, &model));
    ebm_network_destroy(network);
    return model;
}

enum { NET = 36, BATCH = 100 };

static void network_gradient(int threads, size_t n, size_t m,
                             const float *data, const float *x,
                             float *gradient, size_t count)
{
    ebm_context *context = test_context_threads(threads);
    ebm_model *model = make_network(context);
    ebm_loss *loss = NULL;
    ebm_chains *chains = NULL;
    assert_int_equal(ebm_model_parameter_count(model), count);
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ENERGY_L2, 0.1));
    assert_ok(ebm_chains_create(context, m, 6, 6, 1, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_NOISE));
    assert_ok(ebm_loss_backward(loss, model, data, NULL, n, chains, NULL));
    memcpy(gradient, ebm_model_gradient(model), count * sizeof *gradient);
    ebm_chains_destroy(chains);
    ebm_loss_destroy(loss);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* The same bits with 1, 2 and 4 threads, and the same numbers as
   ebm_model_backward() with the scales worked out here. */
static void test_network(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = make_network(context);
    size_t count = ebm_model_parameter_count(model), n = 90, m = BATCH;
    float *data = test_floats(n * NET), *x = test_floats(m * NET);
    float *first = test_floats(count), *other = test_floats(count);
    float energy[BATCH], scale[BATCH];
    uint64_t random = 8;
    test_fill_uniform(&random, data, n * NET, -1, 1);
    test_fill_uniform(&random, x, m * NET, -2, 2);
    network_gradient(1, n, m, data, x, first, count);
    for (int threads = 2; threads <= 4; threads += 2) {
        network_gradient(threads, n, m, data, x, other, count);
        assert_same_bits(other, first, count);
    }
    for (int side_of = 0; side_of < 2; side_of++) {
        size_t k = side_of ? m : n;
        const float *samples = side_of ? x : data;
        double sign = side_of ? -1 : 1;
        assert_ok(ebm_model_energy(model, samples, NULL, k, energy));
        for (size_t i = 0; i < k; i++)
            scale[i] = (float)((sign + 0.2 * energy[i]) / (double)k);
        assert_ok(ebm_model_backward(model, samples, NULL, k, scale, NULL));
    }
    assert_arrays_close(first, ebm_model_gradient(model), count, 1e-5);
    free(other);
    free(first);
    free(x);
    free(data);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* One loss for several models in turn, which may go in any order. */
static void test_models_in_turn(void **state)
{
    (void)state;
    test_allocator memory = {0};
    ebm_context *context = test_context(&memory);
    const float theta[2] = {1, 0}, x[SIZE] = {1, 1, 1, 1, 1, 1};
    const float zero[SIZE] = {0};
    ebm_loss *loss = NULL;
    ebm_chains *chains = NULL;
    assert_ok(ebm_loss_create(context, EBM_LOSS_NLL, &loss));
    assert_ok(ebm_chains_create(context, 1, 1, 2, 3, 1, &chains));
    assert_ok(ebm_chains_set_states(chains, zero, NULL, EBM_ORIGIN_NOISE));
    ebm_model *a = make_model(context, 2, theta);
    ebm_model *b = make_model(context, 5000, theta);
    for (int round = 0; round < 3; round++) {
        assert_ok(ebm_loss_backward(loss, a, x, NULL, 1, chains, NULL));
        assert_ok(ebm_loss_backward(loss, b, x, NULL, 1, chains, NULL));
    }
    for (int k = 0; k < 2; k++) {
        /* dE/dtheta of x is (3, 6), of 0 nothing; three times. */
        assert_true(ebm_model_gradient(a)[k] == (k ? 18 : 9));
        assert_true(ebm_model_gradient(b)[k] == (k ? 18 : 9));
    }
    /* With one model at the same sizes nothing more is allocated. */
    size_t allocations = memory.allocations;
    assert_ok(ebm_loss_backward(loss, b, x, NULL, 1, chains, NULL));
    assert_int_equal(memory.allocations, allocations);
    ebm_model_destroy(a);
    ebm_object_retain(b);
    ebm_model_destroy(b);
    assert_status(ebm_loss_backward(loss, b, x, NULL, 1, chains, NULL),
                  EBM_ERROR_HANDLE);
    ebm_object_release(b);
    ebm_context_destroy(context);
    ebm_chains_destroy(chains);
    ebm_loss_destroy(loss);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_form),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_models_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
