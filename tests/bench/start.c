/*
 * Start of a process to its first energy: ebm_first_energy beside this program
 * (start/first_energy.c) is run and waited for, so the time has the loading of
 * libebm.so and of all it needs in it, and the end of the process too.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

extern char **environ;

typedef struct program {
    ebm_context *context;
    char path[4096];
    char threads[16];
} program;

static void *create(const bench_case *bench, ebm_context *context)
{
    static const char name[] = "ebm_first_energy";
    program *p = bench_zeros(context, sizeof *p);
    double threads = 0.0;
    (void)bench;
    p->context = context;
    ssize_t length = readlink("/proc/self/exe", p->path, sizeof p->path - 1);
    if (length < 0)
        bench_try(context, EBM_ERROR_IO, "readlink /proc/self/exe");
    char *slash = strrchr(p->path, '/');
    if (slash == NULL ||
        (size_t)(slash - p->path) + 1 + sizeof name > sizeof p->path)
        bench_try(context, EBM_ERROR_RANGE, "path of this program");
    memcpy(slash + 1, name, sizeof name);
    BENCH_TRY(ebm_context_get(context, EBM_CONTEXT_THREADS, &threads));
    snprintf(p->threads, sizeof p->threads, "%.0f", threads);
    return p;
}

static void run(void *work)
{
    program *p = work;
    char *arguments[] = {p->path, p->threads, NULL};
    pid_t child;
    int status = -1;
    if (posix_spawn(&child, p->path, NULL, NULL, arguments, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        bench_try(p->context, EBM_ERROR_IO, p->path);
}

const bench_work bench_start = {create, run, free, NULL, 0};
