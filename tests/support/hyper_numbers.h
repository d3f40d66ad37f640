/* Arithmetic on hyper-dual numbers, for the files of the reference alone. */
#ifndef EBM_TEST_HYPER_NUMBERS_H
#define EBM_TEST_HYPER_NUMBERS_H

#include <math.h>

#include "hyper.h"

typedef test_hyper hyper;

static inline hyper constant(double a)
{
    return (hyper){a, 0, 0, 0};
}

static inline hyper plus(hyper x, hyper y)
{
    return (hyper){x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d};
}

static inline hyper times(hyper x, hyper y)
{
    return (hyper){x.a * y.a, x.a * y.b + x.b * y.a, x.a * y.c + x.c * y.a,
                   x.a * y.d + x.b * y.c + x.c * y.b + x.d * y.a};
}

static inline hyper scaled(double s, hyper x)
{
    return (hyper){s * x.a, s * x.b, s * x.c, s * x.d};
}

static inline hyper minus(hyper x, hyper y)
{
    return plus(x, scaled(-1, y));
}

/* f(x), from f, f' and f'' at x.a. */
static inline hyper applied(hyper x, double f, double first, double second)
{
    return (hyper){f, first * x.b, first * x.c,
                   first * x.d + second * x.b * x.c};
}

static inline hyper inverse(hyper x)
{
    double r = 1 / x.a;
    return applied(x, r, -r * r, 2 * r * r * r);
}

static inline hyper root(hyper x)
{
    double r = sqrt(x.a);
    return applied(x, r, 0.5 / r, -0.25 / (r * r * r));
}

static inline hyper exponential(hyper x)
{
    double e = exp(x.a);
    return applied(x, e, e, e);
}

/* sum += w x, where a weight most often has no dual part. */
static inline void add_product(hyper *sum, hyper w, hyper x)
{
    if (w.b != 0 || w.c != 0 || w.d != 0)
        x = times(w, x);
    else
        x = scaled(w.a, x);
    *sum = plus(*sum, x);
}

static inline double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

#endif
