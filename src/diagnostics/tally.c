/* What a check makes of its comparisons. */
#include <math.h>

#include "diagnostics/check.h"

void ebm_tally_element(ebm_tally *tally, size_t sample, size_t element,
                       double given, ebm_slope slope)
{
    double apart = fabs(given - slope.value);
    if (!tally->count++ || apart > tally->worst) {
        tally->worst = apart;
        tally->worst_given = given;
        tally->worst_difference = slope.value;
        tally->worst_sample = sample;
        tally->worst_element = element;
    }
    tally->uncertain = fmax(tally->uncertain, slope.error);
    tally->lost |= isinf(slope.error) != 0;
    tally->given += given * given;
    tally->different += slope.value * slope.value;
    tally->product += given * slope.value;
    tally->apart += apart * apart;
    tally->largest =
        fmax(tally->largest, fmax(fabs(given), fabs(slope.value)));
}

void ebm_tally_direction(ebm_tally *tally, double given, ebm_slope slope,
                         double unit)
{
    double apart = fabs(given - slope.value);
    /* A gradient of 0 gives no unit; the difference then does. */
    double by = fmax(unit, fabs(slope.value));
    tally->lost |= isinf(slope.error) != 0;
    if (apart > 0)
        tally->direction = fmax(tally->direction, apart / by);
    if (slope.error > 0 && by > 0)
        tally->direction_uncertain =
            fmax(tally->direction_uncertain, slope.error / by);
}

/* Of two vectors of which one or both may be 0. */
static double ratio(double part, double whole, double of_nothing)
{
    return whole > 0 ? part / whole : of_nothing;
}

void ebm_tally_finish(const ebm_tally *tally, double tolerance,
                      int with_directions, ebm_findings *findings)
{
    double *v = findings->values;
    double a = sqrt(tally->given), b = sqrt(tally->different);
    double uncertain = ratio(tally->uncertain, tally->largest, 0);
    v[EBM_CHECK_RELATIVE_NORM] = ratio(sqrt(tally->apart), fmax(a, b), 0);
    /* 1 for two that are 0, 0 for one. */
    v[EBM_CHECK_COSINE] = a > 0 && b > 0 ? tally->product / a / b : a == b;
    v[EBM_CHECK_WORST_ERROR] = ratio(tally->worst, tally->largest, 0);
    v[EBM_CHECK_WORST_SAMPLE] = (double)tally->worst_sample;
    v[EBM_CHECK_WORST_ELEMENT] = (double)tally->worst_element;
    v[EBM_CHECK_WORST_GIVEN] = tally->worst_given;
    v[EBM_CHECK_WORST_DIFFERENCE] = tally->worst_difference;
    v[EBM_CHECK_DIRECTION_ERROR] = with_directions ? tally->direction : 0;
    v[EBM_CHECK_UNCERTAINTY] =
        tally->lost ? INFINITY : fmax(uncertain, tally->direction_uncertain);
    v[EBM_CHECK_COUNT] = (double)tally->count;
    v[EBM_CHECK_PASSED] = !tally->lost &&
                          v[EBM_CHECK_WORST_ERROR] <= tolerance &&
                          v[EBM_CHECK_DIRECTION_ERROR] <= tolerance;
    findings->is_computed = 1;
}
