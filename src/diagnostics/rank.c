/* Sorting, ranks, normal scores and quantiles. */
#include "diagnostics/rank.h"

#include <math.h>

static int before(ebm_ranked a, ebm_ranked b)
{
    return a.value < b.value || (a.value == b.value && a.index < b.index);
}

/* Puts r where it belongs below `at` in a heap whose root is the last. */
static void sink(ebm_ranked *heap, size_t at, size_t count, ebm_ranked r)
{
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && before(heap[child], heap[child + 1]))
            child++;
        if (!before(r, heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = r;
}

void ebm_sort(ebm_ranked *ranked, size_t count)
{
    for (size_t at = count / 2; at-- > 0;)
        sink(ranked, at, count, ranked[at]);
    for (size_t left = count; left > 1; left--) {
        ebm_ranked last = ranked[0];
        sink(ranked, 0, left - 1, ranked[left - 1]);
        ranked[left - 1] = last;
    }
}

/* Abramowitz and Stegun 26.2.23 is right to 4.5e-4; each step of Halley's
   method on Phi(x) - p cubes the error. erfc has all digits in the tail. */
double ebm_normal_quantile(double p)
{
    const double root_half = 0.70710678118654752,
                 root_two_pi = 2.5066282746310005;
    if (p > 0.5)
        return -ebm_normal_quantile(1 - p);
    double t = sqrt(-2 * log(p));
    double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int i = 0; i < 2; i++) {
        double error = 0.5 * erfc(-x * root_half) - p;
        double u = error * root_two_pi * exp(0.5 * x * x);
        x -= u / (1 + 0.5 * x * u);
    }
    return x;
}

void ebm_rank_normalise(double *values, size_t count, ebm_ranked *ranked)
{
    for (size_t i = 0; i < count; i++)
        ranked[i] = (ebm_ranked){values[i], i};
    ebm_sort(ranked, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count; end++)
            if (ranked[end].value != ranked[i].value)
                break;
        /* Ranks i + 1 to end. */
        double rank = 0.5 * ((double)i + 1 + (double)end);
        double z =
            ebm_normal_quantile((rank - 0.375) / ((double)count + 0.25));
        for (size_t j = i; j < end; j++)
            values[ranked[j].index] = z;
    }
}

double ebm_quantile(const ebm_ranked *sorted, size_t count, double p)
{
    double at = p * (double)(count - 1);
    size_t below = (size_t)at;
    double part = at - (double)below;
    double a = sorted[below].value;
    /* Nothing is rounded where there is nothing between. */
    if (part == 0 || below + 1 >= count || sorted[below + 1].value == a)
        return a;
    return a * (1 - part) + sorted[below + 1].value * part;
}
