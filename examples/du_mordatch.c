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
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <ebm/ebm.h>

#include "common/files.h"
#include "common/interrupt.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/progress.h"
#include "common/strip.h"
#include "common/try.h"

enum {
    BUFFER_STATES = 8192,
    TRAIN_STEPS = 60, /* Langevin steps of one training iteration */
    FRESH_ONE_IN = 20,
    /* A picture's chains live as long as the buffer's do on average, which is
       what the model was trained for. */
    SAMPLE_STEPS = TRAIN_STEPS * FRESH_ONE_IN,
    GRID = 8, /* samples.png is GRID x GRID, chain.png has GRID rows */
    ZOOM = 3
};

/* Images are scaled to [-1, 1]; this noise goes onto data and chains alike,
   so that the two can not be told apart by how clean they are. */
static const double noise_std = 0.005;

/* Steps at which chain.png looks at its chains: often at the beginning, where
   most happens. */
static const size_t snapshots[] = {0,  8,   16,  24,  32,  48,
                                   64, 128, 256, 512, 800, SAMPLE_STEPS};
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
    size_t done;                              /* iterations so far */
    double e_pos, e_neg;                      /* the last mean energies */
} lesson;

/* Setting up. */

/* Where the digits are: what --data says, else those that come with the
   examples; NULL when there are none. */
static char *find_digits(const settings *s)
{
    if (s->data == NULL)
        return find_shipped_images(__FILE__);
    char *path = find_idx_images(s->data);
    if (path == NULL)
        fail(EXIT_USAGE, "--data: no IDX image file at %s", s->data);
    return path;
}

static void load_digits(lesson *l, const settings *s, const char *path)
{
    ebm_context *context = l->context;
    size_t batch = (size_t)s->batch;
    if (ebm_dataset_create_idx(context, path, NULL, s->seed, &l->digits) !=
        EBM_OK)
        fail(EXIT_USAGE, "--data: %s", ebm_context_last_error(context));
    TRY(ebm_dataset_set(l->digits, EBM_DATASET_NOISE_STD, noise_std));
    TRY(ebm_dataset_shape(l->digits, &l->height, &l->width, &l->channels));
    size_t n = ebm_dataset_count(l->digits);
    if (batch > n)
        fail(EXIT_USAGE, "--batch: %zu is more than the %zu images of %s",
             batch, n, path);
    l->elements = l->height * l->width * l->channels;
    l->data = try_allocate(batch * l->elements, sizeof *l->data);
    printf("data: %s, %zu images of %zu x %zu\n", path, n, l->height,
           l->width);
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
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_FRESH_RATE, 1.0 / FRESH_ONE_IN));
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

/* Training. */

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

/* Trains until the iterations are over, Ctrl-C, or divergence. Returns the
   last status: what is there after a divergence is finite and worth keeping,
   since every call leaves its objects as they were when it fails. */
static ebm_status train(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    ebm_status status = EBM_OK;
    metrics log;
    progress bar;
    metrics_open(&log, context, s->out, (size_t)s->iterations);
    progress_begin(&bar, (size_t)s->iterations);
    while (l->done < s->iterations && !interrupted()) {
        status = train_step(l, (size_t)s->batch);
        if (status == EBM_ERROR_DIVERGED || status == EBM_ERROR_NON_FINITE)
            break; /* the model went wrong, not the program */
        TRY(status);
        TRY(ebm_report_get(l->report, EBM_REPORT_DATA_ENERGY_MEAN, &l->e_pos));
        TRY(ebm_report_get(l->report, EBM_REPORT_CHAIN_ENERGY_MEAN,
                           &l->e_neg));
        metrics_row(&log, progress_seconds(&bar), l->report, l->langevin,
                    l->adam, l->buffer);
        progress_update(&bar, ++l->done, l->e_pos, l->e_neg);
    }
    progress_end(&bar);
    if (interrupted())
        puts("interrupted: writing what is there");
    if (status != EBM_OK)
        fprintf(stderr, "error: diverged in iteration %zu: %s\n", l->done + 1,
                ebm_context_last_error(context));
    metrics_close(&log, s->out);
    return status;
}

/* Pictures. */

