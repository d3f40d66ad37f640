/* Analytic energies: values and derivatives against the formulas, normalisers
   against sums over fine grids. */
#include "ebm_test.h"
#include "tree.h"

/* ---- Values and derivatives -------------------------------------------- */

static void check(ebm_model *model, double (*formula)(const double *x),
                  uint64_t seed)
{
    tree t;
    size_t shape[3];
    assert_ok(ebm_model_shape(model, shape, shape + 1, shape + 2));
    assert_true(shape[0] == 1 && shape[1] == 1);
    assert_int_equal(ebm_model_parameter_count(model), 0);
    assert_int_equal(ebm_model_part_count(model), 1);
    assert_true(ebm_model_slab_size(model) > 0);
    tree_formula(&t, model, formula);
    tree_check(&t, seed);
    tree_free(&t);
}

/* C = A A^T with A lower triangular; E = |A^-1 (x - m)|^2 / 2. */
enum { D = 5 };
static const double root[D][D] = {{1.5, 0, 0, 0, 0},
                                  {0.4, 0.9, 0, 0, 0},
                                  {-0.7, 0.2, 2, 0, 0},
                                  {0.1, -0.5, 0.3, 0.6, 0},
                                  {0.9, 0.8, -0.2, 0.4, 1.1}};
static const double centre[D] = {0.5, -1, 0.25, 0, 2};

static void covariance(double c[D * D])
{
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++) {
            c[i * D + j] = 0;
            for (size_t k = 0; k < D; k++)
                c[i * D + j] += root[i][k] * root[j][k];
        }
}

static double gaussian(const double *x)
{
    double z[D], sum = 0;
    for (size_t i = 0; i < D; i++) {
        z[i] = x[i] - centre[i];
        for (size_t j = 0; j < i; j++)
            z[i] -= root[i][j] * z[j];
        z[i] /= root[i][i];
        sum += z[i] * z[i] / 2;
    }
    return sum;
}

static double ball(const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < D; i++)
        sum += (x[i] - centre[i]) * (x[i] - centre[i]) / 2;
    return sum;
}

static const double weights[3] = {0.2, 0.5, 1.3};
static const double means[9] = {0, 1, 0.5, -1, 0, 0.2, 0.6, -0.4, -1};
static const double stds[3] = {0.7, 1, 0.4};

static double mixture(const double *x)
{
    double sum = 0;
    for (size_t k = 0; k < 3; k++) {
        double square = 0, v = stds[k] * stds[k];
        for (size_t i = 0; i < 3; i++)
            square += pow(x[i] - means[3 * k + i], 2);
        sum += weights[k] * exp(-square / (2 * v)) / pow(8 * atan(1) * v, 1.5);
    }
    return -log(sum);
}

static double wells(const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += 1.7 * pow(x[i] * x[i] - 1, 2);
    return sum;
}

static const double radii[3] = {0, 1, 2.5};

static double rings(const double *x)
{
    double sum = 0, rho = sqrt(x[0] * x[0] + x[1] * x[1]);
    for (size_t k = 0; k < 3; k++)
        sum += exp(-pow(rho - radii[k], 2) / (2 * 0.35 * 0.35));
    return -log(sum);
}

static double valley(const double *x)
{
    return (pow(0.8 - x[0], 2) + 3 * pow(x[1] - x[0] * x[0], 2)) / 1.9;
}

static void test_values_and_derivatives(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(2);
    ebm_model *m = NULL;
    double c[D * D];
    covariance(c);
    assert_ok(ebm_model_create_gaussian(context, D, centre, c, &m));
    check(m, gaussian, 1);
    assert_ok(ebm_model_create_gaussian(context, D, centre, NULL, &m));
    check(m, ball, 2);
    assert_ok(ebm_model_create_gaussian_mixture(context, 3, 3, weights, means,
                                                stds, &m));
    check(m, mixture, 3);
    assert_ok(ebm_model_create_double_well(context, 4, 1.7, &m));
    check(m, wells, 4);
    assert_ok(ebm_model_create_rings(context, 3, radii, 0.35, &m));
    check(m, rings, 5);
    assert_ok(ebm_model_create_rosenbrock(context, 0.8, 3, 1.9, &m));
    check(m, valley, 6);
    ebm_context_destroy(context);
}

