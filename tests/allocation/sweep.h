/*
 * The sweep over every public call: a world with an object of each kind on
 * counted memory, and tables of what is called in it.
 */
#ifndef EBM_TEST_SWEEP_H
#define EBM_TEST_SWEEP_H

#include "ebm_test.h"
#include "quadratic.h"

/* Samples, chains, and samples of data. */
enum { H = 4, W = 4, C = 2, SIZE = H * W * C, CHAINS = 5, N = 3, CLASSES = 3 };

/* What a call may make. Nothing yet: all point at sweep_nothing, which is no
   object and which a call that fails must leave there. */
typedef struct sweep_made {
    ebm_context *context;
    ebm_model *model;
    ebm_network *network;
    ebm_preset *preset;
    ebm_chains *chains;
    ebm_sampler *sampler;
    ebm_buffer *buffer;
    ebm_loss *loss;
    ebm_report *report;
    ebm_optimizer *optimizer;
    ebm_dataset *dataset;
    ebm_transition *transition;
    ebm_check *check;
    ebm_ais *ais;
    ebm_checkpoint *checkpoint;
} sweep_made;

typedef struct world {
    test_allocator memory;
    ebm_context *context;
    ebm_network *network;
    ebm_model *model;   /* a small network on [H, W, C] */
    ebm_model *classes; /* the same with CLASSES classes */
    ebm_model *sum, *custom, *well;
    ebm_preset *preset;
    ebm_chains *chains;
    ebm_sampler *sampler, *mala;
    ebm_buffer *buffer;
    ebm_loss *nll, *kl;
    ebm_report *report;
    ebm_optimizer *optimizer;
    ebm_dataset *dataset, *folder; /* of an array; of two pictures */
    ebm_transition *flip, *elastic;
    ebm_check *check;
    ebm_ais *ais;
    ebm_checkpoint *run; /* of what training has, and a number */
    test_quadratic quadratic;
    /* A transition counts what it acted on, for a call that failed afterwards
       too: then these counters are no part of the comparison. */
    int jumps_count;
    /* A call whose comment says that chains may stay where memory ran out:
       neither they nor the sampler's counters are compared, nor is what comes
       of them afterwards. */
    int chains_move;
    sweep_made made;
    /* What calls write to. */
    float f[CHAINS * SIZE];
    double d[64];
    size_t z[64];
    int32_t i[16];
    uint64_t u[4];
} world;

/* A call that takes memory. Set the world up for it in prepare(), or NULL. */
typedef struct sweep_row {
    const char *name; /* of the public function */
    void (*prepare)(world *w);
    ebm_status (*call)(world *w);
} sweep_row;

/* A table for each room; the last row is all zero. */
extern const sweep_row sweep_models[], sweep_networks[], sweep_chains[],
    sweep_data[], sweep_checkpoints[];

/* Calls that take no memory, all of a room in one function, each within one
   of these. They must succeed while memory has run out for good. */
void sweep_quiet_models(world *w);
void sweep_quiet_chains(world *w);
void sweep_quiet_data(world *w);
void sweep_quiet_checkpoints(world *w);
#define QUIET(name, ...)                                       \
    do {                                                       \
        size_t quiet_before = sweep_note(w, #name);            \
        assert_ok(name(__VA_ARGS__));                          \
        assert_int_equal(w->memory.allocations, quiet_before); \
    } while (0)
/* The same for what returns no status. */
#define QUIET_VALUE(name, ...)                                 \
    do {                                                       \
        size_t quiet_before = sweep_note(w, #name);            \
        (void)name(__VA_ARGS__);                               \
        assert_int_equal(w->memory.allocations, quiet_before); \
    } while (0)

/* Notes a call as covered; returns the allocations so far. */
size_t sweep_note(world *w, const char *name);

/* The data of all calls: CHAINS samples in [-1, 1], labels, doubles. */
extern float sweep_x[CHAINS * SIZE];
extern int32_t sweep_labels[CHAINS];
extern double sweep_series[2 * 16];

/* Files: a model, a checkpoint of another moment, images as IDX and CIFAR-10,
   a folder of pictures; and where calls may write. */
extern char sweep_model_path[300], sweep_run_path[300], sweep_idx_path[300],
    sweep_cifar_path[300], sweep_folder_path[300], sweep_out_path[300];

world *sweep_world(void);
/* Destroys all, while memory has run out for good if `starved`; everything
   must have come back. */
void sweep_end(world *w, int starved);
/* A number made of all that can be read of all objects and outputs. */
uint64_t sweep_hash(const world *w);

#endif
