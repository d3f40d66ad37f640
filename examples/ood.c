/*
 * ood: what is out of distribution has a high energy.
 *
 * An energy that was trained on digits should be low on digits and higher on
 * everything else. This program asks a model that du_mordatch saved for the
 * energies of digits and of sets of other images:
 *
 *     clothes     Fashion-MNIST, when it is there: real images, other content
 *     noise       uniform in [-1, 1]
 *     shuffled    digits with their pixels in another order: the same greys
 *     negative    black on white
 *     turned      digits upside down
 *     mirrored    digits as in a mirror
 *
 * For each it prints the AUROC, the probability that such an image has a
 * higher energy than a digit: 1 when energy tells the two apart, 0.5 when it
 * does not, less when it takes the other for the better digit. ood.png shows
 * the energies.
 *
 * Nothing here needs log Z, which is the same for all images, nor a
 * temperature, which changes no order: what makes energies useful as they are.
 *
 * Read judge().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/digits.h"
#include "common/files.h"
#include "common/histogram.h"
#include "common/options.h"
#include "common/try.h"

static const char *const clothes_file =
    "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";

/* Images of one kind, [n, elements]. */
typedef struct gallery {
    ebm_context *context;
    const ebm_model *model;
    size_t n, height, width, channels, elements;
    float *digits; /* what the other sets are made of */
    float *x;      /* the set that is looked at */
} gallery;

enum { SETS = 7 };

/* The images of a file in its order, with the little noise that training puts
   on all images: a set must not be told by how clean it is. */
static void read_images(gallery *g, ebm_dataset *images, float *x)
{
    ebm_context *context = g->context;
    TRY(ebm_dataset_set(images, EBM_DATASET_NOISE_STD, digits_noise_std));
    TRY(ebm_dataset_set(images, EBM_DATASET_SHUFFLE, 0));
    TRY(ebm_dataset_next(images, g->n, x, NULL));
}

/* Returns whether there are clothes. */
static int read_clothes(gallery *g, const char *other, uint64_t seed)
{
    ebm_context *context = g->context;
    ebm_dataset *images = NULL;
    size_t height, width, channels;
    char *path = find_idx_images(other != NULL ? other : clothes_file);
    if (path == NULL && other != NULL)
        fail(EXIT_USAGE, "--other: no IDX image file at %s", other);
    if (path == NULL) {
        puts("clothes: not there, left out; sh examples/data/fetch_fashion.sh "
             "fetches them");
        return 0;
    }
    if (ebm_dataset_create_idx(context, path, NULL, seed, &images) != EBM_OK)
        fail(EXIT_USAGE, "--other: %s", ebm_context_last_error(context));
    TRY(ebm_dataset_shape(images, &height, &width, &channels));
    if (height != g->height || width != g->width || channels != g->channels)
        fail(EXIT_USAGE,
             "--other: %s has images of %zu x %zu x %zu, not %zu "
             "x %zu x %zu",
             path, height, width, channels, g->height, g->width, g->channels);
    if (ebm_dataset_count(images) < g->n)
        fail(EXIT_USAGE, "--other: %s has %zu images; see --images", path,
             ebm_dataset_count(images));
    printf("clothes: %s\n", path);
    read_images(g, images, g->x);
    ebm_dataset_destroy(images);
    free(path);
    return 1;
}

/* Random numbers come from where all come from here, a chains object. */
static void make_noise(gallery *g, uint64_t seed)
{
    ebm_context *context = g->context;
    ebm_chains *noise = NULL;
    TRY(ebm_chains_create(context, g->n, g->height, g->width, g->channels,
                          seed, &noise));
    TRY(ebm_chains_init_uniform(noise, -1.0, 1.0));
    memcpy(g->x, ebm_chains_states(noise), g->n * g->elements * sizeof *g->x);
    ebm_chains_destroy(noise);
}

/* One order of the pixels for all digits: that of random keys. */
typedef struct key {
    float value;
    size_t pixel;
} key;

static int by_key(const void *a, const void *b)
{
    float x = ((const key *)a)->value, y = ((const key *)b)->value;
    return (x > y) - (x < y);
}

static void shuffle(gallery *g, uint64_t seed)
{
    key *keys = try_allocate(g->elements, sizeof *keys);
    make_noise(g, seed);
    for (size_t i = 0; i < g->elements; i++)
        keys[i] = (key){g->x[i], i};
    qsort(keys, g->elements, sizeof *keys, by_key);
    for (size_t i = 0; i < g->n * g->elements; i++)
        g->x[i] = g->digits[i - i % g->elements + keys[i % g->elements].pixel];
    free(keys);
}

static void negate(gallery *g)
{
    for (size_t i = 0; i < g->n * g->elements; i++)
        g->x[i] = -g->digits[i];
}

/* Mirrors left and right, and with it top and bottom to turn by 180 degrees.
 */
static void mirror(gallery *g, int turn)
{
    size_t line = g->width * g->channels;
    for (size_t row = 0; row < g->n * g->height; row++) {
        size_t y = row % g->height;
        size_t from = turn ? row - y + g->height - 1 - y : row;
        for (size_t i = 0; i < line; i++) {
            size_t pixel = g->width - 1 - i / g->channels;
            g->x[row * line + i] =
                g->digits[from * line + pixel * g->channels + i % g->channels];
        }
    }
}

