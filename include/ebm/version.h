/**
 * @file version.h
 * The version of the headers (macros) and of the library (functions). Every
 * macro that stands for a number has a function of the same name in small
 * letters, since other languages do not see macros.
 *
 * CMake reads the numbers from this file. The soname carries EBM_ABI_MAJOR;
 * it changes only when a published symbol changes its meaning or goes away.
 * History of the ABI triple (current:revision:age): 0:0:0 first release, 0.1.
 */
#ifndef EBM_VERSION_H
#define EBM_VERSION_H

#include <ebm/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the headers: major. */
#define EBM_VERSION_MAJOR 0
/** Version of the headers: minor. */
#define EBM_VERSION_MINOR 1
/** Version of the headers: patch. */
#define EBM_VERSION_PATCH 0
/** The three in one number that grows, see ebm_version_number(). */
#define EBM_VERSION_NUMBER                                    \
    (EBM_VERSION_MAJOR * 1000000 + EBM_VERSION_MINOR * 1000 + \
     EBM_VERSION_PATCH)
/** The number in the soname, libebm.so.0. */
#define EBM_ABI_MAJOR 0

/**
 * Version of the library that is linked, as EBM_VERSION_NUMBER was when it
 * was built: 1,000,000 major + 1,000 minor + patch.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API int ebm_version_number(void);

/**
 * Major version of the library: EBM_VERSION_MAJOR when it was built.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API int ebm_version_major(void);

/**
 * Minor version of the library: EBM_VERSION_MINOR when it was built.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API int ebm_version_minor(void);

/**
 * Patch of the library: EBM_VERSION_PATCH when it was built.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API int ebm_version_patch(void);

/**
 * The number in the soname, EBM_ABI_MAJOR. Programs that load the library by
 * hand compare it with the one they were written for.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API int ebm_abi_major(void);

/**
 * The version as text, "0.1.0". Static storage.
 *
 * Errors: none. Thread safety: any thread. Since: 0.1.
 */
EBM_API const char *ebm_version_string(void);

#ifdef __cplusplus
}
#endif

#endif
