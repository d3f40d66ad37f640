/*
 * What the rounding of a convolution does to derivatives in networks that
 * magnify it: standardised weights without norms, whose activations run into
 * the hundreds while swish bends over a unit, and norms over few numbers.
 *
 * Nothing is compared with a fixed bar there. The bound is what exact
 * arithmetic makes of sums that are off by as much as include/ebm/network.h
 * says of a way: where the library differs by more, it is not the sums.
 */
#include "ebm_test.h"
#include "hyper.h"

enum { INPUTS = 20, PARAMETERS = 8, SEEDS = 3 };

/* The errors of a way, relative to its largest sum. */
static double noise_of(int way)
{
    return way == EBM_CONVOLUTION_WINOGRAD_4 ? 5e-6 : 1e-6;
}

/* ---- Networks -------------------------------------------------------- */

static void standardised_block(ebm_network *network)
{
    assert_ok(ebm_network_set(network, EBM_NETWORK_NORM, EBM_NORM_NONE));
    assert_ok(ebm_network_set(network, EBM_NETWORK_WEIGHTS,
                              EBM_WEIGHTS_STANDARDISED));
    assert_ok(ebm_network_res_block(network, 32, EBM_RES_DOWN));
    assert_ok(ebm_network_conv2d(network, 16, 3, 1, 1));
}

static void standardised_chain(ebm_network *network)
{
    assert_ok(ebm_network_set(network, EBM_NETWORK_WEIGHTS,
                              EBM_WEIGHTS_STANDARDISED));
    assert_ok(ebm_network_conv2d(network, 16, 3, 1, 2));
    assert_ok(ebm_network_conv2d(network, 16, 3, 1, 1));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_conv2d(network, 32, 3, 1, 1));
}

/* Each group is four numbers: some are nearly the same, and a norm divides by
   how they differ. */
static void norms_over_few_numbers(ebm_network *network)
{
    assert_ok(ebm_network_set(network, EBM_NETWORK_NORM, EBM_NORM_INSTANCE));
    assert_ok(ebm_network_res_block(network, 32, EBM_RES_PLAIN));
    assert_ok(ebm_network_instance_norm(network));
    assert_ok(ebm_network_conv2d(network, 16, 3, 1, 1));
}

typedef struct subject {
    const char *name;
    size_t height, width;
    void (*middle)(ebm_network *network);
} subject;

static ebm_model *build(ebm_context *context, const subject *n, int way)
{
    ebm_network *network;
    ebm_model *model;
    assert_ok(ebm_network_create(context, n->height, n->width, 32, &network));
    assert_ok(ebm_network_set(network, EBM_NETWORK_CONVOLUTION, way));
    n->middle(network);
    assert_ok(
        ebm_network_set(network, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_PLAIN));
    assert_ok(ebm_network_swish(network));
    assert_ok(ebm_network_flatten(network));
    assert_ok(ebm_network_dense(network, 1));
    assert_ok(ebm_model_create_network(network, 7, &model));
    ebm_network_destroy(network);
    test_hyper_shake(model, 8, 0.02);
    return model;
}

/* ---- What is compared ------------------------------------------------ */

/* An energy, and derivatives at some places: along x, H v, along parameters,
   mixed. */
enum { INPUT, HESSIAN, PARAMETER, MIXED, KINDS };

typedef struct values {
    double energy, of[KINDS][INPUTS];
} values;

static size_t place(size_t j, size_t many, size_t n)
{
    return j * (n - 1) / (many - 1);
}

/* By the reference; noise 0 is exact. */
static void ask_reference(const ebm_model *model, size_t size, const float *x,
                          const float *v, double noise, uint64_t seed,
                          values *to)
{
    size_t count = ebm_model_parameter_count(model);
    to->energy = test_hyper_energy_near(model, x, 0, v, TEST_HYPER_NONE,
                                        TEST_HYPER_NONE, noise, seed)
                     .a;
    for (size_t j = 0; j < INPUTS; j++) {
        test_hyper h =
            test_hyper_energy_near(model, x, 0, v, place(j, INPUTS, size),
                                   TEST_HYPER_NONE, noise, seed);
        to->of[INPUT][j] = h.b;
        to->of[HESSIAN][j] = h.d;
    }
    for (size_t j = 0; j < PARAMETERS; j++) {
        test_hyper h =
            test_hyper_energy_near(model, x, 0, v, TEST_HYPER_NONE,
                                   place(j, PARAMETERS, count), noise, seed);
        to->of[PARAMETER][j] = h.b;
        to->of[MIXED][j] = h.d;
    }
}