/* Energies of g->x, their AUROC against those of digits, and one line. */
static void judge(gallery *g, const char *name, const float *colour,
                  histogram_set *sets, size_t *count)
{
    ebm_context *context = g->context;
    histogram_set *set = &sets[(*count)++];
    float *energy = try_allocate(g->n, sizeof *energy);
    double mean = 0.0, square = 0.0, auroc = 0.0;
    TRY(ebm_model_energy(g->model, g->x, NULL, g->n, energy));
    for (size_t i = 0; i < g->n; i++)
        mean += (double)energy[i] / (double)g->n;
    for (size_t i = 0; i < g->n; i++)
        square += ((double)energy[i] - mean) * ((double)energy[i] - mean);
    if (!isfinite(mean) || !isfinite(square))
        fail(EXIT_RUN, "the model has no finite energy for some of %s", name);
    *set = (histogram_set){.name = name, .values = energy, .count = g->n};
    memcpy(set->colour, colour, sizeof set->colour);
    printf("%-9s energy %+.4f +- %.4f", name, mean,
           sqrt(square / (double)g->n));
    if (set != sets) {
        TRY(ebm_diagnostics_auroc(context, sets[0].values, sets[0].count,
                                  energy, g->n, &auroc));
        printf("  AUROC %.4f", auroc);
        snprintf(set->note, sizeof set->note, "auroc %.3f", auroc);
    }
    putchar('\n');
}

static void judge_all(gallery *g, const char *other, uint64_t seed,
                      const char *picture)
{
    static const float blue[3] = {0.25f, 0.45f, 0.75f};
    static const float orange[3] = {0.93f, 0.55f, 0.20f};
    static const float green[3] = {0.40f, 0.65f, 0.40f};
    ebm_context *context = g->context;
    histogram_set sets[SETS];
    size_t count = 0;
    memcpy(g->x, g->digits, g->n * g->elements * sizeof *g->x);
    judge(g, "digits", blue, sets, &count);
    if (read_clothes(g, other, seed))
        judge(g, "clothes", orange, sets, &count);
    make_noise(g, seed);
    judge(g, "noise", orange, sets, &count);
    shuffle(g, seed + 1);
    judge(g, "shuffled", green, sets, &count);
    negate(g);
    judge(g, "negative", green, sets, &count);
    mirror(g, 1);
    judge(g, "turned", green, sets, &count);
    mirror(g, 0);
    judge(g, "mirrored", green, sets, &count);
    TRY(histogram_write(context, picture,
                        "energies (outline: those of digits)", "energy", sets,
                        count));
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)sets[i].values);
}

static ebm_model *load_model(ebm_context *context, const char *file)
{
    ebm_model *model = NULL;
    char *shipped = file == NULL ? digits_model() : NULL;
    if (file == NULL && shipped == NULL)
        fail(EXIT_USAGE, "no model found; say which with --model");
    if (ebm_model_load(context, file != NULL ? file : shipped, &model) !=
        EBM_OK)
        fail(EXIT_USAGE, "--model: %s", ebm_context_last_error(context));
    if (ebm_model_class_count(model) > 0)
        fail(EXIT_USAGE, "--model: a model of classes has no energy of an "
                         "image alone");
    printf("model: %s\n", file != NULL ? file : shipped);
    free(shipped);
    return model;
}

int main(int argc, char **argv)
{
    const char *out = "out", *file = NULL, *other = NULL;
    settings s = {.seed = 1};
    uint64_t images = 10000;
    const option_row rows[] = {
        {"model", "FILE", "a model of digits, else the shipped one",
         .text = &file},
        {"data", "PATH", "IDX images that it knows, raw or gzip, or a folder",
         .text = &s.data},
        {"other", "PATH", "IDX images that it does not know", .text = &other},
        {"images", "N", "how many of each set", .number = &images,
         .minimum = 2, .maximum = 1000000},
        {"out", "FOLDER", "where ood.png goes", .text = &out},
        {"seed", "N", "of the noise", .number = &s.seed,
         .maximum = UINT64_MAX},
        {"threads", "N", "processors to use, 0 for all", .number = &s.threads,
         .maximum = 1024}};
    options_parse(argc, argv,
                  "Compares the energies of digits with those of other "
                  "images. Writes ood.png.",
                  rows, sizeof rows / sizeof rows[0]);
    make_folder(out);
    check_writable(out, "ood.png");
    ebm_context *context = NULL;
    TRY(ebm_context_create(&context));
    if (s.threads > 0)
        TRY(ebm_context_set(context, EBM_CONTEXT_THREADS, (double)s.threads));
    ebm_model *model = load_model(context, file);
    ebm_dataset *digits = digits_recipe.open(context, &s);
    if (digits == NULL)
        fail(EXIT_USAGE, "no images found; say where with --data");
    gallery g = {.context = context, .model = model};
    size_t height, width, channels;
    TRY(ebm_model_shape(model, &g.height, &g.width, &g.channels));
    TRY(ebm_dataset_shape(digits, &height, &width, &channels));
    if (height != g.height || width != g.width || channels != g.channels)
        fail(EXIT_USAGE,
             "--model: for images of %zu x %zu x %zu, not %zu x "
             "%zu x %zu",
             g.height, g.width, g.channels, height, width, channels);
    g.n = (size_t)images;
    if (g.n > ebm_dataset_count(digits))
        g.n = ebm_dataset_count(digits);
    g.elements = height * width * channels;
    g.digits = try_allocate(g.n * g.elements, sizeof *g.digits);
    g.x = try_allocate(g.n * g.elements, sizeof *g.x);
    read_images(&g, digits, g.digits);
    judge_all(&g, other, s.seed, path_in(out, "ood.png"));
    printf("done: %s/ood.png\n", out);
    try_output();
    free(g.x);
    free(g.digits);
    ebm_dataset_destroy(digits);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return EXIT_SUCCESS;
}
