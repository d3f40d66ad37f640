/*
 * log Z by annealed importance sampling against log Z in closed form or by
 * quadrature: inside the interval, as often as the interval says, and between
 * the forward and the reverse bound.
 */
#include "ebm_test.h"
#include "targets.h"

/* A case: where the path begins and how it is walked. */
typedef struct setting {
    ebm_ais_base base;
    double low, high; /* the box, or mean and std */
    double temperature, levels, factor;
    ebm_sampler_kind kind;
    double steps, step_size;
    size_t chains;
    uint64_t seed;
} setting;

typedef struct estimate {
    double log_z, error, low, high, ess, bound, bound_error;
} estimate;

static ebm_ais *make_ais(ebm_context *context, const setting *s)
{
    ebm_ais *ais = NULL;
    int is_box = s->base == EBM_AIS_BOX;
    assert_ok(ebm_ais_create(context, s->base, &ais));
    assert_ok(ebm_ais_set(
        ais, is_box ? EBM_AIS_BOX_MIN : EBM_AIS_GAUSSIAN_MEAN, s->low));
    assert_ok(ebm_ais_set(ais, is_box ? EBM_AIS_BOX_MAX : EBM_AIS_GAUSSIAN_STD,
                          s->high));
    assert_ok(ebm_ais_set(ais, EBM_AIS_TEMPERATURE, s->temperature));
    assert_ok(ebm_ais_set(ais, EBM_AIS_LEVELS, s->levels));
    assert_ok(ebm_ais_set(ais, EBM_AIS_STEP_FACTOR, s->factor));
    assert_ok(ebm_ais_set(ais, EBM_AIS_CONFIDENCE, 0.95));
    return ais;
}

static ebm_sampler *make_sampler(ebm_context *context, const setting *s)
{
    ebm_sampler *sampler = NULL;
    assert_ok(ebm_sampler_create(context, s->kind, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, s->steps));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, s->step_size));
    if (s->kind == EBM_SAMPLER_HMC)
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_LEAPFROG_STEPS, 5));
    if (s->kind == EBM_SAMPLER_LANGEVIN)
        assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD,
                                  sqrt(2 * s->step_size * s->temperature)));
    return sampler;
}

static estimate read(const ebm_ais *ais, ebm_ais_direction direction)
{
    static const ebm_ais_result keys[] = {
        EBM_AIS_LOG_Z,      EBM_AIS_STANDARD_ERROR,
        EBM_AIS_LOW,        EBM_AIS_HIGH,
        EBM_AIS_ESS,        EBM_AIS_BOUND,
        EBM_AIS_BOUND_ERROR};
    double v[TEST_COUNT(keys)];
    for (size_t i = 0; i < TEST_COUNT(keys); i++)
        assert_ok(ebm_ais_get_result(ais, direction, keys[i], v + i));
    return (estimate){v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
}

/* Forward, or in reverse from the samples x when there are some. */
static estimate walk(ebm_context *context, ebm_model *model, const setting *s,
                     const float *x)
{
    size_t h, w, c;
    ebm_chains *chains = NULL;
    ebm_ais *ais = make_ais(context, s);
    ebm_sampler *sampler = make_sampler(context, s);
    assert_ok(ebm_model_shape(model, &h, &w, &c));
    assert_ok(
        ebm_chains_create(context, s->chains, h, w, c, s->seed, &chains));
    if (x) {
        assert_ok(ebm_chains_set_states(chains, x, NULL, EBM_ORIGIN_DATA));
        assert_ok(ebm_ais_reverse(ais, sampler, model, chains));
    } else {
        assert_ok(ebm_ais_forward(ais, sampler, model, chains));
    }
    estimate e = read(ais, x ? EBM_AIS_REVERSE : EBM_AIS_FORWARD);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    ebm_ais_destroy(ais);
    return e;
}

/* ---- Energies with exact samples --------------------------------------- */

/* C = L L^T. */
static const double factor[3][3] = {
    {1.5, 0, 0}, {0.6, 0.7, 0}, {-0.5, 0.4, 1}};
static const double centre[3] = {0.5, -1, 0.25};

static ebm_model *gaussian(ebm_context *context)
{
    double c[9];
    ebm_model *model = NULL;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            c[3 * i + j] = 0;
            for (int k = 0; k < 3; k++)
                c[3 * i + j] += factor[i][k] * factor[j][k];
        }
    assert_ok(ebm_model_create_gaussian(context, 3, centre, c, &model));
    return model;
}

