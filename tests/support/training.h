/*
 * Small training runs for the tests of checkpoints: everything that remembers
 * something between iterations, in every form, at a size that a test can
 * afford to run some hundred times.
 */
#ifndef EBM_TEST_TRAINING_H
#define EBM_TEST_TRAINING_H

#include "ebm_test.h"

/* What a run is made of. */
typedef enum test_energy {
    ENERGY_PLAIN,       /* two layers of weights */
    ENERGY_SPECTRAL,    /* both divided by their spectral norms */
    ENERGY_CONDITIONAL, /* gains and biases for three classes */
    ENERGY_SUM,         /* two networks, one at half the resolution */
    ENERGY_CUSTOM       /* a function of 36 parameters */
} test_energy;

typedef struct test_recipe {
    const char *name;
    test_energy energy;
    ebm_sampler_kind sampler;
    int warmup;   /* steps, over several iterations */
    int schedule; /* the step size runs within each iteration */
    int jumps;    /* transitions on draws, references and steps */
    ebm_buffer_policy policy;
    int from_data; /* fresh states are samples */
    int reset;     /* chains begin anew every so many draws */
    ebm_loss_kind loss;
    int kl; /* a KL term against states of the buffer besides */
    ebm_optimizer_kind optimizer;
    double momentum, decay;
} test_recipe;

extern const test_recipe test_recipes[];
extern const size_t test_recipe_count;

enum { TEST_BATCH = 6, TEST_CAPACITY = 24, TEST_SAMPLES = 21, TEST_SIDE = 6 };

typedef struct test_run {
    const test_recipe *recipe;
    ebm_context *context;
    ebm_dataset *data;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_buffer *buffer;
    ebm_chains *chains;
    ebm_loss *loss, *kl;
    ebm_optimizer *optimizer;
    ebm_report *report;
    ebm_checkpoint *checkpoint; /* of all of it */
    uint64_t done;              /* iterations, and the number "iteration" */
} test_run;

/* Builds a run in a context, which it takes over. Seeds follow from `seed`:
   what a checkpoint is loaded into has others. */
test_run test_run_begin(const test_recipe *recipe, ebm_context *context,
                        uint64_t seed);

/* Trains for so many iterations. */
void test_run_train(test_run *run, size_t iterations);

/* To and from a file; loading must succeed. */
void test_run_save(test_run *run, const char *path);
void test_run_load(test_run *run, const char *path);

void test_run_end(test_run *run);

#endif
