/*
 * PNG files in a folder: headers when it is opened, pixels when they are asked
 * for. The first byte chooses the shape of the samples.
 */
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "fuzz.h"

enum { LARGEST = 20 * 7 * 3 };

/* A row of a picture is held at 8 bytes a pixel, libpng's two at as many, and
   a side has at most 16384 pixels, however short the file; libpng's reader
   takes room of its own. */
enum { FACTOR = 8, BASE = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t shapes[4][3] = {
        {1, 1, 1}, {3, 4, 3}, {8, 8, 1}, {20, 7, 3}};
    float x[LARGEST], again[LARGEST];
    if (!size)
        return 0;
    const size_t *shape = shapes[data[0] % 4];
    const char *folder = fuzz_folder(data + 1, size - 1);
    ebm_dataset *dataset = NULL;
    ebm_context *context = fuzz_begin();
    ebm_status status = ebm_dataset_create_folder(
        context, folder, shape[0], shape[1], shape[2], 1 << 16, 1, &dataset);
    FUZZ_CHECK((status == EBM_OK) == (dataset != NULL));
    if (dataset) {
        size_t elements = shape[0] * shape[1] * shape[2];
        FUZZ_CHECK(ebm_dataset_count(dataset) == 1);
        status = ebm_dataset_read(dataset, 0, 1, x, NULL);
        if (status == EBM_OK) {
            fuzz_check_floats(x, elements, -1, 1);
            /* From the cache: the same. */
            FUZZ_CHECK(ebm_dataset_next(dataset, 1, again, NULL) == EBM_OK);
        }
    }
    fuzz_expect(size, FACTOR, BASE);
    ebm_dataset_destroy(dataset);
    fuzz_end(context);
    return 0;
}

typedef struct sink {
    unsigned char *out;
    size_t size;
} sink;

static void on_write(png_structp png, png_bytep bytes, size_t size)
{
    sink *to = png_get_io_ptr(png);
    FUZZ_CHECK(to->size + size <= FUZZ_ROOM);
    memcpy(to->out + to->size, bytes, size);
    to->size += size;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void set_palette(png_structp png, png_infop info)
{
    png_color colours[4];
    png_byte alphas[2] = {0, 100};
    for (int i = 0; i < 4; i++)
        colours[i] = (png_color){(png_byte)(60 * i), 9, (png_byte)(255 - i)};
    png_set_PLTE(png, info, colours, 4);
    png_set_tRNS(png, info, alphas, 2, NULL);
}

static const unsigned char kinds[][2] = {
    {1, PNG_COLOR_TYPE_GRAY},       {8, PNG_COLOR_TYPE_GRAY},
    {16, PNG_COLOR_TYPE_GRAY},      {8, PNG_COLOR_TYPE_RGB},
    {16, PNG_COLOR_TYPE_RGB},       {2, PNG_COLOR_TYPE_PALETTE},
    {8, PNG_COLOR_TYPE_GRAY_ALPHA}, {16, PNG_COLOR_TYPE_RGB_ALPHA}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Every kind of pixel, plain and interlaced, 9 x 5. */
size_t fuzz_seed(size_t index, unsigned char *out)
{
    const unsigned char *kind = kinds[index / 2 % KINDS];
    sink to = {out, 1};
    png_byte row[9 * 8];
    if (index >= 2 * KINDS)
        return 0;
    *out = (unsigned char)index;
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    FUZZ_CHECK(info && !setjmp(png_jmpbuf(png)));
    png_set_write_fn(png, &to, on_write, on_flush);
    png_set_IHDR(png, info, 9, 5, kind[0], kind[1],
                 index % 2 ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind[1] == PNG_COLOR_TYPE_PALETTE)
        set_palette(png, info);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < 5; y++) {
            for (size_t i = 0; i < sizeof row; i++)
                row[i] = (png_byte)(37 * i + 11 * (size_t)y);
            png_write_row(png, row);
        }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return to.size;
}

/* The signature, and the checksum of every chunk that is whole. */
void fuzz_repair(unsigned char *data, size_t size)
{
    static const unsigned char signature[8] = {0x89, 'P',  'N',  'G',
                                               '\r', '\n', 0x1a, '\n'};
    if (size < 9)
        return;
    memcpy(data + 1, signature, sizeof signature);
    for (size_t at = 9; at + 12 <= size;) {
        size_t length = fuzz_get_big(data + at);
        if (length > size - at - 12)
            return;
        fuzz_put_big(data + at + 8 + length,
                     (uint32_t)crc32(0, data + at + 4, (uInt)length + 4));
        at += length + 12;
    }
}
