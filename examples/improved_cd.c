/*
 * improved_cd: the likelihood, plus a KL term that helps the chains.
 *
 * Like du_mordatch, this trains by maximum likelihood on chains that begin at
 * noise (read that lesson first). Such a likelihood is only as good as the
 * chains: they should arrive where the model has its mass. So Du et al.,
 * "Improved Contrastive Divergence Training of Energy Based Models" (2020),
 * add a term that looks at the law q of the chains' ends and asks them to be
 * better samples of the model p,
 *
 *     D_KL(q || p) = E_q[E(x)] - H(q) + log Z   -> minimum,
 *
 * energy of the samples down, their entropy up. Both act through the sampling
 * path: how must theta change so that the chains end elsewhere?
 *
 * The sign is what this lesson is about. The gradient of contrastive
 * divergence has this term as well, but with the opposite sign, because there
 * chains begin at the data and D_KL(q || p) is *maximised*; see true_cd. The
 * term here is not a correction of contrastive divergence but a second
 * objective beside the likelihood, and it needs chains from noise: on chains
 * from data the library refuses it.
 *
 * Read train_step() first, then build_losses().
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/colour.h"
#include "common/lesson.h"
#include "common/try.h"

enum {
    TRAIN_STEPS = 40, /* Langevin steps of one training iteration */
    KL_STEPS = 1,     /* of which the KL term sees the last */
    FRESH_ONE_IN = 20,
    SAMPLE_STEPS = TRAIN_STEPS * FRESH_ONE_IN, /* a chain's average life */
    NEIGHBOURS = 100,    /* states that the entropy is measured against ... */
    ENOUGH_STATES = 1000 /* ... once the buffer holds so many */
};

/* The paper's weights: 1 on the energy of the samples, 0.3 on their mean log
   distance to the nearest of the others. The library counts the entropy in
   nats, of which that mean is one of d parts, d pixels. */
static const double opt_weight = 1.0, ent_weight = 0.3;

/* With --preset, colour: an energy that is a sum over scales. Chains follow
   the sum, the likelihood sees the mean, and each scale's own squares. */
static const double colour_l2 = 1.0;

static size_t snapshots[] = {0,  8,   16,  24,  32,  40,
                             64, 128, 256, 400, 600, SAMPLE_STEPS};
enum { SNAPSHOTS = sizeof snapshots / sizeof snapshots[0] };

/* As in du_mordatch: noise to begin with, and noise again for one drawn chain
   in twenty. */
static void fill_buffer(lesson *l)
{
    ebm_context *context = l->context;
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_FRESH_RATE, 1.0 / FRESH_ONE_IN));
    TRY(ebm_buffer_fill_uniform(l->buffer, l->s.batch, -1.0, 1.0));
}

/*
 * Two losses whose gradients add up. The KL term differentiates through the
 * last Langevin step,
 *
 *     x- = y - 10 grad E(y),
 *
 * so its gradient holds second derivatives of the energy, and the sampler
 * must keep what that step was.
 *
 * The entropy is estimated from distances to the nearest neighbour among 100
 * states of the buffer: chains are driven away from where earlier chains went.
 * Those states count as constants, so this is the gradient of a cross-entropy
 * rather than of the entropy, as it was in the paper; what it does is to keep
 * the chains diverse.
 */
