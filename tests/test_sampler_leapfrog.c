/* The leapfrog integrator: it can be run backwards, and its energy error is
   of second order. */
#include "ebm_test.h"
#include "targets.h"

#include "sampler/hmc.h"

enum { ROWS = 40, MOST = ROWS * TARGET_LARGEST };

/* A walk without chains and sampler: what the integrator looks at. */
typedef struct scene {
    ebm_context *context;
    ebm_model *model;
    const test_target *target;
    ebm_segment segment;
    ebm_chain_record records[ROWS];
    ebm_walk walk;
    float now[MOST + 16], grad[MOST + 16], answer[MOST + 16], energy[ROWS];
    float q[MOST + 16], p[MOST + 16];
} scene;

static void begin(scene *s, test_target *target)
{
    uint64_t random = 3;
    memset(s, 0, sizeof *s);
    s->context = test_context_threads(1);
    s->model = test_target_model(s->context, target);
    s->target = target;
    s->segment.model = s->model;
    s->segment.records = s->records;
    s->walk =
        (ebm_walk){.segment = &s->segment,
                   .place = {0, ROWS, 0},
                   .slab = {.n = ROWS, .energy = s->energy, .grad = s->answer},
                   .size = target->size,
                   .now = s->now,
                   .grad = s->grad};
    test_fill_normal(&random, s->now, ROWS * target->size, 0.7);
    test_fill_normal(&random, s->p, ROWS * target->size, 1);
    memcpy(s->q, s->now, sizeof s->q);
}

static void end(scene *s)
{
    ebm_model_destroy(s->model);
    ebm_context_destroy(s->context);
}

static void leap(scene *s, float step, size_t steps)
{
    size_t size = s->target->size;
    for (size_t i = 0; i < ROWS; i++) {
        double x[TARGET_LARGEST], g[TARGET_LARGEST];
        for (size_t j = 0; j < size; j++)
            x[j] = s->q[i * size + j];
        s->target->energy(x, g);
        for (size_t j = 0; j < size; j++)
            s->grad[i * size + j] = (float)g[j];
    }
    assert_ok(ebm_leapfrog(&s->walk, step, steps, s->q, s->p, 0));
}

/* E(q) + |p|^2 / 2 of a row, in double. */
static double hamiltonian(const scene *s, size_t row)
{
    double x[TARGET_LARGEST], g[TARGET_LARGEST], sum = 0;
    for (size_t j = 0; j < s->target->size; j++) {
        double p = s->p[row * s->target->size + j];
        x[j] = s->q[row * s->target->size + j];
        sum += p * p / 2;
    }
    return s->target->energy(x, g) + sum;
}

static test_target *const targets[] = {
    &test_target_gaussian, &test_target_mixture, &test_target_wells};

static void leapfrog_is_reversible(void **state)
{
    (void)state;
    for (size_t t = 0; t < TEST_COUNT(targets); t++) {
        scene s;
        begin(&s, targets[t]);
        size_t n = ROWS * s.target->size;
        float p[MOST];
        memcpy(p, s.p, n * sizeof *p);
        leap(&s, 0.08f, 25);
        double moved = 0;
        for (size_t i = 0; i < n; i++) {
            moved = fmax(moved, fabs((double)s.q[i] - s.now[i]));
            s.p[i] = -s.p[i];
        }
        assert_true(moved > 0.5);
        leap(&s, 0.08f, 25);
        for (size_t i = 0; i < n; i++) {
            assert_close(s.q[i], s.now[i], 2e-5, 0);
            assert_close(s.p[i], -p[i], 2e-5, 0);
        }
        end(&s);
    }
}

/* The same time in twice as many steps: a quarter of the error. */
static void the_energy_error_is_of_second_order(void **state)
{
    (void)state;
    for (size_t t = 0; t < TEST_COUNT(targets); t++) {
        double last = 0;
        for (size_t steps = 16; steps <= 128; steps *= 2) {
            scene s;
            double before[ROWS], error = 0;
            begin(&s, targets[t]);
            for (size_t i = 0; i < ROWS; i++)
                before[i] = hamiltonian(&s, i);
            leap(&s, 1.28f / (float)steps, steps);
            for (size_t i = 0; i < ROWS; i++)
                error += fabs(hamiltonian(&s, i) - before[i]) / ROWS;
            if (last > 0) {
                print_message("%s, %zu steps: error %.2e, ratio %.2f\n",
                              s.target->name, steps, error, last / error);
                assert_close(last / error, 4, 0.35, 0);
            }
            last = error;
            end(&s);
        }
    }
}

/* A row that is refused, or runs away, stays alone; the others do not notice.
   The model is asked at finite states only. */
static void refused_rows_stay_alone(void **state)
{
    (void)state;
    scene s, right;
    begin(&right, &test_target_wells);
    leap(&right, 0.1f, 9);
    begin(&s, &test_target_wells);
    s.records[3].refused = EBM_REFUSED_STOPPED;
    s.p[2 * 5] = 3e38f;
    leap(&s, 0.1f, 9);
    for (size_t i = 0; i < ROWS; i++) {
        ebm_refusal refusal = i == 3   ? EBM_REFUSED_STOPPED
                              : i == 5 ? EBM_REFUSED_NON_FINITE
                                       : EBM_REFUSED_NOT;
        const scene *as = refusal ? NULL : &right;
        assert_int_equal(s.records[i].refused, refusal);
        assert_same_bits(s.q + 2 * i, as ? as->q + 2 * i : s.now + 2 * i, 2);
        if (as)
            assert_same_bits(s.p + 2 * i, as->p + 2 * i, 2);
    }
    end(&s);
    end(&right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leapfrog_is_reversible),
        cmocka_unit_test(the_energy_error_is_of_second_order),
        cmocka_unit_test(refused_rows_stay_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
