/*
 * likelihood: how probable does a model find data it has not seen?
 *
 * The likelihood of an energy is exp(-E(x) / T) / Z, and Z is what nobody
 * knows. Annealed importance sampling estimates it from below, walking from a
 * distribution whose Z is known to the model, and from above, walking back
 * from samples of the model. Where the two meet, log Z is between them, and
 * with it the bits per dimension.
 *
 * Two models are small enough for them to meet, and are trained for that: at
 * temperature 1, on chains with a Metropolis test, so that exp(-E) is the law
 * of what training saw.
 *
 *     moons    points of the plane, where sums over a grid give log Z as well
 *     digits   8 x 8 pixels of eight greys, each spread over its bin
 *
 * With --model it does the same for a model of this program (moons.safetensors
 * or digits.safetensors), without training. Any other model, such as one of
 * du_mordatch, is bounded in the box of its images at T = 1 and at the
 * temperature that its sampler's step and noise imply; what comes out, and why
 * it is no likelihood of that sampler, is printed in one line.
 *
 * Read study(), then bounds_find() in common/bounds.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/bounds.h"
#include "common/digits.h"
#include "common/files.h"
#include "common/mlp.h"
#include "common/moons.h"
#include "common/options.h"
#include "common/small_digits.h"
#include "common/try.h"

enum { UNITS = 64, MOONS = 8000 };

/* Of the options. */
static uint64_t levels = 2000, chain_count = 128, walk_steps = 2000;
static uint64_t iterations = 0; /* 0: the subject's own */
static settings s = {.seed = 1};
static const char *out = "out";

/* What is learnt and how, and the held-out data that the bits are of. */
typedef struct subject {
    const char *name, *file;
    size_t dimension;
    double std; /* of the Gaussian beside the network, and of the base */
    double bin_width;
    size_t iterations;
    double step, rate; /* of MALA and Adam in training */
    float *train, *held_out;
    size_t train_count, held_out_count;
} subject;

static subject moons(ebm_context *context)
{
    subject m = {.name = "moons",
                 .file = "moons.safetensors",
                 .dimension = 2,
                 .std = 2.0,
                 .bin_width = 1.0, /* a density */
                 .iterations = 2000,
                 .step = 0.01,
                 .rate = 3e-3,
                 .train_count = MOONS,
                 .held_out_count = MOONS / 4};
    m.train = moons_create(context, m.train_count, s.seed);
    m.held_out = moons_create(context, m.held_out_count, s.seed + 1);
    return m;
}

/* Of five digits four are learnt. */
static subject digits(ebm_context *context)
{
    size_t n = 0;
    float *all = small_digits_create(context, &s, &n);
    subject d = {.name = "digits",
                 .file = "digits.safetensors",
                 .dimension = SMALL_DIGITS_SIZE,
                 .std = 1.0,
                 .bin_width = SMALL_DIGITS_BIN,
                 .iterations = 2500,
                 .step = 0.001,
                 .rate = 3e-3,
                 .train_count = n - n / 5,
                 .held_out_count = n / 5};
    d.train = all;
    d.held_out = try_allocate(d.held_out_count * d.dimension, sizeof *all);
    memcpy(d.held_out, all + d.train_count * d.dimension,
           d.held_out_count * d.dimension * sizeof *all);
    return d;
}

static void forget(subject *m)
{
    free(m->train);
    free(m->held_out);
}

static ebm_model *learn(ebm_context *context, const subject *m)
{
    ebm_dataset *data = NULL;
    const mlp_fit fit = {
        .iterations = iterations > 0 ? (size_t)iterations : m->iterations,
        .batch = m->train_count < 256 ? m->train_count : 256,
        .steps = 20,
        .step_size = m->step,
        .spread = 0.0, /* far out, narrow bins are hard to find */
        .rate = m->rate,
        .seed = s.seed};
    ebm_model *network = mlp_create(context, m->dimension, UNITS, s.seed);
    ebm_model *model = mlp_with_gaussian(context, network, m->std);
    TRY(ebm_dataset_create_array(context, m->train, NULL, m->train_count, 1, 1,
                                 m->dimension, s.seed, &data));
    mlp_learn(context, model, data, &fit);
    TRY(ebm_model_save(network, path_in(out, m->file)));
    ebm_dataset_destroy(data);
    ebm_model_destroy(network);
    return model;
}

