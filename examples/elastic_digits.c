/*
 * elastic_digits: transitions that keep the meaning, and what they do to the
 * landscape.
 *
 * Chains mix badly: one that has found an 8 stays near it for ever. Du et al.
 * (2020) let chains jump by data augmentation, and the "clarifying" paper
 * (section 6.3) uses the jump that suits digits: a slight elastic deformation,
 * once each time a state is drawn from the replay buffer, and every 100 steps
 * when samples are drawn at the end. It claims that the jumps help twice, and
 * in training more: what they leave behind is a landscape without the one deep
 * hole that every chain falls into.
 *
 * This program trains two models by the recipe of du_mordatch (read that
 * first) with and without warps, draws the paper's figure 5, chains of 20,000
 * steps,
 *
 *     strip_both.png       trained with warps, sampled with warps
 *     strip_neither.png    trained without, sampled without
 *     strip_sampled.png    trained without, sampled with
 *
 * and figure 4's probe of either landscape at low and at high noise,
 * probe_warped.png and probe_plain.png. It counts, too: how many different
 * digits a chain visits, by the nearest training image.
 *
 * Read train(), then draw_strip().
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/digits.h"
#include "common/files.h"
#include "common/interrupt.h"
#include "common/lesson.h"
#include "common/strip.h"
#include "common/try.h"
#include "common/visits.h"

enum {
    TRAIN_STEPS = 60, /* Langevin steps of one training iteration */
    FRESH_ONE_IN = 20,
    WARP_EVERY = 100,  /* steps of a strip's chains */
    STRIP_CHAINS = 64, /* of which the picture shows ... */
    STRIP_ROWS = 6,    /* ... so many */
    VISIT_EVERY = 500, /* steps between two looks at which digit it is */
    PROBES = 4,
    SHORT_PROBE = 200
};

/* What this lesson has besides: a folder for each model. */
typedef struct choice {
    const char *name;   /* of the folder */
    const char *option; /* that names a file */
    int warps;          /* in training */
    const char *model;  /* the file, or NULL to train */
} choice;

/* Of the options. */
static uint64_t strip_steps = 20000, probe_steps = 10000;
static double displacement = 0.5, high_noise = 0.05;

/*
 * The warp: nine control points on a 3 x 3 grid move by N(0, 0.5^2) pixels
 * along each axis, a cubic spline through them moves every pixel, and a cubic
 * spline through the image says what is there. The paper gives neither number.
 * With three points a side and 0.5 pixels no field folds the image over
 * (docs/elastic.md), and a stroke moves by about half its width: slight, but
 * twenty of them are a visible difference. Cubic, since linear interpolation
 * blurs a little each time: after a hundred warps most of the ink is still
 * there, but spread: the brightest pixel is a third of the range above black.
 */
static ebm_transition *create_warp(ebm_context *context)
{
    ebm_transition *warp = NULL;
    TRY(ebm_transition_create_preset(context, "elastic-digits", &warp));
    TRY(ebm_transition_set(warp, EBM_TRANSITION_DISPLACEMENT_STD,
                           displacement));
    return warp;
}

static ebm_status train_step(lesson *l)
{
    size_t batch = (size_t)l->s.batch;
    PASS(ebm_dataset_next(l->images, batch, l->data, NULL));
    PASS(ebm_buffer_draw(l->buffer, l->chains)); /* and the warp */
    PASS(ebm_sampler_run(l->langevin, l->model, l->chains));
    PASS(ebm_loss_backward(l->loss, l->model, l->data, NULL, batch, l->chains,
                           l->report));
    PASS(ebm_optimizer_step(l->adam));
    return ebm_buffer_store(l->buffer, l->chains);
}

