/*
 * du_mordatch: an energy-based model that learns to write digits.
 *
 * The model is a small network that gives every image one number, its energy
 * E(x), and so a density p(x) = exp(-E(x)) / Z. Training pulls the energy of
 * real digits down and pushes the energy of the model's own samples up. The
 * samples come from Langevin chains: they begin at noise and walk down the
 * energy's slope with a little noise in each step. Chains are expensive, so a
 * replay buffer keeps their ends and later chains go on from there.
 *
 * The method is Du and Mordatch's, "Implicit Generation and Modeling with
 * Energy-Based Models" (2019); the settings are those that are common for
 * MNIST. Read main() at the end first, then train_step().
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/files.h"
#include "common/options.h"
#include "common/plot.h"
#include "common/progress.h"
#include "common/try.h"

enum {
    BUFFER_STATES = 8192,
    TRAIN_STEPS = 60,   /* Langevin steps of one training iteration */
    SAMPLE_STEPS = 256, /* ... and of a picture */
    GRID = 8, /* samples.png is GRID x GRID, chain.png has GRID rows */
    ZOOM = 3
};

/* Images are scaled to [-1, 1]; this noise goes onto data and chains alike,
   so that the two can not be told apart by how clean they are. */
static const double noise_std = 0.005;

/* Steps at which chain.png looks at its chains: often at the beginning, where
   most happens. */
static const size_t snapshots[] = {0,  4,  8,  16,  24,  32,
                                   48, 64, 96, 128, 192, SAMPLE_STEPS};
enum { SNAPSHOTS = sizeof snapshots / sizeof snapshots[0] };

typedef struct settings {
    const char *data, *out, *model;
    uint64_t iterations, batch, seed, threads;
} settings;

/* The parts that the caller of the library wires together. */
typedef struct lesson {
    ebm_context *context;
    ebm_dataset *digits;
    ebm_model *model;
    ebm_sampler *langevin;
    ebm_buffer *buffer;
    ebm_chains *chains;
    ebm_loss *nll;
    ebm_optimizer *adam;
    ebm_report *report;
    size_t height, width, channels, elements; /* of one image */
    float *data;                              /* a batch of digits */
    double e_pos, e_neg;                      /* the last mean energies */
} lesson;

/* Ctrl-C asks the loops to end; a second one ends the program. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_interrupt(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    interrupted = 0;
    sigaction(SIGINT, &action, NULL);
}

/* ---------------------------------------------------------- setting up --- */

static void load_digits(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    char *path = NULL;
    if (s->data != NULL) {
        path = find_idx_images(s->data);
        if (path == NULL)
            fail(EXIT_USAGE, "--data: no IDX image file at %s", s->data);
    } else {
        path = find_shipped_images(__FILE__);
        if (path == NULL)
            fail(EXIT_USAGE, "no digits found; say where with --data");
    }
    TRY(ebm_dataset_create_idx(context, path, NULL, s->seed, &l->digits));
    TRY(ebm_dataset_set(l->digits, EBM_DATASET_NOISE_STD, noise_std));
    TRY(ebm_dataset_shape(l->digits, &l->height, &l->width, &l->channels));
    l->elements = l->height * l->width * l->channels;

    size_t n = ebm_dataset_count(l->digits);
    printf("data: %s, %zu images of %zu x %zu\n", path, n, l->height,
           l->width);
    if (s->batch > n)
        fail(EXIT_USAGE, "--batch: %zu is more than the %zu images",
             (size_t)s->batch, n);
    l->data = try_allocate((size_t)s->batch * l->elements, sizeof *l->data);
    free(path);
}

/* Four convolutions that halve the image each, and two dense layers: 76,993
   parameters for 28 x 28. Swish is smooth, which the chains like: they follow
   the gradient of what is built here. */
static void build_network(lesson *l, uint64_t seed)
{
    ebm_context *context = l->context;
    ebm_network *net = NULL;
    TRY(ebm_network_create(context, l->height, l->width, l->channels, &net));
    /* channels, kernel, stride, padding */
    TRY(ebm_network_conv2d(net, 16, 5, 2, 4));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_conv2d(net, 32, 3, 2, 1));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_conv2d(net, 64, 3, 2, 1));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_conv2d(net, 64, 3, 2, 1));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_flatten(net));
    TRY(ebm_network_dense(net, 64));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_dense(net, 1));
    TRY(ebm_model_create_network(net, seed, &l->model));
    ebm_network_destroy(net);
}

/*
 * Each step adds noise and then moves against the energy's gradient:
 *
 *     y  = clamp(x + 0.005 xi),  x' = clamp(y - 10 clip(grad E(y))).
 *
 * The clip keeps a step from tearing an image apart while the energy is still
 * rough, the clamp keeps pixels in the range of the data.
 */
