/*
 * IDX files. The first byte says what the rest is: an even one a file of
 * images, an odd one the labels of two fixed images. Raw or gzip, as found.
 */
#include <string.h>

#include "fuzz.h"

/* Doubling holds the old and the new block for a moment; behind that the first
   piece, 1 MiB, and the window of zlib. */
enum { FACTOR = 3, BASE = (1 << 20) + (1 << 18), READ = 4096 };

static const unsigned char two_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,
                                           0, 0, 1, 0, 0, 0, 1, 7, 9};

static void check(ebm_dataset *dataset)
{
    static float x[READ];
    int32_t labels[READ];
    size_t height, width, channels, count = ebm_dataset_count(dataset);
    FUZZ_CHECK(ebm_dataset_shape(dataset, &height, &width, &channels) ==
               EBM_OK);
    FUZZ_CHECK(count && height && width && channels == 1);
    size_t size = height * width;
    if (size > READ)
        return;
    size_t n = READ / size < count ? READ / size : count;
    FUZZ_CHECK(ebm_dataset_read(dataset, count - n, n, x, labels) == EBM_OK);
    fuzz_check_floats(x, n * size, -1, 1);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(labels[i] >= 0 && labels[i] <= 255);
    FUZZ_CHECK(ebm_dataset_next(dataset, n, x, labels) == EBM_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    int labels = data[0] & 1;
    data++;
    size--;
    ebm_dataset *dataset = NULL;
    const char *images = fuzz_file(0, data, size);
    if (labels)
        images = fuzz_file(1, two_images, sizeof two_images);
    ebm_context *context = fuzz_begin();
    ebm_status status = ebm_dataset_create_idx(
        context, images, labels ? fuzz_file(0, data, size) : NULL, 1,
        &dataset);
    fuzz_expect(fuzz_inflated(data, size), FACTOR, BASE);
    FUZZ_CHECK((status == EBM_OK) == (dataset != NULL));
    if (dataset)
        check(dataset);
    ebm_dataset_destroy(dataset);
    fuzz_end(context);
    return 0;
}

/* Seeds: shapes of images, labels, types that are refused; each raw and as
   gzip, the last as two files of gzip in one. */
static size_t make(size_t index, unsigned char *out)
{
    static const uint32_t shapes[][3] = {
        {1, 1, 1}, {2, 3, 4}, {5, 28, 28}, {300, 2, 1}};
    static const unsigned char refused[][16] = {
        {0, 0, 9, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},
        {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2}};
    size_t size = 17;
    if (index < 4) {
        const uint32_t *shape = shapes[index];
        out[0] = 0;
        fuzz_put_big(out + 1, 0x803);
        for (int i = 0; i < 3; i++)
            fuzz_put_big(out + 5 + 4 * i, shape[i]);
        size_t n = (size_t)shape[0] * shape[1] * shape[2];
        for (size_t i = 0; i < n; i++)
            out[size++] = (unsigned char)(7 * i);
    } else if (index < 6) {
        out[0] = 0;
        memcpy(out + 1, refused[index - 4], 16);
    } else if (index == 6) {
        static const unsigned char labels[] = {1, 0, 0, 8, 1, 0,
                                               0, 0, 2, 3, 4};
        memcpy(out, labels, size = sizeof labels);
    } else {
        return 0;
    }
    return size;
}

size_t fuzz_seed(size_t index, unsigned char *out)
{
    static unsigned char plain[FUZZ_ROOM];
    size_t size = make(index / 2, plain);
    if (!size)
        return 0;
    *out = *plain;
    if (index % 2)
        return 1 + fuzz_gzip(plain + 1, size - 1, out + 1, FUZZ_ROOM - 1);
    memcpy(out, plain, size);
    return size;
}

void fuzz_repair(unsigned char *data, size_t size)
{
    /* The type and rank of raw images. */
    if (size > 5 && !(data[0] & 1) && data[1] != 0x1f)
        fuzz_put_big(data + 1, 0x803);
}
