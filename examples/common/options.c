#define _POSIX_C_SOURCE 200809L
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "try.h"

enum { MAX_ROWS = 32, HELP = 'h' };

static void print_help(const char *program, const char *intro,
                       const option_row *rows, size_t count)
{
    printf("Usage: %s [options]\n\n%s\n\nOptions:\n", program, intro);
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", rows[i].name, rows[i].value);
        printf("  %-18s %s", left, rows[i].help);
        if (rows[i].number != NULL)
            printf(" (%" PRIu64 ")", *rows[i].number);
        else if (rows[i].real != NULL)
            printf(" (%g)", *rows[i].real);
        else if (*rows[i].text != NULL)
            printf(" (%s)", *rows[i].text);
        putchar('\n');
    }
    printf("  %-18s %s\n", "--help", "this text");
}

/* strtoull alone would take "-1" as a huge number and "12x" as 12. */
static uint64_t parse_number(const option_row *row, const char *text)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0')
        fail(EXIT_USAGE, "--%s: '%s' is not a whole number", row->name, text);
    if (errno == ERANGE || number < row->minimum || number > row->maximum)
        fail(EXIT_USAGE, "--%s: %s is outside %" PRIu64 " to %" PRIu64,
             row->name, text, row->minimum, row->maximum);
    return number;
}

static double parse_real(const option_row *row, const char *text)
{
    char *end = NULL;
    double real = strtod(text, &end);
    if (end == text || *end != '\0')
        fail(EXIT_USAGE, "--%s: '%s' is not a number", row->name, text);
    if (!(real >= row->least && real <= row->most)) /* NaN is outside, too */
        fail(EXIT_USAGE, "--%s: %s is outside %g to %g", row->name, text,
             row->least, row->most);
    return real;
}

/* getopt_long would take --mod for --model. The option that it has just read
   is the word behind it, or the one before when that word is its value. */
static void check_name(char *const *argv, const char *name)
{
    const char *word = argv[optind - (optarg == argv[optind - 1] ? 2 : 1)];
    size_t length = strcspn(word + 2, "=");
    if (length != strlen(name) || strncmp(word + 2, name, length) != 0)
        fail(EXIT_USAGE, "'%.*s' is not an option; did you mean --%s?",
             (int)length + 2, word, name);
}

void options_parse(int argc, char **argv, const char *intro,
                   const option_row *rows, size_t count)
{
    struct option table[MAX_ROWS + 2];
    memset(table, 0, sizeof table); /* getopt_long wants a row of 0 last */
    if (count > MAX_ROWS)
        fail(EXIT_USAGE, "a table of %zu options is too long", count);
    for (size_t i = 0; i < count; i++) {
        table[i].name = rows[i].name;
        table[i].has_arg = required_argument;
    }
    table[count].name = "help";
    table[count].val = HELP;

    int index, found;
    while (index = -1, /* stays so for -h */
           (found = getopt_long(argc, argv, "h", table, &index)) != -1) {
        if (found == '?') /* getopt_long has said what is wrong */
            exit(EXIT_USAGE);
        if (index >= 0)
            check_name(argv, table[index].name);
        if (found == HELP) {
            print_help(argv[0], intro, rows, count);
            try_output();
            exit(EXIT_SUCCESS);
        }
        const option_row *row = &rows[index];
        if (row->number != NULL)
            *row->number = parse_number(row, optarg);
        else if (row->real != NULL)
            *row->real = parse_real(row, optarg);
        else if (optarg[0] == '\0')
            fail(EXIT_USAGE, "--%s: the %s is empty", row->name, row->value);
        else
            *row->text = optarg;
    }
    if (optind < argc)
        fail(EXIT_USAGE, "'%s' is not an option; see --help", argv[optind]);
}
