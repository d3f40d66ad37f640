/* The reference itself, on which other tests stand. */
#include "ebm_test.h"
#include "reference.h"

static void note(double *worst, double error)
{
    *worst = error > *worst ? error : *worst;
}

/* The reference itself: its gradients against central differences of its
   energy, (E(+h) - E(-h)) / 2h, in double. */
static double difference(ref_network *ref, double *x, double *value)
{
    const double h = 1e-5;
    double kept = *value;
    *value = kept + h;
    double above = ref_energy(ref, x, NULL);
    *value = kept - h;
    double below = ref_energy(ref, x, NULL);
    *value = kept;
    return (above - below) / (2 * h);
}

static void check_reference(ref_network *ref, uint64_t random, double *worst)
{
    size_t size = ref_size(ref), count = ref->parameter_count;
    double *x = test_doubles(size), *dx = test_doubles(size);
    double *dtheta = test_doubles(count);
    double largest = 0, error = 0;
    ref_facts facts;
    for (size_t i = 0; i < count; i++)
        ref->parameters[i] = test_random_uniform(&random, -0.5, 0.5);
    do {
        for (size_t i = 0; i < size; i++)
            x[i] = test_random_uniform(&random, -1, 1);
        ref_energy(ref, x, &facts);
    } while (facts.kink < 3e-4);
    ref_gradient(ref, x, 1, dx, dtheta, NULL);
    for (size_t i = 0; i < size; i++) {
        largest = fmax(largest, fabs(dx[i]));
        error = fmax(error, fabs(difference(ref, x, x + i) - dx[i]));
    }
    note(worst, error / largest);
    largest = error = 0;
    for (size_t i = 0; i < count; i += 1 + count / 300) {
        double right = difference(ref, x, ref->parameters + i);
        largest = fmax(largest, fabs(right));
        error = fmax(error, fabs(right - dtheta[i]));
    }
    if (count)
        note(worst, error / largest);
    free(x);
    free(dx);
    free(dtheta);
}

static void the_reference_is_right(void **state)
{
    (void)state;
    double worst = 0;
    ref_network ref;
    for (size_t i = 0; i < REF_CONVOLUTIONS; i++) {
        const size_t *c = ref_convolutions[i];
        ref_begin(&ref, c[0], c[1], c[2]);
        ref_conv2d(&ref, c[3], c[4], c[5], c[6], i % 2);
        ref_swish(&ref);
        ref_flatten(&ref);
        ref_dense(&ref, 1, 1);
        check_reference(&ref, i, &worst);
        ref_free(&ref);
    }
    ref_mixed(&ref, 1);
    check_reference(&ref, 50, &worst);
    ref_free(&ref);
    ref_begin(&ref, 1, 1, 1);
    ref_swish(&ref);
    check_reference(&ref, 51, &worst);
    ref_free(&ref);
    print_message("reference against central differences: %.1e\n", worst);
    assert_true(worst < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
