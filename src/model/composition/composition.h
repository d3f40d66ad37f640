/*
 * Compositions from the inside: models whose energy is made of their parts'.
 *
 * All kinds share one shell. It gathers the parts' parameters (compose.c), and
 * it cuts whole batches (chunk.c): a composition with a part of callbacks has
 * slab 0 and gets a batch at once, but a network among its parts has a
 * workspace for each sample. So the batch goes through in chunks of the
 * smallest slab. In a chunk networks see padding, as in any slab, so that a
 * sample's bits depend on its place alone; callbacks see the samples that
 * there are.
 */
#ifndef EBM_MODEL_COMPOSITION_COMPOSITION_H
#define EBM_MODEL_COMPOSITION_COMPOSITION_H

#include <ebm/composition.h>

#include "core/memory.h"
#include "kernel/kernels.h"
#include "model/model.h"

/* A composition and all that it is made of, nested ones included, each as
   often as it appears: what a pass descends into. */
enum { EBM_MOST_MEMBERS = 512 };

/* The arithmetic of a kind on a slab of n samples of which the first `count`
   are not padding. Otherwise as in ebm_model_ops. */
typedef struct ebm_composition_kind {
    ebm_model_ops ops;
    size_t (*workspace)(const ebm_model *model, ebm_pass_mode mode, size_t n);
    ebm_status (*pass)(const ebm_model *model, ebm_pass_mode mode,
                       const ebm_slab *slab, size_t count,
                       ebm_scale_fn scale_of, void *argument);
    size_t (*tangent_workspace)(const ebm_model *model, size_t n);
    ebm_status (*tangent)(const ebm_model *model, const ebm_tangent_slab *slab,
                          size_t count);
    /* Of the kinds in terms.c: turns the parts' energies, [parts, stride],
       into the whole's, [count], and shares[parts, stride] = dE/dE_k; a sum's
       shares are its weights already. */
    void (*combine)(const ebm_model *model, size_t count, size_t stride,
                    const float *energies, double *shares, float *energy);
    /* The shares are the weights, whatever the energies are. */
    int is_linear;
} ebm_composition_kind;

/* What a composition has of its own. */
typedef struct ebm_composition {
    const ebm_composition_kind *kind;
    size_t count;
    ebm_model **parts; /* referred to */
    double *weights;   /* [count]; a mixture's are logarithms */
    double *given;     /* [count]: what the caller said, weights or a
                          temperature, for model files */
    size_t factor;     /* of a view */
    size_t chunk;      /* smallest slab of a part; 0: all are callbacks */
    size_t members;
} ebm_composition;

/* The shell's half of a kind's ops. */
void ebm_compose_finish(ebm_model *model);
size_t ebm_compose_workspace(const ebm_model *model, ebm_pass_mode mode,
                             size_t n);
ebm_status ebm_compose_pass(const ebm_model *model, ebm_pass_mode mode,
                            const ebm_slab *slab, ebm_scale_fn scale_of,
                            void *argument);
size_t ebm_compose_tangent_workspace(const ebm_model *model, size_t n);
ebm_status ebm_compose_tangent(const ebm_model *model,
                               const ebm_tangent_slab *slab);
#define EBM_COMPOSE_OPS(name)                                     \
    .kind = (name), .finish = ebm_compose_finish,                 \
    .workspace = ebm_compose_workspace, .pass = ebm_compose_pass, \
    .tangent_workspace = ebm_compose_tangent_workspace,           \
    .tangent = ebm_compose_tangent

/* HANDLE, ARGUMENT, CONTEXT, SHAPE: what parts must be to stand together. */
ebm_status ebm_compose_check(ebm_model *const *parts, size_t count,
                             ebm_model **model);

/* Makes a composition of parts that were checked, for samples of that shape;
   its weights are 1. The caller adds what the kind has besides. */
ebm_status ebm_compose(const ebm_composition_kind *kind,
                       ebm_model *const *parts, size_t count, size_t height,
                       size_t width, size_t channels, ebm_model **model);

/* The inside of a composition; NULL for a model of another kind. */
const ebm_composition *ebm_composition_of(const ebm_model *model);

/* The slab that part k gets: the samples, labels and root of the whole's, no
   arrays of its own yet, and the whole's gradient as scratch. */
ebm_slab ebm_part_slab(const ebm_model *model, size_t k, const ebm_slab *slab,
                       size_t count);
ebm_tangent_slab ebm_part_tangent(const ebm_model *model, size_t k,
                                  const ebm_tangent_slab *slab, size_t count);

/* Floats that part k needs; n as of the whole. */
size_t ebm_part_workspace(const ebm_model *model, size_t k, ebm_pass_mode mode,
                          size_t n);

/* The passes of sums and mixtures: terms.c. */
size_t ebm_terms_workspace(const ebm_model *model, ebm_pass_mode mode,
                           size_t n);
ebm_status ebm_terms_pass(const ebm_model *model, ebm_pass_mode mode,
                          const ebm_slab *slab, size_t count,
                          ebm_scale_fn scale_of, void *argument);
size_t ebm_terms_tangent_workspace(const ebm_model *model, size_t n);
ebm_status ebm_terms_tangent(const ebm_model *model,
                             const ebm_tangent_slab *slab, size_t count);

/* Cuts a workspace into arrays of whole vectors. With a NULL it only counts,
   so one function can both size a workspace and lay it out. */
typedef struct ebm_carver {
    float *from;
    size_t floats; /* so far */
} ebm_carver;

static inline float *ebm_carve(ebm_carver *carver, size_t floats)
{
    float *array = carver->from ? carver->from + carver->floats : NULL;
    carver->floats += ebm_round_up(floats, EBM_LANES);
    return array;
}

static inline double *ebm_carve_doubles(ebm_carver *carver, size_t doubles)
{
    return (double *)(void *)ebm_carve(carver, 2 * doubles);
}

#endif
