/* Colour: the arithmetic, plane by plane. */
#include "transition/colour.h"

#include "core/memory.h"

#include <string.h>

typedef struct picture {
    const ebm_kernels *kernels;
    const ebm_transition_shape *shape;
    size_t pixels, length; /* of a plane, without and with its padding */
    float *planes;
} picture;

size_t ebm_colour_scratch(const ebm_transition_shape *shape)
{
    return shape->channels *
           ebm_round_up(shape->height * shape->width, EBM_LANES);
}

static picture open_picture(const ebm_transition_shape *shape,
                            const float *image, float *scratch)
{
    const ebm_kernels *kernels = shape->kernels;
    picture p = {.kernels = kernels,
                 .shape = shape,
                 .pixels = shape->height * shape->width,
                 .planes = scratch};
    p.length = ebm_round_up(p.pixels, EBM_LANES);
    for (size_t c = 0; c < shape->channels; c++)
        memset(scratch + c * p.length + p.pixels, 0,
               (p.length - p.pixels) * sizeof *scratch);
    kernels->to_planes(p.pixels, shape->channels, p.length, shape->minimum,
                       1.0f / (shape->maximum - shape->minimum), image,
                       scratch);
    return p;
}

static void close_picture(const picture *p, float *image)
{
    const ebm_transition_shape *shape = p->shape;
    p->kernels->from_planes(p->pixels, shape->channels, p->length,
                            shape->minimum, shape->maximum - shape->minimum,
                            shape->minimum, shape->maximum, p->planes, image);
}

static void blend(const picture *p, float factor, double other)
{
    p->kernels->blend(p->shape->channels * p->length, factor, (float)other,
                      p->planes);
}

static void change(const picture *p, ebm_colour_step step, float amount)
{
    float *red = p->planes, *green = red + p->length;
    float *blue = green + p->length;
    switch (step) {
    case EBM_COLOUR_BRIGHTNESS: /* with black */
        blend(p, amount, 0.0);
        break;
    case EBM_COLOUR_CONTRAST: /* with the mean grey */
        blend(p, amount,
              p->kernels->mean_luma(p->pixels, p->shape->channels, p->length,
                                    p->planes));
        break;
    case EBM_COLOUR_SATURATION: /* with each pixel's grey */
        p->kernels->saturate(p->length, amount, red, green, blue);
        break;
    default:
        p->kernels->turn_hue(p->length, amount, red, green, blue);
    }
}

void ebm_jitter_apply(const ebm_jitter *jitter,
                      const ebm_transition_shape *shape, float *image,
                      float *scratch)
{
    picture p = open_picture(shape, image, scratch);
    for (size_t i = 0; i < EBM_COLOUR_STEPS; i++) {
        ebm_colour_step step = jitter->order[i];
        if (jitter->is_on[step])
            change(&p, step, (float)jitter->amount[step]);
    }
    close_picture(&p, image);
}

void ebm_grayscale_apply(const ebm_transition_shape *shape, float *image,
                         float *scratch)
{
    picture p = open_picture(shape, image, scratch);
    p.kernels->to_grey(p.length, p.planes, p.planes + p.length,
                       p.planes + 2 * p.length);
    close_picture(&p, image);
}