static void build_sampler(lesson *l)
{
    ebm_context *context = l->context;
    ebm_sampler *langevin = NULL;
    TRY(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &langevin));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STEPS, TRAIN_STEPS));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STEP_SIZE, 10.0));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_NOISE_STD, noise_std));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_GRADIENT_CLIP, 0.03));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STATE_MIN, -1.0));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STATE_MAX, 1.0));
    l->langevin = langevin;
}

/* The buffer begins with one batch of noise and fills up as training goes on;
   then the oldest states leave. One drawn chain in twenty is noise again, so
   that the model keeps learning the way from noise to digits. */
static void build_buffer(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    TRY(ebm_buffer_create(context, BUFFER_STATES, l->height, l->width,
                          l->channels, s->seed, &l->buffer));
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_POLICY, EBM_BUFFER_FIFO));
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_FRESH_RATE, 0.05));
    TRY(ebm_buffer_fill_uniform(l->buffer, s->batch, -1.0, 1.0));
    TRY(ebm_chains_create(context, s->batch, l->height, l->width, l->channels,
                          s->seed, &l->chains));
}

/* Only differences of energies mean something. The squared energies in the
   loss keep both near 0, and the small clipped steps of Adam, without
   momentum, keep model and chains from running away from each other. */
static void build_learning(lesson *l)
{
    ebm_context *context = l->context;
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &l->nll));
    TRY(ebm_loss_set(l->nll, EBM_LOSS_ENERGY_L2, 0.1));
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, l->model, &l->adam));
    TRY(ebm_optimizer_set(l->adam, EBM_OPTIMIZER_LEARNING_RATE, 1e-4));
    TRY(ebm_optimizer_set(l->adam, EBM_OPTIMIZER_BETA1, 0.0));
    TRY(ebm_optimizer_set(l->adam, EBM_OPTIMIZER_BETA2, 0.999));
    TRY(ebm_optimizer_set(l->adam, EBM_OPTIMIZER_CLIP_NORM, 0.1));
    TRY(ebm_report_create(context, &l->report));
}

/* ------------------------------------------------------------ training --- */

/*
 * One iteration. The loss is
 *
 *     mean E(data) - mean E(chains) + 0.1 (mean E(data)^2 + mean E(chains)^2)
 *
 * with the chains held constant; the first two terms are the gradient of the
 * negative log-likelihood as the chains estimate it.
 */
static ebm_status train_step(lesson *l, size_t batch)
{
    PASS(ebm_dataset_next(l->digits, batch, l->data, NULL));

    PASS(ebm_buffer_draw(l->buffer, l->chains));
    PASS(ebm_sampler_run(l->langevin, l->model, l->chains));
    PASS(ebm_loss_backward(l->nll, l->model, l->data, NULL, batch, l->chains,
                           l->report));
    PASS(ebm_optimizer_step(l->adam));
    return ebm_buffer_store(l->buffer, l->chains);
}

static const char *const columns[] = {
    "iteration", "seconds",   "loss",          "e_pos",
    "e_neg",     "e_pos_std", "e_neg_std",     "gradient_norm",
    "clipped",   "clamped",   "buffer_states", "buffer_age"};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* One row of metrics.csv. The shares of clipped and clamped coordinates tell
   how far the chains are from plain Langevin dynamics; the age is how many
   steps the buffer's states have lived. */
static void measure(lesson *l, size_t iteration, double seconds, double *row)
{
    ebm_context *context = l->context;
    const ebm_report *r = l->report;
    double moved, clipped, noise, step;
    TRY(ebm_report_get(r, EBM_REPORT_TOTAL, &row[2]));
    TRY(ebm_report_get(r, EBM_REPORT_DATA_ENERGY_MEAN, &row[3]));
    TRY(ebm_report_get(r, EBM_REPORT_CHAIN_ENERGY_MEAN, &row[4]));
    TRY(ebm_report_get(r, EBM_REPORT_DATA_ENERGY_STD, &row[5]));
    TRY(ebm_report_get(r, EBM_REPORT_CHAIN_ENERGY_STD, &row[6]));
    TRY(ebm_optimizer_get_statistic(l->adam, EBM_OPTIMIZER_STAT_GRADIENT_NORM,
                                    &row[7]));
    const ebm_sampler *s = l->langevin;
    TRY(ebm_sampler_get_statistic(s, EBM_SAMPLER_STAT_COORDINATES, &moved));
    TRY(ebm_sampler_get_statistic(s, EBM_SAMPLER_STAT_CLIPPED, &clipped));
    TRY(ebm_sampler_get_statistic(s, EBM_SAMPLER_STAT_CLAMPED_NOISE, &noise));
    TRY(ebm_sampler_get_statistic(s, EBM_SAMPLER_STAT_CLAMPED_STEP, &step));
    TRY(ebm_buffer_get_statistic(l->buffer, EBM_BUFFER_STAT_SIZE, &row[10]));
    TRY(ebm_buffer_get_statistic(l->buffer, EBM_BUFFER_STAT_AGE_MEAN,
                                 &row[11]));
    row[0] = (double)iteration;
    row[1] = seconds;
    row[8] = clipped / moved;
    row[9] = (noise + step) / moved;
    l->e_pos = row[3];
    l->e_neg = row[4];
}

