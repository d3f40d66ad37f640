/* Derivatives by the sample: of the energy, and of its gradient. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "diagnostics/check.h"

double ebm_root_mean_square(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum > 0 ? sqrt(sum / (double)n) : 1;
}

double ebm_float_rounding(double largest)
{
    return 2 * (double)FLT_EPSILON * largest;
}

ebm_random ebm_check_random(const ebm_check_run_state *run, uint64_t what,
                            size_t index)
{
    return ebm_random_at(run->check->seed, EBM_PURPOSE_CHECK,
                         index % EBM_RANDOM_LIMIT, what);
}

ebm_status ebm_check_is_finite(const ebm_check_run_state *run,
                               const float *values, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return ebm_fail(ebm_context_of(run->check), EBM_ERROR_NON_FINITE,
                            "%s has an element %zu that is not finite", what,
                            i);
    return EBM_OK;
}

/* Both ends of every step along v from sample i, behind one another, and the
   spans that floats made of them. A state beyond FLT_MAX becomes the sample
   itself with a span of 0, which leaves the step out. */
static void lay_steps(ebm_check_run_state *run, size_t i, const float *v,
                      double *span)
{
    const float *x = run->x + i * run->size;
    double h = run->step * ebm_root_mean_square(x, run->size), length = 0;
    for (size_t j = 0; j < run->size; j++)
        length += (double)v[j] * (double)v[j];
    for (int k = 0; k < EBM_STEPS; k++, h *= 0.5) {
        float *ahead = run->moved + (size_t)(2 * k) * run->size;
        float *behind = ahead + run->size;
        /* In units of v: 2 h, as exactly as floats can be moved by it. */
        double along = 0;
        for (size_t j = 0; j < run->size; j++) {
            ahead[j] = (float)((double)x[j] + h * (double)v[j]);
            behind[j] = (float)((double)x[j] - h * (double)v[j]);
            along += ((double)ahead[j] - (double)behind[j]) * (double)v[j];
        }
        span[k] = isfinite(along) && length > 0 ? along / length : 0;
        if (span[k] > 0)
            continue;
        memcpy(ahead, x, run->size * sizeof *x);
        memcpy(behind, x, run->size * sizeof *x);
    }
}

static const int32_t *labels_of(ebm_check_run_state *run, size_t i)
{
    if (!run->labels)
        return NULL;
    for (int k = 0; k < 2 * EBM_STEPS; k++)
        run->same[k] = run->labels[i];
    return run->same;
}

/* The slope of the energy along v at sample i. */
static ebm_status slope_of_energy(ebm_check_run_state *run, size_t i,
                                  const float *v, ebm_slope *slope)
{
    double span[EBM_STEPS], ahead[EBM_STEPS], behind[EBM_STEPS];
    double largest = 0;
    lay_steps(run, i, v, span);
    EBM_TRY(ebm_model_energy(run->model, run->moved, labels_of(run, i),
                             2 * EBM_STEPS, run->energy));
    for (int k = 0; k < EBM_STEPS; k++) {
        ahead[k] = (double)run->energy[2 * k];
        behind[k] = (double)run->energy[2 * k + 1];
        if (isfinite(ahead[k]) && isfinite(behind[k]))
            largest = fmax(largest, fmax(fabs(ahead[k]), fabs(behind[k])));
    }
    *slope = ebm_richardson(ahead, behind, span, ebm_float_rounding(largest));
    return EBM_OK;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* What is compared of sample i: `elements` of its size, each once (selection
   sampling, Knuth 3.4.2 S), then directions. */
static ebm_status check_sample(ebm_check_run_state *run, size_t i,
                               ebm_tally *tally)
{
    size_t size = run->size,
           left = run->elements < size ? run->elements : size;
    const float *grad = run->grad + i * size;
    ebm_random random = ebm_check_random(run, 0, i);
    ebm_slope slope;
    memset(run->v, 0, size * sizeof *run->v);
    for (size_t j = 0; j < size && left; j++) {
        if (ebm_random_uniform(&random, j) * (double)(size - j) >=
            (double)left)
            continue;
        left--;
        run->v[j] = 1;
        EBM_TRY(slope_of_energy(run, i, run->v, &slope));
        ebm_tally_element(tally, i, j, (double)grad[j], slope);
        run->v[j] = 0;
    }
    double norm = sqrt(dot(grad, grad, size));
    for (size_t r = 0; r < run->directions; r++) {
        /* The gradient's own has the length of a random one. */
        double to = norm > 0 ? sqrt((double)size) / norm : 0;
        random = ebm_check_random(run, 1 + r, i);
        for (size_t j = 0; j < size; j++)
            run->v[j] = r || !(norm > 0) ? (float)ebm_random_normal(&random, j)
                                         : (float)(to * (double)grad[j]);
        EBM_TRY(slope_of_energy(run, i, run->v, &slope));
        double length = sqrt(dot(run->v, run->v, size));
        ebm_tally_direction(tally, dot(grad, run->v, size), slope,
                            norm * length / sqrt((double)size));
    }
    return EBM_OK;
}

ebm_status ebm_check_input(ebm_check_run_state *run, ebm_tally *tally)
{
    for (size_t i = 0; i < run->n; i++)
        EBM_TRY(check_sample(run, i, tally));
    return EBM_OK;
}

/* H v at sample i, every element, against differences of the gradient. */
static ebm_status check_product(ebm_check_run_state *run, size_t i,
                                ebm_tally *tally)
{
    size_t size = run->size;
    double span[EBM_STEPS], ahead[EBM_STEPS], behind[EBM_STEPS];
    const int32_t *label = run->labels ? run->labels + i : NULL;
    EBM_TRY(ebm_model_hessian_vector(run->model, run->x + i * size, label, 1,
                                     run->v, run->hv));
    EBM_TRY(ebm_check_is_finite(run, run->hv, size, "H v"));
    lay_steps(run, i, run->v, span);
    EBM_TRY(ebm_model_energy_grad(run->model, run->moved, labels_of(run, i),
                                  2 * EBM_STEPS, NULL, run->at));
    double largest = 0;
    for (size_t j = 0; j < 2 * EBM_STEPS * size; j++)
        if (isfinite(run->at[j]))
            largest = fmax(largest, fabs((double)run->at[j]));
    for (size_t j = 0; j < size; j++) {
        for (int k = 0; k < EBM_STEPS; k++) {
            ahead[k] = (double)run->at[(size_t)(2 * k) * size + j];
            behind[k] = (double)run->at[(size_t)(2 * k + 1) * size + j];
        }
        ebm_tally_element(
            tally, i, j, (double)run->hv[j],
            ebm_richardson(ahead, behind, span, ebm_float_rounding(largest)));
    }
    return EBM_OK;
}

ebm_status ebm_check_hessian(ebm_check_run_state *run, ebm_tally *tally)
{
    for (size_t i = 0; i < run->n; i++)
        for (size_t r = 0; r < run->directions; r++) {
            ebm_random random =
                ebm_check_random(run, run->directions + 1 + r, i);
            for (size_t j = 0; j < run->size; j++)
                run->v[j] = (float)ebm_random_normal(&random, j);
            EBM_TRY(check_product(run, i, tally));
        }
    return EBM_OK;
}
