/* Losses with a KL term: origins, terms and reports, weights, what kinds are
   the sum of what, and what is refused without a trace. The numbers are in
   test_kl_path.c and test_kl_law.c. */
#include "ebm_test.h"

#include "chains/chains.h"

enum { N = 13, DATA = 9, IMAGE = 36, STEPS = 4, KINDS = 4 };

typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    ebm_chains *chains;
    ebm_report *report;
    size_t count; /* of parameters */
    float data[DATA * IMAGE];
    float *gradient; /* what a refused call must leave */
} scene;

static ebm_model *make_network(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    assert_ok(ebm_network_create(context, 6, 6, 1, &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_SLAB, 4));
    assert_ok(ebm_network_conv2d(network, 8, 3, 2, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 3, &model));
    ebm_network_destroy(network);
    return model;
}

static void begin(scene *s, ebm_context *context)
{
    uint64_t random = 6;
    float states[N * IMAGE];
    ebm_sampler *sampler = NULL;
    memset(s, 0, sizeof *s);
    s->context = context;
    s->model = make_network(context);
    s->count = ebm_model_parameter_count(s->model);
    s->gradient = test_floats(s->count);
    test_fill_uniform(&random, s->data, DATA * IMAGE, -1, 1);
    test_fill_uniform(&random, states, N * IMAGE, -1, 1);
    assert_ok(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, STEPS));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_KEEP_STEPS, 3));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_NOISE_STD, 0.1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STEP_SIZE, 1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_GRADIENT_CLIP, 0.05));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MIN, -1));
    assert_ok(ebm_sampler_set(sampler, EBM_SAMPLER_STATE_MAX, 1));
    assert_ok(ebm_chains_create(context, N, 6, 6, 1, 1, &s->chains));
    assert_ok(ebm_chains_set_states(s->chains, states, NULL, EBM_ORIGIN_DATA));
    assert_ok(ebm_sampler_run(sampler, s->model, s->chains));
    assert_ok(ebm_report_create(context, &s->report));
    ebm_sampler_destroy(sampler);
}

static void end(scene *s)
{
    free(s->gradient);
    ebm_report_destroy(s->report);
    ebm_chains_destroy(s->chains);
    ebm_model_destroy(s->model);
}

static ebm_loss *make_loss(const scene *s, ebm_loss_kind kind,
                           ebm_kl_direction direction)
{
    ebm_loss *loss = NULL;
    assert_ok(ebm_loss_create(s->context, kind, &loss));
    if (direction != EBM_KL_UNSET)
        assert_ok(ebm_loss_set(loss, EBM_LOSS_KL_DIRECTION, direction));
    return loss;
}

static ebm_status backward(scene *s, ebm_loss *loss, ebm_loss_kind kind)
{
    int takes_data = kind != EBM_LOSS_KL;
    return ebm_loss_backward(loss, s->model, takes_data ? s->data : NULL, NULL,
                             takes_data ? DATA : 0, s->chains, s->report);
}

static double get(const scene *s, ebm_report_key key)
{
    double value = NAN;
    assert_ok(ebm_report_get(s->report, key, &value));
    return value;
}

/* A refused call leaves the gradient and the report as they were. */
static void refused(scene *s, ebm_loss *loss, ebm_loss_kind kind,
                    ebm_status expected, const char *word)
{
    double total = -7, after = -7;
    ebm_status had = ebm_report_get(s->report, EBM_REPORT_TOTAL, &total);
    memcpy(s->gradient, ebm_model_gradient(s->model),
           s->count * sizeof *s->gradient);
    assert_error(s->context, backward(s, loss, kind), expected, word);
    assert_same_bits(ebm_model_gradient(s->model), s->gradient, s->count);
    assert_status(ebm_report_get(s->report, EBM_REPORT_TOTAL, &after), had);
    assert_true(after == total);
}

/* ---- Origins --------------------------------------------------------------
 */

