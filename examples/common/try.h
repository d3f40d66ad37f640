/*
 * What a program does about an error: the library hands back a status and
 * keeps one line of text, and here the program prints that line and ends.
 *
 * TRY(call) needs a variable `context` in sight. Programs that can do better
 * than end look at the status themselves, or hand it on with PASS(call).
 */
#ifndef EXAMPLES_COMMON_TRY_H
#define EXAMPLES_COMMON_TRY_H

#include <ebm/ebm.h>

/* Exit codes: 1 for what went wrong while running, 2 for a wrong command. */
enum { EXIT_RUN = 1, EXIT_USAGE = 2 };

#define TRY(call) try_status(context, (call), __FILE__, __LINE__)

#define PASS(call)                       \
    do {                                 \
        ebm_status pass_status = (call); \
        if (pass_status != EBM_OK)       \
            return pass_status;          \
    } while (0)

/* Ends the program with a message unless the status is EBM_OK. */
void try_status(const ebm_context *context, ebm_status status,
                const char *file, int line);

/* Memory that is there, or the end of the program. */
void *try_allocate(size_t count, size_t size);

/* A copy of a text, to be freed. */
char *try_copy(const char *text);

/* Ends the program when what it printed did not arrive, as on a full disk. */
void try_output(void);

/* Ends the program with one line of text, as printf. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), noreturn))
#endif
void fail(int exit_code, const char *format, ...);

#endif
