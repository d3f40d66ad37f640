/*
 * Command lines: a table of long options, read with getopt_long. Names have to
 * be whole, so that a script sees in a command line what the program sees.
 *
 * Whatever is wrong with a command line is said in one line, and the program
 * ends with exit code 2 before it has done anything.
 */
#ifndef EXAMPLES_COMMON_OPTIONS_H
#define EXAMPLES_COMMON_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef struct option_row {
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls the value: "N", "FILE" */
    const char *help;
    /* Where the value goes: one of the three is set. A whole number must lie
       in minimum .. maximum, a real one in least .. most. */
    const char **text;
    uint64_t *number;
    uint64_t minimum, maximum;
    double *real;
    double least, most;
} option_row;

/*
 * Reads the command line into the rows' targets. --help prints the intro, the
 * rows with their present values as defaults, and ends the program.
 */
void options_parse(int argc, char **argv, const char *intro,
                   const option_row *rows, size_t count);

#endif
