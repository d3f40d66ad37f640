/* The cache of images, with the CLOCK rule. */
#include "dataset/cache.h"

#include <string.h>

#include "core/memory.h"

ebm_status ebm_cache_create(const ebm_context *context, size_t images,
                            size_t elements, size_t limit, ebm_cache *cache)
{
    size_t places = limit / elements < images ? limit / elements : images;
    ebm_cache made = {.elements = elements, .places = places};
    if (places) {
        made.bytes = ebm_alloc(context, places, elements);
        made.image_at = ebm_alloc(context, places, sizeof *made.image_at);
        made.used = ebm_alloc(context, places, sizeof *made.used);
        made.place_of = ebm_alloc(context, images, sizeof *made.place_of);
        if (!made.bytes || !made.image_at || !made.used || !made.place_of) {
            ebm_cache_destroy(context, &made);
            return ebm_out_of_memory(context, "the cache of images");
        }
        for (size_t i = 0; i < images; i++)
            made.place_of[i] = EBM_CACHE_NOWHERE;
    }
    *cache = made;
    return EBM_OK;
}

void ebm_cache_destroy(const ebm_context *context, ebm_cache *cache)
{
    ebm_free(context, cache->bytes);
    ebm_free(context, cache->image_at);
    ebm_free(context, cache->used);
    ebm_free(context, cache->place_of);
    memset(cache, 0, sizeof *cache);
}

const uint8_t *ebm_cache_find(ebm_cache *cache, size_t image)
{
    if (!cache->places || cache->place_of[image] == EBM_CACHE_NOWHERE)
        return NULL;
    size_t place = cache->place_of[image];
    cache->used[place] = 1;
    return cache->bytes + place * cache->elements;
}

/* A place for a new image. Ends after two rounds at most: the first one
   clears all marks. */
static size_t make_place(ebm_cache *cache)
{
    if (cache->taken < cache->places)
        return cache->taken++;
    while (cache->used[cache->hand]) {
        cache->used[cache->hand] = 0;
        cache->hand = (cache->hand + 1) % cache->places;
    }
    size_t place = cache->hand;
    cache->hand = (cache->hand + 1) % cache->places;
    cache->place_of[cache->image_at[place]] = EBM_CACHE_NOWHERE;
    return place;
}

void ebm_cache_put(ebm_cache *cache, size_t image, const uint8_t *bytes)
{
    if (!cache->places || cache->place_of[image] != EBM_CACHE_NOWHERE)
        return;
    size_t place = make_place(cache);
    memcpy(cache->bytes + place * cache->elements, bytes, cache->elements);
    cache->image_at[place] = image;
    cache->used[place] = 0;
    cache->place_of[image] = place;
}
