/*
 * log Z of an energy that can be enumerated: a network of hidden units,
 *
 *     E(x) = |x|^2 / 2 - c.x - sum_j softplus(w_j.x + b_j),
 *
 * is the free energy of binary units h beside Gaussian ones. Summed over all
 * 2^m states h,
 *
 *     Z = (2 pi)^(d/2) sum_h exp(b.h + |c + sum_j h_j w_j|^2 / 2),
 *
 * and given h, x is normal around c + sum_j h_j w_j: exact samples for the way
 * back. The energy is the library's own, a network and a Gaussian added up.
 */
#include "ebm_test.h"
#include "targets.h"

enum { D = 4, UNITS = 6, STATES = 1 << UNITS, CHAINS = 300 };

typedef struct machine {
    float w[UNITS][D], b[UNITS];
    double c[D];
    double log_z, share[STATES];
} machine;

static double softplus(double x)
{
    return log1p(exp(-fabs(x))) + fmax(x, 0);
}

/* Means of x given the hidden state. */
static void centre(const machine *m, size_t h, double *mean)
{
    for (size_t i = 0; i < D; i++) {
        mean[i] = m->c[i];
        for (size_t j = 0; j < UNITS; j++)
            mean[i] += h >> j & 1 ? (double)m->w[j][i] : 0;
    }
}

static machine enumerate(void)
{
    machine m;
    uint64_t random = 3;
    double sum = 0;
    for (size_t j = 0; j < UNITS; j++) {
        m.b[j] = (float)(-2 + 0.7 * test_random_normal(&random));
        for (size_t i = 0; i < D; i++)
            m.w[j][i] = (float)(1.2 * test_random_normal(&random));
    }
    for (size_t i = 0; i < D; i++)
        m.c[i] = 0.3 * test_random_normal(&random);
    for (size_t h = 0; h < STATES; h++) {
        double mean[D], exponent = 0;
        centre(&m, h, mean);
        for (size_t i = 0; i < D; i++)
            exponent += mean[i] * mean[i] / 2;
        for (size_t j = 0; j < UNITS; j++)
            exponent += h >> j & 1 ? (double)m.b[j] : 0;
        m.share[h] = exp(exponent);
        sum += m.share[h];
    }
    for (size_t h = 0; h < STATES; h++)
        m.share[h] /= sum;
    m.log_z = log(sum) + D / 2.0 * log(2 * acos(-1));
    return m;
}

static void draw(const machine *m, uint64_t *random, float *x)
{
    double u = test_random_uniform(random, 0, 1), mean[D];
    size_t h = 0;
    while (h + 1 < STATES && u > m->share[h])
        u -= m->share[h++];
    centre(m, h, mean);
    for (size_t i = 0; i < D; i++)
        x[i] = (float)(mean[i] + test_random_normal(random));
}

/* softplus(W x + b), added up with weights -1. */
static ebm_model *network_of(ebm_context *context, const machine *m)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    float first[D][UNITS], last[UNITS + 1] = {0};
    for (size_t j = 0; j < UNITS; j++) {
        last[j] = -1;
        for (size_t i = 0; i < D; i++)
            first[i][j] = m->w[j][i];
    }
    assert_ok(ebm_network_create(context, 1, 1, D, &net));
    assert_ok(ebm_network_dense(net, UNITS));
    assert_ok(ebm_network_softplus(net));
    assert_ok(ebm_network_dense(net, 1));
    assert_ok(ebm_model_create_network(net, 1, &model));
    assert_int_equal(ebm_model_parameter_count(model),
                     UNITS * D + UNITS + UNITS + 1);
    assert_ok(ebm_model_set_parameters(model, 0, first[0], UNITS * D));
    assert_ok(ebm_model_set_parameters(model, UNITS * D, m->b, UNITS));
    assert_ok(
        ebm_model_set_parameters(model, UNITS * D + UNITS, last, UNITS + 1));
    ebm_network_destroy(net);
    return model;
}

