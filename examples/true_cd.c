/*
 * true_cd: contrastive divergence with all of its terms, and what it learns.
 *
 * Contrastive divergence (Hinton 2002) begins its chains at the data and runs
 * them for a few steps. With q their law after t steps it minimises
 *
 *     D_KL(data || p) - D_KL(q || p),
 *
 * how much the chains moved towards the model: when they do not move, the
 * model fits. Its gradient has three parts (the "clarifying" paper, section
 * 4): the energy of data down, the energy of the chains up, and
 *
 *     L_KL = -mean E(x-) + H(q) = -D_KL(q || p) + log Z    -> minimum,
 *
 * in which theta acts through the sampling path x-(theta) alone. So D_KL(q ||
 * p) is *maximised*: chains shall end at higher energy and closer together.
 * For twenty years that third part was left out, as it is small for small
 * networks; Du et al. (2020) computed it and added it with the other sign,
 * to chains that begin at noise. That is a different method and a good one,
 * see improved_cd. Here it is with the sign that belongs to contrastive
 * divergence, and beside it the two others:
 *
 *     --kl true        contrastive divergence, maximises D_KL(q || p)
 *     --kl none        leaves the term out (CD*)
 *     --kl minimised   the other sign on chains from data, to compare
 *
 * The experiment (section 6.1 and figure 3 of the paper) shows what this is
 * not good for: chains from digits hold on them for a few times as long as the
 * chains of the training lived, and from noise no chain finds a digit.
 * strip_digit.png and strip_noise.png are those two; with a model from
 * du_mordatch, strip_du_mordatch.png shows the same digits there.
 *
 * Read main() first, then train_step() and build_loss().
 */
#include <math.h>
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

enum {
    STRIP_ROWS = 6,     /* chains of a strip */
    STRIP_COLUMNS = 10, /* snapshots of a chain, at most */
    STRIP_MOST = 1000000
};

/* The lesson's own options. */
typedef struct options {
    const char *kl, *model, *from;
    uint64_t steps, kl_steps, strip_steps;
    double redraw, ent_weight;
    resume stops;
} options;

/* Chains begin at the data: the buffer is filled with digits, and what is
   drawn afresh is a digit again. A chain that went on from the buffer began at
   a digit as well, some tens of steps ago; the fewer are drawn afresh, the
   older the chains and the rougher "begins at the data" holds. */
static void fill_buffer(lesson *l, const options *o)
{
    ebm_context *context = l->context;
    TRY(ebm_buffer_set(l->buffer, EBM_BUFFER_FRESH_RATE, o->redraw));
    TRY(ebm_buffer_fill_data(l->buffer, l->images, BUFFER_STATES));
}

/*
 * What every loss with a KL term needs: its weights, and the steps that it
 * differentiates through, which the sampler has to keep.
 *
 * The entropy H(q) is estimated from the distance of each chain to its nearest
 * neighbour in the batch, rather than among earlier states of the buffer as in
 * the 2020 code: contrastive divergence is about the entropy of the chains as
 * they are now, and only when both ends of a distance move with theta is the
 * gradient that of an entropy. States of the buffer would count as constants,
 * which leaves about half of it. One nat is heavy: at weight 1 the entropy of
 * an image in d pixels outweighs these energies some hundredfold. The papers
 * weigh the mean log distance, which is H / d and a constant.
 */
static void add_kl_term(lesson *l, ebm_loss *loss, const options *o)
{
    ebm_context *context = l->context;
    TRY(ebm_loss_set(loss, EBM_LOSS_OPT_WEIGHT, 1.0));
    TRY(ebm_loss_set(loss, EBM_LOSS_ENT_WEIGHT,
                     o->ent_weight / (double)l->elements));
    TRY(ebm_loss_set_entropy_reference(loss, NULL, 0)); /* the batch itself */
    TRY(ebm_sampler_set(l->langevin, EBM_SAMPLER_KEEP_STEPS,
                        (double)o->kl_steps));
}

/*
 * EBM_LOSS_CD and EBM_LOSS_CD_STAR take chains from data only: on chains from
 * noise the same formula would be the likelihood, a different objective.
 * Contrastive divergence knows the sign of its KL term. A KL term on its own
 * has to be told, and to minimise it on chains from data is an error unless
 * one insists: it pulls the chains towards the model that the first part of
 * contrastive divergence holds them against. For the comparison we insist.
 */
