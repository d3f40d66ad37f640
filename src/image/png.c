/* PNG through libpng. No time stamp: the same picture is the same file. */
#include <setjmp.h>

#include <png.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/object.h"
#include "image/picture.h"

/* What the callbacks of libpng share with the call. */
typedef struct encoder {
    ebm_file file;
    char message[80]; /* why libpng gave up */
} encoder;

/* libpng's own would print. */
static void on_error(png_structp png, png_const_charp message)
{
    encoder *state = png_get_error_ptr(png);
    snprintf(state->message, sizeof state->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep bytes, size_t size)
{
    encoder *state = png_get_io_ptr(png);
    if (ebm_file_write(&state->file, bytes, size) != EBM_OK)
        png_error(png, "a write failed");
}

/* The commit flushes. */
static void on_flush(png_structp png)
{
    (void)png;
}

static int colour_type(size_t channels)
{
    return channels == 1   ? PNG_COLOR_TYPE_GRAY
           : channels == 3 ? PNG_COLOR_TYPE_RGB
                           : PNG_COLOR_TYPE_RGB_ALPHA;
}

/* Everything that may jump. Nothing is acquired here, and what is read after
   a jump belongs to the caller or does not change: no local of this function
   is clobbered. Returns whether the picture is complete. */
static int encode(png_structp png, png_infop info, encoder *state,
                  const ebm_picture *picture, uint8_t *row)
{
    if (setjmp(png_jmpbuf(png)))
        return 0;
    png_set_write_fn(png, state, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)picture->picture_width,
                 (png_uint_32)picture->picture_height, 8,
                 colour_type(picture->channels), PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (size_t y = 0; y < picture->picture_height; y++) {
        ebm_picture_row(picture, y, row);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    return 1;
}

ebm_status ebm_picture_write_png(const ebm_context *context, const char *path,
                                 const ebm_picture *picture)
{
    encoder state = {0};
    png_structp png = NULL;
    png_infop info = NULL;
    ebm_status status;
    uint8_t *row =
        ebm_alloc(context, picture->picture_width, picture->channels);
    if (!row)
        return ebm_out_of_memory(context, "a row of pixels");
    status = ebm_file_begin(context, path, &state.file);
    if (status != EBM_OK)
        goto done;
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_error,
                                  on_warning);
    if (png)
        info = png_create_info_struct(png);
    if (!info)
        status = ebm_out_of_memory(context, "libpng");
    else if (encode(png, info, &state, picture, row))
        status = ebm_file_commit(&state.file);
    else if (state.file.error)
        status = EBM_ERROR_IO; /* the write has left the text */
    else
        status =
            ebm_fail(context, EBM_ERROR_MEMORY, "libpng can not encode %s: %s",
                     ebm_file_tail(path), state.message);
done:
    png_destroy_write_struct(&png, &info);
    ebm_file_abandon(&state.file);
    ebm_free(context, row);
    return status;
}
