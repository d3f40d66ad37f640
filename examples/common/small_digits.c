#include "small_digits.h"

#include <math.h>
#include <stdlib.h>

#include "canvas.h"
#include "digits.h"
#include "try.h"

enum { SIDE = SMALL_DIGITS_SIDE, SIZE = SMALL_DIGITS_SIZE };

/* grey = floor(8 v) of v in [0, 1], and from there to x = 2 (grey + u) / 8 - 1
   with u uniform: those come from where all random numbers come from here, a
   chains object. */
static void spread(ebm_context *context, float *x, size_t n, uint64_t seed)
{
    ebm_chains *uniform = NULL;
    TRY(ebm_chains_create(context, n, SIDE, SIDE, 1, seed, &uniform));
    TRY(ebm_chains_init_uniform(uniform, 0.0, 1.0));
    const float *u = ebm_chains_states(uniform);
    for (size_t i = 0; i < n * SIZE; i++) {
        double grey = floor(((double)x[i] + 1) / SMALL_DIGITS_BIN);
        grey = fmin(grey, SMALL_DIGITS_GREYS - 1);
        x[i] = (float)((grey + (double)u[i]) * SMALL_DIGITS_BIN - 1);
    }
    ebm_chains_destroy(uniform);
}

float *small_digits_create(ebm_context *context, const settings *s,
                           size_t *count)
{
    size_t height, width, channels;
    ebm_dataset *data = digits_recipe.open(context, s);
    if (data == NULL)
        fail(EXIT_USAGE, "no images found; say where with --data");
    size_t n = ebm_dataset_count(data);
    TRY(ebm_dataset_shape(data, &height, &width, &channels));
    if (n < 5)
        fail(EXIT_USAGE, "--data: %zu images are not enough to learn", n);
    float *large = try_allocate(n * height * width * channels, sizeof *large);
    float *x = try_allocate(n * SIZE, sizeof *x);
    TRY(ebm_dataset_read(data, 0, n, large, NULL));
    TRY(ebm_image_resize(context, large, n, height, width, channels, SIDE,
                         SIDE, x));
    spread(context, x, n, s->seed);
    free(large);
    ebm_dataset_destroy(data);
    *count = n;
    return x;
}

enum { COLUMNS = 16, MOST = 64, ZOOM = 5, TILE = SIDE * ZOOM + 1, TITLE = 32 };

/* A line of text, and below it up to MOST images. */
static void draw_block(canvas *c, int top, const char *title, const float *x,
                       size_t count)
{
    static const float black[3] = {0.0f, 0.0f, 0.0f};
    size_t pixels = (count < MOST ? count : MOST) * SIZE;
    canvas_text(c, 4, top + 9, title, black);
    for (size_t i = 0; i < pixels; i++) {
        int tile = (int)(i / SIZE), pixel = (int)(i % SIZE);
        int left = tile % COLUMNS * TILE + pixel % SIDE * ZOOM;
        int row = top + TITLE + tile / COLUMNS * TILE + pixel / SIDE * ZOOM;
        double dark = fmin(fmax((1.0 - (double)x[i]) / 2, 0.0), 1.0);
        for (int k = 0; k < ZOOM * ZOOM; k++)
            canvas_blend(c, left + k % ZOOM, row + k / ZOOM, black, dark);
    }
}

void small_digits_draw(ebm_context *context, const char *path,
                       const float *digits, size_t digit_count,
                       const float *samples, size_t sample_count)
{
    enum { BLOCK = TITLE + MOST / COLUMNS * TILE };
    canvas c = canvas_create(COLUMNS * TILE - 1, 2 * BLOCK - 1);
    draw_block(&c, 0, "digits that were held out", digits, digit_count);
    draw_block(&c, BLOCK, "samples of the model", samples, sample_count);
    TRY(ebm_image_write_png(context, path, c.pixels, (size_t)c.height,
                            (size_t)c.width, 3, 0.0, 1.0));
    canvas_free(&c);
}
