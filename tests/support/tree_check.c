/* All of an energy's derivatives, by differences of its values. */
#include "tree.h"

#include "ebm_test.h"

enum { N = 7, SIZE = TREE_LARGEST };

/* F(a, b, c) = E(x + a v + b w; theta + c u) of one sample. */
typedef struct place {
    const tree *t;
    tree_leaves leaves;
    const double *x, *v, *w;
} place;

static double value(place *p, double a, double b, double c)
{
    double x[SIZE];
    for (size_t i = 0; i < tree_size(p->t); i++)
        x[i] = p->x[i] + a * p->v[i] + b * p->w[i];
    tree_move(&p->leaves, c);
    double e = tree_energy(p->t, x);
    tree_move(&p->leaves, -c);
    return e;
}

/* d/da by differences of fourth order. */
#define STEP 2e-3
static double slope_a(place *p, double b, double c)
{
    return (8 * (value(p, STEP, b, c) - value(p, -STEP, b, c)) -
            (value(p, 2 * STEP, b, c) - value(p, -2 * STEP, b, c))) /
           (12 * STEP);
}

static double slope_c(place *p)
{
    return (8 * (value(p, 0, 0, STEP) - value(p, 0, 0, -STEP)) -
            (value(p, 0, 0, 2 * STEP) - value(p, 0, 0, -2 * STEP))) /
           (12 * STEP);
}

/* d^2/(da db), or d^2/(da dc). */
static double bend(place *p, int of_parameters)
{
    double s = STEP, b = of_parameters ? 0 : s, c = of_parameters ? s : 0;
    return (8 * (slope_a(p, b, c) - slope_a(p, -b, -c)) -
            (slope_a(p, 2 * b, 2 * c) - slope_a(p, -2 * b, -2 * c))) /
           (12 * s);
}

static double norm(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static double inner(const float *g, const double *w, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)g[i] * w[i];
    return sum;
}

/* Directions of length 1, so that a gradient's norm bounds its slopes. */
static void draw(uint64_t *random, double *v, size_t size)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++) {
        v[i] = (double)(float)test_random_normal(random);
        sum += v[i] * v[i];
    }
    for (size_t i = 0; i < size; i++)
        v[i] = (double)(float)(v[i] / sqrt(sum));
}

static void clear(const tree_leaves *leaves)
{
    for (size_t k = 0; k < leaves->count; k++)
        assert_ok(ebm_model_zero_gradient(leaves->leaves[k]->model));
}

void tree_check(tree *t, uint64_t seed)
{
    size_t size = tree_size(t);
    uint64_t random = seed;
    static float x[N * SIZE], v[N * SIZE], grad[N * SIZE], hv[N * SIZE];
    static double dx[N][SIZE], dv[N][SIZE], dw[N][SIZE];
    float energy[N], again[N], scale[N];
    place p = {.t = t, .leaves = tree_find_leaves(t)};
    tree_draw_direction(&p.leaves, &random);
    for (size_t i = 0; i < N; i++) {
        draw(&random, dv[i], size);
        draw(&random, dw[i], size);
        scale[i] = (float)test_random_uniform(&random, -1, 1);
        for (size_t j = 0; j < size; j++) {
            x[i * size + j] = (float)test_random_uniform(&random, -1.5, 1.5);
            dx[i][j] = (double)x[i * size + j];
            v[i * size + j] = (float)dv[i][j];
        }
    }
    assert_ok(ebm_model_energy(t->model, x, NULL, N, energy));
    assert_ok(ebm_model_energy_grad(t->model, x, NULL, N, again, grad));
    assert_ok(ebm_model_hessian_vector(t->model, x, NULL, N, v, hv));
    assert_same_bits(energy, again, N);
    double first = 0, mixed = 0;
    for (size_t i = 0; i < N; i++) {
        p.x = dx[i];
        p.v = dw[i];
        p.w = dv[i];
        const float *g = grad + i * size, *h = hv + i * size;
        assert_close((double)energy[i], tree_energy(t, dx[i]), 1e-5, 1e-5);
        assert_close(inner(g, dw[i], size), slope_a(&p, 0, 0),
                     1e-6 + 3e-5 * norm(g, size), 0);
        assert_close(inner(h, dw[i], size), bend(&p, 0),
                     1e-6 + 1e-4 * norm(h, size), 0);
        p.v = dv[i];
        first += (double)scale[i] * slope_c(&p);
        mixed += (double)scale[i] * bend(&p, 1);
    }
    clear(&p.leaves);
    assert_ok(ebm_model_backward(t->model, x, NULL, N, scale, again));
    assert_same_bits(energy, again, N);
    assert_close(tree_slope(&p.leaves), first,
                 1e-6 + 3e-5 * tree_gradient_norm(&p.leaves), 0);
    clear(&p.leaves);
    assert_ok(ebm_model_mixed_backward(t->model, x, NULL, N, v, scale, grad));
    assert_same_bits(grad, hv, N * size);
    assert_close(tree_slope(&p.leaves), mixed,
                 1e-6 + 1e-4 * tree_gradient_norm(&p.leaves), 0);
    clear(&p.leaves);
}
