/* Counted memory, files and gzip for the harnesses. */
#define _GNU_SOURCE

#include "fuzz.h"

#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <fcntl.h>
#include <unistd.h>

#include <zlib.h>

/* Seconds of processor time that one input may take. */
enum { LONGEST = 10 };

void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

/* Of the library; and of the whole process, where a sanitizer tells. */
typedef struct account {
    atomic_size_t held, peak;
} account;
static account library, process;
static atomic_size_t most = SIZE_MAX, blocks;
static atomic_int listening;

static void take(account *a, size_t size)
{
    size_t held = atomic_fetch_add(&a->held, size) + size;
    size_t peak = atomic_load(&a->peak);
    while (held > peak && !atomic_compare_exchange_weak(&a->peak, &peak, held))
        ;
}

static void give(account *a, size_t size)
{
    atomic_fetch_sub(&a->held, size);
}

static void *allocate(size_t size, size_t alignment, void *user)
{
    void *memory = NULL;
    (void)user;
    size_t held = atomic_load(&library.held), room = atomic_load(&most);
    if (size > room || held > room - size ||
        posix_memalign(&memory, alignment < 16 ? 16 : alignment, size))
        return NULL;
    take(&library, size);
    atomic_fetch_add(&blocks, 1);
    return memory;
}

static void release(void *memory, size_t size, void *user)
{
    (void)user;
    give(&library, size);
    atomic_fetch_sub(&blocks, 1);
    free(memory);
}

/* The address sanitizer's; absent without it. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void *, size_t),
    void (*on_free)(const volatile void *)) __attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *memory)
    __attribute__((weak));

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    if (atomic_load(&listening))
        take(&process, size);
}

static void on_free(const volatile void *memory)
{
    if (memory && atomic_load(&listening))
        give(&process, __sanitizer_get_allocated_size(memory));
}

static int listens(void)
{
    static int installed = -1;
    if (installed < 0)
        installed =
            __sanitizer_install_malloc_and_free_hooks &&
            __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0;
    return installed;
}

/* Of processor time, not of the clock's: a machine may be busy. */
static void set_timer(int seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    FUZZ_CHECK(setitimer(ITIMER_PROF, &timer, NULL) == 0);
}

static void on_timer(int signal)
{
    static const char text[] = "an input takes too long\n";
    (void)signal;
    if (write(2, text, sizeof text - 1) < 0)
        _exit(1);
    abort();
}

ebm_context *fuzz_begin(void)
{
    const ebm_allocator table = {sizeof table, allocate, release, NULL};
    ebm_context *context = NULL;
    int whole = listens();
    atomic_store(&most, SIZE_MAX);
    FUZZ_CHECK(atomic_load(&blocks) == 0);
    FUZZ_CHECK(ebm_context_create_with(&table, &context) == EBM_OK);
    FUZZ_CHECK(ebm_context_set(context, EBM_CONTEXT_THREADS, 1) == EBM_OK);
    atomic_store(&library.peak, atomic_load(&library.held));
    /* Far from 0: what was taken before may be given back meanwhile. */
    atomic_store(&process.held, SIZE_MAX / 2);
    atomic_store(&process.peak, SIZE_MAX / 2);
    atomic_store(&listening, whole);
    signal(SIGPROF, on_timer);
    set_timer(LONGEST);
    return context;
}

void fuzz_expect(size_t bytes, size_t factor, size_t base)
{
    size_t allowed = bytes * factor + base;
    size_t all = atomic_load(&process.peak) - SIZE_MAX / 2;
    size_t own = atomic_load(&library.peak);
    if (own <= allowed && all <= allowed)
        return;
    fprintf(stderr,
            "%zu bytes held by the library, %zu by the process, for %zu "
            "bytes: allowed are %zu\n",
            own, all, bytes, allowed);
    abort();
}

void fuzz_limit(size_t bytes)
{
    atomic_store(&most, bytes);
}

