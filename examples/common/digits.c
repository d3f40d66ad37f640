#include "digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "try.h"

/* This noise goes onto data and chains alike, so that the two can not be told
   apart by how clean they are. */
const double digits_noise_std = 0.005;

char *digits_find(const char *data)
{
    if (data == NULL)
        return find_shipped_images(__FILE__);
    char *path = find_idx_images(data);
    if (path == NULL)
        fail(EXIT_USAGE, "--data: no IDX image file at %s", data);
    return path;
}

char *digits_model(void)
{
    static const char *const name = "digits-plain.safetensors";
    char *images = find_shipped_images(__FILE__);
    char *slash = images != NULL ? strrchr(images, '/') : NULL;
    char *path = NULL;
    if (slash != NULL) {
        *slash = '\0';
        if (access(path_in(images, name), R_OK) == 0)
            path = try_copy(path_in(images, name));
    }
    free(images);
    return path;
}

static ebm_dataset *open_digits(ebm_context *context, const settings *s)
{
    ebm_dataset *digits = NULL;
    size_t height, width;
    char *path = digits_find(s->data);
    if (path == NULL)
        return NULL;
    char *labels = find_idx_labels(path);
    if (ebm_dataset_create_idx(context, path, labels, s->seed, &digits) !=
        EBM_OK)
        fail(EXIT_USAGE, "--data: %s", ebm_context_last_error(context));
    TRY(ebm_dataset_set(digits, EBM_DATASET_NOISE_STD, digits_noise_std));
    TRY(ebm_dataset_shape(digits, &height, &width, NULL));
    printf("data: %s, %zu images of %zu x %zu\n", path,
           ebm_dataset_count(digits), height, width);
    free(labels);
    free(path);
    return digits;
}

/* Four convolutions that halve the image each, and two dense layers: 76,993
   parameters for 28 x 28. Swish is smooth, which the chains like: they follow
   the gradient of what is built here. */
static ebm_model *build(ebm_context *context, const settings *s, size_t height,
                        size_t width, size_t channels)
{
    ebm_network *net = NULL;
    ebm_model *model = NULL;
    TRY(ebm_network_create(context, height, width, channels, &net));
    /* channels, kernel, stride, padding */
    TRY(ebm_network_conv2d(net, 16, 5, 2, 4));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_conv2d(net, 32, 3, 2, 1));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_conv2d(net, 64, 3, 2, 1));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_conv2d(net, 64, 3, 2, 1));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_flatten(net));
    TRY(ebm_network_dense(net, 64));
    TRY(ebm_network_swish(net));
    TRY(ebm_network_dense(net, 1));
    TRY(ebm_model_create_network(net, s->seed, &model));
    ebm_network_destroy(net);
    return model;
}

/*
 * Each step adds noise and then moves against the energy's gradient:
 *
 *     y  = clamp(x + 0.005 xi),  x' = clamp(y - 10 clip(grad E(y))).
 *
 * The clip keeps a step from tearing an image apart while the energy is still
 * rough, the clamp keeps pixels in the range of the data.
 */
ebm_sampler *digits_langevin(ebm_context *context, size_t steps)
{
    ebm_sampler *langevin = NULL;
    TRY(ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &langevin));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STEPS, (double)steps));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STEP_SIZE, 10.0));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_NOISE_STD, digits_noise_std));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_GRADIENT_CLIP, 0.03));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STATE_MIN, -1.0));
    TRY(ebm_sampler_set(langevin, EBM_SAMPLER_STATE_MAX, 1.0));
    return langevin;
}

/* Small clipped steps without momentum keep model and chains from running
   away from each other. */
static ebm_optimizer *build_adam(ebm_context *context, ebm_model *model)
{
    ebm_optimizer *adam = NULL;
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, model, &adam));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_LEARNING_RATE, 1e-4));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_BETA1, 0.0));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_BETA2, 0.999));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_CLIP_NORM, 0.1));
    return adam;
}

const recipe digits_recipe = {open_digits, build, digits_langevin, build_adam};
