#define _POSIX_C_SOURCE 200809L
#include "lesson.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "digits.h"
#include "files.h"
#include "interrupt.h"
#include "metrics.h"
#include "progress.h"
#include "strip.h"
#include "try.h"

lesson lesson_begin(const settings *s)
{
    lesson l = {.s = *s,
                .recipe = &digits_recipe,
                .e_pos = NAN,
                .e_neg = NAN,
                .start = seconds_now()};
    ebm_context *context = NULL;
    /* Else the first file that is opened takes its place and its text. */
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        fail(EXIT_USAGE, "standard output is closed");
    make_folder(s->out);
    TRY(ebm_context_create(&context));
    if (s->threads > 0)
        TRY(ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s->threads));
    l.context = context;
    return l;
}

/* Returns whether there are images. */
static int load_images(lesson *l)
{
    ebm_context *context = l->context;
    size_t batch = (size_t)l->s.batch;
    l->images = l->recipe->open(context, &l->s);
    if (l->images == NULL)
        return 0;
    TRY(ebm_dataset_shape(l->images, &l->height, &l->width, &l->channels));
    size_t n = ebm_dataset_count(l->images);
    if (batch > n)
        fail(EXIT_USAGE, "--batch: %zu is more than the %zu images", batch, n);
    l->elements = l->height * l->width * l->channels;
    l->data = try_allocate(batch * l->elements, sizeof *l->data);
    return 1;
}

/* Grey, RGB and RGBA are what a picture can show. */
static void check_channels(const char *option, const char *path,
                           size_t channels)
{
    if (channels != 1 && channels != 3 && channels != 4)
        fail(EXIT_USAGE,
             "--%s: %s has images of %zu channels; pictures have 1, 3 or 4",
             option, path, channels);
}

void lesson_open_images(lesson *l)
{
    if (!load_images(l))
        fail(EXIT_USAGE, "no images found; say where with --data");
    check_channels("data", l->s.data != NULL ? l->s.data : "the data",
                   l->channels);
}

void lesson_build(lesson *l, size_t steps)
{
    static const char *const files[] = {"metrics.csv", "timings.csv",
                                        "energies.png", "model.safetensors",
                                        "buffer.npy"};
    ebm_context *context = l->context;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        check_writable(l->s.out, files[i]);
    l->model =
        l->recipe->model(context, &l->s, l->height, l->width, l->channels);
    l->langevin = l->recipe->langevin(context, steps);
    l->adam = l->recipe->adam(context, l->model);
    TRY(ebm_buffer_create(context, l->s.buffer, l->height, l->width,
                          l->channels, l->s.seed, &l->buffer));
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_POLICY, EBM_BUFFER_FIFO));
    TRY(ebm_chains_create(context, l->s.batch, l->height, l->width,
                          l->channels, l->s.seed, &l->chains));
    TRY(ebm_report_create(context, &l->report));
    TRY(ebm_report_create(context, &l->kl_report));
}

/* Whether the losses have a KL term, and with it its numbers in a report. */
static const ebm_report *report_with_kl(const lesson *l)
{
    double direction = EBM_KL_UNSET;
    if (l->kl != NULL)
        return l->kl_report;
    return ebm_loss_get(l->loss, EBM_LOSS_KL_DIRECTION, &direction) ==
                       EBM_OK &&
                   direction != EBM_KL_UNSET
               ? l->report
               : NULL;
}

/* The metrics must be at least as far as a checkpoint, or it can not be
   resumed: they reach the disk first. */
static void save(lesson *l, metrics *log, int now)
{
    if (l->stops == NULL || !resume_is_due(l->stops, l, now))
        return;
    metrics_sync(log);
    resume_save(l->stops, l);
}

static ebm_status run_iterations(lesson *l, lesson_step step, metrics *log)
{
    ebm_context *context = l->context;
    size_t iterations = (size_t)l->s.iterations;
    const ebm_report *kl = report_with_kl(l);
    ebm_status status = EBM_OK;
    progress bar;
    progress_begin(&bar, iterations, l->done);
    while (l->done < iterations && !interrupted()) {
        status = step(l);
        if (status == EBM_ERROR_DIVERGED || status == EBM_ERROR_NON_FINITE)
            break; /* the model went wrong, not the program */
        TRY(status);
        TRY(ebm_report_get(l->report, EBM_REPORT_DATA_ENERGY_MEAN, &l->e_pos));
        TRY(ebm_report_get(l->report, EBM_REPORT_CHAIN_ENERGY_MEAN,
                           &l->e_neg));
        metrics_row(log, progress_seconds(&bar), l->report, kl, l->langevin,
                    l->adam, l->buffer);
        progress_update(&bar, ++l->done, l->e_pos, l->e_neg);
        save(l, log, 0);
    }
    progress_end(&bar);
    if (status == EBM_OK)
        save(l, log, 1);
    return status;
}