static void build_losses(lesson *l)
{
    ebm_context *context = l->context;
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &l->loss));
    TRY(ebm_loss_set(l->loss, EBM_LOSS_ENERGY_L2,
                     l->s.preset != NULL ? colour_l2 : 0.1));
    TRY(ebm_loss_set(l->loss, EBM_LOSS_PARTS, EBM_PARTS_MEAN));

    TRY(ebm_loss_create(context, EBM_LOSS_KL, &l->kl));
    TRY(ebm_loss_set(l->kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    TRY(ebm_loss_set(l->kl, EBM_LOSS_OPT_WEIGHT, opt_weight));
    TRY(ebm_loss_set(l->kl, EBM_LOSS_PARTS, EBM_PARTS_MEAN));
    TRY(ebm_loss_set_entropy_reference(l->kl, l->buffer, NEIGHBOURS));
    TRY(ebm_sampler_set(l->langevin, EBM_SAMPLER_KEEP_STEPS, KL_STEPS));
}

/* The first states of the buffer are all noise: to be far from them would mean
   nothing. Until there are enough others the entropy has no weight, is not
   computed, and its columns in metrics.csv are nan. */
static ebm_status weigh_entropy(lesson *l)
{
    int ready = ebm_buffer_size(l->buffer) >= ENOUGH_STATES;
    return ebm_loss_set(l->kl, EBM_LOSS_ENT_WEIGHT,
                        ready ? ent_weight / (double)l->elements : 0.0);
}

/*
 * One iteration: that of du_mordatch with one call more. Together the losses
 * are
 *
 *     mean E(data) - mean E(x-), x- constant         the likelihood
 *     + mean E(x-) - (0.3 / d) H(x-), E constant     the KL term
 *
 * and the energy's squares. The two mean energies of x- do not cancel: one
 * changes the energy where the chains are, the other where the chains go.
 */
static ebm_status train_step(lesson *l)
{
    size_t batch = (size_t)l->s.batch;
    PASS(ebm_dataset_next(l->images, batch, l->data, NULL));
    PASS(weigh_entropy(l));

    PASS(ebm_buffer_draw(l->buffer, l->chains));
    PASS(ebm_sampler_run(l->langevin, l->model, l->chains));
    PASS(ebm_loss_backward(l->loss, l->model, l->data, NULL, batch, l->chains,
                           l->report));
    PASS(ebm_loss_backward(l->kl, l->model, NULL, NULL, 0, l->chains,
                           l->kl_report));
    PASS(ebm_optimizer_step(l->adam));
    return ebm_buffer_store(l->buffer, l->chains);
}

/* The list of snapshots, cut short to end at this step. Returns its length. */
static size_t end_snapshots(size_t last)
{
    size_t count = 0;
    while (count + 1 < SNAPSHOTS && snapshots[count] < last)
        count++;
    snapshots[count] = last;
    return count + 1;
}

int main(int argc, char **argv)
{
    resume stops = RESUME_INITIAL;
    const char *model = NULL, *preset = NULL, *variant = "paper";
    uint64_t width = 0, sample_steps = SAMPLE_STEPS;
    const option_row own[] = {
        {"model", "FILE", "sample from this model, do not train",
         .text = &model},
        {"preset", "NAME", "network for colour; --data is a folder of PNGs",
         .text = &preset},
        {"variant", "KIND", "the preset's: paper or code", .text = &variant},
        {"width", "W", "the preset's channels, 0 for its own",
         .number = &width, .maximum = 4096},
        {"sample-steps", "N", "steps of the new samples' chains",
         .number = &sample_steps, .minimum = 1, .maximum = 1000000},
        RESUME_OPTIONS(&stops)};
    settings s = settings_parse(
        argc, argv,
        "Trains an energy-based model on images of digits by maximum "
        "likelihood and\nthe KL term of Du et al. 2020; with --preset on "
        "images in colour. Writes\nsamples.png, chain.png, energies.png, "
        "metrics.csv, buffer.npy and\nmodel.safetensors.",
        own, sizeof own / sizeof own[0]);
    if (preset == NULL && (width > 0 || strcmp(variant, "paper") != 0))
        fail(EXIT_USAGE, "--width and --variant are for a --preset");
    if (preset != NULL && model == NULL && s.data == NULL)
        fail(EXIT_USAGE, "--preset: say with --data which folder of PNG files "
                         "to learn from");
    s.preset = preset;
    s.variant = variant;
    s.width = width;
    size_t shots = end_snapshots((size_t)sample_steps);

    lesson l = lesson_begin(&s);
    l.stops = &stops;
    resume_check(&stops, model == NULL);
    if (preset != NULL)
        l.recipe = &colour_recipe;
    ebm_status status = EBM_OK;
    lesson_check_pictures(&l); /* a wrong folder shows at once */
    if (model != NULL) {
        lesson_sample_saved(&l, model, snapshots, shots);
    } else {
        lesson_open_images(&l);
        lesson_build(&l, TRAIN_STEPS);
        fill_buffer(&l);
        build_losses(&l);
        status = lesson_train(&l, train_step);
        lesson_sample(&l, snapshots, shots);
    }
    return lesson_end(&l, status);
}
