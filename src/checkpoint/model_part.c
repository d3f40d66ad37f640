/* A model in a checkpoint: its parameters, the vectors of its spectral norms,
   and which layers they are of. */
#include <string.h>

#include "checkpoint/container.h"
#include "checkpoint/part.h"
#include "checkpoint/reader.h"
#include "core/memory.h"
#include "model/record.h"

#define NETWORKS "networks"

typedef struct image {
    float *parameters, *states;
} image;

/* What the leaves that are networks are made of; NULL: memory ran out, and the
   record says so. */
static json_t *networks_of(ebm_record *record, const ebm_model *model)
{
    ebm_network_list list = {
        ebm_record_memory(record, model->leaf_count, sizeof *list.models), 0};
    if (!list.models)
        return NULL;
    for (size_t i = 0; i < model->leaf_count; i++)
        if (ebm_network_of(model->leaves[i].model))
            list.models[list.count++] = model->leaves[i].model;
    json_t *json = ebm_networks_json(&list);
    if (!json)
        record->status =
            ebm_out_of_memory(record->context, "a checkpoint's header");
    return json;
}

static void visit(ebm_record *record, const ebm_model *model, const image *i)
{
    ebm_record_same(record, "height", model->height);
    ebm_record_same(record, "width", model->width);
    ebm_record_same(record, "channels", model->channels);
    ebm_record_same(record, "parameters", model->parameter_count);
    ebm_record_same(record, "leaves", model->leaf_count);
    ebm_record_parameters(record, model, "", i->parameters);
    ebm_record_states(record, model, i->states);
}

/* A gradient that waits for its step is not in the file, and without it the
   next step would be another one. */
static ebm_status check_gradient(ebm_record *record, const ebm_model *model)
{
    for (size_t i = 0; i < model->leaf_count; i++) {
        const ebm_model *leaf = model->leaves[i].model;
        for (size_t k = 0; k < leaf->parameter_count; k++)
            if (leaf->gradient[k] != 0)
                return ebm_record_fail(record, EBM_ERROR_STATE,
                                       "the gradient is not zero: save after "
                                       "the optimizer's step");
    }
    return EBM_OK;
}

static ebm_status save(const void *object, ebm_record *record)
{
    const ebm_model *model = object;
    image own = {NULL, NULL};
    ebm_status status = ebm_model_check_ready(model);
    if (status != EBM_OK)
        return record->status = status;
    EBM_TRY(check_gradient(record, model));
    json_t *networks = networks_of(record, model);
    if (record->status == EBM_OK &&
        json_object_set_new(((ebm_part_record *)record)->entry, NETWORKS,
                            networks))
        record->status =
            ebm_out_of_memory(record->context, "a checkpoint's header");
    visit(record, model, &own);
    return record->status;
}

static ebm_status stage(const void *object, ebm_record *record, void *staged)
{
    const ebm_model *model = object;
    image *i = staged;
    ebm_status status = ebm_model_check_ready(model);
    if (status != EBM_OK)
        return record->status = status;
    json_t *entry = ((ebm_part_record *)record)->entry;
    json_t *networks = networks_of(record, model);
    if (networks && !json_equal(networks, json_object_get(entry, NETWORKS)))
        ebm_record_fail(record, EBM_ERROR_SHAPE,
                        "the layers are not those of the file");
    json_decref(networks);
    json_object_del(entry, NETWORKS);
    i->parameters =
        ebm_record_memory(record, model->padded_count, sizeof(float));
    i->states =
        ebm_record_memory(record, ebm_model_state_count(model), sizeof(float));
    visit(record, model, i);
    return record->status;
}

static void commit(void *object, void *staged)
{
    ebm_model *model = object;
    const image *i = staged;
    ebm_model_put(model, i->parameters, i->states);
    ebm_model_clear_gradient(model);
    ebm_model_parameters_written(model);
}

const ebm_record_ops ebm_model_record = {.kind = "model",
                                         .type = EBM_TYPE_MODEL,
                                         .image = sizeof(image),
                                         .save = save,
                                         .stage = stage,
                                         .commit = commit};
