/**
 * @file option.h
 * What the settings of all objects have in common.
 *
 * Each object with settings has one setter and one getter that take an
 * enumerated key and a double, whatever the kind of the setting, and one
 * query that describes a key. A new setting is a new enumerator. Setting a
 * value that is NaN, outside [minimum, maximum], or fractional where the kind
 * is not EBM_OPTION_REAL, is EBM_ERROR_RANGE and changes nothing.
 *
 * Open ends are closed at a float: "> 0" begins at the least normal one,
 * 1.18e-38, and "1 (excluded)" ends at 0.9999999.
 *
 * Infinity is a value like any other where the range allows it: a clip at
 * infinity is no clip, a bound at infinity is no bound.
 */
#ifndef EBM_OPTION_H
#define EBM_OPTION_H

#include <ebm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What values a setting takes. */
typedef enum ebm_option_kind {
    /** Any number in the range. */
    EBM_OPTION_REAL = 0,
    /** A whole number in the range. */
    EBM_OPTION_INTEGER = 1,
    /** 0 (no) or 1 (yes). */
    EBM_OPTION_FLAG = 2,
    /** An enumerator: every whole number from minimum to maximum is one. */
    EBM_OPTION_CHOICE = 3,
    EBM_OPTION_KIND_MAX = 0x7fffffff
} ebm_option_kind;

#ifdef __cplusplus
}
#endif

#endif
