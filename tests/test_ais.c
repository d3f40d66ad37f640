/*
 * Annealed importance sampling, exactly: where every weight is known, against
 * the same path walked by hand, and the same bits for any number of threads.
 */
#include "ebm_test.h"
#include "gaussian.h"
#include "reference.h"

static ebm_ais *make_ais(ebm_context *context, ebm_ais_base base,
                         double levels)
{
    ebm_ais *ais = NULL;
    assert_ok(ebm_ais_create(context, base, &ais));
    assert_ok(ebm_ais_set(ais, EBM_AIS_LEVELS, levels));
    return ais;
}

static ebm_sampler *make_sampler(ebm_context *context, ebm_sampler_kind kind,
                                 double steps, double step_size)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, kind, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, step_size));
    return sampler;
}

static double result(const ebm_ais *ais, ebm_ais_direction direction,
                     ebm_ais_result key)
{
    double value = NAN;
    assert_ok(ebm_ais_get_result(ais, direction, key, &value));
    return value;
}

static int zero_energy(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    const size_t *size = user;
    (void)params, (void)x, (void)labels;
    memset(energy, 0, n * sizeof *energy);
    memset(grad, 0, n * *size * sizeof *grad);
    return 0;
}

/* Every weight is 1, to the bit. */
static void zero_energy_is_exact(void **state)
{
    (void)state;
    static const ebm_sampler_kind kinds[] = {
        EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_TIED_LANGEVIN, EBM_SAMPLER_MALA,
        EBM_SAMPLER_HMC, EBM_SAMPLER_BAOAB};
    size_t size = 2 * 3 * 2;
    ebm_context *context = test_context_threads(2);
    const ebm_energy_ops ops = {.struct_size = sizeof ops,
                                .energy_grad = zero_energy};
    ebm_model *model = NULL;
    assert_ok(ebm_model_create_custom(context, 2, 3, 2, &ops, &size, &model));
    for (size_t k = 0; k < TEST_COUNT(kinds); k++)
        for (int levels = 1; levels <= 7; levels += 6) {
            ebm_ais *ais = make_ais(context, EBM_AIS_BOX, levels);
            ebm_sampler *sampler = make_sampler(context, kinds[k], 3, 0.125);
            ebm_chains *chains = NULL;
            assert_ok(ebm_ais_set(ais, EBM_AIS_BOX_MIN, -1));
            assert_ok(ebm_ais_set(ais, EBM_AIS_BOX_MAX, 3));
            assert_ok(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, 0.25));
            if (kinds[k] == EBM_SAMPLER_LANGEVIN)
                assert_ok(
                    ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 0.25));
            assert_ok(ebm_chains_create(context, 5, 2, 3, 2, 1, &chains));
            assert_ok(ebm_ais_forward(ais, sampler, model, chains));
            assert_ok(ebm_chains_init_uniform(chains, -1, 3));
            assert_ok(ebm_ais_reverse(ais, sampler, model, chains));
            for (int d = 0; d < 2; d++) {
                ebm_ais_direction way = (ebm_ais_direction)d;
                double log_z = 12 * log(4);
                assert_true(result(ais, way, EBM_AIS_LOG_Z) == log_z);
                assert_true(result(ais, way, EBM_AIS_LOW) == log_z);
                assert_true(result(ais, way, EBM_AIS_HIGH) == log_z);
                assert_true(result(ais, way, EBM_AIS_BOUND) == log_z);
                assert_true(result(ais, way, EBM_AIS_LOG_Z_BASE) == log_z);
                assert_true(result(ais, way, EBM_AIS_ESS) == 5);
                assert_true(result(ais, way, EBM_AIS_STANDARD_ERROR) == 0);
                assert_true(result(ais, way, EBM_AIS_ZERO_WEIGHTS) == 0);
                assert_true(result(ais, way, EBM_AIS_RUN_TEMPERATURE) == 0.25);
            }
            ebm_chains_destroy(chains);
            ebm_sampler_destroy(sampler);
            ebm_ais_destroy(ais);
        }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static double logistic(double v)
{
    return 1 / (1 + exp(-v));
}

