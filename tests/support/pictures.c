/* PNG files of all formats, and what they show. */
#include "pictures.h"

#include <png.h>

const test_format test_formats[TEST_FORMATS] = {
    {1, PNG_COLOR_TYPE_GRAY, 0},       {2, PNG_COLOR_TYPE_GRAY, 0},
    {4, PNG_COLOR_TYPE_GRAY, 0},       {8, PNG_COLOR_TYPE_GRAY, 0},
    {16, PNG_COLOR_TYPE_GRAY, 0},      {2, PNG_COLOR_TYPE_GRAY, 1},
    {8, PNG_COLOR_TYPE_GRAY, 1},       {16, PNG_COLOR_TYPE_GRAY, 1},
    {8, PNG_COLOR_TYPE_GRAY_ALPHA, 0}, {16, PNG_COLOR_TYPE_GRAY_ALPHA, 0},
    {8, PNG_COLOR_TYPE_RGB, 0},        {16, PNG_COLOR_TYPE_RGB, 0},
    {8, PNG_COLOR_TYPE_RGB, 1},        {16, PNG_COLOR_TYPE_RGB, 1},
    {8, PNG_COLOR_TYPE_RGB_ALPHA, 0},  {16, PNG_COLOR_TYPE_RGB_ALPHA, 0},
    {1, PNG_COLOR_TYPE_PALETTE, 0},    {2, PNG_COLOR_TYPE_PALETTE, 1},
    {4, PNG_COLOR_TYPE_PALETTE, 0},    {4, PNG_COLOR_TYPE_PALETTE, 1},
    {8, PNG_COLOR_TYPE_PALETTE, 0},    {8, PNG_COLOR_TYPE_PALETTE, 1},
};

const test_format test_plain = {8, PNG_COLOR_TYPE_RGB_ALPHA, 0};

/* What is transparent: one grey or colour, or half of the palette. */
typedef struct table {
    png_color colours[256];
    png_byte alphas[256];
    png_color_16 key;
} table;

static table make_table(const test_format *format, uint64_t *state)
{
    table made = {.key = {0}};
    for (int i = 0; i < 256; i++) {
        made.colours[i].red = (png_byte)test_random_word(state);
        made.colours[i].green = (png_byte)test_random_word(state);
        made.colours[i].blue = (png_byte)test_random_word(state);
        made.alphas[i] = (png_byte)test_random_word(state);
    }
    /* A colour that is met: see random_value(). */
    png_uint_16 half = (png_uint_16)(1 << (format->depth - 1));
    made.key.gray = made.key.red = made.key.green = made.key.blue = half;
    return made;
}

/* Now and then the transparent value. */
static unsigned random_value(const test_format *format, uint64_t *state,
                             int keyed)
{
    unsigned half = 1u << (format->depth - 1);
    return keyed ? half : (unsigned)test_random_word(state) & (2 * half - 1);
}

/* One sample of a row, as PNG packs it: high bits and bytes first. */
static void put_value(png_byte *row, size_t i, int depth, unsigned value)
{
    if (depth == 16) {
        row[2 * i] = (png_byte)(value >> 8);
        row[2 * i + 1] = (png_byte)value;
    } else {
        size_t bit = i * (size_t)depth;
        row[bit / 8] |= (png_byte)(value << (8 - depth - (int)(bit % 8)));
    }
}

