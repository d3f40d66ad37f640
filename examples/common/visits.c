#include "visits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "try.h"

visits visits_begin(ebm_context *context, const ebm_dataset *images,
                    size_t chains)
{
    size_t shape[3];
    visits v = {.chains = chains, .images = ebm_dataset_count(images)};
    TRY(ebm_dataset_shape(images, shape, shape + 1, shape + 2));
    v.elements = shape[0] * shape[1] * shape[2];
    v.data = try_allocate(v.images * v.elements, sizeof *v.data);
    if (ebm_dataset_has_labels(images))
        v.labels = try_allocate(v.images, sizeof *v.labels);
    TRY(ebm_dataset_read(images, 0, v.images, v.data, v.labels));
    v.seen = try_allocate(chains, sizeof *v.seen);
    v.last = try_allocate(chains, sizeof *v.last);
    v.changes = try_allocate(chains, sizeof *v.changes);
    for (size_t i = 0; i < chains; i++)
        v.last[i] = -1;
    return v;
}

/* In sixteen sums side by side, which compilers turn into vectors. */
static float square_distance(const float *a, const float *b, size_t n)
{
    enum { LANES = 16 };
    float sums[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            float d = a[i + k] - b[i + k];
            sums[k] += d * d;
        }
    for (; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    for (size_t k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}

static size_t nearest(const visits *v, const float *x, double *distance)
{
    float least = INFINITY;
    size_t found = 0;
    for (size_t i = 0; i < v->images; i++) {
        float d = square_distance(x, v->data + i * v->elements, v->elements);
        if (d < least) {
            least = d;
            found = i;
        }
    }
    *distance = sqrt((double)least);
    return found;
}

void visits_note(visits *v, const ebm_chains *chains)
{
    const float *x = ebm_chains_states(chains);
    double sum = 0.0;
    memset(v->ends, 0, sizeof v->ends);
    for (size_t i = 0; i < v->chains; i++) {
        double distance;
        size_t image = nearest(v, x + i * v->elements, &distance);
        int32_t digit = v->labels != NULL ? v->labels[image] : 0;
        sum += distance;
        if (digit < 0 || digit >= VISITS_CLASSES)
            continue;
        v->seen[i] |= 1u << digit;
        v->changes[i] += v->last[i] >= 0 && v->last[i] != digit;
        v->last[i] = digit;
        v->ends[digit]++;
    }
    v->distance += sum / (double)v->chains;
    v->looks++;
}

void visits_print(const visits *v)
{
    size_t digits = 0, changes = 0, most = 0;
    if (v->labels == NULL || v->looks == 0) {
        puts(v->looks == 0 ? "too short to count digits"
                           : "no labels beside the images to count digits");
        return;
    }
    for (size_t i = 0; i < v->chains; i++) {
        changes += v->changes[i];
        for (unsigned bits = v->seen[i]; bits != 0; bits &= bits - 1)
            digits++;
    }
    for (size_t k = 0; k < VISITS_CLASSES; k++)
        most = v->ends[k] > v->ends[most] ? k : most;
    printf("digits_visited=%.2f changes=%.2f looks=%zu ends_at_%zu=%zu/%zu "
           "distance=%.2f\n",
           (double)digits / (double)v->chains,
           (double)changes / (double)v->chains, v->looks, most, v->ends[most],
           v->chains, v->distance / (double)v->looks);
}

void visits_free(visits *v)
{
    free(v->data);
    free(v->labels);
    free(v->seen);
    free(v->last);
    free(v->changes);
    *v = (visits){0};
}