static void schedules_go_from_0_to_1(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_ais *ais = make_ais(context, EBM_AIS_BOX, 50);
    assert_ok(ebm_ais_set(ais, EBM_AIS_FIRST_BETA, 0.001));
    for (int kind = EBM_AIS_LINEAR; kind <= EBM_AIS_GEOMETRIC; kind++) {
        double before = -1, beta;
        assert_ok(ebm_ais_set(ais, EBM_AIS_SCHEDULE, kind));
        for (size_t t = 0; t <= 50; t++) {
            double u = (double)t / 50, truth = u;
            if (kind == EBM_AIS_SIGMOID)
                truth = (logistic(8 * u - 4) - logistic(-4)) /
                        (logistic(4) - logistic(-4));
            if (kind == EBM_AIS_GEOMETRIC)
                truth = t ? pow(0.001, (50 - (double)t) / 49) : 0;
            assert_ok(ebm_ais_beta(ais, t, &beta));
            assert_close(beta, truth, 1e-14, 1e-12);
            assert_true(beta > before);
            before = beta;
        }
        assert_true(beta == 1);
        assert_error(context, ebm_ais_beta(ais, 51, &beta), EBM_ERROR_RANGE,
                     "level 51 of 50");
    }
    ebm_ais_destroy(ais);
    ebm_context_destroy(context);
}

/* A scene of five elements under a Gaussian energy with theta 2. */
enum { SIZE = 5, N = 9 };

typedef struct scene {
    ebm_context *context;
    test_gaussian g;
    ebm_model *model;
    ebm_chains *chains;
} scene;

static void begin(scene *s)
{
    s->context = test_context_threads(1);
    s->g = (test_gaussian){.theta = 2, .size = SIZE};
    s->model = test_gaussian_model(s->context, &s->g);
    assert_ok(ebm_chains_create(s->context, N, 1, SIZE, 1, 3, &s->chains));
}

static void end(scene *s)
{
    ebm_chains_destroy(s->chains);
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

/* The results again, from the log weights a and the sign of the direction. */
static void check_results(const ebm_ais *ais, ebm_ais_direction direction,
                          double log_z_base)
{
    double a[N], sign = direction == EBM_AIS_FORWARD ? 1 : -1;
    double sum = 0, squares = 0, logs = 0, log_squares = 0;
    assert_ok(ebm_ais_log_weights(ais, direction, a, N));
    for (size_t i = 0; i < N; i++) {
        sum += exp(sign * a[i]);
        squares += exp(2 * sign * a[i]);
        logs += a[i];
        log_squares += a[i] * a[i];
    }
    double mean = sum / N, log_z = log_z_base + sign * log(mean);
    double variance = (squares - N * mean * mean) / (N - 1);
    double error = sqrt(variance / N) / mean;
    double log_variance = (log_squares - logs * logs / N) / (N - 1);
    assert_close(result(ais, direction, EBM_AIS_LOG_Z), log_z, 0, 1e-12);
    assert_close(result(ais, direction, EBM_AIS_STANDARD_ERROR), error, 0,
                 1e-9);
    assert_close(result(ais, direction, EBM_AIS_LOW),
                 log_z - 1.6448536269514722 * error, 0, 1e-9);
    assert_close(result(ais, direction, EBM_AIS_HIGH),
                 log_z + 1.6448536269514722 * error, 0, 1e-9);
    assert_close(result(ais, direction, EBM_AIS_ESS), sum * sum / squares, 0,
                 1e-12);
    assert_close(result(ais, direction, EBM_AIS_BOUND), log_z_base + logs / N,
                 0, 1e-12);
    assert_close(result(ais, direction, EBM_AIS_BOUND_ERROR),
                 sqrt(log_variance / N), 0, 1e-9);
    assert_close(result(ais, direction, EBM_AIS_LOG_Z_BASE), log_z_base, 0,
                 1e-14);
    assert_true(result(ais, direction, EBM_AIS_CHAINS) == N);
}

static void one_level_is_importance_sampling(void **state)
{
    (void)state;
    scene s;
    begin(&s);
    for (int base = 0; base < 2; base++) {
        ebm_ais *ais = make_ais(s.context, (ebm_ais_base)base, 1);
        ebm_sampler *sampler =
            make_sampler(s.context, EBM_SAMPLER_MALA, 3, 0.1);
        double weights[N], unused, half_log_tau = 0.91893853320467274;
        double log_z_base =
            base ? SIZE * (half_log_tau + log(1.5)) : SIZE * log(2.5);
        float energy[N];
        if (base) {
            assert_ok(ebm_ais_set(ais, EBM_AIS_GAUSSIAN_MEAN, 0.25));
            assert_ok(ebm_ais_set(ais, EBM_AIS_GAUSSIAN_STD, 1.5));
        } else {
            assert_ok(ebm_ais_set(ais, EBM_AIS_BOX_MIN, -1));
            assert_ok(ebm_ais_set(ais, EBM_AIS_BOX_MAX, 1.5));
        }
        assert_ok(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, 2));
        assert_ok(ebm_ais_set(ais, EBM_AIS_CONFIDENCE, 0.9));
        assert_ok(ebm_ais_forward(ais, sampler, s.model, s.chains));
        assert_true(ebm_chains_step_count(s.chains) == 0);
        const float *x = ebm_chains_states(s.chains);
        assert_ok(ebm_model_energy(s.model, x, NULL, N, energy));
        assert_ok(ebm_ais_log_weights(ais, EBM_AIS_FORWARD, weights, N));
        for (size_t i = 0; i < N; i++) {
            double base_energy = 0;
            for (size_t j = 0; base && j < SIZE; j++)
                base_energy += pow((x[i * SIZE + j] - 0.25) / 1.5, 2) / 2;
            assert_close(weights[i], base_energy - energy[i] / 2, 0, 1e-13);
        }
        check_results(ais, EBM_AIS_FORWARD, log_z_base);
        assert_status(ebm_ais_get_result(ais, EBM_AIS_FORWARD,
                                         EBM_AIS_ACCEPTANCE, &unused),
                      EBM_ERROR_NOT_COMPUTED);
        /* The chains are draws of the base, so this is no bound, but 1 / w
           is as it should be. */
        assert_ok(ebm_ais_reverse(ais, sampler, s.model, s.chains));
        check_results(ais, EBM_AIS_REVERSE, log_z_base);
        ebm_sampler_destroy(sampler);
        ebm_ais_destroy(ais);
    }
    end(&s);
}

