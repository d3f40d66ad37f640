/* Ridders 1982, "Accurate computation of F'(x) and F'(x)F''(x)". */
#include "diagnostics/difference.h"

#include <math.h>

/* Orders that are eliminated: more gain nothing in float. */
enum { ORDERS = 3 };

typedef struct cell {
    double value, noise;
} cell;

/* The entry of a row whose error estimate is the smallest: its distance from
   the farther of the two entries that it was made of, and the rounding that
   it carries. */
static ebm_slope best_of(const cell *row, const cell *above, int orders)
{
    ebm_slope best = {0, INFINITY};
    for (int j = 0; j <= orders; j++) {
        double off = j ? fmax(fabs(row[j].value - row[j - 1].value),
                              fabs(row[j].value - above[j - 1].value))
                       : fabs(row[0].value - above[0].value);
        if (off + row[j].noise < best.error)
            best = (ebm_slope){row[j].value, off + row[j].noise};
    }
    return best;
}

/* Steps that are long against the energy's own lengths may agree with each
   other on a slope that is none: of a large bowl with ripples, say, that of
   the bowl. Short steps know better, to within their errors. */
static ebm_slope judge(const ebm_slope *slopes)
{
    ebm_slope best = {0, INFINITY};
    for (int k = EBM_STEPS - 1; k >= 0; k--) {
        double error = slopes[k].error;
        for (int m = k + 1; m < EBM_STEPS && isfinite(error); m++)
            error = fmax(error, fabs(slopes[k].value - slopes[m].value) -
                                    slopes[m].error);
        if (error < best.error)
            best = (ebm_slope){slopes[k].value, error};
    }
    return best;
}

/*
 * D(h) = (f(x + h) - f(x - h)) / 2h = f' + c h^2 + ..., so steps h and h / 2
 * give f' = (4 D(h/2) - D(h)) / 3 + O(h^4), and so on with 16, 64.
 */
ebm_slope ebm_richardson(const double *ahead, const double *behind,
                         const double *span, double rounding)
{
    ebm_slope slopes[EBM_STEPS];
    cell above[ORDERS + 1] = {{0, 0}};
    int rows = 0; /* steps in succession that could be used */
    for (int k = 0; k < EBM_STEPS; k++) {
        double rise = ahead[k] - behind[k];
        slopes[k] = (ebm_slope){0, INFINITY};
        if (!isfinite(rise) || !(span[k] > 0)) {
            rows = 0;
            continue;
        }
        cell row[ORDERS + 1] = {{rise / span[k], 2 * rounding / span[k]}};
        int orders = rows < ORDERS ? rows : ORDERS;
        double factor = 4;
        for (int j = 1; j <= orders; j++, factor *= 4) {
            row[j].value = (factor * row[j - 1].value - above[j - 1].value) /
                           (factor - 1);
            row[j].noise = (factor * row[j - 1].noise + above[j - 1].noise) /
                           (factor - 1);
        }
        /* A single step has nothing to be judged by. */
        if (rows)
            slopes[k] = best_of(row, above, orders);
        for (int j = 0; j <= orders; j++)
            above[j] = row[j];
        rows++;
    }
    return judge(slopes);
}