/* What the arrays of the caller hold is copied. A covariance that is asked
   for with a mean of NULL is one about 0. */
static void test_large_gaussian(void **state)
{
    (void)state;
    enum { LARGE = 203 };
    ebm_context *context = test_context_threads(1);
    ebm_model *m = NULL;
    double *c = test_doubles(LARGE * LARGE), log_z = NAN, right = 0;
    float *x = test_floats(LARGE), *grad = test_floats(LARGE), energy;
    uint64_t random = 1;
    /* C = D + u u^T; C^-1 by Sherman and Morrison, det C = det D (1 + u D^-1
       u). */
    double d[LARGE], u[LARGE], udu = 0, udx = 0, xdx = 0;
    for (size_t i = 0; i < LARGE; i++) {
        d[i] = test_random_uniform(&random, 0.5, 2);
        u[i] = test_random_normal(&random);
        x[i] = (float)test_random_normal(&random);
        udu += u[i] * u[i] / d[i];
        udx += u[i] * (double)x[i] / d[i];
        xdx += (double)x[i] * (double)x[i] / d[i];
        right += log(8 * atan(1) * d[i]) / 2;
    }
    for (size_t i = 0; i < LARGE; i++)
        for (size_t j = 0; j < LARGE; j++)
            c[i * LARGE + j] = u[i] * u[j] + (i == j ? d[i] : 0);
    assert_ok(ebm_model_create_gaussian(context, LARGE, NULL, c, &m));
    memset(c, 0, LARGE * LARGE * sizeof *c);
    assert_ok(ebm_model_energy_grad(m, x, NULL, 1, &energy, grad));
    assert_close((double)energy, (xdx - udx * udx / (1 + udu)) / 2, 0, 1e-6);
    double *g = test_doubles(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        g[i] = ((double)x[i] - u[i] * udx / (1 + udu)) / d[i];
    assert_arrays_near(grad, g, LARGE, 1e-6);
    assert_ok(ebm_model_log_normaliser(m, &log_z));
    assert_close(log_z, right + log(1 + udu) / 2, 0, 1e-12);
    ebm_model_destroy(m);
    free(g);
    free(grad);
    free(x);
    free(c);
    ebm_context_destroy(context);
}

static void test_edges(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *m = NULL;
    const double one[2] = {0, 0}, two[2] = {0, 1};
    const float far[4] = {1e20f, 0, -3e38f, 3e38f}, nothing[2] = {0, 0};
    const float v[2] = {1, -2}, right[2] = {1 / 0.25f, -2 / 0.25f};
    float energy[2], grad[4], hv[2] = {77, 77};
    /* The middle of rings has no gradient; of a ring of radius 0 it has. */
    assert_ok(ebm_model_create_rings(context, 2, two, 0.5, &m));
    assert_ok(ebm_model_energy_grad(m, nothing, NULL, 1, energy, grad));
    assert_close((double)energy[0], -log(1 + exp(-2)), 1e-6, 0);
    assert_same_bits(grad, nothing, 2);
    assert_ok(ebm_model_hessian_vector(m, nothing, NULL, 1, v, hv));
    assert_same_bits(hv, nothing, 2);
    ebm_model_destroy(m);
    assert_ok(ebm_model_create_rings(context, 2, one, 0.5, &m));
    assert_ok(ebm_model_hessian_vector(m, nothing, NULL, 1, v, hv));
    assert_same_bits(hv, right, 2);
    ebm_model_destroy(m);
    /* Far out, where no component has a density in double. */
    assert_ok(ebm_model_create_gaussian_mixture(context, 2, 1, NULL, two,
                                                two + 1, &m));
    assert_ok(ebm_model_energy_grad(m, far, NULL, 2, energy, grad));
    assert_close((double)grad[0], 1e20, 0, 1e-6);
    assert_true(isinf(energy[0]) && energy[0] > 0);
    ebm_model_destroy(m);
    ebm_context_destroy(context);
}

/* ---- Normalisers ------------------------------------------------------- */

/* log of the sum of exp(-E) over [-edge, edge]^2 in cells of `step`. The
   trapezoidal rule, exact to rounding for what is smooth and vanishes at the
   edges; energies are the library's floats. */
static double grid_log_z(const ebm_model *model, double edge, double step)
{
    enum { ROW = 4096 };
    static float x[2 * ROW], energy[ROW];
    size_t n = (size_t)lround(2 * edge / step) + 1;
    double sum = 0;
    assert_true(n <= ROW);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            x[2 * j] = (float)(-edge + step * (double)i);
            x[2 * j + 1] = (float)(-edge + step * (double)j);
        }
        assert_ok(ebm_model_energy(model, x, NULL, n, energy));
        for (size_t j = 0; j < n; j++)
            sum += exp(-(double)energy[j]);
    }
    return log(sum * step * step);
}