/* The Gaussian is |x - c|^2 / 2: less by |c|^2 / 2 than what is enumerated. */
static ebm_model *model_of(ebm_context *context, machine *m)
{
    ebm_model *parts[2] = {network_of(context, m), NULL}, *sum = NULL;
    assert_ok(ebm_model_create_gaussian(context, D, m->c, NULL, &parts[1]));
    assert_ok(ebm_model_create_sum(parts, NULL, 2, &sum));
    for (size_t i = 0; i < D; i++)
        m->log_z -= m->c[i] * m->c[i] / 2;
    ebm_model_destroy(parts[0]);
    ebm_model_destroy(parts[1]);
    return sum;
}

static void the_energy_is_the_enumerated_one(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    machine m = enumerate();
    ebm_model *model = model_of(context, &m);
    float x[D], energy;
    uint64_t random = 8;
    for (size_t n = 0; n < 20; n++) {
        double right = 0;
        draw(&m, &random, x);
        for (size_t i = 0; i < D; i++)
            right += (x[i] - m.c[i]) * (x[i] - m.c[i]) / 2;
        for (size_t j = 0; j < UNITS; j++) {
            double a = (double)m.b[j];
            for (size_t i = 0; i < D; i++)
                a += (double)m.w[j][i] * (double)x[i];
            right -= softplus(a);
        }
        assert_ok(ebm_model_energy(model, x, NULL, 1, &energy));
        assert_close((double)energy, right, 1e-4, 1e-5);
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void check(const ebm_ais *ais, ebm_ais_direction direction,
                  double exact)
{
    double log_z, error, low, high, bound;
    assert_ok(ebm_ais_get_result(ais, direction, EBM_AIS_LOG_Z, &log_z));
    assert_ok(
        ebm_ais_get_result(ais, direction, EBM_AIS_STANDARD_ERROR, &error));
    assert_ok(ebm_ais_get_result(ais, direction, EBM_AIS_LOW, &low));
    assert_ok(ebm_ais_get_result(ais, direction, EBM_AIS_HIGH, &high));
    assert_ok(ebm_ais_get_result(ais, direction, EBM_AIS_BOUND, &bound));
    print_message("log Z %.4f +- %.4f, exact %.4f, by mean log w %.4f\n",
                  log_z, error, exact, bound);
    assert_true(low < exact && exact < high);
    assert_true(error < 0.08);
    assert_true(direction == EBM_AIS_FORWARD ? bound < exact : bound > exact);
}

static void log_z_is_the_enumerated_one(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    machine m = enumerate();
    ebm_model *model = model_of(context, &m);
    ebm_ais *ais = NULL;
    ebm_sampler *hmc = NULL;
    ebm_chains *chains = NULL;
    float x[CHAINS * D];
    uint64_t random = 5;
    for (size_t i = 0; i < CHAINS; i++)
        draw(&m, &random, x + i * D);
    assert_ok(ebm_ais_create(context, EBM_AIS_GAUSSIAN, &ais));
    assert_ok(ebm_ais_set(ais, EBM_AIS_GAUSSIAN_STD, 2));
    assert_ok(ebm_ais_set(ais, EBM_AIS_LEVELS, 150));
    assert_ok(ebm_ais_set(ais, EBM_AIS_CONFIDENCE, 0.99));
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_HMC, &hmc));
    assert_ok(ebm_sampler_set(hmc, EBM_SAMPLER_STEPS, 1));
    assert_ok(ebm_sampler_set(hmc, EBM_SAMPLER_STEP_SIZE, 0.3));
    assert_ok(ebm_sampler_set(hmc, EBM_SAMPLER_LEAPFROG_STEPS, 5));
    assert_ok(ebm_chains_create(context, CHAINS, 1, 1, D, 2, &chains));
    assert_ok(ebm_ais_forward(ais, hmc, model, chains));
    check(ais, EBM_AIS_FORWARD, m.log_z);
    assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_ais_reverse(ais, hmc, model, chains));
    check(ais, EBM_AIS_REVERSE, m.log_z);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(hmc);
    ebm_ais_destroy(ais);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_energy_is_the_enumerated_one),
        cmocka_unit_test(log_z_is_the_enumerated_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