ebm_status lesson_train(lesson *l, lesson_step step)
{
    ebm_context *context = l->context;
    const char *out = l->s.out;
    metrics log;
    double decay = 0.0;
    interrupt_catch();
    if (l->stops != NULL)
        resume_begin(l->stops, l);
    metrics_open(&log, context, out, (size_t)l->s.iterations,
                 report_with_kl(l) != NULL, l->done);
    if (l->done > 0) {
        l->e_pos = log.e_pos[l->done - 1];
        l->e_neg = log.e_neg[l->done - 1];
    }
    ebm_status status = run_iterations(l, step, &log);
    if (interrupted())
        puts("interrupted: writing what is there");
    if (status != EBM_OK)
        fprintf(stderr, "error: diverged in iteration %zu: %s\n", l->done + 1,
                ebm_context_last_error(context));
    metrics_close(&log, out);
    if (l->stops != NULL)
        resume_end(l->stops);
    /* Adam may keep an average of the weights, which samples better. */
    if (l->done > 0 &&
        ebm_optimizer_get(l->adam, EBM_OPTIMIZER_EMA_DECAY, &decay) ==
            EBM_OK &&
        decay > 0.0)
        TRY(ebm_optimizer_swap_average(l->adam));
    TRY(ebm_model_save(l->model, path_in(out, "model.safetensors")));
    TRY(npy_write_buffer(path_in(out, "buffer.npy"), l->buffer, l->height,
                         l->width, l->channels));
    return status;
}

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

void lesson_walk(lesson *l, ebm_sampler *langevin, const ebm_model *model,
                 ebm_chains *chains)
{
    ebm_context *context = l->context;
    ebm_status status = ebm_sampler_run(langevin, model, chains);
    if (status != EBM_ERROR_DIVERGED && status != EBM_ERROR_CALLBACK)
        TRY(status);
}

void lesson_check_pictures(const lesson *l)
{
    check_writable(l->s.out, "samples.png");
    check_writable(l->s.out, "chain.png");
}

double lesson_sample(lesson *l, const size_t *steps, size_t count)
{
    enum { GRID = 8, COUNT = GRID * GRID };
    ebm_context *context = l->context;
    const char *out = l->s.out;
    ebm_chains *chains = NULL;
    interrupt_catch(); /* pictures can be cut short as well */
    /* Another seed: with that of the training its noise would come again. */
    TRY(ebm_chains_create(context, COUNT, l->height, l->width, l->channels,
                          l->s.seed + 1, &chains));
    TRY(ebm_chains_init_uniform(chains, -1.0, 1.0));

    strip film;
    ebm_sampler *langevin = l->recipe->langevin(context, steps[count - 1]);
    strip_begin(&film, chains, GRID, steps, count);
    TRY(ebm_sampler_set_observer(langevin, 1, strip_observe, &film));
    lesson_walk(l, langevin, l->model, chains);
    ebm_sampler_destroy(langevin);

    const float *x = ebm_chains_states(chains);
    TRY(ebm_image_write_grid(context, path_in(out, "samples.png"), x, COUNT,
                             l->height, l->width, l->channels, GRID, ZOOM,
                             -1.0, 1.0));
    TRY(strip_write(&film, context, path_in(out, "chain.png"), ZOOM));
    double mean = mean_energy(l, x, COUNT);
    ebm_chains_destroy(chains);
    return mean;
}

ebm_model *lesson_load(lesson *l, const char *option, const char *file)
{
    ebm_context *context = l->context;
    ebm_model *model = NULL;
    size_t height, width, channels;
    if (ebm_model_load(context, file, &model) != EBM_OK)
        fail(EXIT_USAGE, "--%s: %s", option, ebm_context_last_error(context));
    TRY(ebm_model_shape(model, &height, &width, &channels));
    if (l->images != NULL &&
        (height != l->height || width != l->width || channels != l->channels))
        fail(EXIT_USAGE, "--%s: %s is for other images than %zu x %zu x %zu",
             option, file, l->height, l->width, l->channels);
    return model;
}

void lesson_sample_saved(lesson *l, const char *model, const size_t *steps,
                         size_t count)
{
    ebm_context *context = l->context;
    size_t height, width, channels;
    l->model = lesson_load(l, "model", model);
    TRY(ebm_model_shape(l->model, &height, &width, &channels));
    check_channels("model", model, channels);
    if (load_images(l) && l->height == height && l->width == width &&
        l->channels == channels) {
        TRY(ebm_dataset_next(l->images, (size_t)l->s.batch, l->data, NULL));
        l->e_pos = mean_energy(l, l->data, (size_t)l->s.batch);
    }
    l->height = height;
    l->width = width;
    l->channels = channels;
    l->e_neg = lesson_sample(l, steps, count);
}

/* Destroying works in any order: every object keeps alive what it needs. */
int lesson_end(lesson *l, ebm_status status)
{
    printf("done: iterations=%zu seconds=%.1f e_pos=%.4f e_neg=%.4f\n",
           l->done, seconds_now() - l->start, l->e_pos, l->e_neg);
    try_output();
    ebm_report_destroy(l->report);
    ebm_report_destroy(l->kl_report);
    ebm_optimizer_destroy(l->adam);
    ebm_loss_destroy(l->loss);
    ebm_loss_destroy(l->kl);
    ebm_chains_destroy(l->chains);
    ebm_buffer_destroy(l->buffer);
    ebm_sampler_destroy(l->langevin);
    ebm_model_destroy(l->model);
    ebm_dataset_destroy(l->images);
    ebm_context_destroy(l->context);
    free(l->data);
    return status == EBM_OK ? EXIT_SUCCESS : EXIT_RUN;
}
