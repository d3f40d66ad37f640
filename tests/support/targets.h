/*
 * Energies whose law exp(-E / T) is known: moments and the distribution of
 * each coordinate in closed form or by quadrature, and what the samplers' law
 * tests measure with them.
 */
#ifndef EBM_TEST_TARGETS_H
#define EBM_TEST_TARGETS_H

#include <ebm/ebm.h>

enum { TARGET_LARGEST = 3, TARGET_GRID = 4000 };

typedef struct test_target {
    const char *name;
    size_t size;
    /* E(x) and its gradient, in double. */
    double (*energy)(const double *x, double *g);
    /* Of one coordinate at temperature T. */
    double (*cdf)(const struct test_target *target, size_t coordinate,
                  double temperature, double value);
    /* E[x_i], and E[x_i x_j]. */
    void (*moments)(const struct test_target *target, double temperature,
                    double *mean, double *second);
    /* For energies that are sums over coordinates: a coordinate's part of the
       energy and its slope, and the distribution on a grid
       over [-TARGET_RANGE, TARGET_RANGE], made by test_target_tabulate(). */
    double (*part)(double x, size_t coordinate, double *slope);
    double grid[TARGET_LARGEST][TARGET_GRID + 1];
    double grid_mean[TARGET_LARGEST], grid_square[TARGET_LARGEST];
} test_target;

#define TARGET_RANGE 6.0

/* A Gaussian in three dimensions, correlated and off centre. */
extern test_target test_target_gaussian;
/* Two Gaussians of unequal weight in two dimensions; T = 1 only. */
extern test_target test_target_mixture;
/* (x^2 - 1)^2 with different tilts in two dimensions. */
extern test_target test_target_wells;
/* A bowl with a bump, 0.75 x^2 + 4 exp(-2 x^2), and tilts: two wells in which
   large steps do not run away. */
extern test_target test_target_bump;

/* Fills in the grid of a sum over coordinates for a temperature. */
void test_target_tabulate(test_target *target, double temperature);

/* A model of it; the target must outlive it. */
ebm_model *test_target_model(ebm_context *context, test_target *target);

/* An exact draw of one coordinate from the grid, for u in (0, 1). */
double test_target_draw(const test_target *target, size_t coordinate,
                        double u);

/* How far n states [n, size] are from the law: the largest deviation of a
   first or second moment in standard errors, and the largest of the
   coordinates' Kolmogorov-Smirnov statistics sqrt(n) D. */
typedef struct test_distance {
    double moment, ks;
} test_distance;

test_distance test_target_distance(const test_target *target,
                                   double temperature, const float *x,
                                   size_t n);

/* Both are exceeded by chance with a probability of about 1e-3: Bonferroni
   over all moments and over all coordinates. */
double test_target_moment_bound(const test_target *target);
double test_target_ks_bound(const test_target *target);

#endif
