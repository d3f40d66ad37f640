/*
 * A network in double precision, as plainly as it can be written: direct
 * loops, one sample at a time, plain reverse mode. It shares no code with the
 * library; its gradient is validated by central differences of its own energy
 * (test_network.c), and the library's float arithmetic is held against it.
 */
#ifndef EBM_TEST_REFERENCE_H
#define EBM_TEST_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include <ebm/ebm.h>

enum { REF_LAYERS = 24 };

typedef enum ref_kind {
    REF_CONV2D,
    REF_DENSE,
    REF_SWISH,
    REF_RELU,
    REF_LEAKY_RELU,
    REF_FLATTEN
} ref_kind;

typedef struct ref_layer {
    ref_kind kind;
    size_t units; /* output channels of a convolution or dense layer */
    size_t kernel, stride, padding;
    double slope;
    int bias;
    size_t in[3], out[3];  /* height, width, channels */
    size_t weight, biases; /* offsets into the reference's parameters */
    size_t weight_count;
} ref_layer;

typedef struct ref_network {
    size_t in[3];
    ref_layer layers[REF_LAYERS];
    size_t count;
    double *parameters; /* packed: weight, bias, weight, bias, ... */
    size_t parameter_count;
} ref_network;

/* A description is built call by call; ref_free() ends it. */
void ref_begin(ref_network *ref, size_t height, size_t width, size_t channels);
void ref_conv2d(ref_network *ref, size_t channels, size_t kernel,
                size_t stride, size_t padding, int bias);
void ref_dense(ref_network *ref, size_t units, int bias);
void ref_swish(ref_network *ref);
void ref_relu(ref_network *ref);
void ref_leaky_relu(ref_network *ref, double slope);
void ref_flatten(ref_network *ref);
void ref_free(ref_network *ref);

/* The digits network of the papers' MNIST experiments, 76,993 parameters. */
void ref_digits(ref_network *ref);

/* Convolutions of all sorts: height, width, channels; output channels,
   kernel, stride, padding. */
enum { REF_CONVOLUTIONS = 18 };
extern const size_t ref_convolutions[REF_CONVOLUTIONS][7];

/* All kinds of layers in one network, even kernels and odd strides among
   them. */
void ref_mixed(ref_network *ref, int bias);

/* Two convolutions and a dense layer on [6, 5, 2]: small enough to call often,
   deep enough to go wrong; and the library's model of it. */
enum { REF_SMALL_SIZE = 6 * 5 * 2 };
void ref_small(ref_network *ref);
ebm_model *ref_small_model(ebm_context *context, size_t slab, uint64_t seed);

/* Floats of one sample. */
size_t ref_size(const ref_network *ref);

/* Builds the same network with the library. Fails the test if a call fails or
   if a shape differs. slab 0 leaves the choice to the library. */
ebm_model *ref_model(const ref_network *ref, ebm_context *context, size_t slab,
                     uint64_t seed);

/* Takes over the parameters of a model made by ref_model(), view by view. */
void ref_load(ref_network *ref, const ebm_model *model);

/* Brings a flat array of the model (its gradient, say) into the packed order
   of the reference: out[parameter_count]. */
void ref_pack(const ref_network *ref, const ebm_model *model,
              const float *flat, float *out);

/* What one evaluation reports besides the energy. */
typedef struct ref_facts {
    /* Sum of the absolute values of the terms that the energy is the sum of:
       what rounding errors of the energy are measured by. */
    double magnitude;
    /* Smallest distance of an input of a (leaky) ReLU from the kink. Exact
       zeros, what another ReLU gives, are exact in float too. */
    double kink;
} ref_facts;

/* E(x). facts may be NULL. */
double ref_energy(const ref_network *ref, const double *x, ref_facts *facts);

/* E(x), its gradient dx[size] unless NULL, and dtheta[parameter_count] +=
   scale dE/dtheta unless NULL; scale is not 0. */
double ref_gradient(const ref_network *ref, const double *x, double scale,
                    double *dx, double *dtheta, ref_facts *facts);

#endif