static void ask_library(ebm_model *model, size_t size, const float *x,
                        const float *v, values *to)
{
    const float one = 1;
    size_t count = ebm_model_parameter_count(model);
    float energy, *grad = test_floats(size), *hv = test_floats(size);
    float *theta = test_floats(count), *mixed = test_floats(count);
    assert_ok(ebm_model_energy_grad(model, x, NULL, 1, &energy, grad));
    assert_ok(ebm_model_backward(model, x, NULL, 1, &one, NULL));
    assert_ok(ebm_model_get_gradient(model, 0, theta, count));
    assert_ok(ebm_model_zero_gradient(model));
    assert_ok(ebm_model_mixed_backward(model, x, NULL, 1, v, &one, hv));
    assert_ok(ebm_model_get_gradient(model, 0, mixed, count));
    to->energy = (double)energy;
    for (size_t j = 0; j < INPUTS; j++) {
        to->of[INPUT][j] = (double)grad[place(j, INPUTS, size)];
        to->of[HESSIAN][j] = (double)hv[place(j, INPUTS, size)];
    }
    for (size_t j = 0; j < PARAMETERS; j++) {
        to->of[PARAMETER][j] = (double)theta[place(j, PARAMETERS, count)];
        to->of[MIXED][j] = (double)mixed[place(j, PARAMETERS, count)];
    }
    free(grad);
    free(hv);
    free(theta);
    free(mixed);
}

/* How far two differ: the energy, and max |a - b| / max |b| of each kind. */
typedef struct distance {
    double energy, of[KINDS];
} distance;

static void raise(distance *d, const values *a, const values *exact)
{
    d->energy = fmax(d->energy, fabs(a->energy - exact->energy));
    for (int k = 0; k < KINDS; k++) {
        double off = 0, largest = 0;
        for (size_t j = 0; j < (k < PARAMETER ? INPUTS : PARAMETERS); j++) {
            double one = fabs(a->of[k][j] - exact->of[k][j]);
            off = one <= off ? off : one; /* and a NaN stays */
            largest = fmax(largest, fabs(exact->of[k][j]));
        }
        d->of[k] = off / largest <= d->of[k] ? d->of[k] : off / largest;
    }
}

static void print(const char *what, double number, const distance *d)
{
    print_message("  %s %g: energy %.1e, input %.1e, H v %.1e, parameters "
                  "%.1e, mixed %.1e\n",
                  what, number, d->energy, d->of[INPUT], d->of[HESSIAN],
                  d->of[PARAMETER], d->of[MIXED]);
}

static void check(const subject *n)
{
    ebm_context *context = test_context_threads(2);
    size_t size = n->height * n->width * 32;
    float *x = test_floats(size), *v = test_floats(size);
    uint64_t random = 9;
    values exact = {0}, other = {0};
    distance bound[2] = {{0}}; /* of small noise, of large */
    int known[2] = {0};
    test_fill_uniform(&random, x, size, -1, 1);
    test_fill_uniform(&random, v, size, -1, 1);
    print_message("%s\n", n->name);
    for (int way = EBM_CONVOLUTION_COLUMNS; way <= EBM_CONVOLUTION_WINOGRAD_4;
         way++) {
        ebm_model *model = build(context, n, way);
        int large = way == EBM_CONVOLUTION_WINOGRAD_4;
        double noise = noise_of(way);
        if (way == EBM_CONVOLUTION_COLUMNS)
            ask_reference(model, size, x, v, 0, 0, &exact);
        for (uint64_t s = 1; s <= SEEDS && !known[large]; s++) {
            ask_reference(model, size, x, v, noise, s, &other);
            raise(bound + large, &other, &exact);
        }
        known[large] = 1;
        distance own = {0};
        ask_library(model, size, x, v, &other);
        raise(&own, &other, &exact);
        print("noise", noise, bound + large);
        print("way", way, &own);
        assert_true(own.energy <= bound[large].energy);
        for (int k = 0; k < KINDS; k++)
            assert_true(own.of[k] <= bound[large].of[k]);
        /* Such a network it is. */
        assert_true(bound[large].of[HESSIAN] > 20 * noise);
        ebm_model_destroy(model);
    }
    free(x);
    free(v);
    ebm_context_destroy(context);
}

static void errors_are_those_of_the_sums(void **state)
{
    (void)state;
    static const subject all[] = {
        {"standardised block", 5, 6, standardised_block},
        {"standardised chain", 5, 5, standardised_chain},
        {"norms over few numbers", 2, 2, norms_over_few_numbers},
    };
    for (size_t i = 0; i < TEST_COUNT(all); i++)
        check(all + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_those_of_the_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
