/* Central differences of the reference network's gradient. */
#include "reference_second.h"

#include "ebm_test.h"

/* The largest element of x moves by this. */
static const double reach = 1e-4;

double ref_second(const ref_network *ref, const double *x, const double *v,
                  double scale, double *hv, double *dtheta)
{
    static const double at[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
    size_t size = ref_size(ref), count = ref->parameter_count;
    double *moved = test_doubles(size), *dx = test_doubles(size);
    double *theta = test_doubles(count), largest = 0;
    ref_facts facts;
    ref_energy(ref, x, &facts);
    double kink = facts.kink;
    for (size_t j = 0; j < size; j++)
        largest = fmax(largest, fabs(v[j]));
    double h = largest > 0 ? reach / largest : 1;
    if (hv)
        memset(hv, 0, size * sizeof *hv);
    for (int k = 0; k < 4; k++) {
        double w = weight[k] / (12 * h);
        for (size_t j = 0; j < size; j++)
            moved[j] = x[j] + at[k] * h * v[j];
        memset(theta, 0, count * sizeof *theta);
        ref_gradient(ref, moved, 1, dx, dtheta ? theta : NULL, &facts);
        kink = fmin(kink, facts.kink);
        for (size_t j = 0; hv && j < size; j++)
            hv[j] += w * dx[j];
        for (size_t j = 0; dtheta && j < count; j++)
            dtheta[j] += scale * w * theta[j];
    }
    free(moved);
    free(dx);
    free(theta);
    return kink;
}
