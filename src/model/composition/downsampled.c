/*
 * A model of small images, seen by larger ones: x_0 = A x, the mean over
 * blocks of factor x factor pixels. A is linear, so
 *
 *     grad E(x) = A^T grad E_0(x_0),   H v = A^T H_0 A v,
 *
 * and all that concerns parameters is the part's own affair.
 */
#include "model/composition/composition.h"

/* Arrays of the small images; in a tangent pass of directions too. */
typedef struct arrays {
    float *x, *v, *grad;
    float *workspace;
} arrays;

/* The floats before the part's workspace, which is last, so that a pass need
   not know its size. */
static size_t lay_out(const ebm_model *model, ebm_pass_mode mode, size_t n,
                      float *workspace, arrays *a)
{
    const ebm_composition *self = model->self;
    size_t rows = n * self->parts[0]->size;
    ebm_carver c = {workspace, 0};
    a->x = ebm_carve(&c, rows);
    a->grad = ebm_carve(&c, rows);
    if (mode == EBM_PASS_TANGENT)
        a->v = ebm_carve(&c, rows);
    a->workspace = ebm_carve(&c, 0);
    return c.floats;
}

static size_t workspace(const ebm_model *model, ebm_pass_mode mode, size_t n)
{
    arrays a;
    return lay_out(model, mode, n, NULL, &a) +
           ebm_part_workspace(model, 0, mode, n);
}

static size_t tangent_workspace(const ebm_model *model, size_t n)
{
    return workspace(model, EBM_PASS_TANGENT, n);
}

/* small = A large, for n images. */
static void shrink(const ebm_model *model, size_t n, const float *large,
                   float *small)
{
    const ebm_composition *self = model->self;
    const ebm_model *part = self->parts[0];
    size_t f = self->factor, channels = model->channels;
    size_t line = model->width * channels;
    double inverse = 1 / ((double)f * (double)f);
    for (size_t r = 0; r < n * part->height; r++)
        for (size_t x = 0; x < part->width; x++)
            for (size_t c = 0; c < channels; c++) {
                const float *block = large + r * f * line + x * f * channels;
                double sum = 0;
                for (size_t y = 0; y < f; y++)
                    for (size_t k = 0; k < f; k++)
                        sum += (double)block[y * line + k * channels + c];
                *small++ = (float)(inverse * sum);
            }
}

/* large = A^T small. */
static void spread(const ebm_model *model, size_t n, const float *small,
                   float *large)
{
    const ebm_composition *self = model->self;
    const ebm_model *part = self->parts[0];
    size_t f = self->factor, channels = model->channels;
    size_t line = part->width * channels;
    double inverse = 1 / ((double)f * (double)f);
    for (size_t r = 0; r < n * model->height; r++) {
        const float *row = small + r / f * line;
        for (size_t x = 0; x < model->width; x++)
            for (size_t c = 0; c < channels; c++)
                *large++ =
                    (float)(inverse * (double)row[x / f * channels + c]);
    }
}

static ebm_status pass(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, size_t count,
                       ebm_scale_fn scale_of, void *argument)
{
    const ebm_composition *self = model->self;
    const ebm_model *inner = self->parts[0];
    arrays a = {0};
    lay_out(model, mode, slab->n, slab->workspace, &a);
    ebm_slab part = ebm_part_slab(model, 0, slab, count);
    shrink(model, part.n, slab->x, a.x);
    part.x = a.x;
    part.grad = a.grad;
    part.workspace = a.workspace;
    EBM_TRY(inner->ops->pass(inner, mode, &part, scale_of, argument));
    if (mode == EBM_PASS_INPUT_GRADIENT)
        spread(model, count, a.grad, slab->grad);
    return EBM_OK;
}

static ebm_status tangent(const ebm_model *model, const ebm_tangent_slab *slab,
                          size_t count)
{
    const ebm_composition *self = model->self;
    const ebm_model *inner = self->parts[0];
    arrays a = {0};
    lay_out(model, EBM_PASS_TANGENT, slab->n, slab->workspace, &a);
    ebm_tangent_slab part = ebm_part_tangent(model, 0, slab, count);
    shrink(model, part.n, slab->x, a.x);
    shrink(model, part.n, slab->v, a.v);
    part.x = a.x;
    part.v = a.v;
    part.hv = a.grad;
    part.workspace = a.workspace;
    EBM_TRY(inner->ops->tangent(inner, &part));
    spread(model, count, a.grad, slab->hv);
    return EBM_OK;
}

static const ebm_composition_kind kind = {
    .ops = {EBM_COMPOSE_OPS("downsampled")},
    .workspace = workspace,
    .pass = pass,
    .tangent_workspace = tangent_workspace,
    .tangent = tangent,
};

ebm_status ebm_model_create_downsampled(ebm_model *part, size_t factor,
                                        ebm_model **out)
{
    EBM_TRY(ebm_compose_check(&part, 1, out));
    const ebm_context *context = ebm_context_of(part);
    size_t height, width;
    if (factor < 1 || factor > 64)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "a factor of %zu, 1 to 64 are possible", factor);
    if (!ebm_multiply(part->height, factor, &height) ||
        !ebm_multiply(part->width, factor, &width))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "[%zu, %zu, %zu] times %zu is too large", part->height,
                        part->width, part->channels, factor);
    ebm_model *model = NULL;
    EBM_TRY(
        ebm_compose(&kind, &part, 1, height, width, part->channels, &model));
    ebm_composition *self = model->self;
    self->factor = factor;
    *out = model;
    return EBM_OK;
}