/* du_mordatch, with one line more. */
static ebm_status train(lesson *l, int warps)
{
    ebm_context *context = l->context;
    lesson_build(l, TRAIN_STEPS);
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_FRESH_RATE, 1.0 / FRESH_ONE_IN));
    TRY(ebm_buffer_fill_uniform(l->buffer, l->s.batch, -1.0, 1.0));
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &l->loss));
    TRY(ebm_loss_set(l->loss, EBM_LOSS_ENERGY_L2, 0.1));
    if (warps) {
        ebm_transition *warp = create_warp(context);
        TRY(ebm_buffer_set_transition(l->buffer, warp));
        ebm_transition_destroy(warp); /* the buffer keeps it */
    }
    return lesson_train(l, train_step);
}

/* An observer for two: the picture and the count of visits. */
typedef struct witness {
    strip *film;
    visits *visits;
} witness;

static int observe(size_t step, const ebm_chains *chains, void *user)
{
    witness *w = user;
    if (step % VISIT_EVERY == 0)
        visits_note(w->visits, chains);
    return strip_observe(step, chains, w->film);
}

/* Chains from noise through very many steps, with or without warps. */
static void draw_strip(lesson *l, int warps, const char *file)
{
    ebm_context *context = l->context;
    size_t columns[12] = {0};
    ebm_chains *chains = NULL;
    ebm_sampler *langevin = digits_langevin(context, (size_t)strip_steps);
    for (size_t i = 1; i < 12; i++)
        columns[i] = (size_t)strip_steps * i / 11;
    TRY(ebm_chains_create(context, STRIP_CHAINS, l->height, l->width,
                          l->channels, l->s.seed + 1, &chains));
    TRY(ebm_chains_init_uniform(chains, -1.0, 1.0));
    if (warps) {
        ebm_transition *warp = create_warp(context);
        TRY(ebm_sampler_set_transition(langevin, warp, WARP_EVERY));
        ebm_transition_destroy(warp);
    }
    strip film;
    visits seen = visits_begin(context, l->images, STRIP_CHAINS);
    witness w = {&film, &seen};
    strip_begin(&film, chains, STRIP_ROWS, columns, 12);
    TRY(ebm_sampler_set_observer(langevin, 1, observe, &w));
    lesson_walk(l, langevin, l->model, chains);
    TRY(strip_write(&film, context, path_in(l->s.out, file), ZOOM));
    printf("%-18s ", file);
    visits_print(&seen);
    visits_free(&seen);
    ebm_sampler_destroy(langevin);
    ebm_chains_destroy(chains);
}

/* One row of the probe: a chain from an image of the data. */
static void probe_row(lesson *l, size_t image, double noise, size_t steps,
                      const size_t *columns, size_t count, float *row)
{
    ebm_context *context = l->context;
    ebm_chains *chains = NULL;
    float *start = try_allocate(l->elements, sizeof *start);
    strip film;
    TRY(ebm_dataset_read(l->images, image, 1, start, NULL));
    TRY(ebm_chains_create(context, 1, l->height, l->width, l->channels,
                          l->s.seed + 2, &chains));
    TRY(ebm_chains_set_states(chains, start, NULL, EBM_ORIGIN_DATA));
    ebm_sampler *langevin = digits_langevin(context, steps);
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_NOISE_STD, noise));
    strip_begin(&film, chains, 1, columns, count);
    TRY(ebm_sampler_set_observer(langevin, 1, strip_observe, &film));
    lesson_walk(l, langevin, l->model, chains);
    memcpy(row, film.images, count * l->elements * sizeof *row);
    strip_free(&film);
    ebm_sampler_destroy(langevin);
    ebm_chains_destroy(chains);
    free(start);
}

/* Figure 4: the same start at low and at high noise, the same for long, and
   another start for long. A landscape with one deep hole shows in the last
   two: they end alike. */
