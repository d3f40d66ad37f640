#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "try.h"

settings settings_parse(int argc, char **argv, const char *intro,
                        const option_row *own, size_t count)
{
    settings s = {.out = "out",
                  .iterations = 1000,
                  .batch = 128,
                  .seed = 1,
                  .buffer = BUFFER_STATES};
    const option_row common[] = {
        {"data", "PATH", "IDX images, raw or gzip, or a folder of them",
         .text = &s.data},
        {"out", "FOLDER", "where the files go", .text = &s.out},
        {"iterations", "N", "training iterations", .number = &s.iterations,
         .minimum = 1, .maximum = 10000000},
        {"batch", "N", "images and chains of an iteration", .number = &s.batch,
         .minimum = 1, .maximum = BUFFER_STATES},
        {"seed", "N", "of all randomness", .number = &s.seed,
         .maximum = UINT64_MAX},
        {"threads", "N", "processors to use, 0 for all", .number = &s.threads,
         .maximum = 1024}};
    enum { COMMON = sizeof common / sizeof common[0] };

    option_row *rows = try_allocate(COMMON + count, sizeof *rows);
    memcpy(rows, common, sizeof common);
    memcpy(rows + COMMON, own, count * sizeof *own);
    options_parse(argc, argv, intro, rows, COMMON + count);
    free(rows);
    return s;
}
