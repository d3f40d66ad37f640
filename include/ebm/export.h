/**
 * @file export.h
 * Symbol visibility. The only header that knows about compilers.
 *
 * Define EBM_STATIC when linking the static library on a platform that
 * distinguishes imported symbols (Windows); elsewhere nothing is needed.
 */
#ifndef EBM_EXPORT_H
#define EBM_EXPORT_H

#if defined(_WIN32) && !defined(EBM_STATIC)
#ifdef EBM_BUILDING
#define EBM_API __declspec(dllexport)
#else
#define EBM_API __declspec(dllimport)
#endif
#elif defined(__GNUC__) && defined(EBM_BUILDING)
#define EBM_API __attribute__((visibility("default")))
#else
#define EBM_API
#endif

#endif