/* Noise, data, persisted noise, persisted data; one chain among the others
   is enough to refuse. */
static void every_kind_takes_its_origins(void **state)
{
    (void)state;
    static const struct {
        ebm_loss_kind kind;
        ebm_kl_direction direction;
        int taken[4];
    } rows[] = {
        {EBM_LOSS_NLL, EBM_KL_UNSET, {1, 0, 1, 1}},
        {EBM_LOSS_CD_STAR, EBM_KL_UNSET, {0, 1, 0, 1}},
        {EBM_LOSS_CD, EBM_KL_UNSET, {0, 1, 0, 1}},
        {EBM_LOSS_CD, EBM_KL_MAXIMISE, {0, 1, 0, 1}},
        {EBM_LOSS_KL, EBM_KL_MAXIMISE, {0, 1, 0, 1}},
        {EBM_LOSS_KL, EBM_KL_MINIMISE, {1, 0, 1, 0}},
        /* A direction says nothing about kinds without the term. */
        {EBM_LOSS_NLL, EBM_KL_MAXIMISE, {1, 0, 1, 1}},
        {EBM_LOSS_CD_STAR, EBM_KL_MINIMISE, {0, 1, 0, 1}},
    };
    static const char *const names[] = {"began at noise", "began at data",
                                        "persisted from noise",
                                        "persisted from data"};
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    for (size_t r = 0; r < TEST_COUNT(rows); r++)
        for (int origin = 0; origin < 4; origin++)
            for (size_t at = 0; at < N; at += 6) {
                char chain[16];
                ebm_loss *loss =
                    make_loss(&s, rows[r].kind, rows[r].direction);
                int fine = 0;
                while (!rows[r].taken[fine])
                    fine++;
                for (size_t i = 0; i < N; i++)
                    s.chains->origins[i] = (ebm_origin)fine;
                s.chains->origins[at] = (ebm_origin)origin;
                snprintf(chain, sizeof chain, "chain %zu", at);
                if (!rows[r].taken[origin]) {
                    refused(&s, loss, rows[r].kind, EBM_ERROR_ORIGIN, chain);
                    refused(&s, loss, rows[r].kind, EBM_ERROR_ORIGIN,
                            names[origin]);
                    refused(&s, loss, rows[r].kind, EBM_ERROR_ORIGIN,
                            "EBM_LOSS_ALLOW_ANY_ORIGIN");
                    assert_ok(
                        ebm_loss_set(loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
                }
                assert_ok(backward(&s, loss, rows[r].kind));
                ebm_loss_destroy(loss);
            }
    end(&s);
    ebm_context_destroy(context);
}

/* ---- Reports --------------------------------------------------------------
 */

static void reports_hold_what_was_computed(void **state)
{
    (void)state;
    /* Keys 0 to 11 in order; 1: present. */
    static const struct {
        ebm_loss_kind kind;
        double opt, ent; /* weights */
        const char *keys;
    } rows[] = {
        {EBM_LOSS_NLL, 1, 1, "111111110000"},
        {EBM_LOSS_CD, 1, 1, "111111111111"},
        {EBM_LOSS_KL, 1, 1, "100000001111"},
        {EBM_LOSS_CD_STAR, 1, 1, "111111110000"},
        {EBM_LOSS_KL, 2, 0, "100000001000"},
        {EBM_LOSS_KL, 0, 2, "100000000101"},
        {EBM_LOSS_CD, 0, 3, "111111110101"},
        {EBM_LOSS_CD, 0, 0, "111111110000"},
        {EBM_LOSS_KL, 0, 0, "100000000000"},
        {EBM_LOSS_CD, 2, 3, "111111111111"},
    };
    ebm_context *context = test_context_threads(1);
    scene s;
    begin(&s, context);
    for (size_t r = 0; r < TEST_COUNT(rows) * 2; r++) {
        double opt = rows[r / 2].opt, ent = rows[r / 2].ent, total = 0;
        ebm_loss_kind kind = rows[r / 2].kind;
        int down = r % 2 && kind == EBM_LOSS_KL;
        ebm_loss *loss = make_loss(&s, kind,
                                   down                  ? EBM_KL_MINIMISE
                                   : kind == EBM_LOSS_KL ? EBM_KL_MAXIMISE
                                                         : EBM_KL_UNSET);
        assert_ok(ebm_loss_set(loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_ENERGY_L2, 0.25));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_POSITIVE_WEIGHT, 1.5));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_NEGATIVE_WEIGHT, 0.5));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_OPT_WEIGHT, opt));
        assert_ok(ebm_loss_set(loss, EBM_LOSS_ENT_WEIGHT, ent));
        assert_ok(backward(&s, loss, kind));
        for (int key = 0; key < 12; key++) {
            double value = -7;
            assert_status(
                ebm_report_get(s.report, (ebm_report_key)key, &value),
                rows[r / 2].keys[key] == '1' ? EBM_OK
                                             : EBM_ERROR_NOT_COMPUTED);
        }
        if (kind != EBM_LOSS_KL)
            total = 1.5 * get(&s, EBM_REPORT_POSITIVE) +
                    0.5 * get(&s, EBM_REPORT_NEGATIVE) +
                    0.25 * get(&s, EBM_REPORT_ENERGY_L2);
        double kl = 0;
        int has_kl = rows[r / 2].keys[8] == '1' || rows[r / 2].keys[9] == '1';
        if (has_kl && opt > 0)
            kl += opt * get(&s, EBM_REPORT_OPT);
        if (has_kl && ent > 0)
            kl += ent * get(&s, EBM_REPORT_ENT);
        total += down ? -kl : kl;
        assert_close(get(&s, EBM_REPORT_TOTAL), total, 1e-12, 1e-12);
        if (rows[r / 2].keys[10] == '1')
            assert_close(get(&s, EBM_REPORT_KL),
                         get(&s, EBM_REPORT_OPT) + get(&s, EBM_REPORT_ENT), 0,
                         1e-14);
        if (kind == EBM_LOSS_CD && opt > 0)
            assert_close(get(&s, EBM_REPORT_OPT), get(&s, EBM_REPORT_NEGATIVE),
                         0, 1e-6);
        ebm_loss_destroy(loss);
    }
    end(&s);
    ebm_context_destroy(context);
}