static void draw_gaussian(uint64_t *random, double temperature, float *x,
                          size_t n)
{
    for (size_t s = 0; s < n; s++) {
        double z[3];
        for (int i = 0; i < 3; i++)
            z[i] = sqrt(temperature) * test_random_normal(random);
        for (int i = 0; i < 3; i++) {
            double sum = centre[i];
            for (int j = 0; j <= i; j++)
                sum += factor[i][j] * z[j];
            x[3 * s + (size_t)i] = (float)sum;
        }
    }
}

static const double mix_weights[2] = {0.9, 2.1}, mix_stds[2] = {0.5, 0.9};
static const double mix_means[4] = {-2, 0, 1.5, 1};

static ebm_model *mixture(ebm_context *context)
{
    ebm_model *model = NULL;
    assert_ok(ebm_model_create_gaussian_mixture(context, 2, 2, mix_weights,
                                                mix_means, mix_stds, &model));
    return model;
}

static void draw_mixture(uint64_t *random, double temperature, float *x,
                         size_t n)
{
    (void)temperature;
    for (size_t s = 0; s < n; s++) {
        int k = test_random_uniform(random, 0, 3) > mix_weights[0];
        for (int i = 0; i < 2; i++)
            x[2 * s + (size_t)i] =
                (float)(mix_means[2 * k + i] +
                        mix_stds[k] * test_random_normal(random));
    }
}

/* Double wells, exact samples by rejection from a box. */
static const double height = 2;

static ebm_model *wells(ebm_context *context)
{
    ebm_model *model = NULL;
    assert_ok(ebm_model_create_double_well(context, 2, height, &model));
    return model;
}

static void draw_wells(uint64_t *random, double temperature, float *x,
                       size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        double y, u;
        do {
            y = test_random_uniform(random, -2.5, 2.5);
            u = y * y - 1;
        } while (test_random_uniform(random, 0, 1) >
                 exp(-height * u * u / temperature));
        x[i] = (float)y;
    }
}

typedef struct target {
    const char *name;
    ebm_model *(*make)(ebm_context *context);
    void (*draw)(uint64_t *random, double temperature, float *x, size_t n);
    size_t size;
} target;

static const target gaussian_target = {"Gaussian", gaussian, draw_gaussian, 3};
static const target mixture_target = {"mixture", mixture, draw_mixture, 2};
static const target wells_target = {"double well", wells, draw_wells, 2};

/* log integral exp(-E / T), by the library's closed forms. */
static double exact(ebm_model *model, double temperature)
{
    ebm_model *tempered = NULL;
    double log_z;
    if (temperature != 1)
        assert_ok(ebm_model_create_tempered(model, temperature, &tempered));
    assert_ok(ebm_model_log_normaliser(tempered ? tempered : model, &log_z));
    ebm_model_destroy(tempered);
    return log_z;
}

/* ---- Laws --------------------------------------------------------------- */

