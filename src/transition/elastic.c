/* Elastic deformation: the kind. */
#include "transition/elastic.h"

/*
 * Sigma and grid are not in the paper. P = 3 and sigma = 1 pixel move a digit
 * by 1.1 pixels (rms) and do not fold; finer grids or larger displacements
 * fold soon: docs/elastic.md has the measurements.
 */
static const ebm_transition_row rows[] = {
    {EBM_TRANSITION_GRID_POINTS,
     {"grid_points", EBM_OPTION_INTEGER, 2, EBM_ELASTIC_POINTS_MAX, 3}},
    {EBM_TRANSITION_DISPLACEMENT_STD,
     {"displacement_std", EBM_OPTION_REAL, 0, 1000, 1}},
    {EBM_TRANSITION_INTERPOLATION,
     {"interpolation", EBM_OPTION_CHOICE, EBM_INTERPOLATION_NEAREST,
      EBM_INTERPOLATION_CUBIC, EBM_INTERPOLATION_CUBIC}},
    {EBM_TRANSITION_BOUNDARY,
     {"boundary", EBM_OPTION_CHOICE, EBM_BOUNDARY_CONSTANT, EBM_BOUNDARY_WRAP,
      EBM_BOUNDARY_CONSTANT}},
};

static ebm_elastic settings_of(const double *values)
{
    ebm_elastic elastic = {
        .points = (size_t)values[EBM_TRANSITION_GRID_POINTS],
        .interpolation =
            (ebm_interpolation)values[EBM_TRANSITION_INTERPOLATION],
        .boundary = (ebm_boundary)values[EBM_TRANSITION_BOUNDARY]};
    return elastic;
}

static size_t control_count(size_t points)
{
    return 2 * points * points;
}

void ebm_elastic_draw(const ebm_random *random, size_t points, double std,
                      float *controls)
{
    for (size_t i = 0; i < control_count(points); i++)
        controls[i] = (float)(std * ebm_random_normal(random, i));
}

static int is_identity(const double *values)
{
    return values[EBM_TRANSITION_DISPLACEMENT_STD] == 0;
}

static size_t scratch_size(const double *values,
                           const ebm_transition_shape *shape)
{
    const ebm_elastic elastic = settings_of(values);
    return control_count(elastic.points) +
           ebm_elastic_scratch(&elastic, shape->height, shape->width);
}

static void apply(const double *values, const ebm_transition_shape *shape,
                  const ebm_random *random, float *image, float *scratch,
                  ebm_transition_facts *facts)
{
    const ebm_elastic elastic = settings_of(values);
    ebm_elastic_draw(random, elastic.points,
                     values[EBM_TRANSITION_DISPLACEMENT_STD], scratch);
    facts->folded = ebm_elastic_warp(&elastic, shape, scratch, image,
                                     scratch + control_count(elastic.points));
}

const ebm_transition_ops ebm_transition_elastic = {
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .is_identity = is_identity,
    .scratch = scratch_size,
    .apply = apply,
};
