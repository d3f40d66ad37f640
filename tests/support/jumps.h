/*
 * A transition that shows how often it came: a callback that adds a number to
 * every element.
 */
#ifndef EBM_TEST_JUMPS_H
#define EBM_TEST_JUMPS_H

#include <ebm/ebm.h>

/* It fails at one call, or spoils an element of every one. called(argument),
   unless NULL, runs at the end of each call. */
typedef struct test_adder {
    float add;
    size_t calls, images; /* so far */
    size_t fail_call;     /* from 1 on; 0: never */
    int spoils;
    void (*called)(void *argument);
    void *argument;
} test_adder;

/* a must outlive the transition. */
ebm_transition *test_adding(ebm_context *context, test_adder *a);

/* ebm_chains_transitions() of a chain. */
uint64_t test_transitions(const ebm_chains *chains, size_t i);

#endif
