/* What chains remember. The tail of a run is not part of it: it serves the
   loss of the same iteration. */
#include <string.h>

#include "chains/tail.h"
#include "core/random.h"

static void prepare(ebm_record *record, size_t n, ebm_chains_image *i)
{
    i->labels = ebm_record_memory(record, n, sizeof *i->labels);
    i->origins = ebm_record_memory(record, n, sizeof *i->origins);
    i->ages = ebm_record_memory(record, n, sizeof *i->ages);
    i->transitions = ebm_record_memory(record, n, sizeof *i->transitions);
    i->diverged = ebm_record_memory(record, n, sizeof *i->diverged);
    i->slots = ebm_record_memory(record, n, sizeof *i->slots);
}

static void visit(ebm_record *record, const ebm_chains *chains,
                  ebm_chains_image *i)
{
    size_t n = chains->n;
    const size_t shape[4] = {n, chains->height, chains->width,
                             chains->channels};
    ebm_record_same(record, "count", n);
    ebm_record_same(record, "height", chains->height);
    ebm_record_same(record, "width", chains->width);
    ebm_record_same(record, "channels", chains->channels);
    ebm_record_whole(record, "seed", &i->seed);
    ebm_record_whole(record, "first_stream", &i->first_stream);
    ebm_record_whole(record, "steps", &i->steps);
    ebm_record_whole(record, "inits", &i->inits);
    ebm_record_whole(record, "since_jump", &i->since_jump);
    ebm_record_floats(record, "states", shape, 4, i->states);
    ebm_record_integers(record, "labels", n, i->labels);
    ebm_record_integers(record, "origins", n, i->origins);
    ebm_record_wholes(record, "ages", n, i->ages);
    ebm_record_wholes(record, "transitions", n, i->transitions);
    ebm_record_wholes(record, "diverged", n, i->diverged);
    ebm_record_wholes(record, "slots", n, i->slots);
}

static ebm_status save(const void *object, ebm_record *record)
{
    const ebm_chains *chains = object;
    ebm_status status = ebm_chains_check_still(chains);
    if (status != EBM_OK)
        return record->status = status;
    ebm_chains_image i = {.seed = chains->seed,
                          .first_stream = chains->first_stream,
                          .steps = chains->steps,
                          .inits = chains->inits,
                          .since_jump = chains->since_jump,
                          .states = chains->states};
    prepare(record, chains->n, &i);
    for (size_t k = 0; record->status == EBM_OK && k < chains->n; k++) {
        i.labels[k] = chains->labels[k];
        i.origins[k] = (int32_t)chains->origins[k];
        i.ages[k] = chains->ages[k];
        i.transitions[k] = chains->transitions[k];
        i.diverged[k] = chains->diverged[k];
        i.slots[k] =
            chains->slots[k] == EBM_NO_SLOT ? UINT64_MAX : chains->slots[k];
    }
    visit(record, chains, &i);
    return record->status;
}

static ebm_status stage(const void *object, ebm_record *record, void *image)
{
    const ebm_chains *chains = object;
    ebm_chains_image *i = image;
    size_t n = chains->n;
    ebm_status status = ebm_chains_check_free(chains);
    if (status != EBM_OK)
        return record->status = status;
    prepare(record, n, i);
    i->states = ebm_record_memory(record, n * chains->size, sizeof *i->states);
    visit(record, chains, i);
    for (size_t k = 0; record->status == EBM_OK && k < n; k++)
        if (i->origins[k] < 0 || i->origins[k] > EBM_ORIGIN_PERSISTED_DATA)
            ebm_record_fail(record, EBM_ERROR_FORMAT, "there is no origin %ld",
                            (long)i->origins[k]);
    /* Numbers of steps and streams are what the generator can count. */
    if (record->status == EBM_OK && (i->steps > EBM_RANDOM_LIMIT ||
                                     i->first_stream > EBM_RANDOM_LIMIT - n))
        ebm_record_fail(record, EBM_ERROR_FORMAT,
                        "there is no step %llu of streams from %llu on",
                        (unsigned long long)i->steps,
                        (unsigned long long)i->first_stream);
    return record->status;
}

static void commit(void *object, void *image)
{
    ebm_chains *chains = object;
    const ebm_chains_image *i = image;
    memcpy(chains->states, i->states,
           chains->n * chains->size * sizeof *chains->states);
    for (size_t k = 0; k < chains->n; k++) {
        chains->labels[k] = i->labels[k];
        chains->origins[k] = (ebm_origin)i->origins[k];
        chains->ages[k] = i->ages[k];
        chains->transitions[k] = i->transitions[k];
        chains->diverged[k] = i->diverged[k];
        chains->slots[k] =
            i->slots[k] >= SIZE_MAX ? EBM_NO_SLOT : (size_t)i->slots[k];
    }
    chains->seed = i->seed;
    chains->first_stream = i->first_stream;
    chains->steps = i->steps;
    chains->inits = i->inits;
    chains->since_jump = i->since_jump;
    ebm_object_release(chains->buffer);
    chains->buffer = NULL;
    ebm_tail_forget(chains);
}

const ebm_record_ops ebm_chains_record = {.kind = "chains",
                                          .type = EBM_TYPE_CHAINS,
                                          .image = sizeof(ebm_chains_image),
                                          .save = save,
                                          .stage = stage,
                                          .commit = commit};
