/*
 * Settings: a table of rows per kind of object, values in an array of
 * doubles, and one set, get and describe for all of them.
 */
#ifndef EBM_CORE_OPTION_H
#define EBM_CORE_OPTION_H

#include <float.h>
#include <math.h>
#include <stddef.h>

#include <ebm/context.h>
#include <ebm/option.h>
#include <ebm/status.h>

/* One setting; the row's index in its table is the enumerated key. */
typedef struct ebm_option_row {
    const char *name;
    ebm_option_kind kind;
    double minimum;
    double maximum;
    double initial;
} ebm_option_row;

/* Ends of open intervals, as the closed ranges that the tables hold: the
   least number that is not 0 as a float, and one safely below 1 as a float. */
#define EBM_ABOVE_ZERO ((double)FLT_MIN)
#define EBM_BELOW_ONE 0.9999999
#define EBM_FLOAT_LARGEST ((double)FLT_MAX)

/* Fills values with the initial ones. */
void ebm_option_reset(const ebm_option_row *rows, size_t count,
                      double *values);

/* Whether key exists and takes the value; sets the error text if not. */
ebm_status ebm_option_check(const ebm_context *context,
                            const ebm_option_row *rows, size_t count,
                            unsigned key, double value);

/* Checks, then stores. */
ebm_status ebm_option_set(const ebm_context *context,
                          const ebm_option_row *rows, size_t count,
                          double *values, unsigned key, double value);

ebm_status ebm_option_get(const ebm_context *context, size_t count,
                          const double *values, unsigned key, double *value);

/* The body of every public ebm_<object>_option(); outputs may be NULL. */
ebm_status ebm_option_describe(const ebm_option_row *rows, size_t count,
                               unsigned key, const char **name,
                               ebm_option_kind *kind, double *minimum,
                               double *maximum, double *initial);

#endif
