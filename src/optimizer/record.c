/* What an optimizer remembers. The parameters are the model's, but for the
   ones that wait in the average's array while the average is in their place.
 */
#include <string.h>

#include "core/memory.h"
#include "model/record.h"
#include "optimizer/optimizer.h"

typedef struct image {
    uint64_t steps, refused, has_average, swapped;
    double norm;
    float *first, *second, *average; /* [padded] */
} image;

static void visit_numbers(ebm_record *record, const ebm_optimizer *optimizer,
                          image *i)
{
    ebm_record_same(record, "optimizer", (uint64_t)optimizer->kind);
    ebm_record_same(record, "parameters", optimizer->model->parameter_count);
    ebm_record_whole(record, "steps", &i->steps);
    ebm_record_whole(record, "refused", &i->refused);
    ebm_record_whole(record, "has_average", &i->has_average);
    ebm_record_whole(record, "swapped", &i->swapped);
    ebm_record_real(record, "gradient_norm", &i->norm);
}

static void visit_arrays(ebm_record *record, const ebm_optimizer *optimizer,
                         image *i)
{
    const ebm_model *model = optimizer->model;
    ebm_record_parameters(record, model, "first.", i->first);
    if (optimizer->second)
        ebm_record_parameters(record, model, "second.", i->second);
    if (i->has_average)
        ebm_record_parameters(record, model, "average.", i->average);
}

static ebm_status save(const void *object, ebm_record *record)
{
    const ebm_optimizer *optimizer = object;
    image i = {.steps = optimizer->steps,
               .refused = optimizer->refused,
               .has_average = optimizer->has_average != 0,
               .swapped = optimizer->swapped != 0,
               .norm = optimizer->norm,
               .first = optimizer->first,
               .second = optimizer->second,
               .average = optimizer->average};
    visit_numbers(record, optimizer, &i);
    visit_arrays(record, optimizer, &i);
    return record->status;
}

static float *room(ebm_record *record, const ebm_optimizer *optimizer)
{
    return ebm_record_memory(record, optimizer->padded, sizeof(float));
}

static ebm_status stage(const void *object, ebm_record *record, void *staged)
{
    const ebm_optimizer *optimizer = object;
    double decay = optimizer->values[EBM_OPTIMIZER_EMA_DECAY];
    image *i = staged;
    visit_numbers(record, optimizer, i);
    i->first = room(record, optimizer);
    i->second = room(record, optimizer);
    i->average = room(record, optimizer);
    if (record->status == EBM_OK &&
        (i->has_average > 1 || i->swapped > i->has_average))
        ebm_record_fail(record, EBM_ERROR_FORMAT,
                        "an average that is there %llu times and swapped %llu "
                        "times",
                        (unsigned long long)i->has_average,
                        (unsigned long long)i->swapped);
    if (record->status == EBM_OK && i->has_average && !(decay > 0))
        ebm_record_fail(record, EBM_ERROR_STATE,
                        "the file holds an average, here ema_decay is 0");
    visit_arrays(record, optimizer, i);
    for (size_t k = 0; record->status == EBM_OK && k < optimizer->padded; k++)
        if (i->second[k] < 0)
            ebm_record_fail(record, EBM_ERROR_FORMAT, "a second moment is %g",
                            (double)i->second[k]);
    return record->status;
}

/* A decay that is set has made room for the average. */
static void commit(void *object, void *staged)
{
    ebm_optimizer *optimizer = object;
    const image *i = staged;
    size_t bytes = optimizer->padded * sizeof(float);
    if (ebm_optimizer_has_first(optimizer))
        memcpy(optimizer->first, i->first, bytes);
    if (optimizer->second)
        memcpy(optimizer->second, i->second, bytes);
    if (i->has_average)
        memcpy(optimizer->average, i->average, bytes);
    optimizer->has_average = (int)i->has_average;
    optimizer->swapped = (int)i->swapped;
    optimizer->steps = i->steps;
    optimizer->refused = i->refused;
    optimizer->norm = i->norm;
}

const ebm_record_ops ebm_optimizer_record = {.kind = "optimizer",
                                             .type = EBM_TYPE_OPTIMIZER,
                                             .image = sizeof(image),
                                             .save = save,
                                             .stage = stage,
                                             .commit = commit};