static void build_loss(lesson *l, const options *o)
{
    ebm_context *context = l->context;
    int is_true = strcmp(o->kl, "true") == 0;
    TRY(ebm_loss_create(context, is_true ? EBM_LOSS_CD : EBM_LOSS_CD_STAR,
                        &l->loss));
    TRY(ebm_loss_set(l->loss, EBM_LOSS_ENERGY_L2, 0.1));
    if (is_true)
        add_kl_term(l, l->loss, o);

    if (strcmp(o->kl, "minimised") == 0) {
        TRY(ebm_loss_create(context, EBM_LOSS_KL, &l->kl));
        TRY(ebm_loss_set(l->kl, EBM_LOSS_KL_DIRECTION, EBM_KL_MINIMISE));
        TRY(ebm_loss_set(l->kl, EBM_LOSS_ALLOW_ANY_ORIGIN, 1.0));
        add_kl_term(l, l->kl, o);
    }
}

/*
 * One iteration, the same five calls as ever: what differs from du_mordatch
 * is where the buffer's chains began, and the kind of loss:
 *
 *     mean E(data) - mean E(x-), x- constant     CD*
 *     - mean E(x-) + (c / d) H(x-), E constant   L_KL, through x-(theta)
 *
 * and the energy's squares.
 */
static ebm_status train_step(lesson *l)
{
    size_t batch = (size_t)l->s.batch;
    PASS(ebm_dataset_next(l->images, batch, l->data, NULL));

    PASS(ebm_buffer_draw(l->buffer, l->chains));
    PASS(ebm_sampler_run(l->langevin, l->model, l->chains));
    PASS(ebm_loss_backward(l->loss, l->model, l->data, NULL, batch, l->chains,
                           l->report));
    if (l->kl != NULL) /* --kl minimised: gradients add up */
        PASS(ebm_loss_backward(l->kl, l->model, NULL, NULL, 0, l->chains,
                               l->kl_report));
    PASS(ebm_optimizer_step(l->adam));
    return ebm_buffer_store(l->buffer, l->chains);
}

/* Snapshots at 0 and at equal ratios from 1 to the last step: most happens at
   the beginning. Returns how many there are. */
static size_t space_snapshots(size_t last, size_t *steps)
{
    size_t count = 1;
    steps[0] = 0;
    for (size_t i = 0; i < STRIP_COLUMNS - 1; i++) {
        double ratio = (double)i / (STRIP_COLUMNS - 2);
        size_t step = (size_t)llround(pow((double)last, ratio));
        if (step > steps[count - 1])
            steps[count++] = step;
    }
    return count;
}

/* Walks chains on the model, from digits or with NULL from noise, by the
   training's sampler. Every strip has the same seed: chains from the same
   digits meet the same noise on either model. */
static void draw_strip(lesson *l, const ebm_model *model, const float *digits,
                       size_t last, const char *name)
{
    ebm_context *context = l->context;
    ebm_chains *chains = NULL;
    TRY(ebm_chains_create(context, STRIP_ROWS, l->height, l->width,
                          l->channels, l->s.seed + 1, &chains));
    if (digits != NULL)
        TRY(ebm_chains_set_states(chains, digits, NULL, EBM_ORIGIN_DATA));
    else
        TRY(ebm_chains_init_uniform(chains, -1.0, 1.0));

    strip film;
    size_t steps[STRIP_COLUMNS];
    ebm_sampler *langevin = digits_langevin(context, last);
    strip_begin(&film, chains, STRIP_ROWS, steps,
                space_snapshots(last, steps));
    TRY(ebm_sampler_set_observer(langevin, 1, strip_observe, &film));
    lesson_walk(l, langevin, model, chains);
    TRY(strip_write(&film, context, path_in(l->s.out, name), ZOOM));
    ebm_sampler_destroy(langevin);
    ebm_chains_destroy(chains);
}

static void draw_strips(lesson *l, const ebm_model *other, size_t last)
{
    ebm_context *context = l->context;
    float *digits = try_allocate(STRIP_ROWS * l->elements, sizeof *digits);
    TRY(ebm_dataset_read(l->images, 0, STRIP_ROWS, digits, NULL));
    interrupt_catch(); /* strips can be cut short as well */
    draw_strip(l, l->model, NULL, last, "strip_noise.png");
    draw_strip(l, l->model, digits, last, "strip_digit.png");
    if (other != NULL)
        draw_strip(l, other, digits, last, "strip_du_mordatch.png");
    free(digits);
}