/* ---- The path by hand --------------------------------------------------- */

/* V = (1 - b) T E_0 + b E as a sum that the caller might have made. */
static ebm_model *compose(ebm_context *context, ebm_model *model, double beta,
                          double temperature, double mean, double std)
{
    double c[SIZE * SIZE] = {0}, means[SIZE];
    double weights[2] = {(1 - beta) * temperature, beta};
    ebm_model *parts[2] = {NULL, model}, *sum = NULL;
    for (size_t i = 0; i < SIZE; i++) {
        c[i * SIZE + i] = std * std;
        means[i] = mean;
    }
    assert_ok(ebm_model_create_gaussian(context, SIZE, means, c, parts));
    assert_ok(ebm_model_create_sum(parts, weights, 2, &sum));
    ebm_model_destroy(parts[0]);
    return sum;
}

static void gain(const ebm_model *model, const ebm_chains *chains, double step,
                 double temperature, double mean, double std, double *weights)
{
    const float *x = ebm_chains_states(chains);
    float energy[N];
    assert_ok(ebm_model_energy(model, x, NULL, N, energy));
    for (size_t i = 0; i < N; i++) {
        double base = 0;
        for (size_t j = 0; j < SIZE; j++)
            base += pow((x[i * SIZE + j] - mean) / std, 2) / 2;
        weights[i] += step * (base - energy[i] / temperature);
    }
}