/* Trains until the iterations are over, Ctrl-C, or divergence, and returns
   how many were carried out. Divergence sets *diverged: all that there is so
   far is finite and worth writing. */
static size_t train(lesson *l, const settings *s, int *diverged)
{
    ebm_context *context = l->context;
    char *path = join_path(s->out, "metrics.csv");
    double *energies[2] = {
        try_allocate((size_t)s->iterations, sizeof(double)),
        try_allocate((size_t)s->iterations, sizeof(double))};
    csv_file metrics;
    csv_open(&metrics, path, columns, COLUMNS);
    free(path);

    progress bar;
    progress_begin(&bar, (size_t)s->iterations);
    size_t done = 0;
    while (done < s->iterations && !interrupted) {
        ebm_status status = train_step(l, (size_t)s->batch);
        if (status == EBM_ERROR_DIVERGED || status == EBM_ERROR_NON_FINITE) {
            progress_end(&bar);
            fprintf(stderr, "error: diverged in iteration %zu: %s\n", done + 1,
                    ebm_context_last_error(context));
            *diverged = 1;
            break;
        }
        TRY(status);
        double row[COLUMNS];
        measure(l, ++done, progress_seconds(&bar), row);
        csv_row(&metrics, row);
        energies[0][done - 1] = l->e_pos;
        energies[1][done - 1] = l->e_neg;
        progress_update(&bar, done, l->e_pos, l->e_neg);
    }
    if (!*diverged)
        progress_end(&bar);
    csv_close(&metrics);

    const plot_series series[2] = {
        {"data", energies[0], {0.12f, 0.47f, 0.71f}},
        {"chains", energies[1], {0.84f, 0.37f, 0.05f}}};
    path = join_path(s->out, "energies.png");
    TRY(plot_write(context, path, "mean energy", "iteration", 1.0, series, 2,
                   done));
    free(path);
    free(energies[0]);
    free(energies[1]);
    return done;
}

/* ------------------------------------------------------------ pictures --- */

/* What the observer below fills: images[GRID, SNAPSHOTS, height, width, c]. */
typedef struct strip {
    float *images;
    size_t taken, elements;
} strip;

/* The sampler calls this after every step; a result that is not 0 ends the
   run. */
static int take_snapshot(size_t step, const ebm_chains *chains, void *user)
{
    strip *s = user;
    if (s->taken < SNAPSHOTS && step == snapshots[s->taken]) {
        const float *x = ebm_chains_states(chains);
        for (size_t row = 0; row < GRID; row++)
            memcpy(s->images + (row * SNAPSHOTS + s->taken) * s->elements,
                   x + row * s->elements, s->elements * sizeof *x);
        s->taken++;
    }
    return interrupted;
}

/* Walks chains from fresh noise and keeps all of them as samples.png and the
   way of the first few as chain.png. Returns their mean energy. */
static double write_samples(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    size_t n = GRID * GRID, d = l->elements;
    strip film = {try_allocate(GRID * SNAPSHOTS * d, sizeof(float)), 0, d};
    float energy[GRID * GRID];
    ebm_chains *chains = NULL;
    TRY(ebm_chains_create(context, n, l->height, l->width, l->channels,
                          s->seed + 1, &chains)); /* other noise than before */
    TRY(ebm_chains_init_uniform(chains, -1.0, 1.0));
    take_snapshot(0, chains, &film);

    TRY(ebm_sampler_set(l->langevin, EBM_SAMPLER_STEPS, SAMPLE_STEPS));
    TRY(ebm_sampler_set_observer(l->langevin, 1, take_snapshot, &film));
    ebm_status status = ebm_sampler_run(l->langevin, l->model, chains);
    /* Chains that diverged or were stopped are shown as they are. */
    if (status != EBM_ERROR_DIVERGED && status != EBM_ERROR_CALLBACK)
        TRY(status);

    char *path = join_path(s->out, "samples.png");
    TRY(ebm_image_write_grid(context, path, ebm_chains_states(chains), n,
                             l->height, l->width, l->channels, GRID, ZOOM,
                             -1.0, 1.0));
    free(path);
    path = join_path(s->out, "chain.png");
    TRY(ebm_image_write_grid(context, path, film.images, GRID * SNAPSHOTS,
                             l->height, l->width, l->channels, SNAPSHOTS, ZOOM,
                             -1.0, 1.0));
    free(path);

    double mean = 0.0;
    TRY(ebm_model_energy(l->model, ebm_chains_states(chains), NULL, n,
                         energy));
    for (size_t i = 0; i < n; i++)
        mean += energy[i] / (double)n;
    ebm_chains_destroy(chains);
    free(film.images);
    return mean;
}