static double mean_energy(ebm_context *context, const ebm_model *model,
                          const float *x, size_t n)
{
    float *energy = try_allocate(n, sizeof *energy);
    double sum = 0.0;
    TRY(ebm_model_energy(model, x, NULL, n, energy));
    for (size_t i = 0; i < n; i++)
        sum += (double)energy[i];
    free(energy);
    return sum / (double)n;
}

/* log of the sum of exp(-E) over a fine grid: what there is only in the
   plane, and independent of all chains. */
static void print_quadrature(ebm_context *context, const ebm_model *model)
{
    enum { GRID = 400 };
    const double reach = 10.0, cell = 2 * reach / GRID;
    float x[2 * GRID], energy[GRID];
    /* Less the lowest energy so far: exp(-E) itself can overflow. */
    double sum = 0.0, lowest = INFINITY;
    for (int row = 0; row < GRID; row++) {
        for (int i = 0; i < GRID; i++) {
            x[2 * i] = (float)((i + 0.5) * cell - reach);
            x[2 * i + 1] = (float)((row + 0.5) * cell - reach);
        }
        TRY(ebm_model_energy(model, x, NULL, GRID, energy));
        for (int i = 0; i < GRID; i++) {
            double least = fmin(lowest, (double)energy[i]);
            sum = sum * exp(least - lowest) + exp(least - (double)energy[i]);
            lowest = least;
        }
    }
    double log_z = log(sum * cell * cell) - lowest;
    if (!isfinite(log_z))
        fail(EXIT_RUN, "the model's energy is no number somewhere");
    printf("  log Z by sums over a grid %.3f\n", log_z);
}

static void print_gap(const bounds *b)
{
    double gap = b->upper - b->lower;
    if (fabs(gap) < 1.0)
        printf("  the bounds meet: %.3f nats apart\n", gap);
    else if (!bounds_have_order(b))
        printf("  the bounds cross by %.3f nats: the samples are not the "
               "model's\n",
               -gap);
    else
        printf("  the bounds do not meet: %.3f nats apart\n", gap);
    if (!(b->r_hat < 1.05))
        puts("  the samples have not forgotten where they began: the upper "
             "bound is on their word");
}

/* What all bounds have in common. */
static bounds_plan plan_at(double temperature)
{
    return (bounds_plan){.temperature = temperature,
                         .levels = (size_t)levels,
                         .chains = (size_t)chain_count,
                         .step = 0.02,
                         .warmup = 1 + (size_t)walk_steps / 4,
                         .walk = (size_t)walk_steps,
                         .watch = (size_t)walk_steps,
                         .seed = s.seed};
}

/* Bounds and bits of a model of this program. */
static void study(ebm_context *context, const subject *m,
                  const ebm_model *model)
{
    bounds_plan plan = plan_at(1.0);
    plan.std = m->std;
    plan.leapfrog = 5;
    plan.step_factor = 2.0;
    plan.data = m->train;
    if (plan.chains / 2 > m->train_count)
        fail(EXIT_USAGE, "--chains: half of %zu is more than the %zu %s",
             plan.chains, m->train_count, m->name);
    printf("%s: %zu dimensions, %zu points that were held out\n", m->name,
           m->dimension, m->held_out_count);
    bounds b = bounds_find(context, model, &plan);
    if (m->dimension == 2)
        print_quadrature(context, model);
    print_gap(&b);
    bounds_print_bits(
        context, &b,
        mean_energy(context, model, m->held_out, m->held_out_count),
        m->bin_width);
    if (m->dimension == SMALL_DIGITS_SIZE)
        small_digits_draw(context, path_in(out, "digits.png"), m->held_out,
                          m->held_out_count, b.samples, plan.chains);
    bounds_free(&b);
}

/* Digits as a model of larger images knows them, each byte spread over its
   bin. NULL when there are none of its shape. */
static float *read_digits(ebm_context *context, const ebm_model *model,
                          size_t *count)
{
    size_t of[3], shape[3];
    ebm_dataset *data = digits_recipe.open(context, &s);
    float *x = NULL;
    if (data == NULL)
        return NULL;
    TRY(ebm_model_shape(model, &shape[0], &shape[1], &shape[2]));
    TRY(ebm_dataset_shape(data, &of[0], &of[1], &of[2]));
    if (memcmp(of, shape, sizeof of) == 0) {
        *count = ebm_dataset_count(data);
        x = try_allocate(*count * of[0] * of[1] * of[2], sizeof *x);
        TRY(ebm_dataset_set(data, EBM_DATASET_NOISE_STD, 0));
        TRY(ebm_dataset_set(data, EBM_DATASET_DEQUANTISE, 1));
        TRY(ebm_dataset_next(data, *count, x, NULL));
    }
    ebm_dataset_destroy(data);
    return x;
}

