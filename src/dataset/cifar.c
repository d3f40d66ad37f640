/* Reading CIFAR-10 files as if somebody had forged them. Each is read twice:
   once to count and check its records, so that memory is asked for only for
   what is there, and once to keep them. */
#include "dataset/cifar.h"

#include "core/file.h"
#include "core/memory.h"
#include "core/object.h"
#include "dataset/source.h"

enum {
    PLANE = EBM_CIFAR_SIDE * EBM_CIFAR_SIDE,
    PIXELS = EBM_CIFAR_CHANNELS * PLANE,
    RECORD = 1 + PIXELS,
    CLASSES = 10
};

/* The next record of a file, or *end. `number` is for texts. */
static ebm_status read_record(const ebm_context *context, ebm_source *source,
                              const char *path, size_t number,
                              uint8_t record[RECORD], int *end)
{
    size_t got;
    EBM_TRY(ebm_source_read(source, record, RECORD, &got));
    *end = !got;
    if (got && got < RECORD)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: record %zu has %zu bytes instead of %d",
                        ebm_file_tail(path), number, got, RECORD);
    if (got && record[0] >= CLASSES)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: record %zu has the label %d; there are 0 to %d",
                        ebm_file_tail(path), number, record[0], CLASSES - 1);
    return EBM_OK;
}

/* Planes become pixels. */
static void interleave(const uint8_t *planes, uint8_t *pixels)
{
    for (size_t i = 0; i < PLANE; i++)
        for (size_t c = 0; c < EBM_CIFAR_CHANNELS; c++)
            pixels[i * EBM_CIFAR_CHANNELS + c] = planes[c * PLANE + i];
}

/* Reads a file from *n on; bytes and labels are NULL for counting, else they
   have room for `room` images. */
static ebm_status read_file(const ebm_context *context, const char *path,
                            size_t room, uint8_t *bytes, int32_t *labels,
                            size_t *n)
{
    ebm_source *source = NULL;
    uint8_t record[RECORD];
    size_t number = 0;
    EBM_TRY(ebm_source_open(context, path, &source));
    ebm_status status = EBM_OK;
    for (;;) {
        int end;
        status = read_record(context, source, path, number, record, &end);
        if (status != EBM_OK || end)
            break;
        if (bytes && *n == room) {
            status = ebm_fail(context, EBM_ERROR_FORMAT,
                              "%s: the file grew while it was read",
                              ebm_file_tail(path));
            break;
        }
        if (bytes) {
            interleave(record + 1, bytes + *n * PIXELS);
            labels[*n] = record[0];
        }
        number++;
        ++*n;
    }
    ebm_source_close(source);
    if (status == EBM_OK && !number)
        status = ebm_fail(context, EBM_ERROR_FORMAT, "%s: the file is empty",
                          ebm_file_tail(path));
    return status;
}

static ebm_status read_files(const ebm_context *context,
                             const char *const *paths, size_t count,
                             size_t room, uint8_t *bytes, int32_t *labels,
                             size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < count; i++)
        EBM_TRY(read_file(context, paths[i], room, bytes, labels, n));
    return EBM_OK;
}

ebm_status ebm_cifar10_read(const ebm_context *context,
                            const char *const *paths, size_t count, size_t *n,
                            uint8_t **out_bytes, int32_t **out_labels)
{
    size_t room, got, elements;
    EBM_TRY(read_files(context, paths, count, 0, NULL, NULL, &room));
    EBM_TRY(ebm_check_size(context, room, EBM_CIFAR_SIDE, EBM_CIFAR_SIDE,
                           EBM_CIFAR_CHANNELS, &elements));
    uint8_t *bytes = ebm_alloc(context, room, PIXELS);
    int32_t *labels = ebm_alloc(context, room, sizeof *labels);
    ebm_status status = EBM_OK;
    if (!bytes || !labels)
        status = ebm_out_of_memory(context, "the samples of CIFAR-10");
    else
        status = read_files(context, paths, count, room, bytes, labels, &got);
    if (status == EBM_OK && got < room)
        status = ebm_fail(context, EBM_ERROR_FORMAT,
                          "the files of CIFAR-10 shrank while they were read");
    if (status == EBM_OK) {
        *n = room;
        *out_bytes = bytes;
        *out_labels = labels;
    } else {
        ebm_free(context, bytes);
        ebm_free(context, labels);
    }
    return status;
}