static void the_path_is_what_it_says(void **state)
{
    (void)state;
    enum { LEVELS = 4 };
    const double T = 1.5, mean = 0.3, std = 1.2, factor = 3, step = 0.15;
    const ebm_sampler_kind kinds[] = {EBM_SAMPLER_MALA, EBM_SAMPLER_BAOAB,
                                      EBM_SAMPLER_LANGEVIN};
    for (size_t k = 0; k < TEST_COUNT(kinds); k++)
        for (int way = 0; way < 2; way++) {
            ebm_context *context = test_context_threads(1);
            ebm_model *model = NULL;
            double identity[SIZE * SIZE] = {0}, b[LEVELS + 1], sum[N] = {0};
            double weights[N];
            float x[N * SIZE], *final, *ours;
            ebm_chains *chains[2];
            for (size_t i = 0; i < SIZE; i++)
                identity[i * (SIZE + 1)] = 0.5;
            assert_ok(ebm_model_create_gaussian(context, SIZE, NULL, identity,
                                                &model));
            ebm_ais *ais = make_ais(context, EBM_AIS_GAUSSIAN, LEVELS);
            assert_ok(ebm_ais_set(ais, EBM_AIS_GAUSSIAN_MEAN, mean));
            assert_ok(ebm_ais_set(ais, EBM_AIS_GAUSSIAN_STD, std));
            assert_ok(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, T));
            assert_ok(ebm_ais_set(ais, EBM_AIS_STEP_FACTOR, factor));
            for (size_t t = 0; t <= LEVELS; t++)
                assert_ok(ebm_ais_beta(ais, t, b + t));
            ebm_sampler *sampler = make_sampler(context, kinds[k], 2, step);
            if (kinds[k] == EBM_SAMPLER_LANGEVIN)
                assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD,
                                          sqrt(2 * step * T)));
            uint64_t random = 7;
            test_fill_normal(&random, x, N * SIZE, 1);
            for (int c = 0; c < 2; c++) {
                assert_ok(
                    ebm_chains_create(context, N, 1, 1, SIZE, 11, chains + c));
                assert_ok(ebm_chains_set_states(chains[c], x, NULL,
                                                EBM_ORIGIN_DATA));
            }
            assert_ok(way ? ebm_ais_reverse(ais, sampler, model, chains[0])
                          : ebm_ais_forward(ais, sampler, model, chains[0]));
            if (!way)
                assert_ok(ebm_chains_init_normal(chains[1], (float)mean, std));
            for (size_t i = 1; i <= LEVELS; i++) {
                size_t t = way ? LEVELS + 1 - i : i;
                gain(model, chains[1], b[t] - b[t - 1], T, mean, std, sum);
                if (i == LEVELS)
                    break;
                double at = way ? b[t - 1] : b[t];
                double h = step * pow(factor, 1 - at);
                ebm_model *between = compose(context, model, at, T, mean, std);
                assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, h));
                assert_ok(kinds[k] == EBM_SAMPLER_LANGEVIN
                              ? ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD,
                                                sqrt(2 * h * T))
                              : ebm_sampler_set(sampler,
                                                EBM_SAMPLER_TEMPERATURE, T));
                assert_ok(ebm_sampler_run(sampler, between, chains[1]));
                ebm_model_destroy(between);
            }
            assert_ok(ebm_ais_log_weights(
                ais, way ? EBM_AIS_REVERSE : EBM_AIS_FORWARD, weights, N));
            for (size_t i = 0; i < N; i++)
                assert_close(weights[i], sum[i], 1e-5, 1e-5);
            final = test_states(chains[0]);
            ours = test_states(chains[1]);
            assert_arrays_close(final, ours, N * SIZE, 1e-5);
            for (size_t i = 0; i < N; i++) {
                uint64_t age = 0;
                assert_ok(ebm_chains_age(chains[0], i, &age));
                assert_int_equal(age, 2 * (LEVELS - 1));
            }
            free(final);
            free(ours);
            for (int c = 0; c < 2; c++)
                ebm_chains_destroy(chains[c]);
            ebm_sampler_destroy(sampler);
            ebm_ais_destroy(ais);
            ebm_model_destroy(model);
            ebm_context_destroy(context);
        }
}

/* What the caller set is there afterwards, and only the base's bounds and the
   estimator's temperature counted. */