/* Makes one pixel: in the row, and as RGBA. */
static void make_pixel(const test_format *format, const table *made,
                       uint64_t *state, png_byte *row, size_t x,
                       double rgba[4])
{
    unsigned values[4] = {0};
    double largest = (double)((1u << format->depth) - 1);
    int type = format->colour_type;
    int palette = type == PNG_COLOR_TYPE_PALETTE;
    int colour = !palette && (type & PNG_COLOR_MASK_COLOR);
    int alpha = type & PNG_COLOR_MASK_ALPHA;
    size_t n = (colour ? 3u : 1u) + (alpha ? 1u : 0u);
    int keyed = test_random_word(state) % 4 == 0;
    for (size_t c = 0; c < n; c++) {
        values[c] = random_value(format, state, keyed && !alpha);
        put_value(row, x * n + c, format->depth, values[c]);
    }
    if (palette) {
        const png_color *entry = &made->colours[values[0]];
        rgba[0] = entry->red / 255.0;
        rgba[1] = entry->green / 255.0;
        rgba[2] = entry->blue / 255.0;
        rgba[3] = format->transparent && values[0] <= (unsigned)largest / 2
                      ? made->alphas[values[0]] / 255.0
                      : 1;
        return;
    }
    for (size_t c = 0; c < 3; c++)
        rgba[c] = values[colour ? c : 0] / largest;
    rgba[3] = alpha ? values[n - 1] / largest : 1;
    if (format->transparent) {
        int matches = 1;
        for (size_t c = 0; c < n; c++)
            matches &= values[c] == made->key.gray;
        rgba[3] = !matches;
    }
}

static void write_file(const char *path, const test_format *format,
                       int interlaced, size_t height, size_t width,
                       table *made, png_bytep *rows)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        fail_msg("can not open %s", path);
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png)))
        fail_msg("libpng can not write %s", path);
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height,
                 format->depth, format->colour_type,
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    int palette = format->colour_type == PNG_COLOR_TYPE_PALETTE;
    if (palette)
        png_set_PLTE(png, info, made->colours, 1 << format->depth);
    /* A gamma that whoever looks at it would apply. */
    png_set_gAMA(png, info, 1.0);
    if (format->transparent)
        png_set_tRNS(png, info, made->alphas,
                     palette ? 1 << (format->depth - 1) : 1, &made->key);
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    if (fclose(file))
        fail_msg("can not write %s", path);
}

test_picture test_picture_write(const char *path, const test_format *format,
                                int interlaced, size_t height, size_t width,
                                uint64_t seed)
{
    test_picture picture = {height, width, test_doubles(height * width * 4)};
    table made = make_table(format, &seed);
    png_bytep *rows = test_memory(height * sizeof *rows);
    for (size_t y = 0; y < height; y++) {
        rows[y] = test_memory(width * 8);
        for (size_t x = 0; x < width; x++)
            make_pixel(format, &made, &seed, rows[y], x,
                       picture.pixels + (y * width + x) * 4);
    }
    write_file(path, format, interlaced, height, width, &made, rows);
    for (size_t y = 0; y < height; y++)
        free(rows[y]);
    free(rows);
    return picture;
}

/* Length of what [i, i + 1) and the j-th of n parts of [0, from) share, in
   units of such a part. */
static double share(size_t i, size_t j, size_t n, size_t from)
{
    double part = (double)from / (double)n;
    double low = fmax((double)i, (double)j * part);
    double high = fmin((double)i + 1, ((double)j + 1) * part);
    return fmax(high - low, 0) / part;
}

void test_picture_resize(const test_picture *picture, size_t height,
                         size_t width, size_t channels, double *out)
{
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            double mean[3] = {0, 0, 0};
            for (size_t i = 0; i < picture->height; i++)
                for (size_t j = 0; j < picture->width; j++) {
                    double weight = share(i, y, height, picture->height) *
                                    share(j, x, width, picture->width);
                    const double *rgba =
                        picture->pixels + (i * picture->width + j) * 4;
                    for (int c = 0; c < 3; c++)
                        mean[c] += weight * (rgba[3] * rgba[c] + 1 - rgba[3]);
                }
            double *to = out + (y * width + x) * channels;
            if (channels == 1)
                to[0] = 255 *
                        (0.299 * mean[0] + 0.587 * mean[1] + 0.114 * mean[2]);
            else
                for (int c = 0; c < 3; c++)
                    to[c] = 255 * mean[c];
        }
}

ebm_dataset *test_picture_dataset(ebm_context *context, const char *folder,
                                  const size_t shape[3], size_t cache_bytes)
{
    ebm_dataset *dataset = NULL;
    assert_ok(ebm_dataset_create_folder(context, folder, shape[0], shape[1],
                                        shape[2], cache_bytes, 1, &dataset));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MIN, 0));
    assert_ok(ebm_dataset_set(dataset, EBM_DATASET_RANGE_MAX, 255));
    return dataset;
}