static double log_z_of(const ebm_model *model)
{
    double log_z = NAN;
    assert_ok(ebm_model_log_normaliser(model, &log_z));
    return log_z;
}

#define assert_grid(model, edge, step, tolerance)                      \
    assert_close(log_z_of(model), grid_log_z((model), (edge), (step)), \
                 (tolerance), 0)

static void test_normalisers(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *m[6] = {NULL}, *mixed = NULL, *other = NULL;
    const double c[4] = {1, 0.6, 0.6, 0.8}, centres[4] = {1, 0, -1, 0.5};
    const double widths[2] = {0.4, 0.8}, shares[2] = {0.75, 1.5};
    assert_ok(ebm_model_create_gaussian(context, 2, centres, c, m));
    assert_ok(ebm_model_create_gaussian_mixture(context, 2, 2, shares, centres,
                                                widths, m + 1));
    assert_ok(ebm_model_create_double_well(context, 2, 2, m + 2));
    assert_ok(ebm_model_create_rings(context, 3, radii, 0.35, m + 3));
    assert_ok(ebm_model_create_rosenbrock(context, 0.4, 2, 0.5, m + 4));
    assert_ok(ebm_model_create_gaussian_mixture(context, 2, 2, NULL, centres,
                                                widths, m + 5));
    assert_grid(m[0], 9, 0.1, 1e-6);
    assert_grid(m[1], 7, 0.05, 1e-6);
    assert_grid(m[2], 3, 0.025, 1e-6);
    /* |x| has a kink in the middle, which the grid feels. */
    assert_grid(m[3], 5, 0.02, 4e-4);
    assert_grid(m[4], 16, 0.05, 1e-6);
    assert_close(log_z_of(m[5]), 0, 0, 0);
    /* Compositions: mixtures, and temperatures. */
    const double w[6] = {1, 0.5, 2, 0.1, 3, 1};
    assert_ok(ebm_model_create_mixture(m, w, 6, &mixed));
    assert_grid(mixed, 16, 0.05, 1e-3);
    const double powers[5] = {0, 0, 1e-6, 0, 1e-6};
    for (size_t i = 0; i < 5; i++) {
        assert_ok(ebm_model_create_tempered(m[i], 1.5, &other));
        if (powers[i] > 0 || i == 0) {
            assert_grid(other, 16, 0.1, 1e-6);
            ebm_model *again = NULL;
            assert_ok(ebm_model_create_tempered(other, 0.5, &again));
            assert_grid(again, 16, 0.05, 1e-6);
            ebm_model_destroy(again);
        } else {
            double log_z = 77;
            assert_error(context, ebm_model_log_normaliser(other, &log_z),
                         EBM_ERROR_UNSUPPORTED, "tempered");
            assert_true(log_z == 77);
        }
        ebm_model_destroy(other);
    }
    double log_z = 77;
    assert_ok(ebm_model_create_negated(m[0], &other));
    assert_error(context, ebm_model_log_normaliser(other, &log_z),
                 EBM_ERROR_UNSUPPORTED, "negated");
    ebm_model_destroy(other);
    assert_ok(ebm_model_create_sum(m, NULL, 2, &other));
    assert_error(context, ebm_model_log_normaliser(other, &log_z),
                 EBM_ERROR_UNSUPPORTED, "sum");
    ebm_model_destroy(other);
    assert_ok(ebm_model_create_downsampled(m[0], 2, &other));
    assert_error(context, ebm_model_log_normaliser(other, &log_z),
                 EBM_ERROR_UNSUPPORTED, "downsampled");
    assert_true(log_z == 77);
    assert_error(context, ebm_model_log_normaliser(other, NULL),
                 EBM_ERROR_ARGUMENT, "NULL");
    assert_status(ebm_model_log_normaliser(NULL, &log_z), EBM_ERROR_HANDLE);
    ebm_model_destroy(other);
    ebm_model_destroy(mixed);
    for (size_t i = 0; i < 6; i++)
        ebm_model_destroy(m[i]);
    ebm_context_destroy(context);
}