/* ---- Sums -----------------------------------------------------------------
 */

/* The gradient of a loss with these weights of L+, L-, L_opt and L_ent. */
static void gradient_of(scene *s, ebm_loss_kind kind,
                        ebm_kl_direction direction, const double weights[4],
                        float *out)
{
    static const ebm_loss_key keys[] = {
        EBM_LOSS_POSITIVE_WEIGHT, EBM_LOSS_NEGATIVE_WEIGHT,
        EBM_LOSS_OPT_WEIGHT, EBM_LOSS_ENT_WEIGHT};
    ebm_loss *loss = make_loss(s, kind, direction);
    assert_ok(ebm_loss_set(loss, EBM_LOSS_ALLOW_ANY_ORIGIN, 1));
    for (int k = 0; k < 4; k++)
        assert_ok(ebm_loss_set(loss, keys[k], weights[k]));
    assert_ok(ebm_model_zero_gradient(s->model));
    assert_ok(backward(s, loss, kind));
    memcpy(out, ebm_model_gradient(s->model), s->count * sizeof *out);
    ebm_loss_destroy(loss);
}

/* Weights are linear; CD is CD_STAR and the KL term maximised; minimised is
   the opposite; NLL and CD_STAR are one formula. */
static void kinds_are_sums_of_terms(void **state)
{
    (void)state;
    static const double one[4][4] = {
        {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    static const double all[4] = {1, 1, 1, 1}, some[4] = {.5, 3, .25, 2};
    ebm_context *context = test_context_threads(2);
    scene s;
    begin(&s, context);
    float *part[4], *got = test_floats(s.count), *sum = test_floats(s.count);
    for (int k = 0; k < 4; k++) {
        double largest = 0;
        part[k] = test_floats(s.count);
        gradient_of(&s, EBM_LOSS_CD, EBM_KL_UNSET, one[k], part[k]);
        for (size_t j = 0; j < s.count; j++)
            largest = fmax(largest, fabs((double)part[k][j]));
        assert_true(largest > 1e-4);
    }
    static const struct {
        ebm_loss_kind kind;
        ebm_kl_direction direction;
        double phases, kl;
    } rows[] = {
        {EBM_LOSS_NLL, EBM_KL_UNSET, 1, 0},
        {EBM_LOSS_CD_STAR, EBM_KL_UNSET, 1, 0},
        {EBM_LOSS_CD, EBM_KL_UNSET, 1, 1},
        {EBM_LOSS_KL, EBM_KL_MAXIMISE, 0, 1},
        {EBM_LOSS_KL, EBM_KL_MINIMISE, 0, -1},
    };
    for (size_t r = 0; r < TEST_COUNT(rows) * 2; r++) {
        const double *weights = r % 2 ? some : all;
        double phases = rows[r / 2].phases, kl = rows[r / 2].kl;
        gradient_of(&s, rows[r / 2].kind, rows[r / 2].direction, weights, got);
        for (size_t j = 0; j < s.count; j++)
            sum[j] = (float)(phases * weights[0] * (double)part[0][j] +
                             phases * weights[1] * (double)part[1][j] +
                             kl * weights[2] * (double)part[2][j] +
                             kl * weights[3] * (double)part[3][j]);
        assert_arrays_close(got, sum, s.count, 2e-6);
    }
    /* Du et al. 2020: NLL, and then the KL term minimised on top. */
    ebm_loss *nll = make_loss(&s, EBM_LOSS_NLL, EBM_KL_UNSET);
    ebm_loss *kl = make_loss(&s, EBM_LOSS_KL, EBM_KL_MINIMISE);
    for (size_t i = 0; i < N; i++)
        s.chains->origins[i] = EBM_ORIGIN_PERSISTED_NOISE;
    assert_ok(ebm_model_zero_gradient(s.model));
    assert_ok(backward(&s, nll, EBM_LOSS_NLL));
    assert_ok(backward(&s, kl, EBM_LOSS_KL));
    for (size_t j = 0; j < s.count; j++)
        sum[j] = part[0][j] + part[1][j] - part[2][j] - part[3][j];
    assert_arrays_close(ebm_model_gradient(s.model), sum, s.count, 2e-6);
    ebm_loss_destroy(kl);
    ebm_loss_destroy(nll);
    for (int k = 0; k < 4; k++)
        free(part[k]);
    free(sum);
    free(got);
    end(&s);
    ebm_context_destroy(context);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 4};
    static const ebm_report_key keys[] = {EBM_REPORT_TOTAL, EBM_REPORT_OPT,
                                          EBM_REPORT_ENT, EBM_REPORT_KL};
    static const double all[4] = {1, 1, 1, 1};
    float *first = NULL;
    double terms[4];
    for (size_t k = 0; k < TEST_COUNT(threads); k++) {
        ebm_context *context = test_context_threads(threads[k]);
        scene s;
        begin(&s, context);
        float *got = test_floats(s.count);
        gradient_of(&s, EBM_LOSS_CD, EBM_KL_UNSET, all, got);
        for (int i = 0; i < 4; i++) {
            double value = get(&s, keys[i]);
            if (k)
                assert_true(value == terms[i]);
            terms[i] = value;
        }
        if (first)
            assert_same_bits(got, first, s.count);
        free(first);
        first = got;
        end(&s);
        ebm_context_destroy(context);
    }
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_takes_its_origins),
        cmocka_unit_test(reports_hold_what_was_computed),
        cmocka_unit_test(kinds_are_sums_of_terms),
        cmocka_unit_test(threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
