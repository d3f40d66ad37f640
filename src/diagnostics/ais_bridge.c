/*
 * The distributions between the base and the energy, as a model that samplers
 * take. A sampler at temperature T is after exp(-V / T); with
 *
 *     V = (1 - b) T E_0 + b E
 *
 * that is p_b, and at b = 1 it is the energy itself: step sizes mean there
 * what they mean in every other run. Nothing is divided by T, which may be
 * small. The target computes in its own slabs, on the same arrays.
 */
#include <math.h>

#include "core/memory.h"
#include "diagnostics/ais.h"

typedef struct bridge {
    const ebm_model *target;
    const ebm_ais_path *path;
} bridge;

double ebm_ais_base_energy(const ebm_ais_path *path, const float *x,
                           size_t size)
{
    double sum = 0, mean = path->mean, std = path->std;
    if (path->base == EBM_AIS_BOX)
        return 0;
    for (size_t i = 0; i < size; i++)
        sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sum / (2 * std * std);
}

double ebm_ais_base_log_z(const ebm_ais_path *path, size_t size)
{
    const double root_two_pi = 2.5066282746310005;
    double width = path->base == EBM_AIS_BOX
                       ? (double)path->maximum - (double)path->minimum
                       : root_two_pi * (double)path->std;
    return (double)size * log(width);
}

static size_t workspace(const ebm_model *model, ebm_pass_mode mode, size_t n)
{
    const bridge *self = model->self;
    const ebm_model *target = self->target;
    return target->ops->workspace ? target->ops->workspace(target, mode, n)
                                  : 0;
}

/* Adds the base's part to what the target wrote. */
static void mix(const bridge *self, ebm_pass_mode mode, const ebm_slab *slab)
{
    const ebm_ais_path *path = self->path;
    size_t size = self->target->size;
    double beta = path->beta, rest = (1 - beta) * path->temperature;
    double std = path->std, slope = rest / (std * std);
    for (size_t i = 0; i < slab->n; i++) {
        const float *x = slab->x + i * size;
        double energy = beta * (double)slab->energy[i];
        if (path->base == EBM_AIS_GAUSSIAN)
            energy += rest * ebm_ais_base_energy(path, x, size);
        slab->energy[i] = (float)energy;
        if (mode != EBM_PASS_INPUT_GRADIENT)
            continue;
        float *grad = slab->grad + i * size;
        if (path->base == EBM_AIS_BOX)
            for (size_t j = 0; j < size; j++)
                grad[j] = (float)(beta * (double)grad[j]);
        else
            for (size_t j = 0; j < size; j++)
                grad[j] = (float)(beta * (double)grad[j] +
                                  slope * ((double)x[j] - (double)path->mean));
    }
}

static ebm_status pass(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, ebm_scale_fn scale_of,
                       void *argument)
{
    const bridge *self = model->self;
    ebm_slab inner = *slab;
    inner.part_energy = NULL;
    inner.root = self->target;
    EBM_TRY(self->target->ops->pass(self->target, mode, &inner, scale_of,
                                    argument));
    mix(self, mode, slab);
    return EBM_OK;
}

static void finish(ebm_model *model)
{
    ebm_free(ebm_context_of(model), model->self);
}

static const ebm_model_ops ops = {
    .kind = "bridge", .finish = finish, .workspace = workspace, .pass = pass};

ebm_status ebm_ais_bridge_create(const ebm_model *target,
                                 const ebm_ais_path *path, ebm_model **out)
{
    ebm_context *context = ebm_context_of(target);
    ebm_model *model = NULL;
    EBM_TRY(ebm_model_allocate(context, target->height, target->width,
                               target->channels, 0, 0, &model));
    bridge *self = ebm_alloc_zero(context, 1, sizeof *self);
    if (!self) {
        ebm_object_release(model);
        return ebm_out_of_memory(context, "a path between energies");
    }
    self->target = target;
    self->path = path;
    model->ops = &ops;
    model->self = self;
    model->slab = target->slab;
    model->classes = target->classes;
    *out = model;
    return EBM_OK;
}