/* Where another way leads to the same number. A well is I(h) =
   sqrt(pi / (4 h)) (1 + 3 / (16 h) + ...) twice for a high one, and
   gamma(1/4) / 2 h^(-1/4) for a low one. */
static void test_double_well_limits(void **state)
{
    (void)state;
    ebm_context *context = test_context_threads(1);
    ebm_model *m = NULL;
    static const double heights[] = {1e6, 1e5, 1e-12, 1e-30};
    for (size_t i = 0; i < 4; i++) {
        double h = heights[i], s = 1 / h;
        double right = i < 2 ? log(sqrt(atan(1) * s) * 2) +
                                   log1p(3 * s / 16 + 105 * s * s / 512)
                             : log(tgamma(0.25) / 2 * pow(h, -0.25));
        assert_ok(ebm_model_create_double_well(context, 3, h, &m));
        assert_close(log_z_of(m), 3 * right, i < 2 ? 1e-11 : 1e-5, 0);
        ebm_model_destroy(m);
    }
    ebm_context_destroy(context);
}

/* Too far for a density: the energy is infinite, and no direction better. */
static void test_no_density(void **state)
{
    (void)state;
    const double at[4] = {0}, narrow[2] = {1e-150, 1e-150};
    const float x[4] = {3e38f, 0, -3e38f, 1e30f}, v[4] = {1, 2, 3, 4};
    ebm_context *context = test_context_threads(1);
    for (size_t kind = 0; kind < 3; kind++) {
        ebm_model *m = NULL;
        float energy[2], grad[4], hv[4];
        if (kind)
            assert_ok(ebm_model_create_gaussian_mixture(context, 2, kind, NULL,
                                                        at, narrow, &m));
        else
            assert_ok(
                ebm_model_create_rings(context, 2, radii, narrow[0], &m));
        assert_ok(ebm_model_energy_grad(m, x, NULL, 2, energy, grad));
        assert_ok(ebm_model_hessian_vector(m, x, NULL, 2, v, hv));
        for (size_t i = 0; i < 4; i++) {
            assert_true(isinf(energy[i / 2]) && energy[i / 2] > 0);
            assert_true(grad[i] == 0 && hv[i] == 0);
        }
        ebm_model_destroy(m);
    }
    ebm_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_derivatives),
        cmocka_unit_test(test_large_gaussian),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_normalisers),
        cmocka_unit_test(test_double_well_limits),
        cmocka_unit_test(test_no_density),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
