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
 * MNIST. Read main() at the end first, then train_step(); the network, the
 * sampler and Adam, which all lessons have in common, are in common/digits.c,
 * the loop around train_step() and the pictures in common/lesson.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <ebm/ebm.h>

#include "common/lesson.h"
#include "common/try.h"

enum {
    TRAIN_STEPS = 60, /* Langevin steps of one training iteration */
    FRESH_ONE_IN = 20,
    /* A picture's chains live as long as the buffer's do on average, which is
       what the model was trained for. */
    SAMPLE_STEPS = TRAIN_STEPS * FRESH_ONE_IN
};

/* Steps at which chain.png looks at its chains: often at the beginning, where
   most happens. */
static const size_t snapshots[] = {0,  8,   16,  24,  32,  48,
                                   64, 128, 256, 512, 800, SAMPLE_STEPS};
enum { SNAPSHOTS = sizeof snapshots / sizeof snapshots[0] };

/* The buffer begins with one batch of noise and fills up as training goes on;
   then the oldest states leave. One drawn chain in twenty is noise again, so
   that the model keeps learning the way from noise to digits. */
static void fill_buffer(lesson *l)
{
    ebm_context *context = l->context;
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_FRESH_RATE, 1.0 / FRESH_ONE_IN));
    TRY(ebm_buffer_fill_uniform(l->buffer, l->s.batch, -1.0, 1.0));
}

/* Only differences of energies mean something; the squared energies in the
   loss keep both near 0. */
static void build_loss(lesson *l)
{
    ebm_context *context = l->context;
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &l->loss));
    TRY(ebm_loss_set(l->loss, EBM_LOSS_ENERGY_L2, 0.1));
}

/*
 * One iteration. The loss is
 *
 *     mean E(data) - mean E(chains) + 0.1 (mean E(data)^2 + mean E(chains)^2)
 *
 * with the chains held constant; the first two terms are the gradient of the
 * negative log-likelihood as the chains estimate it.
 */
static ebm_status train_step(lesson *l)
{
    size_t batch = (size_t)l->s.batch;
    PASS(ebm_dataset_next(l->images, batch, l->data, NULL));

    PASS(ebm_buffer_draw(l->buffer, l->chains));
    PASS(ebm_sampler_run(l->langevin, l->model, l->chains));
    PASS(ebm_loss_backward(l->loss, l->model, l->data, NULL, batch, l->chains,
                           l->report));
    PASS(ebm_optimizer_step(l->adam));
    return ebm_buffer_store(l->buffer, l->chains);
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    resume stops = RESUME_INITIAL;
    const option_row own[] = {{"model", "FILE",
                               "sample from this model, do not train",
                               .text = &model},
                              RESUME_OPTIONS(&stops)};
    settings s = settings_parse(
        argc, argv,
        "Trains an energy-based model on images of digits and writes what it\n"
        "learned: samples.png, chain.png, energies.png, metrics.csv, "
        "buffer.npy\nand model.safetensors.",
        own, sizeof own / sizeof own[0]);

    lesson l = lesson_begin(&s);
    l.stops = &stops;
    resume_check(&stops, model == NULL);
    ebm_status status = EBM_OK;
    lesson_check_pictures(&l); /* a wrong folder shows at once */
    if (model != NULL) {
        lesson_sample_saved(&l, model, snapshots, SNAPSHOTS);
    } else {
        lesson_open_images(&l);
        lesson_build(&l, TRAIN_STEPS);
        fill_buffer(&l);
        build_loss(&l);
        status = lesson_train(&l, train_step);
        lesson_sample(&l, snapshots, SNAPSHOTS);
    }
    return lesson_end(&l, status);
}
