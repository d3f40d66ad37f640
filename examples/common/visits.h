/*
 * How well chains mix, as a number: which digits a chain has been, judged by
 * the nearest image of the data (Euclidean distance between pixels).
 */
#ifndef EXAMPLES_COMMON_VISITS_H
#define EXAMPLES_COMMON_VISITS_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

enum { VISITS_CLASSES = 10 };

typedef struct visits {
    size_t images, elements, chains;
    float *data;     /* [images, elements] */
    int32_t *labels; /* [images], or NULL when the data has none */
    size_t looks;
    unsigned *seen;  /* [chains], a bit for each digit */
    int32_t *last;   /* [chains], the digit of the last look; -1 before */
    size_t *changes; /* [chains] */
    double distance; /* sum over looks of the mean distance to the nearest */
    size_t ends[VISITS_CLASSES]; /* digits of the last look */
} visits;

/* Prepares to look at so many chains. Images that can not be read end the
   program. */
visits visits_begin(ebm_context *context, const ebm_dataset *images,
                    size_t chains);

/* Looks at the chains: which digit is each of them now? */
void visits_note(visits *v, const ebm_chains *chains);

/* One line: digits visited and changes of digit a chain, on average; how many
   chains end at the commonest digit; how far they are from the data. */
void visits_print(const visits *v);

void visits_free(visits *v);

#endif