static void settings_are_the_callers_again(void **state)
{
    (void)state;
    static const double mine[][2] = {
        {EBM_SAMPLER_STEPS, 3},         {EBM_SAMPLER_STEP_SIZE, 0.2},
        {EBM_SAMPLER_STATE_MIN, -0.01}, {EBM_SAMPLER_STATE_MAX, 0.02},
        {EBM_SAMPLER_KEEP_STEPS, 2},    {EBM_SAMPLER_TEMPERATURE, 9}};
    scene s;
    double weights[2][N], value;
    begin(&s);
    ebm_ais *ais = make_ais(s.context, EBM_AIS_GAUSSIAN, 6);
    assert_ok(ebm_ais_set(ais, EBM_AIS_STEP_FACTOR, 2));
    for (int run = 0; run < 2; run++) {
        ebm_sampler *sampler =
            make_sampler(s.context, EBM_SAMPLER_TIED_LANGEVIN, 3, 0.2);
        ebm_chains *chains = NULL;
        assert_ok(ebm_chains_create(s.context, N, 1, SIZE, 1, 3, &chains));
        for (size_t i = 0; run && i < TEST_COUNT(mine); i++)
            assert_ok(ebm_sampler_set(sampler, (ebm_sampler_key)mine[i][0],
                                      mine[i][1]));
        assert_ok(ebm_ais_forward(ais, sampler, s.model, chains));
        for (size_t i = 0; run && i < TEST_COUNT(mine); i++) {
            assert_ok(
                ebm_sampler_get(sampler, (ebm_sampler_key)mine[i][0], &value));
            assert_true(value == mine[i][1]);
        }
        assert_ok(ebm_ais_log_weights(ais, EBM_AIS_FORWARD, weights[run], N));
        ebm_chains_destroy(chains);
        ebm_sampler_destroy(sampler);
    }
    assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
    ebm_ais_destroy(ais);
    end(&s);
}

/* ---- Bits --------------------------------------------------------------- */

enum { BATCH = 21 };

static void walk_network(int threads, ebm_sampler_kind kind, double *weights,
                         double *values)
{
    ebm_context *context = test_context_threads(threads);
    ebm_model *model = ref_small_model(context, 4, 8);
    ebm_ais *ais = make_ais(context, EBM_AIS_BOX, 5);
    ebm_sampler *sampler =
        make_sampler(context, kind, 2, kind == EBM_SAMPLER_MALA ? 1e-4 : 2e-3);
    ebm_chains *chains = NULL;
    assert_ok(ebm_chains_create(context, BATCH, 6, 5, 2, 5, &chains));
    assert_ok(ebm_ais_forward(ais, sampler, model, chains));
    assert_ok(ebm_ais_reverse(ais, sampler, model, chains));
    for (int d = 0; d < 2; d++) {
        ebm_ais_direction way = (ebm_ais_direction)d;
        assert_ok(ebm_ais_log_weights(ais, way, weights + d * BATCH, BATCH));
        for (int r = 0; r <= EBM_AIS_DIVERGED; r++)
            values[d * 12 + r] = result(ais, way, (ebm_ais_result)r);
        if (kind != EBM_SAMPLER_BAOAB) {
            double all = result(ais, way, EBM_AIS_ACCEPTANCE);
            double least = result(ais, way, EBM_AIS_LEAST_ACCEPTANCE);
            assert_true(0 < least && least <= all && all < 1);
        }
    }
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_ais_destroy(ais);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    static const ebm_sampler_kind kinds[] = {EBM_SAMPLER_MALA, EBM_SAMPLER_HMC,
                                             EBM_SAMPLER_BAOAB};
    for (size_t k = 0; k < TEST_COUNT(kinds); k++) {
        double weights[2][2 * BATCH], values[2][24];
        walk_network(1, kinds[k], weights[0], values[0]);
        assert_true(weights[0][0] != weights[0][1]);
        for (int threads = 2; threads <= 4; threads += 2) {
            walk_network(threads, kinds[k], weights[1], values[1]);
            assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
            assert_memory_equal(values[0], values[1], sizeof values[0]);
        }
    }
}

/* ---- Bits per dimension, and labels ------------------------------------- */

