/* Slabs on their way through a segment. */
#include "sampler/walk.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

static size_t array_floats(size_t slab, size_t size)
{
    return ebm_round_up(slab * size, EBM_LANES);
}

size_t ebm_walk_extra(const ebm_model *model, size_t slab, size_t arrays)
{
    return (1 + arrays) * array_floats(slab, model->size);
}

float *ebm_walk_carried(const ebm_walk *walk, size_t index)
{
    return walk->segment->sampler->carried +
           (index * walk->segment->chains->n + walk->place.first) * walk->size;
}

ebm_random ebm_walk_random(const ebm_walk *walk, ebm_purpose purpose, size_t i,
                           size_t k)
{
    const ebm_chains *chains = walk->segment->chains;
    return ebm_random_at(chains->seed, purpose,
                         chains->first_stream + walk->place.first + i,
                         chains->steps + k);
}

ebm_status ebm_walk_pass(ebm_walk *walk, size_t k)
{
    const ebm_model *model = walk->segment->model;
    ebm_status status = model->ops->pass(model, EBM_PASS_INPUT_GRADIENT,
                                         &walk->slab, NULL, NULL);
    if (status != EBM_OK)
        walk->segment->completed = k;
    return status;
}

/* Energy and gradient of the states that the chains have. */
static ebm_status evaluate(ebm_walk *walk)
{
    ebm_chains *chains = walk->segment->chains;
    walk->slab.x = walk->now;
    EBM_TRY(ebm_walk_pass(walk, 0));
    for (size_t i = 0; i < walk->place.count; i++) {
        const float *grad = walk->slab.grad + ebm_walk_row(walk, i);
        float energy = walk->slab.energy[walk->place.first_slot + i];
        if (ebm_walk_has_stopped(walk, i))
            continue;
        if (!isfinite(energy) || !ebm_all_finite(grad, walk->size))
            chains->diverged[walk->place.first + i] = chains->steps + 1;
        ebm_walk_record(walk, i)->energy = energy;
        memcpy(walk->grad + ebm_walk_row(walk, i), grad,
               walk->size * sizeof *grad);
    }
    return EBM_OK;
}

ebm_status ebm_walk_begin(ebm_walk *walk, ebm_segment *segment, size_t task,
                          int worker, size_t arrays)
{
    const ebm_slab_memory *memory = &segment->sampler->memory;
    const ebm_chains *chains = segment->chains;
    float *extra;
    *walk = (ebm_walk){.segment = segment,
                       .place = ebm_sampler_place(segment, task),
                       .size = chains->size};
    const ebm_slab_place *place = &walk->place;
    size_t first_row = place->first_slot * walk->size;
    walk->slab = ebm_slab_of(memory, worker, &walk->now, &extra);
    ebm_slab_load(memory, &walk->slab, place->first_slot, place->count,
                  chains->states + place->first * walk->size,
                  chains->labels + place->first);
    size_t floats = array_floats(memory->slab, walk->size);
    size_t used = walk->slab.n * walk->size;
    walk->grad = extra;
    for (size_t i = 0; i < arrays; i++) {
        walk->arrays[i] = extra + (1 + i) * floats;
        memcpy(walk->arrays[i], walk->now, used * sizeof *walk->now);
    }
    if (!segment->sampler->carries)
        return evaluate(walk);
    memcpy(walk->grad + first_row, ebm_walk_carried(walk, 0),
           place->count * walk->size * sizeof *walk->grad);
    return EBM_OK;
}

void ebm_walk_end(const ebm_walk *walk)
{
    const ebm_slab_place *place = &walk->place;
    size_t first_row = place->first_slot * walk->size;
    size_t bytes = place->count * walk->size * sizeof *walk->now;
    memcpy(walk->segment->chains->states + place->first * walk->size,
           walk->now + first_row, bytes);
    memcpy(ebm_walk_carried(walk, 0), walk->grad + first_row, bytes);
}
