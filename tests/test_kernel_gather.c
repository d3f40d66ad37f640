/* Gathered products, in every variant, against plain loops in double. */
#include "ebm_test.h"
#include "kernel_check.h"

/* A random geometry: positions may overlap in a, never in y. */
static ebm_gather geometry(uint64_t *random, size_t granule)
{
    ebm_gather g = {.runs = test_random_word(random) % 4,
                    .length = granule * (1 + test_random_word(random) % 5),
                    .columns = 1 + test_random_word(random) % 37,
                    .samples = test_random_word(random) % 4,
                    .height = test_random_word(random) % 4,
                    .width = test_random_word(random) % 6};
    g.run_step = g.length + test_random_word(random) % 9;
    g.first_weight = test_random_word(random) % 3;
    g.weight_step = g.length + granule * (test_random_word(random) % 2);
    g.depth = g.first_weight + g.runs * g.weight_step + 1;
    g.in_column = 1 + test_random_word(random) % 7;
    g.in_row = g.in_column * g.width + 3;
    g.in_sample = g.in_row * g.height + 5;
    g.out_column = g.columns + test_random_word(random) % 3;
    g.out_row = g.out_column * (g.width + 1);
    g.out_sample = g.out_row * (g.height + 1);
    return g;
}

/* Where weight `row` of column c stands in panels so wide. */
static size_t weight_at(const ebm_gather *g, size_t panel, size_t row,
                        size_t c)
{
    return (c / panel * g->depth + row) * panel + c % panel;
}

static void check_position(const ebm_gather *g, size_t panel, const float *a,
                           const float *w, const float *bias, const float *y)
{
    for (size_t c = 0; c < g->columns; c++) {
        double sum = bias ? (double)bias[c] : 0, terms = fabs(sum);
        for (size_t r = 0; r < g->runs; r++)
            for (size_t k = 0; k < g->length; k++) {
                size_t row = g->first_weight + r * g->weight_step + k;
                double term = (double)a[r * g->run_step + k] *
                              (double)w[weight_at(g, panel, row, c)];
                sum += term;
                terms += fabs(term);
            }
        assert_close(y[c], sum, terms * 0x1p-22, 0);
    }
}

/* All positions against the loops, and nothing written between them. */
static void check_all(const ebm_kernels *kernels, const ebm_gather *g,
                      size_t panel, int with_bias, uint64_t *random)
{
    size_t in =
        g->samples * g->in_sample + g->runs * g->run_step + g->length + 64;
    size_t out = g->samples * g->out_sample + g->columns;
    size_t wide = (g->columns + panel - 1) / panel * panel;
    float *a = test_floats(in), *w = test_floats(g->depth * wide);
    float *y = test_floats(out), *bias = test_floats(wide + 16);
    test_fill_normal(random, a, in, 1);
    test_fill_normal(random, w, g->depth * wide, 1);
    test_fill_normal(random, bias, wide, 1);
    for (size_t i = 0; i < out; i++)
        y[i] = TEST_GUARD;
    if (panel == 1)
        kernels->gather_dots(g, a, w, y);
    else
        kernels->gather(g, a, w, with_bias ? bias : NULL, y);
    size_t written = 0;
    for (size_t s = 0; s < g->samples; s++)
        for (size_t i = 0; i < g->height; i++)
            for (size_t j = 0; j < g->width; j++, written += g->columns)
                check_position(g, panel,
                               a + s * g->in_sample + i * g->in_row +
                                   j * g->in_column,
                               w, with_bias ? bias : NULL,
                               y + s * g->out_sample + i * g->out_row +
                                   j * g->out_column);
    for (size_t i = 0; i < out; i++)
        written -= y[i] != TEST_GUARD;
    assert_int_equal(written, 0);
    free(a);
    free(w);
    free(y);
    free(bias);
}

static void gathered_products(void **state)
{
    (void)state;
    const ebm_kernels *kernels;
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        uint64_t random = 5;
        for (size_t i = 0; kernels->usable() && i < 400; i++) {
            ebm_gather g = geometry(&random, 1);
            check_all(kernels, &g, EBM_PANEL, i % 2, &random);
            g = geometry(&random, EBM_LANES);
            check_all(kernels, &g, 1, 0, &random);
        }
    }
}

/* A row has the same bits alone and among others: tiles do not matter. */
static void rows_do_not_depend_on_their_tile(void **state)
{
    (void)state;
    enum { ROWS = 29, DEPTH = 40, COLUMNS = 19 };
    float a[ROWS * DEPTH], w[32 * DEPTH], y[ROWS * COLUMNS], alone[COLUMNS];
    const ebm_kernels *kernels;
    uint64_t random = 6;
    test_fill_normal(&random, a, ROWS * DEPTH, 1);
    test_fill_normal(&random, w, 32 * DEPTH, 1);
    ebm_gather g = {.runs = 1,
                    .length = DEPTH,
                    .depth = DEPTH,
                    .columns = COLUMNS,
                    .height = 1,
                    .width = 1,
                    .in_sample = DEPTH,
                    .out_sample = COLUMNS};
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        g.samples = ROWS;
        kernels->gather(&g, a, w, NULL, y);
        g.samples = 1;
        for (size_t r = 0; r < ROWS; r++) {
            kernels->gather(&g, a + r * DEPTH, w, NULL, alone);
            assert_memory_equal(alone, y + r * COLUMNS, sizeof alone);
        }
    }
}

/* Blocks that stand apart, turned round one behind the other. */
static void panels_turned_round(void **state)
{
    (void)state;
    enum { BLOCKS = 3, STEP = 300, SQUARE = EBM_PANEL * EBM_PANEL };
    float from[BLOCKS * STEP], to[BLOCKS * SQUARE + 1];
    const ebm_kernels *kernels;
    uint64_t random = 7;
    test_fill_normal(&random, from, BLOCKS * STEP, 1);
    for (size_t v = 0; (kernels = ebm_kernels_variant(v)); v++) {
        if (!kernels->usable())
            continue;
        to[BLOCKS * SQUARE] = TEST_GUARD;
        kernels->turn_panel(BLOCKS, STEP, from, to);
        for (size_t b = 0; b < BLOCKS; b++)
            for (size_t i = 0; i < EBM_PANEL; i++)
                for (size_t j = 0; j < EBM_PANEL; j++)
                    assert_true(to[b * SQUARE + j * EBM_PANEL + i] ==
                                from[b * STEP + i * EBM_PANEL + j]);
        assert_true(to[BLOCKS * SQUARE] == TEST_GUARD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathered_products),
        cmocka_unit_test(rows_do_not_depend_on_their_tile),
        cmocka_unit_test(panels_turned_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
