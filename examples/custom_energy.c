/*
 * custom_energy: a function of your own is a model.
 *
 * The library's networks are one kind of energy. Any other function is one as
 * soon as it can say, for a batch of points, its values and its gradient: two
 * callbacks, and samplers, buffers, losses and optimizers work with it as they
 * do with a network.
 *
 * Here it is a ring in the plane with three lobes, in polar coordinates
 *
 *     E(x) = (|x| - radius)^2 / (2 width^2) - depth cos(3 phi),
 *
 * whose radius and depth are parameters. "Nature" is the same energy with a
 * radius of 2 and a depth of 1.5; the program sees points from nature and
 * learns both numbers back by maximum likelihood. The picture, landscape.png,
 * shows densities exp(-E), points, and the ways of a few chains: before,
 * after, and nature.
 *
 * Read energy_grad() and param_grad() first, then learn().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/files.h"
#include "common/landscape.h"
#include "common/options.h"
#include "common/try.h"

enum { RADIUS, DEPTH, PARAMETERS };

enum {
    POINTS = 2000,
    BATCH = 500, /* points and chains of an iteration */
    TRAIN_STEPS = 20,
    LONG_STEPS = 2000, /* to forget where a chain began */
    WAYS = 3,
    WAY_STEPS = 150
};

/* x' = x - step grad E(x) + sqrt(2 step) xi is Langevin's step at temperature
   1: exp(-E) is what its chains are samples of, up to an error of the order of
   the step. */
static const double step_size = 0.005;
static const double reach = 3.6; /* of the picture */

static const float orange[3] = {0.93f, 0.45f, 0.08f};
static const float green[3] = {0.20f, 0.60f, 0.25f};

/* Values and gradients of n points x[n, 2]. With c = cos(3 phi) and
   s = sin(3 phi), the derivative of c along x is 3 s y / |x|^2 and along y
   -3 s x / |x|^2. `user` is the ring's width. A callback that can not go on
   returns something else than 0, and the library's call returns
   EBM_ERROR_CALLBACK. */
static int energy_grad(const float *params, const float *x,
                       const int32_t *labels, size_t n, float *energy,
                       float *grad, void *user)
{
    (void)labels; /* points have no classes */
    double width = *(const double *)user;
    for (size_t i = 0; i < n; i++) {
        double a = x[2 * i], b = x[2 * i + 1];
        double r = hypot(a, b) + 1e-12, phi = atan2(b, a);
        double off = (r - params[RADIUS]) / (width * width);
        double turn = 3 * params[DEPTH] * sin(3 * phi) / (r * r);
        energy[i] = (float)(off * (r - params[RADIUS]) / 2 -
                            params[DEPTH] * cos(3 * phi));
        grad[2 * i] = (float)(off * a / r - turn * b);
        grad[2 * i + 1] = (float)(off * b / r + turn * a);
    }
    return 0;
}

/* Adds sum_i scale[i] dE(x_i)/dtheta: all that learning needs. */
static int param_grad(const float *params, const float *x,
                      const int32_t *labels, size_t n, const float *scale,
                      float *gradient, void *user)
{
    (void)labels;
    double width = *(const double *)user, radius = 0, depth = 0;
    for (size_t i = 0; i < n; i++) {
        double a = x[2 * i], b = x[2 * i + 1];
        radius -= scale[i] * (hypot(a, b) - params[RADIUS]) / (width * width);
        depth -= scale[i] * cos(3 * atan2(b, a));
    }
    gradient[RADIUS] += (float)radius;
    gradient[DEPTH] += (float)depth;
    return 0;
}

static ebm_model *ring(ebm_context *context, double *width, float radius,
                       float depth)
{
    const ebm_energy_ops ops = {.struct_size = sizeof ops,
                                .parameter_count = PARAMETERS,
                                .energy_grad = energy_grad,
                                .param_grad = param_grad};
    const float values[PARAMETERS] = {radius, depth};
    ebm_model *model = NULL;
    TRY(ebm_model_create_custom(context, 1, 1, 2, &ops, width, &model));
    TRY(ebm_model_set_parameters(model, 0, values, PARAMETERS));
    return model;
}

static ebm_sampler *langevin(ebm_context *context, size_t steps)
{
    ebm_sampler *s = NULL;
    TRY(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, (double)steps));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEP_SIZE, step_size));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_NOISE_STD, sqrt(2 * step_size)));
    return s;
}

/* Points of a model: chains from noise, far enough. */
static ebm_chains *draw(ebm_context *context, const ebm_model *model, size_t n,
                        uint64_t seed)
{
    ebm_chains *chains = NULL;
    ebm_sampler *s = langevin(context, LONG_STEPS);
    TRY(ebm_chains_create(context, n, 1, 1, 2, seed, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 2.0));
    TRY(ebm_sampler_run(s, model, chains));
    ebm_sampler_destroy(s);
    return chains;
}

/* Maximum likelihood on chains that go on where they were: the same five
   calls as with a network, less the buffer, whose part the chains play. */