/* Reads the command line; the lesson's own options start at their defaults. */
static settings parse(int argc, char **argv, options *o)
{
    *o = (options){.kl = "true",
                   .steps = 10,
                   .kl_steps = 1,
                   .redraw = 0.1,
                   .ent_weight = 0.3,
                   .strip_steps = 10000,
                   .stops = RESUME_INITIAL};
    const option_row own[] = {
        {"kl", "KIND", "the KL term: none, true or minimised", .text = &o->kl},
        {"steps", "N", "Langevin steps of an iteration", .number = &o->steps,
         .minimum = 1, .maximum = 10000},
        {"redraw", "P", "share of chains that begin at a digit again",
         .real = &o->redraw, .least = 0.0, .most = 1.0},
        {"kl-steps", "M", "last steps that the KL term sees",
         .number = &o->kl_steps, .minimum = 1, .maximum = 10000},
        {"ent-weight", "C", "entropy's weight, on the mean log distance",
         .real = &o->ent_weight, .least = 0.0, .most = 1e6},
        {"strip-steps", "N", "steps of the strips' chains",
         .number = &o->strip_steps, .minimum = 1, .maximum = STRIP_MOST},
        {"model", "FILE", "a model of du_mordatch for a third strip",
         .text = &o->model},
        {"from", "FILE", "draw the strips of this model, do not train",
         .text = &o->from},
        RESUME_OPTIONS(&o->stops)};
    settings s = settings_parse(
        argc, argv,
        "Trains an energy-based model on images of digits by contrastive "
        "divergence\nand shows where its chains go: strip_noise.png, "
        "strip_digit.png, energies.png,\nmetrics.csv, buffer.npy and "
        "model.safetensors.",
        own, sizeof own / sizeof own[0]);

    int none = strcmp(o->kl, "none") == 0;
    if (!none && strcmp(o->kl, "true") != 0 && strcmp(o->kl, "minimised") != 0)
        fail(EXIT_USAGE, "--kl: '%s' is not none, true or minimised", o->kl);
    if (!none && o->kl_steps > o->steps)
        fail(EXIT_USAGE, "--kl-steps: %d is more than the %d of --steps",
             (int)o->kl_steps, (int)o->steps);
    if (!none && o->ent_weight > 0.0 && s.batch < 2)
        fail(EXIT_USAGE, "--batch: an entropy needs at least 2 chains");
    return s;
}

/* What a run that goes on must have been begun with. */
static void keep_options(options *o)
{
    resume *r = &o->stops;
    resume_keep(r, "kl", (uint64_t)o->kl[0]); /* they differ in it */
    resume_keep(r, "steps", o->steps);
    resume_keep(r, "kl-steps", o->kl_steps);
    resume_keep_real(r, "redraw", o->redraw);
    resume_keep_real(r, "ent-weight", o->ent_weight);
}

int main(int argc, char **argv)
{
    options o;
    settings s = parse(argc, argv, &o);
    lesson l = lesson_begin(&s);
    l.stops = &o.stops;
    keep_options(&o);
    resume_check(&o.stops, o.from == NULL);
    ebm_model *other = NULL;
    ebm_status status = EBM_OK;
    check_writable(s.out, "strip_noise.png");
    check_writable(s.out, "strip_digit.png");
    if (o.model != NULL)
        check_writable(s.out, "strip_du_mordatch.png");
    lesson_open_images(&l);
    if (ebm_dataset_count(l.images) < STRIP_ROWS)
        fail(EXIT_USAGE, "--data: a strip takes %d images", STRIP_ROWS);
    if (o.model != NULL) /* before the training: a wrong name shows at once */
        other = lesson_load(&l, "model", o.model);
    if (o.from != NULL) {
        l.model = lesson_load(&l, "from", o.from);
    } else {
        lesson_build(&l, o.steps);
        fill_buffer(&l, &o);
        build_loss(&l, &o);
        status = lesson_train(&l, train_step);
    }
    draw_strips(&l, other, (size_t)o.strip_steps);
    ebm_model_destroy(other);
    return lesson_end(&l, status);
}
