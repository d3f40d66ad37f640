/* Chooses the kernels for this processor. */
#include "kernel/kernels.h"

extern const ebm_kernels ebm_kernels_baseline;
#if defined(__x86_64__)
extern const ebm_kernels ebm_kernels_avx2;
extern const ebm_kernels ebm_kernels_avx512;
#endif

/* Best first. */
static const ebm_kernels *const variants[] = {
#if defined(__x86_64__)
    &ebm_kernels_avx512,
    &ebm_kernels_avx2,
#endif
    &ebm_kernels_baseline,
};

const ebm_kernels *ebm_kernels_variant(size_t index)
{
    return index < sizeof variants / sizeof *variants ? variants[index] : NULL;
}

const ebm_kernels *ebm_kernels_best(void)
{
    size_t i = 0;
    while (!variants[i]->usable())
        i++;
    return variants[i];
}
