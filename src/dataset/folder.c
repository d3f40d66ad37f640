/* Images from a folder: headers at the beginning, pixels when wanted. */
#include "dataset/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/context.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "dataset/cache.h"
#include "dataset/names.h"
#include "image/decode.h"

/* The sides of a file's picture. */
typedef struct sides {
    uint32_t height, width;
} sides;

struct ebm_folder {
    const ebm_context *context;
    /* Files are opened beneath it, so that chdir() changes nothing; or -1. */
    int descriptor;
    ebm_names files;
    sides *sides; /* [files] */
    size_t height, width, channels, elements;
    size_t widest;        /* of all files */
    pthread_mutex_t lock; /* of the cache */
    int has_lock;
    ebm_cache cache;
};

/* One worker of a parallel loop: what it works with, and of the tasks that it
   saw fail the first. */
typedef struct worker {
    ebm_decoder decoder;
    int failed;
    size_t file;
    ebm_decode_fault fault;
} worker;

/* A wanted image that the cache did not have. */
typedef struct want {
    size_t image, place; /* place among the images asked for */
} want;

typedef struct job {
    ebm_folder *folder;
    worker *workers;
    int worker_count;
    /* For fetching. */
    const want *wants;  /* by image, then place */
    const size_t *runs; /* [runs + 1]: where wants of another image begin */
    uint8_t *bytes;
} job;

static ebm_status open_fault(ebm_decode_fault *fault, int error)
{
    if (strerror_r(error, fault->text, sizeof fault->text))
        snprintf(fault->text, sizeof fault->text, "error %d", error);
    fault->status = EBM_ERROR_IO;
    return fault->status;
}

