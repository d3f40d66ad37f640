#define _POSIX_C_SOURCE 200809L
#include "resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "lesson.h"
#include "try.h"

void resume_keep(resume *r, const char *option, uint64_t value)
{
    if (r->count == RESUME_SETTINGS)
        fail(EXIT_USAGE, "too many options to keep");
    r->settings[r->count].name = option;
    r->settings[r->count++].value = value;
}

/* A checkpoint's numbers are whole, so a real one goes by its bits. */
void resume_keep_real(resume *r, const char *option, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    resume_keep(r, option, bits);
}

void resume_check(const resume *r, int trains)
{
    if (!trains && (r->checkpoint != NULL || r->from != NULL))
        fail(EXIT_USAGE, "--checkpoint and --resume are for a training");
    if (r->checkpoint != NULL)
        check_file_writable(r->checkpoint);
}

static void check_settings(const resume *r, ebm_context *context)
{
    for (size_t i = 0; i < r->count; i++) {
        const char *name = r->settings[i].name;
        uint64_t value = 0;
        if (ebm_checkpoint_get_number(r->run, name, &value) != EBM_OK)
            fail(EXIT_USAGE, "--resume: %s is of another program: %s", r->from,
                 ebm_context_last_error(context));
        if (value != r->settings[i].value)
            fail(EXIT_USAGE, "--resume: %s is of a run with another --%s",
                 r->from, name);
    }
}

/* A script that starts a program again and again until it is done names one
   file for both options; the first time it is not there. */
static int is_first_time(const resume *r)
{
    return r->checkpoint != NULL && strcmp(r->checkpoint, r->from) == 0 &&
           access(r->from, F_OK) != 0;
}

static void load(resume *r, lesson *l)
{
    ebm_context *context = l->context;
    uint64_t done = 0;
    if (ebm_checkpoint_load(r->run, r->from) != EBM_OK)
        fail(EXIT_USAGE, "--resume: %s", ebm_context_last_error(context));
    check_settings(r, context);
    TRY(ebm_checkpoint_get_number(r->run, "iteration", &done));
    if (done > l->s.iterations)
        fail(EXIT_USAGE,
             "--resume: %s is at iteration %" PRIu64
             ", beyond --iterations %" PRIu64,
             r->from, done, l->s.iterations);
    l->done = (size_t)done;
    r->saved =
        strcmp(r->from, r->checkpoint ? r->checkpoint : "") == 0 ? l->done : 0;
    printf("resuming %s at iteration %zu\n", r->from, l->done);
}

void resume_begin(resume *r, lesson *l)
{
    ebm_context *context = l->context;
    if (r->checkpoint == NULL && r->from == NULL)
        return;
    resume_keep(r, "seed", l->s.seed);
    resume_keep(r, "batch", l->s.batch);
    TRY(ebm_checkpoint_create(context, &r->run));
    TRY(ebm_checkpoint_add_dataset(r->run, "data", l->images));
    TRY(ebm_checkpoint_add_model(r->run, "model", l->model));
    TRY(ebm_checkpoint_add_optimizer(r->run, "adam", l->adam));
    TRY(ebm_checkpoint_add_buffer(r->run, "buffer", l->buffer));
    TRY(ebm_checkpoint_add_chains(r->run, "chains", l->chains));
    if (r->from != NULL && !is_first_time(r))
        load(r, l);
    else if (r->from != NULL)
        printf("%s is not there yet: a new run\n", r->from);
    for (size_t i = 0; i < r->count; i++)
        TRY(ebm_checkpoint_set_number(r->run, r->settings[i].name,
                                      r->settings[i].value));
}

int resume_is_due(const resume *r, const lesson *l, int now)
{
    return r->checkpoint != NULL && r->saved != l->done &&
           (now || l->done % r->every == 0);
}

void resume_save(resume *r, const lesson *l)
{
    ebm_context *context = l->context;
    TRY(ebm_checkpoint_set_number(r->run, "iteration", l->done));
    TRY(ebm_checkpoint_save(r->run, r->checkpoint));
    r->saved = l->done;
}

void resume_end(resume *r)
{
    ebm_checkpoint_destroy(r->run);
    r->run = NULL;
}
