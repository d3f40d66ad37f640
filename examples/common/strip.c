#include "strip.h"

#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "try.h"

int strip_observe(size_t step, const ebm_chains *chains, void *user)
{
    strip *s = user;
    size_t elements = s->height * s->width * s->channels;
    if (s->taken < s->columns && step == s->steps[s->taken]) {
        const float *x = ebm_chains_states(chains);
        for (size_t row = 0; row < s->rows; row++)
            memcpy(s->images + (row * s->columns + s->taken) * elements,
                   x + row * elements, elements * sizeof *x);
        s->taken++;
    }
    return interrupted();
}

void strip_begin(strip *s, const ebm_chains *chains, size_t rows,
                 const size_t *steps, size_t columns)
{
    *s = (strip){.rows = rows, .columns = columns, .steps = steps};
    ebm_chains_shape(chains, &s->height, &s->width, &s->channels);
    s->images = try_allocate(rows * columns * s->height * s->width,
                             s->channels * sizeof *s->images);
    strip_observe(0, chains, s);
}

ebm_status strip_write(strip *s, ebm_context *context, const char *path,
                       size_t zoom)
{
    ebm_status status = ebm_image_write_grid(
        context, path, s->images, s->rows * s->columns, s->height, s->width,
        s->channels, s->columns, zoom, -1.0, 1.0);
    strip_free(s);
    return status;
}

void strip_free(strip *s)
{
    free(s->images);
    s->images = NULL;
}