/* Opens a regular file; without O_NONBLOCK a pipe would keep us for ever. */
static ebm_status open_file(const ebm_folder *folder, size_t file,
                            FILE **stream, ebm_decode_fault *fault)
{
    struct stat facts;
    int descriptor = openat(folder->descriptor, folder->files.names[file],
                            O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return open_fault(fault, errno);
    ebm_status status = EBM_OK;
    if (fstat(descriptor, &facts)) {
        status = open_fault(fault, errno);
    } else if (!S_ISREG(facts.st_mode)) {
        fault->status = status = EBM_ERROR_IO;
        snprintf(fault->text, sizeof fault->text, "it is not a regular file");
    } else if (!(*stream = fdopen(descriptor, "rb"))) {
        status = open_fault(fault, errno);
    }
    if (status != EBM_OK)
        close(descriptor);
    return status;
}

/* Keeps a fault if it is the first by name of those this worker saw. */
static void note_fault(worker *mine, size_t file,
                       const ebm_decode_fault *fault)
{
    if (mine->failed && mine->file < file)
        return;
    mine->failed = 1;
    mine->file = file;
    mine->fault = *fault;
}

/* The first fault by name of all, with the file's name in front. Names may
   hold any byte but the text is one line. */
static ebm_status tell_fault(const job *work)
{
    const ebm_folder *folder = work->folder;
    const worker *first = NULL;
    for (int i = 0; i < work->worker_count; i++)
        if (work->workers[i].failed &&
            (!first || work->workers[i].file < first->file))
            first = work->workers + i;
    if (!first)
        return EBM_OK;
    char name[300];
    snprintf(name, sizeof name, "%s", folder->files.names[first->file]);
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return ebm_fail(folder->context, first->fault.status, "%s: %s",
                    ebm_file_tail(name), first->fault.text);
}

static ebm_status start_workers(job *work, size_t tasks, int decoders)
{
    const ebm_folder *folder = work->folder;
    int count = ebm_context_threads(folder->context);
    if ((size_t)count > tasks)
        count = (int)tasks;
    work->workers =
        ebm_alloc_zero(folder->context, (size_t)count, sizeof *work->workers);
    if (!work->workers)
        return ebm_out_of_memory(folder->context, "reading images");
    work->worker_count = count;
    for (int i = 0; i < count && decoders; i++)
        EBM_TRY(ebm_decoder_create(folder->context, folder->height,
                                   folder->width, folder->channels,
                                   folder->widest, &work->workers[i].decoder));
    return EBM_OK;
}

static void stop_workers(job *work)
{
    for (int i = 0; i < work->worker_count; i++)
        ebm_decoder_destroy(work->folder->context, &work->workers[i].decoder);
    ebm_free(work->folder->context, work->workers);
}

/* Task: the header of one file. */
static void look(void *argument, size_t file, int number)
{
    job *work = argument;
    ebm_folder *folder = work->folder;
    ebm_decode_fault fault;
    FILE *stream = NULL;
    size_t height = 0, width = 0;
    ebm_status status = open_file(folder, file, &stream, &fault);
    if (status == EBM_OK) {
        status = ebm_decode_header(stream, &height, &width, &fault);
        fclose(stream);
    }
    if (status != EBM_OK)
        note_fault(work->workers + number, file, &fault);
    else
        folder->sides[file] = (sides){(uint32_t)height, (uint32_t)width};
}

static ebm_status look_at_all(ebm_folder *folder)
{
    const ebm_context *context = folder->context;
    size_t count = folder->files.count;
    folder->sides = ebm_alloc_zero(context, count, sizeof *folder->sides);
    if (!folder->sides)
        return ebm_out_of_memory(context, "the sizes of images");
    job work = {.folder = folder};
    ebm_status status = start_workers(&work, count, 0);
    if (status == EBM_OK) {
        ebm_parallel_for_at_most(context, work.worker_count, count, look,
                                 &work);
        status = tell_fault(&work);
    }
    stop_workers(&work);
    for (size_t i = 0; i < count; i++)
        if (folder->sides[i].width > folder->widest)
            folder->widest = folder->sides[i].width;
    return status;
}

/* Task: one image that is missing, to all places where it is wanted. */
static void read_image(void *argument, size_t run, int number)
{
    job *work = argument;
    const ebm_folder *folder = work->folder;
    const want *first = work->wants + work->runs[run];
    const want *end = work->wants + work->runs[run + 1];
    const sides *expected = folder->sides + first->image;
    uint8_t *bytes = work->bytes + first->place * folder->elements;
    ebm_decode_fault fault;
    FILE *stream = NULL;
    ebm_status status = open_file(folder, first->image, &stream, &fault);
    if (status == EBM_OK) {
        status = ebm_decode_pixels(&work->workers[number].decoder, stream,
                                   expected->height, expected->width, bytes,
                                   &fault);
        fclose(stream);
    }
    if (status != EBM_OK) {
        note_fault(work->workers + number, first->image, &fault);
        return;
    }
    for (const want *more = first + 1; more < end; more++)
        memcpy(work->bytes + more->place * folder->elements, bytes,
               folder->elements);
}

static int by_image(const void *a, const void *b)
{
    const want *x = a, *y = b;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Copies what the cache has and lists the rest; returns its length. */
static size_t take_cached(ebm_folder *folder, const size_t *numbers, size_t n,
                          uint8_t *bytes, want *wants)
{
    size_t missing = 0;
    pthread_mutex_lock(&folder->lock);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *held = ebm_cache_find(&folder->cache, numbers[i]);
        if (held)
            memcpy(bytes + i * folder->elements, held, folder->elements);
        else
            wants[missing++] = (want){numbers[i], i};
    }
    pthread_mutex_unlock(&folder->lock);
    return missing;
}

/* Finds where the runs of equal images begin; returns how many there are. */
static size_t find_runs(want *wants, size_t missing, size_t *runs)
{
    size_t count = 0;
    qsort(wants, missing, sizeof *wants, by_image);
    for (size_t i = 0; i < missing; i++)
        if (!i || wants[i].image != wants[i - 1].image)
            runs[count++] = i;
    runs[count] = missing;
    return count;
}

/* The lock is not held while files are read: another thread may read the same
   ones meanwhile, and finds the same bytes. */
ebm_status ebm_folder_fetch(ebm_folder *folder, const size_t *numbers,
                            size_t n, uint8_t *bytes)
{
    const ebm_context *context = folder->context;
    job work = {.folder = folder, .bytes = bytes};
    ebm_status status = EBM_OK;
    want *wants = ebm_alloc(context, n, sizeof *wants);
    size_t *runs = ebm_alloc(context, n + 1, sizeof *runs);
    if (!wants || !runs) {
        status = ebm_out_of_memory(context, "a list of images");
        goto done;
    }
    size_t missing = take_cached(folder, numbers, n, bytes, wants);
    if (!missing)
        goto done;
    size_t run_count = find_runs(wants, missing, runs);
    work.wants = wants;
    work.runs = runs;
    status = start_workers(&work, run_count, 1);
    if (status != EBM_OK)
        goto done;
    ebm_parallel_for_at_most(context, work.worker_count, run_count, read_image,
                             &work);
    status = tell_fault(&work);
    if (status != EBM_OK)
        goto done;
    pthread_mutex_lock(&folder->lock);
    for (size_t i = 0; i < run_count; i++) {
        const want *first = wants + runs[i];
        ebm_cache_put(&folder->cache, first->image,
                      bytes + first->place * folder->elements);
    }
    pthread_mutex_unlock(&folder->lock);
done:
    stop_workers(&work);
    ebm_free(context, runs);
    ebm_free(context, wants);
    return status;
}

static ebm_status read_folder(ebm_folder *folder, const char *path,
                              size_t cache_bytes)
{
    const ebm_context *context = folder->context;
    folder->descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->descriptor < 0)
        return ebm_file_fail(context, "open the folder", path, errno);
    EBM_TRY(ebm_names_list(context, folder->descriptor, path, &folder->files));
    if (!folder->files.count)
        return ebm_fail(context, EBM_ERROR_FORMAT,
                        "%s: there are no PNG files in this folder",
                        ebm_file_tail(path));
    EBM_TRY(look_at_all(folder));
    return ebm_cache_create(context, folder->files.count, folder->elements,
                            cache_bytes, &folder->cache);
}

ebm_status ebm_folder_open(const ebm_context *context, const char *path,
                           size_t height, size_t width, size_t channels,
                           size_t cache_bytes, ebm_folder **out)
{
    ebm_folder *folder = ebm_alloc_zero(context, 1, sizeof *folder);
    if (!folder)
        return ebm_out_of_memory(context, "a folder of images");
    folder->context = context;
    folder->descriptor = -1;
    folder->height = height;
    folder->width = width;
    folder->channels = channels;
    folder->elements = height * width * channels;
    ebm_status status = EBM_OK;
    if (pthread_mutex_init(&folder->lock, NULL))
        status = ebm_out_of_memory(context, "a lock");
    else
        folder->has_lock = 1;
    if (status == EBM_OK)
        status = read_folder(folder, path, cache_bytes);
    if (status == EBM_OK)
        *out = folder;
    else
        ebm_folder_close(folder);
    return status;
}

void ebm_folder_close(ebm_folder *folder)
{
    if (!folder)
        return;
    const ebm_context *context = folder->context;
    if (folder->descriptor >= 0)
        close(folder->descriptor);
    if (folder->has_lock)
        pthread_mutex_destroy(&folder->lock);
    ebm_cache_destroy(context, &folder->cache);
    ebm_free(context, folder->sides);
    ebm_names_free(context, &folder->files);
    ebm_free(context, folder);
}

size_t ebm_folder_count(const ebm_folder *folder)
{
    return folder->files.count;
}
