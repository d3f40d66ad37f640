/*
 * A small training run for kill.py: the loop, the files and the options of the
 * example programs around a network, chains and a buffer that take
 * milliseconds. Every part that draws random numbers takes part.
 */
#include <stdio.h>
#include <stdlib.h>

#include <ebm/ebm.h>

#include "digits.h"
#include "files.h"
#include "lesson.h"
#include "try.h"

enum { STEPS = 4, BUFFER = 256, LAST = 8 };

static const char *keep; /* where each checkpoint is copied to, or NULL */

static ebm_model *build(ebm_context *context, const settings *s, size_t height,
                        size_t width, size_t channels)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    TRY(ebm_network_create(context, height, width, channels, &net));
    TRY(ebm_network_set(net, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_SPECTRAL));
    TRY(ebm_network_conv2d(net, 4, 5, 4, 2));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_flatten(net));
    TRY(ebm_network_dense(net, 1));
    TRY(ebm_model_create_network(net, s->seed, &model));
    ebm_network_destroy(net);
    return model;
}

static ebm_optimizer *build_adam(ebm_context *context, ebm_model *model)
{
    ebm_optimizer *adam = NULL;
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, model, &adam));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_LEARNING_RATE, 1e-3));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_EMA_DECAY, 0.9));
    return adam;
}

static void copy_file(const char *from, const char *to)
{
    char bytes[4096];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (in == NULL || out == NULL)
        fail(EXIT_RUN, "%s can not be copied to %s", from, to);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
        fwrite(bytes, 1, n, out);
    fclose(in);
    if (fclose(out) != 0)
        fail(EXIT_RUN, "%s can not be written", to);
}

/* What was saved after the iteration before. */
static void keep_checkpoint(const lesson *l)
{
    char name[40];
    if (keep == NULL || l->done == 0 || l->stops->saved != l->done)
        return;
    snprintf(name, sizeof name, "%zu", l->done);
    copy_file(l->stops->checkpoint, path_in(keep, name));
}

static ebm_status train_step(lesson *l)
{
    size_t batch = (size_t)l->s.batch;
    keep_checkpoint(l);
    PASS(ebm_dataset_next(l->images, batch, l->data, NULL));
    PASS(ebm_buffer_draw(l->buffer, l->chains));
    PASS(ebm_sampler_run(l->langevin, l->model, l->chains));
    PASS(ebm_loss_backward(l->loss, l->model, l->data, NULL, batch, l->chains,
                           l->report));
    PASS(ebm_loss_backward(l->kl, l->model, NULL, NULL, 0, l->chains,
                           l->kl_report));
    PASS(ebm_optimizer_step(l->adam));
    return ebm_buffer_store(l->buffer, l->chains);
}

static void build_rest(lesson *l)
{
    ebm_context *context = l->context;
    ebm_transition *jump = NULL;
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_POLICY, EBM_BUFFER_RESERVOIR));
    TRY(ebm_buffer_fill_uniform(l->buffer, l->s.batch, -1.0, 1.0));
    TRY(ebm_transition_create(context, EBM_TRANSITION_FLIP, &jump));
    TRY(ebm_buffer_set_transition(l->buffer, jump));
    ebm_transition_destroy(jump);
    TRY(ebm_sampler_set(l->langevin, EBM_SAMPLER_KEEP_STEPS, 1));
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &l->loss));
    TRY(ebm_loss_create(context, EBM_LOSS_KL, &l->kl));
    TRY(ebm_loss_set(l->kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
    TRY(ebm_loss_set(l->kl, EBM_LOSS_ENT_WEIGHT, 1e-3));
    TRY(ebm_loss_set_entropy_reference(l->kl, l->buffer, 10));
}

int main(int argc, char **argv)
{
    static const size_t snapshots[] = {0, LAST};
    resume stops = RESUME_INITIAL;
    const option_row own[] = {
        {"keep", "FOLDER", "copies of each checkpoint", .text = &keep},
        RESUME_OPTIONS(&stops)};
    settings s = settings_parse(argc, argv, "A small run, for tests.", own,
                                sizeof own / sizeof own[0]);
    recipe small = digits_recipe;
    small.model = build;
    small.adam = build_adam;
    s.buffer = BUFFER;
    lesson l = lesson_begin(&s);
    l.recipe = &small;
    l.stops = &stops;
    resume_check(&stops, 1);
    lesson_check_pictures(&l);
    lesson_open_images(&l);
    lesson_build(&l, STEPS);
    build_rest(&l);
    ebm_status status = lesson_train(&l, train_step);
    lesson_sample(&l, snapshots, 2);
    return lesson_end(&l, status);
}
