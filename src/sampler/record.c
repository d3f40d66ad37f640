/* What a sampler remembers: its warm-up, and the step size that it has come
   to. Runs begin with fresh momenta and gradients, noise is the chains'. */
#include "sampler/sampler.h"

typedef struct image {
    ebm_adaptation adaptation;
    double step_size;
} image;

static void visit(ebm_record *record, const ebm_sampler *sampler, image *i)
{
    ebm_record_same(record, "sampler", (uint64_t)ebm_sampler_kind_of(sampler));
    ebm_record_whole(record, "warmup_done", &i->adaptation.done);
    ebm_record_real(record, "warmup_center", &i->adaptation.center);
    ebm_record_real(record, "warmup_shortfall", &i->adaptation.shortfall);
    ebm_record_real(record, "warmup_log_mean", &i->adaptation.log_mean);
    ebm_record_real(record, "step_size", &i->step_size);
}

static ebm_status save(const void *object, ebm_record *record)
{
    const ebm_sampler *sampler = object;
    if (sampler->is_running)
        return ebm_record_fail(record, EBM_ERROR_STATE,
                               "the sampler is in the middle of a run");
    image i = {sampler->adaptation, sampler->values[EBM_SAMPLER_STEP_SIZE]};
    visit(record, sampler, &i);
    return record->status;
}

static ebm_status stage(const void *object, ebm_record *record, void *staged)
{
    const ebm_sampler *sampler = object;
    image *i = staged;
    if (sampler->is_running)
        return ebm_record_fail(record, EBM_ERROR_STATE,
                               "the sampler is in the middle of a run");
    visit(record, sampler, i);
    if (record->status == EBM_OK &&
        ebm_sampler_check_value(sampler, EBM_SAMPLER_STEP_SIZE,
                                i->step_size) != EBM_OK)
        ebm_record_fail(record, EBM_ERROR_FORMAT, "there is no step size %g",
                        i->step_size);
    return record->status;
}

/* Without a warm-up the step size is the program's. */
static void commit(void *object, void *staged)
{
    ebm_sampler *sampler = object;
    const image *i = staged;
    sampler->adaptation = i->adaptation;
    if (i->adaptation.done)
        sampler->values[EBM_SAMPLER_STEP_SIZE] = i->step_size;
}

const ebm_record_ops ebm_sampler_record = {.kind = "sampler",
                                           .type = EBM_TYPE_SAMPLER,
                                           .image = sizeof(image),
                                           .save = save,
                                           .stage = stage,
                                           .commit = commit};
