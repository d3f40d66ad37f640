/* Energies whose law is known. */
#include "targets.h"

#include "ebm_test.h"

/* ---- A Gaussian ----------------------------------------------------------
   E = (x - m)' P (x - m) / 2 with P = L L', L lower triangular, so that the
   covariance T P^-1 follows from L^-1 by hand. */
static const double centre[3] = {0.5, -0.3, 0.2};
static const double lower[3][3] = {
    {1.6, 0, 0}, {0.5, 1.1, 0}, {-0.4, 0.6, 0.9}};

static double gaussian_energy(const double *x, double *g)
{
    double v[3], sum = 0; /* v = L' (x - m) */
    for (int i = 0; i < 3; i++) {
        v[i] = 0;
        for (int j = i; j < 3; j++)
            v[i] += lower[j][i] * (x[j] - centre[j]);
        sum += v[i] * v[i] / 2;
    }
    for (int i = 0; i < 3; i++) {
        g[i] = 0;
        for (int j = 0; j <= i; j++)
            g[i] += lower[i][j] * v[j];
    }
    return sum;
}

static void covariance(double temperature, double c[3][3])
{
    double inverse[3][3] = {{0}};
    for (int i = 0; i < 3; i++) {
        inverse[i][i] = 1 / lower[i][i];
        for (int j = 0; j < i; j++) {
            double sum = 0;
            for (int k = j; k < i; k++)
                sum += lower[i][k] * inverse[k][j];
            inverse[i][j] = -sum / lower[i][i];
        }
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            c[i][j] = 0;
            for (int k = 0; k < 3; k++)
                c[i][j] += temperature * inverse[k][i] * inverse[k][j];
        }
}

static double gaussian_cdf(const test_target *target, size_t coordinate,
                           double temperature, double value)
{
    double c[3][3];
    (void)target;
    covariance(temperature, c);
    double law[2] = {centre[coordinate], sqrt(c[coordinate][coordinate])};
    return test_cdf_normal(value, law);
}

static void gaussian_moments(const test_target *target, double temperature,
                             double *mean, double *second)
{
    double c[3][3];
    (void)target;
    covariance(temperature, c);
    for (int i = 0; i < 3; i++) {
        mean[i] = centre[i];
        for (int j = 0; j < 3; j++)
            second[3 * i + j] = c[i][j] + centre[i] * centre[j];
    }
}

test_target test_target_gaussian = {.name = "Gaussian",
                                    .size = 3,
                                    .energy = gaussian_energy,
                                    .cdf = gaussian_cdf,
                                    .moments = gaussian_moments};

/* ---- A mixture -----------------------------------------------------------
 */
static const double weights[2] = {0.35, 0.65}, spread = 0.6;
static const double modes[2][2] = {{-1, 0.4}, {0.9, -0.6}};

static double mixture_energy(const double *x, double *g)
{
    double e[2], p[2];
    for (int m = 0; m < 2; m++) {
        double u = x[0] - modes[m][0], v = x[1] - modes[m][1];
        e[m] = (u * u + v * v) / (2 * spread * spread) - log(weights[m]);
    }
    double least = fmin(e[0], e[1]);
    for (int m = 0; m < 2; m++)
        p[m] = exp(least - e[m]);
    double total = p[0] + p[1];
    for (int i = 0; i < 2; i++)
        g[i] = (p[0] * (x[i] - modes[0][i]) + p[1] * (x[i] - modes[1][i])) /
               (total * spread * spread);
    return least - log(total);
}

static double mixture_cdf(const test_target *target, size_t coordinate,
                          double temperature, double value)
{
    double sum = 0;
    (void)target;
    (void)temperature;
    for (int m = 0; m < 2; m++) {
        double law[2] = {modes[m][coordinate], spread};
        sum += weights[m] * test_cdf_normal(value, law);
    }
    return sum;
}

static void mixture_moments(const test_target *target, double temperature,
                            double *mean, double *second)
{
    (void)target;
    (void)temperature;
    for (int i = 0; i < 2; i++) {
        mean[i] = weights[0] * modes[0][i] + weights[1] * modes[1][i];
        for (int j = 0; j < 2; j++)
            second[2 * i + j] = weights[0] * modes[0][i] * modes[0][j] +
                                weights[1] * modes[1][i] * modes[1][j] +
                                (i == j ? spread * spread : 0);
    }
}

test_target test_target_mixture = {.name = "mixture",
                                   .size = 2,
                                   .energy = mixture_energy,
                                   .cdf = mixture_cdf,
                                   .moments = mixture_moments};

/* ---- Double wells --------------------------------------------------------
 */
static const double tilts[2] = {0.3, -0.5};

static double well(double x, size_t coordinate, double *slope)
{
    double square = x * x - 1;
    *slope = 4 * x * square + tilts[coordinate];
    return square * square + tilts[coordinate] * x;
}

static double wells_energy(const double *x, double *g)
{
    return well(x[0], 0, g) + well(x[1], 1, g + 1);
}

static double bump(double x, size_t coordinate, double *slope)
{
    double top = 4 * exp(-2 * x * x);
    *slope = 1.5 * x - 4 * x * top + tilts[coordinate];
    return 0.75 * x * x + top + tilts[coordinate] * x;
}

static double bump_energy(const double *x, double *g)
{
    return bump(x[0], 0, g) + bump(x[1], 1, g + 1);
}