void fuzz_end(ebm_context *context)
{
    atomic_store(&listening, 0);
    set_timer(0);
    ebm_context_destroy(context);
    FUZZ_CHECK(atomic_load(&blocks) == 0);
    FUZZ_CHECK(atomic_load(&library.held) == 0);
}

static void fill(int descriptor, const void *data, size_t size)
{
    FUZZ_CHECK(ftruncate(descriptor, 0) == 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(descriptor, (const char *)data + done, size - done,
                           (off_t)done);
        FUZZ_CHECK(n > 0);
        done += (size_t)n;
    }
}

const char *fuzz_file(int number, const void *data, size_t size)
{
    static struct {
        int descriptor;
        char path[40];
    } files[2];
    if (!files[number].path[0]) {
        files[number].descriptor = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_CHECK(files[number].descriptor >= 0);
        snprintf(files[number].path, sizeof files[number].path,
                 "/proc/self/fd/%d", files[number].descriptor);
    }
    fill(files[number].descriptor, data, size);
    return files[number].path;
}

static char folder[80], picture[100], target[100];

static void remove_folder(void)
{
    unlink(picture);
    unlink(target);
    rmdir(folder);
}

/* In memory where that is possible. */
static void make_folder(void)
{
    if (folder[0])
        return;
    snprintf(folder, sizeof folder, "%s/ebm-fuzz-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    FUZZ_CHECK(mkdtemp(folder));
    snprintf(picture, sizeof picture, "%s/picture.png", folder);
    snprintf(target, sizeof target, "%s/target", folder);
    atexit(remove_folder);
}

const char *fuzz_target(void)
{
    make_folder();
    return target;
}

size_t fuzz_target_read(unsigned char *out)
{
    FILE *file = fopen(target, "rb");
    FUZZ_CHECK(file);
    size_t size = fread(out, 1, FUZZ_ROOM, file);
    FUZZ_CHECK(size < FUZZ_ROOM);
    fclose(file);
    return size;
}

const char *fuzz_folder(const void *data, size_t size)
{
    make_folder();
    int descriptor = open(picture, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    FUZZ_CHECK(descriptor >= 0);
    fill(descriptor, data, size);
    close(descriptor);
    return folder;
}

size_t fuzz_inflated(const uint8_t *data, size_t size)
{
    static unsigned char out[1 << 16];
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)data,
                       .avail_in = (uInt)size};
    size_t total = 0;
    int code = Z_OK;
    if (inflateInit2(&stream, 15 + 16))
        return size;
    while (code == Z_OK) {
        stream.next_out = out;
        stream.avail_out = sizeof out;
        code = inflate(&stream, Z_NO_FLUSH);
        total += sizeof out - stream.avail_out;
        /* Files may be several, one behind the other. */
        if (code == Z_STREAM_END && stream.avail_in)
            code = inflateReset(&stream);
    }
    inflateEnd(&stream);
    return total > size ? total : size;
}

size_t fuzz_gzip(const void *data, size_t size, unsigned char *out,
                 size_t room)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)data,
                       .avail_in = (uInt)size,
                       .next_out = out,
                       .avail_out = (uInt)room};
    FUZZ_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK);
    FUZZ_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return stream.total_out;
}

void fuzz_put_big(unsigned char *bytes, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(word >> (24 - 8 * i));
}

uint32_t fuzz_get_big(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

void fuzz_check_floats(const float *x, size_t n, double minimum,
                       double maximum)
{
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(isfinite(x[i]) && (double)x[i] >= minimum &&
                   (double)x[i] <= maximum);
}

void fuzz_repair_header(unsigned char *data, size_t size)
{
    size_t end = 0, i;
    if (size < 10)
        return;
    for (i = 8; i < size && data[i] >= ' ' && data[i] < 0x7f; i++)
        if (data[i] == '}')
            end = i + 1;
    while (end && end < i && data[end] == ' ')
        end++;
    for (i = 0; i < 8; i++)
        data[i] = (unsigned char)(i < 4 ? (end - 8) >> (8 * i) : 0);
}
