/* What a dataset remembers: where it stands in the order of its samples. The
   order itself is a function of seed and epoch. */
#include "core/random.h"
#include "dataset/dataset.h"

typedef struct image {
    uint64_t seed, epoch, position;
} image;

static void visit(ebm_record *record, const ebm_dataset *dataset, image *i)
{
    ebm_record_same(record, "count", dataset->count);
    ebm_record_same(record, "height", dataset->height);
    ebm_record_same(record, "width", dataset->width);
    ebm_record_same(record, "channels", dataset->channels);
    ebm_record_whole(record, "seed", &i->seed);
    ebm_record_whole(record, "epoch", &i->epoch);
    ebm_record_whole(record, "position", &i->position);
}

static ebm_status save(const void *object, ebm_record *record)
{
    const ebm_dataset *dataset = object;
    image i = {dataset->seed, dataset->epoch, dataset->position};
    visit(record, dataset, &i);
    return record->status;
}

static ebm_status stage(const void *object, ebm_record *record, void *staged)
{
    const ebm_dataset *dataset = object;
    image *i = staged;
    visit(record, dataset, i);
    if (record->status == EBM_OK &&
        (i->position >= dataset->count || i->epoch > EBM_RANDOM_LIMIT))
        ebm_record_fail(
            record, EBM_ERROR_FORMAT, "there is no sample %llu of epoch %llu",
            (unsigned long long)i->position, (unsigned long long)i->epoch);
    return record->status;
}

static void commit(void *object, void *staged)
{
    ebm_dataset *dataset = object;
    const image *i = staged;
    dataset->seed = i->seed;
    ebm_dataset_begin_epoch(dataset, i->epoch);
    dataset->position = (size_t)i->position;
}

const ebm_record_ops ebm_dataset_record = {.kind = "dataset",
                                           .type = EBM_TYPE_DATASET,
                                           .image = sizeof(image),
                                           .save = save,
                                           .stage = stage,
                                           .commit = commit};
