/* Classification by lowest energy: one batch of energies for each class. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "model/evaluate.h"

/* What one call works with. */
typedef struct search {
    int32_t *tags;   /* [n], the class at hand */
    int32_t *best;   /* [n] */
    float *energies; /* [n, classes] */
    float *column;   /* [n], energies of the class at hand */
    ebm_slab_memory memory;
} search;

static ebm_status allocate(const ebm_model *model, size_t n, search *s)
{
    const ebm_context *context = ebm_context_of(model);
    size_t all;
    if (!ebm_multiply(n, model->classes, &all))
        return ebm_fail(context, EBM_ERROR_OVERFLOW,
                        "%zu energies of %zu samples do not fit into memory",
                        model->classes, n);
    s->tags = ebm_alloc_zero(context, n, sizeof *s->tags);
    s->best = ebm_alloc_zero(context, n, sizeof *s->best);
    s->column = ebm_alloc(context, n, sizeof *s->column);
    s->energies = ebm_alloc(context, all, sizeof *s->energies);
    if (!s->tags || !s->best || !s->column || !s->energies)
        return ebm_out_of_memory(context, "the energies of all classes");
    return EBM_OK;
}

static ebm_status run(const ebm_model *model, const float *x, size_t n,
                      search *s)
{
    const ebm_context *context = ebm_context_of(model);
    size_t classes = model->classes;
    /* The labels are zeros so far: a class that there is. */
    EBM_TRY(ebm_model_check_batch(model, x, s->tags, n));
    for (size_t y = 0; y < classes; y++) {
        for (size_t i = 0; i < n; i++)
            s->tags[i] = (int32_t)y;
        EBM_TRY(ebm_model_evaluate(model, &s->memory, EBM_PASS_ENERGY, x,
                                   s->tags, n, s->column, NULL));
        for (size_t i = 0; i < n; i++) {
            float *own = s->energies + i * classes;
            if (!isfinite(s->column[i]))
                return ebm_fail(context, EBM_ERROR_NON_FINITE,
                                "the energy of sample %zu in class %zu is not "
                                "finite",
                                i, y);
            own[y] = s->column[i];
            if (own[y] < own[s->best[i]])
                s->best[i] = (int32_t)y;
        }
    }
    return EBM_OK;
}

ebm_status ebm_model_classify(const ebm_model *model, const float *x, size_t n,
                              int32_t *labels, float *energies)
{
    EBM_CHECK_HANDLE(model, EBM_TYPE_MODEL);
    const ebm_context *context = ebm_context_of(model);
    if (!model->classes)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "this %s model has no classes", model->ops->kind);
    if (!x || !n)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        x ? "n is 0" : "x is NULL");
    search s = {0};
    ebm_object_hold(model);
    ebm_status status = allocate(model, n, &s);
    if (status == EBM_OK)
        status = run(model, x, n, &s);
    if (status == EBM_OK && labels)
        memcpy(labels, s.best, n * sizeof *labels);
    if (status == EBM_OK && energies)
        memcpy(energies, s.energies, n * model->classes * sizeof *energies);
    ebm_slab_memory_free(&s.memory);
    ebm_free(context, s.energies);
    ebm_free(context, s.column);
    ebm_free(context, s.best);
    ebm_free(context, s.tags);
    ebm_object_let_go(model);
    return status;
}
