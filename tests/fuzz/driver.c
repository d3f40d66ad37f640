/*
 * Runs a harness without libFuzzer: over its seeds, over mutations of them
 * that are the same each time, or over files (an input that libFuzzer found).
 *
 *     fuzz_idx [--rounds N]        seeds, then N mutations (5000)
 *     fuzz_idx --seeds FOLDER      writes the seeds there, to begin with
 *     fuzz_idx FILE ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { MOST_SEEDS = 200, MOST_EDITS = 6 };

typedef struct seed {
    unsigned char *bytes;
    size_t size;
} seed;

static seed seeds[MOST_SEEDS];
static size_t seed_count;
static uint64_t state = 1;

/* A whole number in [0, n), by SplitMix64 (Steele, Lea and Flood 2014). */
static size_t draw(size_t n)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((z ^ (z >> 31)) % (n ? n : 1));
}

static void collect(void)
{
    static unsigned char room[FUZZ_ROOM];
    size_t size;
    while ((size = fuzz_seed(seed_count, room))) {
        FUZZ_CHECK(seed_count < MOST_SEEDS && size <= FUZZ_ROOM);
        seed *made = seeds + seed_count++;
        made->bytes = malloc(size);
        FUZZ_CHECK(made->bytes);
        memcpy(made->bytes, room, size);
        made->size = size;
    }
    FUZZ_CHECK(seed_count > 0);
}

/* Numbers at which parsers go wrong, in both byte orders. */
static void put_number(unsigned char *bytes, size_t size)
{
    static const uint32_t numbers[] = {
        0,      1,      0x7f,    0x80,       0xff,       0x100,
        0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};
    uint32_t number = numbers[draw(sizeof numbers / sizeof *numbers)];
    unsigned char word[4];
    fuzz_put_big(word, draw(2) ? number : __builtin_bswap32(number));
    memcpy(bytes, word, size < 4 ? size : 4);
}

/* One edit of bytes[*size] with room for FUZZ_ROOM. */
static void edit(unsigned char *bytes, size_t *size)
{
    size_t at = draw(*size), length = 1 + draw(16), rest = *size - at;
    const seed *other = seeds + draw(seed_count);
    if (length > rest)
        length = rest;
    switch (draw(7)) {
    case 0:
        bytes[at] ^= (unsigned char)(1u << draw(8));
        break;
    case 1:
        bytes[at] = (unsigned char)draw(256);
        break;
    case 2:
        put_number(bytes + at, rest);
        break;
    case 3: /* removes */
        if (length < *size) {
            memmove(bytes + at, bytes + at + length, rest - length);
            *size -= length;
        }
        break;
    case 4: /* doubles */
        if (*size + length <= FUZZ_ROOM) {
            memmove(bytes + at + length, bytes + at, rest);
            *size += length;
        }
        break;
    case 5: /* cuts off */
        if (at)
            *size = at;
        break;
    default: /* takes the rest from another seed */
        if (at < other->size) {
            memcpy(bytes + at, other->bytes + at, other->size - at);
            *size = other->size;
        }
    }
}

static void run_mutations(unsigned long rounds)
{
    static unsigned char bytes[FUZZ_ROOM];
    for (unsigned long i = 0; i < rounds; i++) {
        const seed *from = seeds + draw(seed_count);
        size_t size = from->size;
        memcpy(bytes, from->bytes, size);
        for (size_t edits = 1 + draw(MOST_EDITS); edits; edits--)
            edit(bytes, &size);
        if (draw(4))
            fuzz_repair(bytes, size);
        LLVMFuzzerTestOneInput(bytes, size);
    }
}

static int write_seeds(const char *folder)
{
    for (size_t i = 0; i < seed_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/seed-%03zu", folder, i);
        FILE *file = fopen(path, "wb");
        if (!file ||
            fwrite(seeds[i].bytes, 1, seeds[i].size, file) != seeds[i].size) {
            perror(path);
            return 1;
        }
        if (fclose(file))
            return 1;
    }
    printf("%zu seeds\n", seed_count);
    return 0;
}

static int run_file(const char *path)
{
    static unsigned char bytes[FUZZ_ROOM];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    printf("%s: no fault\n", path);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long rounds = 5000;
    int failed = 0;
    collect();
    if (argc == 3 && !strcmp(argv[1], "--seeds"))
        return write_seeds(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "--rounds")) {
        rounds = strtoul(argv[2], NULL, 10);
    } else if (argc > 1) {
        for (int i = 1; i < argc; i++)
            failed |= run_file(argv[i]);
        return failed;
    }
    for (size_t i = 0; i < seed_count; i++)
        LLVMFuzzerTestOneInput(seeds[i].bytes, seeds[i].size);
    run_mutations(rounds);
    printf("%zu seeds and %lu mutations: no fault\n", seed_count, rounds);
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    return 0;
}