static void learn(ebm_context *context, ebm_model *model, ebm_dataset *points,
                  size_t iterations, uint64_t seed)
{
    static float data[BATCH * 2];
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = langevin(context, TRAIN_STEPS);
    ebm_loss *nll = NULL;
    ebm_optimizer *adam = NULL;
    TRY(ebm_chains_create(context, BATCH, 1, 1, 2, seed, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 2.0));
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &nll));
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, model, &adam));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_LEARNING_RATE, 0.02));
    for (size_t i = 0; i < iterations; i++) {
        TRY(ebm_dataset_next(points, BATCH, data, NULL));
        TRY(ebm_sampler_run(sampler, model, chains));
        TRY(ebm_loss_backward(nll, model, data, NULL, BATCH, chains, NULL));
        TRY(ebm_optimizer_step(adam));
        const float *now = ebm_model_parameters(model);
        if ((i + 1) % 50 == 0 || i + 1 == iterations)
            printf("iteration %4zu: radius %.3f depth %.3f\n", i + 1,
                   (double)now[RADIUS], (double)now[DEPTH]);
    }
    ebm_optimizer_destroy(adam);
    ebm_loss_destroy(nll);
    ebm_sampler_destroy(sampler);
    ebm_chains_destroy(chains);
}

/* An observer of the run: keeps where its chains are after each step. */
typedef struct ways {
    float points[WAYS][WAY_STEPS + 1][2];
} ways;

static int keep(size_t step, const ebm_chains *chains, void *user)
{
    ways *w = user;
    const float *x = ebm_chains_states(chains);
    for (size_t i = 0; i < WAYS; i++)
        memcpy(w->points[i][step], x + 2 * i, sizeof w->points[i][step]);
    return 0;
}

/* A density, points, and a few chains on their way from the middle. */
static void draw_panel(landscape *picture, size_t panel, const char *title,
                       ebm_context *context, const ebm_model *model,
                       const float *points, uint64_t seed)
{
    static ways w;
    ebm_chains *chains = NULL;
    ebm_sampler *s = langevin(context, WAY_STEPS);
    TRY(ebm_chains_create(context, WAYS, 1, 1, 2, seed, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 0.1));
    keep(0, chains, &w);
    TRY(ebm_sampler_set_observer(s, 1, keep, &w));
    TRY(ebm_sampler_run(s, model, chains));
    landscape_density(picture, panel, context, model);
    landscape_points(picture, panel, points, POINTS / 4, orange);
    for (size_t i = 0; i < WAYS; i++)
        landscape_way(picture, panel, w.points[i][0], WAY_STEPS + 1, green);
    landscape_title(picture, panel, title);
    ebm_sampler_destroy(s);
    ebm_chains_destroy(chains);
}

int main(int argc, char **argv)
{
    const char *out = "out";
    uint64_t iterations = 300, seed = 1;
    const option_row rows[] = {
        {"out", "FOLDER", "where landscape.png goes", .text = &out},
        {"iterations", "N", "training iterations", .number = &iterations,
         .minimum = 1, .maximum = 1000000},
        {"seed", "N", "of all randomness", .number = &seed,
         .maximum = UINT64_MAX}};
    options_parse(argc, argv,
                  "Learns an energy that is a function of this program. "
                  "Writes landscape.png.",
                  rows, sizeof rows / sizeof rows[0]);
    make_folder(out);
    check_writable(out, "landscape.png");

    double width = 0.3;
    ebm_context *context = NULL;
    ebm_dataset *points = NULL;
    landscape picture;
    TRY(ebm_context_create(&context));
    ebm_model *nature = ring(context, &width, 2.0f, 1.5f);
    ebm_model *model = ring(context, &width, 1.0f, 0.0f);
    ebm_chains *seen = draw(context, nature, POINTS, seed);
    const float *x = ebm_chains_states(seen);
    TRY(ebm_dataset_create_array(context, x, NULL, POINTS, 1, 1, 2, seed,
                                 &points));

    landscape_begin(&picture, 3, reach);
    ebm_chains *first = draw(context, model, POINTS, seed + 1);
    draw_panel(&picture, 0, "begin", context, model, ebm_chains_states(first),
               seed);
    learn(context, model, points, (size_t)iterations, seed + 2);
    ebm_chains *last = draw(context, model, POINTS, seed + 1);
    draw_panel(&picture, 1, "learnt", context, model, ebm_chains_states(last),
               seed);
    draw_panel(&picture, 2, "nature", context, nature, x, seed);
    TRY(landscape_write(&picture, context, path_in(out, "landscape.png")));

    const float *now = ebm_model_parameters(model);
    printf("done: radius=%.3f depth=%.3f (nature: 2 and 1.5)\n",
           (double)now[RADIUS], (double)now[DEPTH]);
    try_output();
    ebm_chains_destroy(first);
    ebm_chains_destroy(last);
    ebm_chains_destroy(seen);
    ebm_dataset_destroy(points);
    ebm_model_destroy(nature);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return EXIT_SUCCESS;
}
