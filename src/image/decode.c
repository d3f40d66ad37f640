/* Reading PNG through libpng, a row at a time: no picture is ever held whole,
   and interlaced ones are added up pass by pass. */
#include "image/decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "core/memory.h"

/* RGBA of 16 bits each; passes of Adam7. */
enum { PIXEL_BYTES = 8, PASSES = 7 };

/* What the callbacks of libpng share with the call. */
typedef struct reader {
    FILE *file;
    int error; /* errno of a failed read */
    int no_memory;
    size_t height, width;
    char text[80]; /* why libpng gave up */
} reader;

static void on_error(png_structp png, png_const_charp message)
{
    reader *state = png_get_error_ptr(png);
    snprintf(state->text, sizeof state->text, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep bytes, size_t size)
{
    reader *state = png_get_io_ptr(png);
    if (fread(bytes, 1, size, state->file) == size)
        return;
    if (ferror(state->file))
        state->error = errno ? errno : EIO;
    png_error(png, "the file ends too early");
}

/* libpng's own allocator, but it tells a lack of memory from a bad file. */
static png_voidp on_allocate(png_structp png, png_alloc_size_t size)
{
    reader *state = png_get_mem_ptr(png);
    void *memory = malloc(size);
    if (!memory)
        state->no_memory = 1;
    return memory;
}

static void on_free(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

/* Up to the pixels. Every checksum counts, and chunks that do not change the
   pixels as they are stored (gamma and colour profiles among them) are passed
   over unread, so that their length asks for no memory. The limit on sides is
   asked for here rather than in libpng, which would not name them: nothing is
   allocated by size before. */
static void read_header(png_structp png, png_infop info, reader *state)
{
    png_set_read_fn(png, state, on_read);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    state->height = png_get_image_height(png, info);
    state->width = png_get_image_width(png, info);
    if (state->height > EBM_AREA_SIDE || state->width > EBM_AREA_SIDE) {
        char text[80];
        snprintf(text, sizeof text, "%zu x %zu pixels; a side has at most %d",
                 state->height, state->width, EBM_AREA_SIDE);
        png_error(png, text);
    }
    png_set_user_limits(png, EBM_AREA_SIDE, EBM_AREA_SIDE);
}

/* Any format becomes RGBA of 16 bits; a format of fewer bits becomes it
   exactly, since 65535 is a multiple of 255, 15, 3 and 1. */
static void read_rows(png_structp png, png_infop info, reader *state,
                      ebm_decoder *decoder)
{
    png_set_expand_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xffff, PNG_FILLER_AFTER);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != state->width * PIXEL_BYTES)
        png_error(png, "libpng does not make 16-bit RGBA of it");
    int interlaced = png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;
    ebm_area_begin(&decoder->area, state->height, state->width);
    if (!interlaced) {
        for (size_t y = 0; y < state->height; y++) {
            png_read_row(png, decoder->row, NULL);
            ebm_area_add(&decoder->area, y, 0, 1, state->width, decoder->row);
        }
        return;
    }
    for (int pass = 0; pass < PASSES; pass++) {
        size_t columns = PNG_PASS_COLS(state->width, pass);
        size_t rows = columns ? PNG_PASS_ROWS(state->height, pass) : 0;
        for (size_t y = 0; y < rows; y++) {
            png_read_row(png, decoder->row, NULL);
            ebm_area_add(&decoder->area, PNG_ROW_FROM_PASS_ROW(y, pass),
                         PNG_PASS_START_COL(pass),
                         (size_t)1 << PNG_PASS_COL_SHIFT(pass), columns,
                         decoder->row);
        }
    }
}

/* Everything that may jump. Nothing is acquired here, and what is read after
   a jump belongs to the caller: no local of this function is clobbered.
   decoder is NULL for the header alone. Returns whether all went well. */
static int read_file(png_structp png, png_infop info, reader *state,
                     ebm_decoder *decoder, size_t height, size_t width)
{
    if (setjmp(png_jmpbuf(png)))
        return 0;
    read_header(png, info, state);
    if (!decoder)
        return 1;
    if (state->height != height || state->width != width)
        png_error(png, "its size has changed since it was opened first");
    read_rows(png, info, state, decoder);
    png_read_end(png, NULL);
    return 1;
}

static ebm_status explain(const reader *state, ebm_decode_fault *fault)
{
    const char *text = state->text;
    char reason[80];
    fault->status = EBM_ERROR_FORMAT;
    if (state->no_memory) {
        fault->status = EBM_ERROR_MEMORY;
        text = "out of memory for libpng";
    } else if (state->error) {
        fault->status = EBM_ERROR_IO;
        if (strerror_r(state->error, reason, sizeof reason))
            snprintf(reason, sizeof reason, "error %d", state->error);
        text = reason;
    }
    snprintf(fault->text, sizeof fault->text, "%s", text);
    return fault->status;
}

static ebm_status decode(reader *state, ebm_decoder *decoder, size_t height,
                         size_t width, ebm_decode_fault *fault)
{
    png_infop info = NULL;
    png_structp png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, state, on_error,
                                 on_warning, state, on_allocate, on_free);
    if (png)
        info = png_create_info_struct(png);
    if (!info)
        state->no_memory = 1;
    ebm_status status = EBM_OK;
    if (!info || !read_file(png, info, state, decoder, height, width))
        status = explain(state, fault);
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

ebm_status ebm_decode_header(FILE *file, size_t *height, size_t *width,
                             ebm_decode_fault *fault)
{
    reader state = {.file = file};
    ebm_status status = decode(&state, NULL, 0, 0, fault);
    if (status != EBM_OK)
        return status;
    *height = state.height;
    *width = state.width;
    return EBM_OK;
}

ebm_status ebm_decode_pixels(ebm_decoder *decoder, FILE *file, size_t height,
                             size_t width, uint8_t *bytes,
                             ebm_decode_fault *fault)
{
    reader state = {.file = file};
    ebm_status status = decode(&state, decoder, height, width, fault);
    if (status == EBM_OK)
        ebm_area_finish(&decoder->area, bytes);
    return status;
}

ebm_status ebm_decoder_create(const ebm_context *context, size_t height,
                              size_t width, size_t channels, size_t widest,
                              ebm_decoder *decoder)
{
    ebm_decoder made = {.row = ebm_alloc(context, widest, PIXEL_BYTES)};
    ebm_status status = EBM_OK;
    if (!made.row)
        status = ebm_out_of_memory(context, "a row of an image");
    else
        status = ebm_area_create(context, height, width, channels, &made.area);
    if (status == EBM_OK)
        *decoder = made;
    else
        ebm_free(context, made.row);
    return status;
}

void ebm_decoder_destroy(const ebm_context *context, ebm_decoder *decoder)
{
    ebm_area_destroy(context, &decoder->area);
    ebm_free(context, decoder->row);
    decoder->row = NULL;
}
