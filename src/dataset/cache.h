/*
 * Images held as bytes, up to a number of them that is fixed at creation.
 * When all places are taken, the CLOCK rule ("second chance", Corbato 1968)
 * says who goes: a hand walks round the places, spares once what was used
 * since it came by last, and replaces the first that was not.
 *
 * One thread at a time: whoever shares a cache has the lock.
 */
#ifndef EBM_DATASET_CACHE_H
#define EBM_DATASET_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/context.h>
#include <ebm/status.h>

typedef struct ebm_cache {
    size_t elements; /* bytes of one image */
    size_t places;   /* how many images it can hold; may be 0 */
    size_t taken;
    size_t hand;
    uint8_t *bytes;   /* [places, elements] */
    size_t *image_at; /* [places] */
    uint8_t *used;    /* [places]: since the hand came by */
    size_t *place_of; /* [images], or EBM_CACHE_NOWHERE */
} ebm_cache;

#define EBM_CACHE_NOWHERE SIZE_MAX

/* For images numbered 0 .. images - 1; bytes of pixels never exceed `limit`.
   Errors: MEMORY; then nothing is held. */
ebm_status ebm_cache_create(const ebm_context *context, size_t images,
                            size_t elements, size_t limit, ebm_cache *cache);

/* Does nothing to an all-zero one. */
void ebm_cache_destroy(const ebm_context *context, ebm_cache *cache);

/* The image's bytes until the next put, or NULL. */
const uint8_t *ebm_cache_find(ebm_cache *cache, size_t image);

/* Holds a copy from now on. Does nothing when it is held already or when
   there are no places. */
void ebm_cache_put(ebm_cache *cache, size_t image, const uint8_t *bytes);

#endif
