/*
 * A lesson: the parts of a training run, wired together by the program, and
 * what surrounds its iterations: the loop, the files and the pictures.
 */
#ifndef EXAMPLES_COMMON_LESSON_H
#define EXAMPLES_COMMON_LESSON_H

#include <stddef.h>

#include <ebm/ebm.h>

#include "recipe.h"
#include "resume.h"
#include "settings.h"

enum { ZOOM = 3 }; /* of pictures */

typedef struct lesson {
    settings s;
    resume *stops; /* how the run can be stopped and go on, or NULL */
    ebm_context *context;
    const recipe *recipe; /* for digits, unless the program says otherwise */
    ebm_dataset *images;
    ebm_model *model;
    ebm_sampler *langevin;
    ebm_buffer *buffer;
    ebm_chains *chains;
    ebm_loss *loss;
    ebm_loss *kl; /* a second loss: the KL term alone, or NULL */
    ebm_optimizer *adam;
    ebm_report *report, *kl_report;           /* of the losses */
    size_t height, width, channels, elements; /* of one image */
    float *data;                              /* a batch of images */
    size_t done;                              /* iterations so far */
    double e_pos, e_neg;                      /* the last mean energies */
    double start;                             /* seconds on the clock */
} lesson;

/* Begins with a folder for the files and a context; all else is still to be
   built. */
lesson lesson_begin(const settings *s);

/* Opens the images; without any the program ends. */
void lesson_open_images(lesson *l);

/* Builds what follows from the images: the network, the sampler with so many
   steps, Adam, the chains, the reports, and an empty buffer, out of which the
   oldest states go when it is full. */
void lesson_build(lesson *l, size_t steps);

/* One iteration, as the program writes it. */
typedef ebm_status (*lesson_step)(lesson *l);

/* Trains until the iterations are over, Ctrl-C, or divergence, from where the
   run had been stopped if the program resumes one, and saves model
   (with its averaged weights, when Adam keeps an average) and buffer. Returns
   the last status: what is there after a divergence is finite and worth
   keeping, since every call leaves its objects as they were when it fails. */
ebm_status lesson_train(lesson *l, lesson_step step);

/* Ends the program when the files of lesson_sample() could not be written: to
   be called before the work. lesson_build() does so for those of
   lesson_train(). */
void lesson_check_pictures(const lesson *l);

/* Walks 64 chains from fresh noise through the list's last number of steps:
   all ends as samples.png, the way of the first eight as chain.png with a
   column for each number in the list. Returns their mean energy. */
double lesson_sample(lesson *l, const size_t *steps, size_t count);

/* The same with a saved model instead of a trained one. e_pos is that of a
   batch of images, when there are some of the model's shape. */
void lesson_sample_saved(lesson *l, const char *model, const size_t *steps,
                         size_t count);

/* Reads a model that an option named. When images are open, it must be one of
   their shape. */
ebm_model *lesson_load(lesson *l, const char *option, const char *file);

/* Walks chains with an observer that may stop them, and lets chains that
   diverged be where they are: a picture shows them so. */
void lesson_walk(lesson *l, ebm_sampler *langevin, const ebm_model *model,
                 ebm_chains *chains);

/* Prints the last line, gives everything back, and returns the exit code. */
int lesson_end(lesson *l, ebm_status status);

#endif
