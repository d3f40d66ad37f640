/* Panels of transposed weights. */
#include "kernel/variant/variant.h"
#include "kernel/variant/vec.h"

/* Four floats: as wide as every instruction set can shuffle. */
typedef float quad __attribute__((vector_size(16)));

#if defined(__clang__)
#define PAIRS(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t quad_int __attribute__((vector_size(16)));
#define PAIRS(a, b, i, j, k, l) __builtin_shuffle(a, b, (quad_int){i, j, k, l})
#endif

static inline quad load_quad(const float *p)
{
    quad q;
    memcpy(&q, p, sizeof q);
    return q;
}

static inline void store_quad(float *p, quad q)
{
    memcpy(p, &q, sizeof q);
}

/* 4 x 4 of a block. */
static inline void turn_quads(const float *from, float *to)
{
    quad a = load_quad(from), b = load_quad(from + EBM_PANEL);
    quad c = load_quad(from + 2 * EBM_PANEL);
    quad d = load_quad(from + 3 * EBM_PANEL);
    quad ab_low = PAIRS(a, b, 0, 4, 1, 5), ab_high = PAIRS(a, b, 2, 6, 3, 7);
    quad cd_low = PAIRS(c, d, 0, 4, 1, 5), cd_high = PAIRS(c, d, 2, 6, 3, 7);
    store_quad(to, PAIRS(ab_low, cd_low, 0, 1, 4, 5));
    store_quad(to + EBM_PANEL, PAIRS(ab_low, cd_low, 2, 3, 6, 7));
    store_quad(to + 2 * EBM_PANEL, PAIRS(ab_high, cd_high, 0, 1, 4, 5));
    store_quad(to + 3 * EBM_PANEL, PAIRS(ab_high, cd_high, 2, 3, 6, 7));
}

/* Panels are larger than a cache and their blocks lie apart, so the next one
   is asked for before it is needed. */
void EBM_KERNEL(turn_panel)(size_t blocks, size_t step, const float *from,
                            float *to)
{
    for (size_t b = 0; b < blocks; b++) {
        const float *next = b + 1 < blocks ? from + step : from;
        for (size_t i = 0; i < EBM_PANEL; i += 4)
            for (size_t j = 0; j < EBM_PANEL; j += 4) {
                __builtin_prefetch(next + (i + j / 4) * EBM_PANEL);
                turn_quads(from + i * EBM_PANEL + j, to + j * EBM_PANEL + i);
            }
        from = next;
        to += EBM_PANEL * EBM_PANEL;
    }
}