static void bits_per_dimension(void **state)
{
    (void)state;
    scene s;
    double bits = NAN, byte = NAN, temperature = NAN;
    begin(&s);
    ebm_ais *ais = make_ais(s.context, EBM_AIS_GAUSSIAN, 3);
    ebm_sampler *sampler = make_sampler(s.context, EBM_SAMPLER_HMC, 1, 0.1);
    assert_error(
        s.context,
        ebm_ais_bits_per_dimension(ais, EBM_AIS_FORWARD, 1, 1, &bits, NULL),
        EBM_ERROR_NOT_COMPUTED, "forward");
    assert_ok(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, 0.5));
    assert_ok(ebm_ais_forward(ais, sampler, s.model, s.chains));
    /* T is that of the run. */
    assert_ok(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, 3));
    assert_ok(ebm_ais_bits_per_dimension(ais, EBM_AIS_FORWARD, 2.5, 1, &bits,
                                         &temperature));
    double log_z = result(ais, EBM_AIS_FORWARD, EBM_AIS_LOG_Z);
    assert_true(temperature == 0.5);
    assert_close(bits, (2.5 / 0.5 + log_z) / (SIZE * log(2)), 0, 1e-14);
    assert_ok(ebm_ais_bits_per_dimension(ais, EBM_AIS_FORWARD, 2.5, 1. / 256,
                                         &byte, NULL));
    assert_close(byte, bits + 8, 0, 1e-14);
    assert_error(s.context,
                 ebm_ais_bits_per_dimension(ais, EBM_AIS_FORWARD, INFINITY, 1,
                                            &bits, NULL),
                 EBM_ERROR_NON_FINITE, "mean_energy");
    assert_error(
        s.context,
        ebm_ais_bits_per_dimension(ais, EBM_AIS_FORWARD, 1, 0, &bits, NULL),
        EBM_ERROR_RANGE, "bin_width");
    assert_error(
        s.context,
        ebm_ais_bits_per_dimension(ais, EBM_AIS_REVERSE, 1, 1, &bits, NULL),
        EBM_ERROR_NOT_COMPUTED, "reverse");
    ebm_sampler_destroy(sampler);
    ebm_ais_destroy(ais);
    end(&s);
}

static void each_label_has_its_own_z(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    ebm_chains *chains = NULL;
    int32_t labels[N];
    float x[N * 32] = {0};
    double log_z[3];
    assert_ok(ebm_network_create(context, 4, 4, 2, &network));
    assert_ok(ebm_network_conv2d(network, 8, 3, 1, 1));
    assert_ok(ebm_network_class_affine(network, 3));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 5, &model));
    float *parameters = NULL;
    uint64_t random = 3;
    assert_ok(ebm_model_begin_write(model, &parameters));
    test_fill_normal(&random, parameters, ebm_model_parameter_count(model),
                     0.5);
    assert_ok(ebm_model_end_write(model));
    ebm_ais *ais = make_ais(context, EBM_AIS_BOX, 10);
    ebm_sampler *sampler = make_sampler(context, EBM_SAMPLER_MALA, 2, 0.01);
    assert_ok(ebm_chains_create(context, N, 4, 4, 2, 5, &chains));
    for (int32_t label = 0; label < 3; label++) {
        for (size_t i = 0; i < N; i++)
            labels[i] = label;
        assert_ok(ebm_chains_set_states(chains, x, labels, EBM_ORIGIN_DATA));
        assert_ok(ebm_ais_forward(ais, sampler, model, chains));
        log_z[label] = result(ais, EBM_AIS_FORWARD, EBM_AIS_LOG_Z);
        assert_memory_equal(ebm_chains_labels(chains), labels, sizeof labels);
    }
    assert_true(fabs(log_z[0] - log_z[1]) > 0.1);
    assert_true(fabs(log_z[1] - log_z[2]) > 0.1);
    labels[4] = 1;
    assert_ok(ebm_chains_set_states(chains, x, labels, EBM_ORIGIN_DATA));
    assert_error(context, ebm_ais_forward(ais, sampler, model, chains),
                 EBM_ERROR_ARGUMENT, "chain 4 label 1");
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_ais_destroy(ais);
    ebm_model_destroy(model);
    ebm_network_destroy(network);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_energy_is_exact),
        cmocka_unit_test(schedules_go_from_0_to_1),
        cmocka_unit_test(one_level_is_importance_sampling),
        cmocka_unit_test(the_path_is_what_it_says),
        cmocka_unit_test(settings_are_the_callers_again),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(bits_per_dimension),
        cmocka_unit_test(each_label_has_its_own_z),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
