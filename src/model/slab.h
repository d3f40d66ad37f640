/*
 * The memory of slabs on their way through a model: one set of arrays a
 * worker, allocated once and used for any number of passes.
 */
#ifndef EBM_MODEL_SLAB_H
#define EBM_MODEL_SLAB_H

#include "model/model.h"

typedef struct ebm_slab_memory {
    const ebm_context *context;
    ebm_pass_mode mode;
    size_t slab;  /* samples */
    int is_whole; /* whole batches: no padding, a slab is as long as given */
    size_t size;  /* floats of a sample */
    size_t parts; /* of the model's energy */
    const ebm_model *root; /* the model it was prepared for */
    size_t workspace;
    size_t extra;  /* floats that the user of the memory asked for */
    size_t stride; /* floats of a worker's share */
    int workers;
    size_t held; /* floats allocated: these only grow */
    float *floats;
} ebm_slab_memory;

/* Makes the memory large enough for passes of this mode over batches of n
   samples, with `extra` floats more for each worker; keeps it when it is.
   There are as many workers as threads, but no more than `tasks`, the most
   that ebm_slab_for() will have to do. A zeroed struct is an empty one. On
   failure it stays as it was. */
ebm_status ebm_slab_memory_prepare(ebm_slab_memory *memory,
                                   const ebm_model *model, ebm_pass_mode mode,
                                   size_t n, size_t tasks, size_t extra);
void ebm_slab_memory_free(ebm_slab_memory *memory);

/* A worker's slab, without samples yet: x (writable through the second
   output), energy, grad and labels point into the worker's share. *extra is
   its own array; either output may be NULL. */
ebm_slab ebm_slab_of(const ebm_slab_memory *memory, int worker, float **x,
                     float **extra);

/* Number of slabs of a batch of n samples: the tasks of a parallel loop. */
static inline size_t ebm_slab_count(const ebm_slab_memory *memory, size_t n)
{
    return (n + memory->slab - 1) / memory->slab;
}

/* Copies count samples into slots first_slot, ... of a slab; all other slots
   become padding, copies of the first. labels may be NULL. A whole batch
   becomes slab->n long. */
void ebm_slab_load(const ebm_slab_memory *memory, ebm_slab *slab,
                   size_t first_slot, size_t count, const float *x,
                   const int32_t *labels);

/* Runs the tasks: in parallel over slabs, or for a model of callbacks one
   after the other on the calling thread, outside any parallel region. No more
   workers than the memory has shares. */
void ebm_slab_for(const ebm_model *model, const ebm_slab_memory *memory,
                  size_t tasks,
                  void (*body)(void *argument, size_t task, int worker),
                  void *argument);

#endif