static void draw_probe(lesson *l, const char *file)
{
    enum { COLUMNS = 9 };
    ebm_context *context = l->context;
    size_t last = (size_t)probe_steps;
    const size_t columns[COLUMNS] = {
        0, 20, 60, 120, SHORT_PROBE, last / 20, last / 5, last / 2, last};
    const struct {
        size_t image;
        double noise;
        size_t steps;
    } rows[PROBES] = {{0, 0.005, SHORT_PROBE},
                      {0, high_noise, SHORT_PROBE},
                      {0, high_noise, last},
                      {1, high_noise, last}};
    size_t row = COLUMNS * l->elements;
    float *images = try_allocate(PROBES * row, sizeof *images);
    for (size_t i = 0; i < PROBES; i++)
        probe_row(l, rows[i].image, rows[i].noise, rows[i].steps, columns,
                  COLUMNS, images + i * row);
    TRY(ebm_image_write_grid(context, path_in(l->s.out, file), images,
                             PROBES * COLUMNS, l->height, l->width,
                             l->channels, COLUMNS, ZOOM, -1.0, 1.0));
    free(images);
}

/* What would otherwise end the program when the first model is trained: a
   picture that can not be written, a second model that can not be read or
   written. */
static void look_ahead(lesson *l, const char *out, const choice *next)
{
    static const char *const pictures[] = {
        "strip_both.png", "strip_neither.png", "strip_sampled.png",
        "probe_warped.png", "probe_plain.png"};
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++)
        check_writable(out, pictures[i]);
    if (next->model != NULL) {
        ebm_model_destroy(lesson_load(l, next->option, next->model));
        return;
    }
    char *folder = try_copy(path_in(out, next->name));
    make_folder(folder);
    check_writable(folder, "model.safetensors");
    free(folder);
}

/* Trains one model, or takes one, and draws what is to be seen on it. `next`
   is the one to be studied after it, or NULL. */
static int study(const settings *s, const choice *c, const choice *next)
{
    settings own = *s;
    char *folder = try_copy(path_in(s->out, c->name));
    own.out = folder;
    make_folder(s->out);
    lesson l = lesson_begin(&own);
    ebm_status status = EBM_OK;
    lesson_open_images(&l);
    if (next != NULL)
        look_ahead(&l, s->out, next);
    if (c->model != NULL) {
        l.model = lesson_load(&l, c->option, c->model);
        interrupt_catch(); /* as a training does */
    } else {
        status = train(&l, c->warps);
    }
    l.s.out = s->out;
    if (status == EBM_OK && c->warps) {
        draw_strip(&l, 1, "strip_both.png");
        draw_probe(&l, "probe_warped.png");
    } else if (status == EBM_OK) {
        draw_strip(&l, 0, "strip_neither.png");
        draw_strip(&l, 1, "strip_sampled.png");
        draw_probe(&l, "probe_plain.png");
    }
    int code = lesson_end(&l, status);
    free(folder);
    return code;
}

int main(int argc, char **argv)
{
    choice warped = {"warped", "model", 1, NULL};
    choice plain = {"plain", "plain", 0, NULL};
    const option_row own[] = {
        {"model", "FILE", "a model trained with warps: do not train one",
         .text = &warped.model},
        {"plain", "FILE", "a model trained without: do not train one",
         .text = &plain.model},
        {"displacement", "PIXELS", "of the warp's control points",
         .real = &displacement, .least = 0.0, .most = 28.0},
        {"high-noise", "STD", "of the probe's hot chains", .real = &high_noise,
         .least = 0.0, .most = 10.0},
        {"strip-steps", "N", "steps of the strips' chains",
         .number = &strip_steps, .minimum = 11, .maximum = 1000000000},
        {"probe-steps", "N", "steps of the probe's long chains",
         .number = &probe_steps, .minimum = 20 * SHORT_PROBE + 20,
         .maximum = 1000000000}};
    settings s = settings_parse(
        argc, argv,
        "Trains energy-based models of digits with and without elastic "
        "deformations of\nthe chains, and shows how chains on them mix. "
        "Writes strip_*.png, probe_*.png,\nand the files of du_mordatch in "
        "the folders warped and plain.",
        own, sizeof own / sizeof own[0]);
    int code = study(&s, &warped, &plain);
    /* Ctrl-C is meant for both. */
    if (code != EXIT_SUCCESS || interrupted())
        return code;
    return study(&s, &plain, NULL);
}
