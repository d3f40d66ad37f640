/*
 * CIFAR-10 files, raw or gzip. An odd first byte cuts the rest into two files
 * of one dataset, the second of a length that bytes 1 and 2 say.
 */
#include <string.h>

#include "fuzz.h"

enum { PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS };

/* As for IDX files; pixels are reordered in place of a second copy. */
enum { FACTOR = 4, BASE = (1 << 20) + (1 << 19) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float x[PIXELS];
    const char *paths[2];
    if (size < 3)
        return 0;
    size_t second = data[0] & 1 ? data[1] * 256u + data[2] : 0;
    int two = data[0] & 1;
    data += 3;
    size -= 3;
    if (second > size)
        second = size;
    paths[0] = fuzz_file(0, data, size - second);
    paths[1] = fuzz_file(1, data + size - second, second);
    ebm_dataset *dataset = NULL;
    ebm_context *context = fuzz_begin();
    ebm_status status =
        ebm_dataset_create_cifar10(context, paths, two ? 2 : 1, 1, &dataset);
    fuzz_expect(fuzz_inflated(data, size - second) +
                    fuzz_inflated(data + size - second, second),
                FACTOR, BASE);
    FUZZ_CHECK((status == EBM_OK) == (dataset != NULL));
    for (size_t i = 0; dataset && i < ebm_dataset_count(dataset); i++) {
        int32_t label;
        FUZZ_CHECK(ebm_dataset_read(dataset, i, 1, x, &label) == EBM_OK);
        FUZZ_CHECK(label >= 0 && label <= 9);
        fuzz_check_floats(x, PIXELS, -1, 1);
    }
    ebm_dataset_destroy(dataset);
    fuzz_end(context);
    return 0;
}

/* One to three records in one file or two, then the same as gzip, in which
   case the first file may end where it does not. */
size_t fuzz_seed(size_t index, unsigned char *out)
{
    static unsigned char records[3 * RECORD];
    size_t count = 1 + index / 3 % 3;
    if (index >= 9)
        return 0;
    memset(records, 0, sizeof records);
    for (size_t i = 0; i < count * RECORD; i++)
        records[i] = (unsigned char)(i % RECORD ? i / 32 : i / RECORD);
    out[0] = index % 3 == 1;
    out[1] = RECORD / 256;
    out[2] = RECORD % 256;
    if (index % 3 == 2)
        return 3 + fuzz_gzip(records, count * RECORD, out + 3, FUZZ_ROOM - 3);
    memcpy(out + 3, records, count * RECORD);
    return 3 + count * RECORD;
}

/* Nothing stands in the way. */
void fuzz_repair(unsigned char *data, size_t size)
{
    (void)data, (void)size;
}