static void check(const target *t, setting s)
{
    ebm_context *context = test_context_threads(2);
    ebm_model *model = t->make(context);
    float *x = test_floats(s.chains * t->size);
    uint64_t random = s.seed + 100;
    double truth = exact(model, s.temperature);
    t->draw(&random, s.temperature, x, s.chains);
    estimate forward = walk(context, model, &s, NULL);
    estimate reverse = walk(context, model, &s, x);
    print_message("%s T %g: log Z %.4f; forward %.4f +- %.4f ESS %.0f, "
                  "reverse %.4f +- %.4f ESS %.0f; bounds %.3f to %.3f\n",
                  t->name, s.temperature, truth, forward.log_z, forward.error,
                  forward.ess, reverse.log_z, reverse.error, reverse.ess,
                  forward.bound, reverse.bound);
    assert_true(forward.low < truth && truth < forward.high);
    assert_true(reverse.low < truth && truth < reverse.high);
    /* An interval that is worth something. */
    assert_true(forward.high - forward.low < 0.2);
    assert_true(reverse.high - reverse.low < 0.2);
    assert_true(forward.bound < truth && truth < reverse.bound);
    assert_true(forward.bound < forward.log_z);
    assert_true(reverse.bound > reverse.log_z);
    assert_true(forward.ess > 1 && forward.ess <= (double)s.chains);
    free(x);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void log_z_is_in_the_interval(void **state)
{
    (void)state;
    const ebm_sampler_kind mala = EBM_SAMPLER_MALA, hmc = EBM_SAMPLER_HMC;
    const ebm_ais_base box = EBM_AIS_BOX, normal = EBM_AIS_GAUSSIAN;
    check(&gaussian_target,
          (setting){normal, 0, 2, 1, 60, 1, mala, 3, 0.4, 1000, 1});
    check(&gaussian_target,
          (setting){normal, 0.5, 3, 2.5, 60, 2, hmc, 2, 0.3, 1000, 2});
    check(&mixture_target,
          (setting){normal, 0, 3, 1, 60, 4, mala, 3, 0.3, 1000, 3});
    check(&mixture_target,
          (setting){box, -7, 7, 1, 60, 4, hmc, 2, 0.2, 1000, 14});
    check(&wells_target,
          (setting){box, -2.5, 2.5, 1, 60, 2, mala, 3, 0.1, 1000, 5});
    check(&wells_target,
          (setting){normal, 0, 1, 0.5, 60, 2, hmc, 2, 0.1, 1000, 6});
}

/* Many runs: the means of w and 1 / w are Z / Z_0 and its inverse without any
   bias, and of 95 % intervals that many hold log Z. */
static void check_many(const target *t, const setting *given, size_t runs)
{
    setting s = *given;
    ebm_context *context = test_context_threads(1);
    ebm_model *model = t->make(context);
    double truth = exact(model, 1), sums[2] = {0}, squares[2] = {0};
    size_t held[2] = {0};
    uint64_t random = 9;
    float *x = test_floats(t->size * s.chains);
    for (s.seed = 0; s.seed < runs; s.seed++) {
        t->draw(&random, 1, x, s.chains);
        for (int i = 0; i < 2; i++) {
            estimate e = walk(context, model, &s, i ? x : NULL);
            double ratio = exp((e.log_z - truth) * (i ? -1 : 1));
            held[i] += e.low < truth && truth < e.high;
            sums[i] += ratio / (double)runs;
            squares[i] += ratio * ratio / (double)runs;
        }
    }
    for (int i = 0; i < 2; i++) {
        double variance = squares[i] - sums[i] * sums[i];
        double error = sqrt(variance / (double)(runs - 1));
        print_message("%s: mean weight off by %.4f +- %.4f, %zu of %zu "
                      "intervals hold\n",
                      i ? "reverse" : "forward", sums[i] - 1, error, held[i],
                      runs);
        assert_true(fabs(sums[i] - 1) < 3 * error);
        assert_true(error < 0.03);
        /* Binomial: 95 % +- 2 %; weights are skewed. */
        assert_in_range(held[i], runs * 88 / 100, runs * 99 / 100);
    }
    free(x);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void weights_are_without_bias(void **state)
{
    (void)state;
    /* Where 1 / w has a second moment: with a quartic energy over all space it
       has none. */
    check_many(&gaussian_target,
               &(setting){EBM_AIS_GAUSSIAN, 0, 1.5, 1, 25, 1, EBM_SAMPLER_MALA,
                          2, 0.3, 100, 0},
               100);
    check_many(&wells_target,
               &(setting){EBM_AIS_BOX, -2.2, 2.2, 1, 30, 2, EBM_SAMPLER_HMC, 1,
                          0.1, 100, 0},
               100);
}

/* Few levels and few chains, so that the bias is larger than the noise. */
static void forward_is_below_and_reverse_above(void **state)
{
    (void)state;
    enum { RUNS = 150, CHAINS = 8 };
    setting s = {EBM_AIS_GAUSSIAN, 0, 2.5, 1,      4, 1,
                 EBM_SAMPLER_MALA, 1, 0.3, CHAINS, 0};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = gaussian(context);
    double truth = exact(model, 1), sums[4] = {0}, squares[4] = {0};
    uint64_t random = 5;
    for (s.seed = 0; s.seed < RUNS; s.seed++) {
        float x[3 * CHAINS];
        draw_gaussian(&random, 1, x, CHAINS);
        estimate forward = walk(context, model, &s, NULL);
        estimate reverse = walk(context, model, &s, x);
        double d[4] = {forward.bound - truth, forward.log_z - truth,
                       reverse.log_z - truth, reverse.bound - truth};
        for (int i = 0; i < 4; i++) {
            sums[i] += d[i] / RUNS;
            squares[i] += d[i] * d[i] / RUNS;
        }
    }
    for (int i = 0; i < 4; i++) {
        double error = sqrt((squares[i] - sums[i] * sums[i]) / RUNS);
        print_message("%s%.3f +- %.3f", i ? ", " : "off by ", sums[i], error);
        assert_true(i < 2 ? sums[i] < -3 * error : sums[i] > 3 * error);
    }
    print_message("\n");
    assert_true(sums[0] < sums[1] && sums[2] < sums[3]);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* A box that cuts the wells in their middle: Z is over the box, and tilts
   tell its sides apart. Simpson's rule knows it. */
static double log_z_inside(const test_target *t, double low, double high,
                           double temperature)
{
    enum { STEPS = 2000 };
    double total = 0, h = (high - low) / STEPS;
    for (size_t c = 0; c < t->size; c++) {
        double sum = 0, slope;
        for (int i = 0; i <= STEPS; i++) {
            double weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
            sum +=
                weight * exp(-t->part(low + h * i, c, &slope) / temperature);
        }
        total += log(sum * h / 3);
    }
    return total;
}

static void z_is_that_of_the_box(void **state)
{
    (void)state;
    static const setting cases[] = {
        {EBM_AIS_BOX, -0.8, 1.1, 1, 30, 1, EBM_SAMPLER_MALA, 4, 0.05, 1500, 1},
        {EBM_AIS_BOX, -0.8, 1.1, 0.3, 60, 1, EBM_SAMPLER_HMC, 4, 0.1, 1000, 2},
        /* Walls that reflect are right in the limit of small steps. */
        {EBM_AIS_BOX, -0.8, 1.1, 1, 30, 1, EBM_SAMPLER_BAOAB, 20, 0.05, 1500,
         3},
    };
    ebm_context *context = test_context_threads(1);
    ebm_model *model = test_target_model(context, &test_target_wells);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        const setting *s = cases + i;
        double truth =
            log_z_inside(&test_target_wells, s->low, s->high, s->temperature);
        estimate e = walk(context, model, s, NULL);
        print_message("in the box: log Z %.4f, found %.4f +- %.4f\n", truth,
                      e.log_z, e.error);
        assert_close(e.log_z, truth, 3 * e.error, 0);
        assert_true(e.error < 0.03);
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* Kinds without the Metropolis test come near with small steps. */
static void every_kind_gets_there(void **state)
{
    (void)state;
    static const struct {
        ebm_sampler_kind kind;
        double step_size, temperature;
    } cases[] = {{EBM_SAMPLER_LANGEVIN, 0.02, 1},
                 {EBM_SAMPLER_LANGEVIN, 0.02, 2},
                 {EBM_SAMPLER_TIED_LANGEVIN, 0.02, 1},
                 {EBM_SAMPLER_TIED_LANGEVIN, 0.02, 2},
                 {EBM_SAMPLER_BAOAB, 0.2, 2}};
    ebm_context *context = test_context_threads(1);
    ebm_model *model = gaussian(context);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        setting s = {EBM_AIS_GAUSSIAN,
                     0,
                     2,
                     cases[i].temperature,
                     40,
                     2,
                     cases[i].kind,
                     10,
                     cases[i].step_size,
                     1000,
                     i};
        double truth = exact(model, s.temperature);
        estimate e = walk(context, model, &s, NULL);
        print_message("kind %d T %g: log Z %.4f, found %.4f +- %.4f\n",
                      (int)s.kind, s.temperature, truth, e.log_z, e.error);
        assert_close(e.log_z, truth, 4 * e.error + 0.03, 0);
        assert_true(e.error < 0.03);
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

/* E / T is what counts, even where T is that of the papers' recipes. */
static void temperature_is_part_of_the_energy(void **state)
{
    (void)state;
    const double T = 1.25e-6;
    const setting s = {EBM_AIS_BOX,      -2.5, 2.5,     T,    60, 2,
                       EBM_SAMPLER_MALA, 3,    0.1 / T, 1000, 8};
    ebm_context *context = test_context_threads(1);
    ebm_model *plain = wells(context), *cold = NULL;
    const double weight = T;
    double truth = exact(plain, 1);
    assert_ok(ebm_model_create_sum(&plain, &weight, 1, &cold));
    estimate e = walk(context, cold, &s, NULL);
    print_message("E T at T = %g: log Z %.4f, found %.4f +- %.4f\n", T, truth,
                  e.log_z, e.error);
    assert_true(e.low < truth && truth < e.high);
    assert_true(e.error < 0.05);
    ebm_model_destroy(cold);
    ebm_model_destroy(plain);
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_z_is_in_the_interval),
        cmocka_unit_test(weights_are_without_bias),
        cmocka_unit_test(forward_is_below_and_reverse_above),
        cmocka_unit_test(z_is_that_of_the_box),
        cmocka_unit_test(every_kind_gets_there),
        cmocka_unit_test(temperature_is_part_of_the_energy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
