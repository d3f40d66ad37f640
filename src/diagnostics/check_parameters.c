/* The derivative by the parameters. */
#include <math.h>
#include <string.h>

#include "diagnostics/check.h"
#include "model/model.h"

/* sum_i scale_i E(x_i), and a bound of what rounding did to it. */
static ebm_status weighted_energy(ebm_check_run_state *run, double *sum,
                                  double *rounding)
{
    double magnitude = 0;
    EBM_TRY(ebm_model_energy(run->model, run->x, run->labels, run->n,
                             run->energy));
    *sum = 0;
    for (size_t i = 0; i < run->n; i++) {
        double term = (double)run->scale[i] * (double)run->energy[i];
        *sum += term;
        magnitude += fabs(term);
    }
    *rounding = ebm_float_rounding(magnitude);
    return EBM_OK;
}

/* theta + h aim between first and end; how far that went along aim. */
static ebm_status move(ebm_check_run_state *run, size_t first, size_t end,
                       double h, double *along)
{
    *along = 0;
    for (size_t j = first; j < end; j++) {
        float moved = (float)((double)run->theta[j] + h * (double)run->aim[j]);
        *along +=
            ((double)moved - (double)run->theta[j]) * (double)run->aim[j];
        if (!isfinite(moved))
            moved = run->theta[j];
        ebm_model_copy_in(run->model, 0, j, &moved, 1);
    }
    ebm_model_parameters_written(run->model);
    return ebm_model_check_ready(run->model);
}

/* The slope of the weighted energy along aim, which is 0 outside of elements
   first to end. */
static ebm_status slope_of(ebm_check_run_state *run, size_t first, size_t end,
                           double h, ebm_slope *slope)
{
    double span[EBM_STEPS], ahead[EBM_STEPS], behind[EBM_STEPS];
    double length = 0, rounding, largest = 0;
    for (size_t j = first; j < end; j++)
        length += (double)run->aim[j] * (double)run->aim[j];
    for (int k = 0; k < EBM_STEPS; k++, h *= 0.5) {
        double forth, back;
        EBM_TRY(move(run, first, end, h, &forth));
        EBM_TRY(weighted_energy(run, ahead + k, &rounding));
        if (isfinite(rounding))
            largest = fmax(largest, rounding);
        EBM_TRY(move(run, first, end, -h, &back));
        EBM_TRY(weighted_energy(run, behind + k, &rounding));
        if (isfinite(rounding))
            largest = fmax(largest, rounding);
        span[k] =
            length > 0 && isfinite(forth - back) ? (forth - back) / length : 0;
    }
    double back_again;
    EBM_TRY(move(run, first, end, 0, &back_again));
    *slope = ebm_richardson(ahead, behind, span, largest);
    return EBM_OK;
}

/* Elements of the array number `view`, each once, its fair share of those that
   are left. */
static ebm_status check_view(ebm_check_run_state *run, const ebm_view *view,
                             size_t share, ebm_tally *tally)
{
    size_t count = 1;
    for (size_t k = 0; k < view->rank; k++)
        count *= view->shape[k];
    size_t first = view->offset, left = share < count ? share : count;
    double h = run->step * ebm_root_mean_square(run->theta + first, count);
    ebm_random random = ebm_check_random(run, 2 * run->directions + 1, first);
    for (size_t j = 0; j < count && left; j++) {
        if (ebm_random_uniform(&random, j) * (double)(count - j) >=
            (double)left)
            continue;
        left--;
        ebm_slope slope;
        run->aim[first + j] = 1;
        EBM_TRY(slope_of(run, first + j, first + j + 1, h, &slope));
        run->aim[first + j] = 0;
        ebm_tally_element(tally, 0, first + j, (double)run->dtheta[first + j],
                          slope);
    }
    return EBM_OK;
}

/* A direction: the gradient's own, or random, as long as the parameters. */
static void aim_at(ebm_check_run_state *run, size_t number, double norm)
{
    const ebm_model *model = run->model;
    size_t count = model->parameter_count;
    ebm_random random = ebm_check_random(run, 2 * run->directions + 2, number);
    double unit = ebm_root_mean_square(run->theta, count);
    if (!number && norm > 0) {
        double to = unit * sqrt((double)count) / norm;
        for (size_t j = 0; j < count; j++)
            run->aim[j] = (float)(to * (double)run->dtheta[j]);
        return;
    }
    for (size_t j = 0; j < count; j++)
        run->aim[j] = (float)(unit * ebm_random_normal(&random, j));
}

static ebm_status check_directions(ebm_check_run_state *run, ebm_tally *tally)
{
    size_t count = run->model->parameter_count;
    double norm = 0;
    for (size_t j = 0; j < count; j++)
        norm += (double)run->dtheta[j] * (double)run->dtheta[j];
    norm = sqrt(norm);
    for (size_t r = 0; r < run->directions; r++) {
        double given = 0, length = 0;
        ebm_slope slope;
        aim_at(run, r, norm);
        for (size_t j = 0; j < count; j++) {
            given += (double)run->dtheta[j] * (double)run->aim[j];
            length += (double)run->aim[j] * (double)run->aim[j];
        }
        EBM_TRY(slope_of(run, 0, count, run->step, &slope));
        ebm_tally_direction(tally, given, slope,
                            norm * sqrt(length / (double)count));
    }
    return EBM_OK;
}

/* dE/dtheta at the parameters as they are, without a trace in the gradient. */
static ebm_status differentiate(ebm_check_run_state *run)
{
    ebm_model *model = run->model;
    size_t count = model->parameter_count;
    ebm_model_copy_out(model, 1, 0, run->kept, count);
    ebm_model_clear_gradient(model);
    ebm_status status = ebm_model_backward(model, run->x, run->labels, run->n,
                                           run->scale, NULL);
    ebm_model_copy_out(model, 1, 0, run->dtheta, count);
    ebm_model_copy_in(model, 1, 0, run->kept, count);
    return status;
}

ebm_status ebm_check_parameters(ebm_check_run_state *run, ebm_tally *tally)
{
    ebm_model *model = run->model;
    ebm_random random = ebm_check_random(run, 2 * run->directions, 0);
    size_t count = model->parameter_count;
    /* Unequal, so that a scale that is not looked at shows. */
    for (size_t i = 0; i < run->n; i++)
        run->scale[i] = (float)(0.5 + ebm_random_uniform(&random, i));
    EBM_TRY(differentiate(run));
    ebm_model_copy_out(model, 0, 0, run->theta, count);
    memset(run->aim, 0, count * sizeof *run->aim);
    ebm_status status = EBM_OK;
    size_t left = run->elements;
    for (size_t view = 0; status == EBM_OK && view < model->view_count;
         view++) {
        size_t views = model->view_count - view;
        size_t share = (left + views - 1) / views;
        left -= share;
        status = check_view(run, model->views + view, share, tally);
    }
    if (status == EBM_OK)
        status = check_directions(run, tally);
    ebm_model_copy_in(model, 0, 0, run->theta, count);
    ebm_model_parameters_written(model);
    return status;
}
