#include "colour.h"

#include <stdio.h>
#include <string.h>

#include "try.h"

/* The preset with the settings' choices, or the end of the program. */
static ebm_preset *choose(ebm_context *context, const settings *s)
{
    ebm_preset *preset = NULL;
    if (ebm_preset_create(context, s->preset, &preset) != EBM_OK)
        fail(EXIT_USAGE, "--preset: %s", ebm_context_last_error(context));
    if (ebm_preset_set(preset, EBM_PRESET_WIDTH, (double)s->width) != EBM_OK)
        fail(EXIT_USAGE, "--width: %s", ebm_context_last_error(context));
    int is_code = strcmp(s->variant, "code") == 0;
    if (!is_code && strcmp(s->variant, "paper") != 0)
        fail(EXIT_USAGE, "--variant: '%s' is neither paper nor code",
             s->variant);
    TRY(ebm_preset_set(preset, EBM_PRESET_VARIANT,
                       is_code ? EBM_PRESET_CODE : EBM_PRESET_PAPER));
    return preset;
}

static ebm_model *make_model(ebm_context *context, const settings *s)
{
    ebm_preset *preset = choose(context, s);
    ebm_model *model = NULL;
    if (ebm_preset_make_model(preset, s->seed, &model) != EBM_OK)
        fail(EXIT_USAGE, "--width: %s", ebm_context_last_error(context));
    ebm_preset_destroy(preset);
    return model;
}

/* Pictures of any size become what the network takes. */
static ebm_dataset *open_folder(ebm_context *context, const settings *s)
{
    ebm_dataset *images = NULL;
    size_t shape[3];
    if (s->data == NULL)
        return NULL;
    ebm_model *model = make_model(context, s);
    TRY(ebm_model_shape(model, shape, shape + 1, shape + 2));
    ebm_model_destroy(model);
    if (ebm_dataset_create_folder(context, s->data, shape[0], shape[1],
                                  shape[2], 0, s->seed, &images) != EBM_OK)
        fail(EXIT_USAGE, "--data: %s", ebm_context_last_error(context));
    TRY(ebm_dataset_set(images, EBM_DATASET_DEQUANTISE, 1.0));
    printf("data: %s, %zu images, reduced to %zu x %zu\n", s->data,
           ebm_dataset_count(images), shape[0], shape[1]);
    return images;
}

static ebm_model *build(ebm_context *context, const settings *s, size_t height,
                        size_t width, size_t channels)
{
    (void)height, (void)width, (void)channels; /* of this very network */
    ebm_model *model = make_model(context, s);
    printf("model: %s, %zu energies added up, %zu parameters\n", s->preset,
           ebm_model_part_count(model), ebm_model_parameter_count(model));
    return model;
}

/* The published settings are for pixels in [0, 1]: a step of 100 and noise of
   0.001. In [-1, 1] pixels are twice as far apart and gradients half as large,
   so the same step is one of 400 and the noise one of 0.002. Gradients are not
   clipped. */
static ebm_sampler *langevin(ebm_context *context, size_t steps)
{
    ebm_sampler *s = NULL;
    TRY(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &s));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, (double)steps));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEP_SIZE, 400.0));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_NOISE_STD, 0.002));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MIN, -1.0));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MAX, 1.0));
    return s;
}

static ebm_optimizer *adam(ebm_context *context, ebm_model *model)
{
    ebm_optimizer *a = NULL;
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, model, &a));
    TRY(ebm_optimizer_set(a, EBM_OPTIMIZER_LEARNING_RATE, 2e-4));
    TRY(ebm_optimizer_set(a, EBM_OPTIMIZER_BETA1, 0.0));
    TRY(ebm_optimizer_set(a, EBM_OPTIMIZER_BETA2, 0.9));
    TRY(ebm_optimizer_set(a, EBM_OPTIMIZER_CLIP_NORM, 0.5));
    TRY(ebm_optimizer_set(a, EBM_OPTIMIZER_EMA_DECAY, 0.99));
    return a;
}

const recipe colour_recipe = {open_folder, build, langevin, adam};