/* Trapezium sums; the law vanishes at both ends. */
void test_target_tabulate(test_target *target, double temperature)
{
    double h = 2 * TARGET_RANGE / TARGET_GRID;
    for (size_t c = 0; c < target->size; c++) {
        double *f = target->grid[c], last = 0, total = 0;
        double mean = 0, square = 0;
        f[0] = 0;
        for (size_t i = 0; i <= TARGET_GRID; i++) {
            double x = -TARGET_RANGE + h * (double)i, slope;
            double p = exp(-target->part(x, c, &slope) / temperature);
            if (i)
                f[i] = f[i - 1] + (p + last) / 2;
            total += p;
            mean += p * x;
            square += p * x * x;
            last = p;
        }
        for (size_t i = 0; i <= TARGET_GRID; i++)
            f[i] /= f[TARGET_GRID];
        target->grid_mean[c] = mean / total;
        target->grid_square[c] = square / total;
    }
}

static double wells_cdf(const test_target *target, size_t coordinate,
                        double temperature, double value)
{
    const double *f = target->grid[coordinate];
    double at = (value + TARGET_RANGE) / (2 * TARGET_RANGE) * TARGET_GRID;
    (void)temperature;
    if (at <= 0)
        return 0;
    size_t i = (size_t)at;
    if (i >= TARGET_GRID)
        return 1;
    return f[i] + (at - (double)i) * (f[i + 1] - f[i]);
}

double test_target_draw(const test_target *target, size_t coordinate, double u)
{
    const double *f = target->grid[coordinate];
    size_t low = 0, high = TARGET_GRID;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        *(f[middle] <= u ? &low : &high) = middle;
    }
    double part = (u - f[low]) / (f[high] - f[low]);
    return ((double)low + part) / TARGET_GRID * 2 * TARGET_RANGE -
           TARGET_RANGE;
}

static void wells_moments(const test_target *target, double temperature,
                          double *mean, double *second)
{
    (void)temperature;
    for (int i = 0; i < 2; i++) {
        mean[i] = target->grid_mean[i];
        for (int j = 0; j < 2; j++)
            second[2 * i + j] =
                i == j ? target->grid_square[i]
                       : target->grid_mean[i] * target->grid_mean[j];
    }
}

test_target test_target_wells = {.name = "double wells",
                                 .size = 2,
                                 .energy = wells_energy,
                                 .part = well,
                                 .cdf = wells_cdf,
                                 .moments = wells_moments};

test_target test_target_bump = {.name = "bump",
                                .size = 2,
                                .energy = bump_energy,
                                .part = bump,
                                .cdf = wells_cdf,
                                .moments = wells_moments};

/* ---- All of them ---------------------------------------------------------
 */
static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    const test_target *target = user;
    (void)params;
    (void)labels;
    for (size_t i = 0; i < n; i++) {
        double at[TARGET_LARGEST], g[TARGET_LARGEST];
        for (size_t j = 0; j < target->size; j++)
            at[j] = x[i * target->size + j];
        energy[i] = (float)target->energy(at, g);
        for (size_t j = 0; j < target->size; j++)
            grad[i * target->size + j] = (float)g[j];
    }
    return 0;
}

ebm_model *test_target_model(ebm_context *context, test_target *target)
{
    ebm_energy_ops ops = {.struct_size = sizeof ops,
                          .energy_grad = energy_grad};
    ebm_model *model = NULL;
    assert_ok(ebm_model_create_custom(context, 1, 1, target->size, &ops,
                                      target, &model));
    return model;
}

/* |mean of the values - expected| in standard errors. */
static double deviation(const double *values, size_t n, double expected)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (values[i] - mean) * (values[i] - mean);
    double error = sqrt(square / (double)n / (double)n);
    double off = fabs(mean - expected) / error;
    return isfinite(off) ? off : INFINITY;
}

typedef struct coordinate_law {
    const test_target *target;
    size_t coordinate;
    double temperature;
} coordinate_law;

static double coordinate_cdf(double value, const void *argument)
{
    const coordinate_law *law = argument;
    return law->target->cdf(law->target, law->coordinate, law->temperature,
                            value);
}

test_distance test_target_distance(const test_target *target,
                                   double temperature, const float *x,
                                   size_t n)
{
    double mean[TARGET_LARGEST], second[TARGET_LARGEST * TARGET_LARGEST];
    double *values = test_doubles(n);
    size_t size = target->size;
    test_distance distance = {0, 0};
    target->moments(target, temperature, mean, second);
    for (size_t i = 0; i < size; i++) {
        coordinate_law law = {target, i, temperature};
        for (size_t j = i; j < size; j++) {
            for (size_t k = 0; k < n; k++)
                values[k] = (double)x[k * size + i] * x[k * size + j];
            distance.moment = fmax(distance.moment,
                                   deviation(values, n, second[size * i + j]));
        }
        for (size_t k = 0; k < n; k++)
            values[k] = x[k * size + i];
        distance.moment = fmax(distance.moment, deviation(values, n, mean[i]));
        distance.ks =
            fmax(distance.ks, test_ks(values, n, coordinate_cdf, &law));
    }
    free(values);
    return distance;
}

/* P(|z| > b) is about 2 exp(-b^2 / 2) / (b sqrt(2 pi)): 3.9 for six moments,
   4.0 for nine give 1e-3 / 6 and 1e-3 / 9 or less. */
double test_target_moment_bound(const test_target *target)
{
    return target->size > 2 ? 4.0 : 3.9;
}

/* P(sqrt(n) D > b) = 2 exp(-2 b^2). */
double test_target_ks_bound(const test_target *target)
{
    return sqrt(log(2 * (double)target->size / 1e-3) / 2);
}