/* -------------------------------------------------------------- the end ---
 */

/* All states of the buffer, oldest first, for other tools to measure. */
static void write_buffer(lesson *l, const char *folder)
{
    ebm_context *context = l->context;
    const size_t shape[4] = {ebm_buffer_size(l->buffer), l->height, l->width,
                             l->channels};
    float *states = try_allocate(shape[0] * l->elements, sizeof *states);
    TRY(ebm_buffer_read(l->buffer, 0, shape[0], states));
    char *path = join_path(folder, "buffer.npy");
    npy_write(path, states, shape, 4);
    free(path);
    free(states);
}

static void write_model(lesson *l, const char *folder)
{
    ebm_context *context = l->context;
    char *path = join_path(folder, "model.safetensors");
    TRY(ebm_model_save(l->model, path));
    free(path);
}

/* Destroying works in any order: every object keeps alive what it needs. */
static void clean_up(lesson *l)
{
    ebm_report_destroy(l->report);
    ebm_optimizer_destroy(l->adam);
    ebm_loss_destroy(l->nll);
    ebm_chains_destroy(l->chains);
    ebm_buffer_destroy(l->buffer);
    ebm_sampler_destroy(l->langevin);
    ebm_model_destroy(l->model);
    ebm_dataset_destroy(l->digits);
    ebm_context_destroy(l->context);
    free(l->data);
}

static settings parse(int argc, char **argv)
{
    settings s = {.out = "out",
                  .iterations = 1000,
                  .batch = 128,
                  .seed = 1,
                  .threads = 0};
    const option_row rows[] = {
        {"data", "PATH", "IDX images, raw or gzip, or a folder of them",
         &s.data, NULL, 0, 0},
        {"out", "FOLDER", "where the files go", &s.out, NULL, 0, 0},
        {"model", "FILE", "sample from this model, do not train", &s.model,
         NULL, 0, 0},
        {"iterations", "N", "training iterations", NULL, &s.iterations, 1,
         10000000},
        {"batch", "N", "images and chains of an iteration", NULL, &s.batch, 1,
         BUFFER_STATES},
        {"seed", "N", "of all randomness", NULL, &s.seed, 0, UINT64_MAX},
        {"threads", "N", "processors to use, 0 for all", NULL, &s.threads, 0,
         1024}};
    options_parse(argc, argv,
                  "Trains an energy-based model on images of digits and "
                  "writes what it\nlearned: samples.png, chain.png, "
                  "energies.png, metrics.csv, buffer.npy\nand "
                  "model.safetensors.",
                  rows, sizeof rows / sizeof rows[0]);
    make_folder(s.out);
    return s;
}

int main(int argc, char **argv)
{
    settings s = parse(argc, argv);
    lesson l = {.e_pos = NAN, .e_neg = NAN};
    ebm_context *context = NULL;
    TRY(ebm_context_create(&context));
    l.context = context;
    if (s.threads > 0)
        TRY(ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s.threads));
    printf("machinery: %s\n", ebm_context_machinery(context));

    double start = seconds_now();
    size_t done = 0;
    int diverged = 0;
    catch_interrupt();
    build_sampler(&l);
    if (s.model != NULL) {
        TRY(ebm_model_load(context, s.model, &l.model));
        TRY(ebm_model_shape(l.model, &l.height, &l.width, &l.channels));
        l.elements = l.height * l.width * l.channels;
        l.e_neg = write_samples(&l, &s);
    } else {
        load_digits(&l, &s);
        build_network(&l, s.seed);
        build_buffer(&l, &s);
        build_learning(&l);
        done = train(&l, &s, &diverged);
        catch_interrupt(); /* the pictures can be interrupted too */
        write_samples(&l, &s);
        write_buffer(&l, s.out);
        write_model(&l, s.out);
    }
    printf("done: iterations=%zu seconds=%.1f e_pos=%.4f e_neg=%.4f\n", done,
           seconds_now() - start, l.e_pos, l.e_neg);
    clean_up(&l);
    return diverged ? EXIT_RUN : EXIT_SUCCESS;
}
