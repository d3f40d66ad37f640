/*
 * What holds for every network, whatever its layers: a sample's bits depend on
 * no other sample and on no number of threads. And a short way to build a
 * network for that.
 */
#ifndef EBM_TEST_BATCH_LAWS_H
#define EBM_TEST_BATCH_LAWS_H

#include <ebm/ebm.h>

/* Adds layers to a network that begins with `shape`. Runs the calls under
   assert_ok(). */
typedef struct test_design {
    const char *name;
    size_t shape[3];
    void (*build)(ebm_network *network);
} test_design;

/* The network's model, with slabs of so many samples (0: the library's
   choice) and all parameters moved by normal numbers. */
ebm_model *test_design_model(ebm_context *context, const test_design *design,
                             size_t slab, uint64_t seed, double std);

/* Energies, input gradients, H v, parameter gradients and mixed derivatives of
   batches that fill a slab, part of it and several: the same bits on 1, 2 and
   4 threads; of a sample, the same bits whatever the others are. */
void assert_batch_laws(const test_design *design);

/* The same, and all values against the hyper-dual reference, in slabs of
   several sizes. */
void assert_design(const test_design *design, double energy, double gradient);

#endif