/* A model that was trained with a free Langevin sampler. */
static void study_other(ebm_context *context, const ebm_model *model)
{
    size_t n = 0;
    double temperatures[2] = {1.0, 0.0};
    ebm_sampler *langevin = digits_langevin(context, 1);
    float *x = read_digits(context, model, &n);
    TRY(ebm_sampler_implied_temperature(langevin, &temperatures[1]));
    ebm_sampler_destroy(langevin);
    for (int i = 0; i < 2; i++) {
        /* At T = 1 these energies hardly depart from the uniform law, in
           which digits, most of whose pixels are at a wall, do not occur. */
        int is_cold = temperatures[i] < 1.0;
        bounds_plan plan = plan_at(temperatures[i]);
        plan.low = -1.0;
        plan.high = 1.0;
        plan.leapfrog = 1;
        plan.step_factor = 1.0;
        plan.data = is_cold && chain_count / 2 <= n ? x : NULL;
        printf("at T = %.4g, in the box [-1, 1]:\n", plan.temperature);
        bounds b = bounds_find(context, model, &plan);
        print_gap(&b);
        if (x != NULL)
            bounds_print_bits(context, &b, mean_energy(context, model, x, n),
                              2.0 / 256);
        bounds_free(&b);
    }
    puts("neither is a likelihood of what the model's sampler draws: free "
         "noise, clipped gradients, clamped pixels and runs that end before "
         "they forget their beginning have no law exp(-E / T), at any T");
    free(x);
}

/* The models of this program are networks on points, not on images, and lack
   the Gaussian, which no file can hold. */
static void study_saved(ebm_context *context, const char *file)
{
    ebm_model *model = NULL;
    size_t height, width, channels;
    if (ebm_model_load(context, file, &model) != EBM_OK)
        fail(EXIT_USAGE, "--model: %s", ebm_context_last_error(context));
    if (ebm_model_class_count(model) > 0)
        fail(EXIT_USAGE, "--model: a model of classes has a Z for each");
    TRY(ebm_model_shape(model, &height, &width, &channels));
    if (height * width == 1 &&
        (channels == 2 || channels == SMALL_DIGITS_SIZE)) {
        subject m = channels == 2 ? moons(context) : digits(context);
        ebm_model *sum = mlp_with_gaussian(context, model, m.std);
        study(context, &m, sum);
        ebm_model_destroy(sum);
        forget(&m);
    } else {
        study_other(context, model);
    }
    ebm_model_destroy(model);
}

static void study_both(ebm_context *context)
{
    subject (*const subjects[])(ebm_context *) = {moons, digits};
    for (int i = 0; i < 2; i++) {
        subject m = subjects[i](context);
        check_writable(out, m.file);
        ebm_model *model = learn(context, &m);
        study(context, &m, model);
        ebm_model_destroy(model);
        forget(&m);
    }
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    const option_row rows[] = {
        {"model", "FILE", "a model to look at: train none", .text = &file},
        {"data", "PATH", "IDX images, raw or gzip, or a folder of them",
         .text = &s.data},
        {"out", "FOLDER", "where models and digits.png go", .text = &out},
        {"iterations", "N", "of training, 0 for each model's own",
         .number = &iterations, .maximum = 10000000},
        {"levels", "N", "between the base and the model", .number = &levels,
         .minimum = 2, .maximum = 10000000},
        {"chains", "N", "of each bound", .number = &chain_count, .minimum = 2,
         .maximum = 100000},
        {"walk", "N", "steps of the samples, once more to compare them",
         .number = &walk_steps, .minimum = 4, .maximum = 100000000},
        {"seed", "N", "of all randomness", .number = &s.seed,
         .maximum = UINT64_MAX},
        {"threads", "N", "processors to use, 0 for all", .number = &s.threads,
         .maximum = 1024}};
    options_parse(argc, argv,
                  "Bounds log Z and bits per dimension from both sides. "
                  "Writes moons.safetensors,\ndigits.safetensors and "
                  "digits.png.",
                  rows, sizeof rows / sizeof rows[0]);
    make_folder(out);
    check_writable(out, "digits.png");
    ebm_context *context = NULL;
    TRY(ebm_context_create(&context));
    if (s.threads > 0)
        TRY(ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s.threads));
    if (file != NULL)
        study_saved(context, file);
    else
        study_both(context);
    puts("done");
    try_output();
    ebm_context_destroy(context);
    return EXIT_SUCCESS;
}
