/*
 * Fuzzing: what a harness has and what it is given.
 *
 * One harness is one file fuzz_<parser>.c. It is built twice: with driver.c
 * as a plain program that runs over its seeds and mutations of them (a test),
 * and with mutator.c and clang's libFuzzer, which searches.
 *
 * A harness ends the process when something is wrong; what a parser refuses
 * by a status is not wrong. Memory is part of that: see fuzz_expect().
 */
#ifndef EBM_TEST_FUZZ_H
#define EBM_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

/* Longest seed and longest input. */
enum { FUZZ_ROOM = 1 << 16 };

/* ---- What a harness has ---- */

/* Runs one input; returns 0. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes seed number `index` into out[FUZZ_ROOM] and returns its length; 0
   after the last one. */
size_t fuzz_seed(size_t index, unsigned char *out);

/* Makes lengths and checksums right again after a mutation, without which
   nothing behind them is ever reached. May do nothing. */
void fuzz_repair(unsigned char *data, size_t size);

/* ---- What it is given ---- */

/* A context of one thread on counted memory, and a clock: an input that takes
   10 seconds of processor time until fuzz_end() is a hang, and ends the
   process. Everything that the library
   takes from now on counts, as does what libpng, zlib and Jansson take where
   the address sanitizer tells of it. */
ebm_context *fuzz_begin(void);

/* Ends the process when at any time since fuzz_begin() more was held than
   `factor` bytes for each of `bytes`, and `base` besides. */
void fuzz_expect(size_t bytes, size_t factor, size_t base);

/* Allocations fail that would make the library hold more than this. */
void fuzz_limit(size_t bytes);

/* Destroys the context; all memory must have come back. */
void fuzz_end(ebm_context *context);

/* A regular file of those bytes without a place on a disk. It is the same file
   for each number, 0 or 1. Returns its path. */
const char *fuzz_file(int number, const void *data, size_t size);

/* A folder with the one file picture.png. Returns the folder's path. */
const char *fuzz_folder(const void *data, size_t size);

/* Where a harness may have the library write, and what was written there:
   bytes in out[FUZZ_ROOM]; returns the length. */
const char *fuzz_target(void);
size_t fuzz_target_read(unsigned char *out);

/* Bytes that come out of gzip data until they end or break, or `size` where
   that is more. */
size_t fuzz_inflated(const uint8_t *data, size_t size);

/* As gzip would do it; returns the length in out[room]. */
size_t fuzz_gzip(const void *data, size_t size, unsigned char *out,
                 size_t room);

/* The header's length of a safetensors file: up to the last brace of what
   looks like text. */
void fuzz_repair_header(unsigned char *data, size_t size);

/* Unsigned 32-bit numbers, high byte first. */
void fuzz_put_big(unsigned char *bytes, uint32_t word);
uint32_t fuzz_get_big(const unsigned char *bytes);

#define FUZZ_CHECK(condition)                          \
    do {                                               \
        if (!(condition))                              \
            fuzz_fail(__FILE__, __LINE__, #condition); \
    } while (0)
void fuzz_fail(const char *file, int line, const char *what)
    __attribute__((noreturn));

/* All n are finite and within [minimum, maximum]. */
void fuzz_check_floats(const float *x, size_t n, double minimum,
                       double maximum);

#endif