static double mean_energy(lesson *l, const float *x, size_t n)
{
    ebm_context *context = l->context;
    float *energy = try_allocate(n, sizeof *energy);
    double sum = 0.0;
    TRY(ebm_model_energy(l->model, x, NULL, n, energy));
    for (size_t i = 0; i < n; i++)
        sum += energy[i];
    free(energy);
    return sum / (double)n;
}

/* Walks chains from fresh noise, keeps the ends of all as samples.png and the
   way of the first few as chain.png, and returns their mean energy. */
static double write_samples(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    enum { COUNT = GRID * GRID };
    ebm_chains *chains = NULL;
    /* Another seed: with that of the training its noise would come again. */
    TRY(ebm_chains_create(context, COUNT, l->height, l->width, l->channels,
                          s->seed + 1, &chains));
    TRY(ebm_chains_init_uniform(chains, -1.0, 1.0));

    strip film;
    strip_begin(&film, chains, GRID, snapshots, SNAPSHOTS);
    TRY(ebm_sampler_set(l->langevin, EBM_SAMPLER_STEPS, SAMPLE_STEPS));
    TRY(ebm_sampler_set_observer(l->langevin, 1, strip_observe, &film));
    ebm_status status = ebm_sampler_run(l->langevin, l->model, chains);
    /* Chains that diverged or were stopped are shown where they are. */
    if (status != EBM_ERROR_DIVERGED && status != EBM_ERROR_CALLBACK)
        TRY(status);

    const float *x = ebm_chains_states(chains);
    TRY(ebm_image_write_grid(context, path_in(s->out, "samples.png"), x, COUNT,
                             l->height, l->width, l->channels, GRID, ZOOM,
                             -1.0, 1.0));
    TRY(strip_write(&film, context, path_in(s->out, "chain.png"), ZOOM));
    double mean = mean_energy(l, x, COUNT);
    ebm_chains_destroy(chains);
    return mean;
}

/* Putting it all together. */

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
    settings s = {.out = "out", .iterations = 1000, .batch = 128, .seed = 1};
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

static ebm_status train_and_write(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    char *path = find_digits(s);
    if (path == NULL)
        fail(EXIT_USAGE, "no digits found; say where with --data");
    load_digits(l, s, path);
    free(path);
    build_network(l, s->seed);
    build_sampler(l);
    build_buffer(l, s);
    build_learning(l);

    interrupt_catch();
    ebm_status status = train(l, s);
    TRY(ebm_model_save(l->model, path_in(s->out, "model.safetensors")));
    TRY(npy_write_buffer(path_in(s->out, "buffer.npy"), l->buffer, l->height,
                         l->width, l->channels));
    interrupt_catch(); /* the pictures can be cut short as well */
    write_samples(l, s);
    return status;
}

/* --model: no training. e_pos is that of a batch of digits, when there are
   digits of the model's shape. */
static void sample_and_write(lesson *l, const settings *s)
{
    ebm_context *context = l->context;
    if (ebm_model_load(context, s->model, &l->model) != EBM_OK)
        fail(EXIT_USAGE, "--model: %s", ebm_context_last_error(context));
    size_t height, width, channels;
    TRY(ebm_model_shape(l->model, &height, &width, &channels));
    char *path = find_digits(s);
    if (path != NULL)
        load_digits(l, s, path);
    free(path);
    if (l->height == height && l->width == width && l->channels == channels) {
        TRY(ebm_dataset_next(l->digits, (size_t)s->batch, l->data, NULL));
        l->e_pos = mean_energy(l, l->data, (size_t)s->batch);
    }
    l->height = height;
    l->width = width;
    l->channels = channels;
    build_sampler(l);
    interrupt_catch();
    l->e_neg = write_samples(l, s);
}

int main(int argc, char **argv)
{
    settings s = parse(argc, argv);
    lesson l = {.e_pos = NAN, .e_neg = NAN};
    ebm_context *context = NULL;
    double start = seconds_now();
    TRY(ebm_context_create(&context));
    l.context = context;
    if (s.threads > 0)
        TRY(ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s.threads));

    ebm_status status = EBM_OK;
    if (s.model != NULL)
        sample_and_write(&l, &s);
    else
        status = train_and_write(&l, &s);
    printf("done: iterations=%zu seconds=%.1f e_pos=%.4f e_neg=%.4f\n", l.done,
           seconds_now() - start, l.e_pos, l.e_neg);
    clean_up(&l);
    return status == EBM_OK ? EXIT_SUCCESS : EXIT_RUN;
}
