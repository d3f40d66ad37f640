/*
 * Annealed importance sampling from the inside.
 */
#ifndef EBM_DIAGNOSTICS_AIS_H
#define EBM_DIAGNOSTICS_AIS_H

#include <stddef.h>

#include <ebm/ais.h>

#include "core/object.h"
#include "model/model.h"

enum {
    EBM_AIS_KEYS = EBM_AIS_CONFIDENCE + 1,
    EBM_AIS_RESULTS = EBM_AIS_LEAST_ACCEPTANCE + 1,
    EBM_AIS_DIRECTIONS = EBM_AIS_REVERSE + 1
};

/* What a run found. A value that is NaN was not computed. */
typedef struct ebm_ais_outcome {
    size_t n;            /* chains; 0: no run yet */
    size_t size;         /* elements of a sample */
    double *log_weights; /* [n] */
    double values[EBM_AIS_RESULTS];
} ebm_ais_outcome;

struct ebm_ais {
    ebm_object object;
    ebm_ais_base base;
    double values[EBM_AIS_KEYS];
    int is_running;
    ebm_ais_outcome outcomes[EBM_AIS_DIRECTIONS];
};

/* The two ends of the path. The base's numbers are floats, as states are. */
typedef struct ebm_ais_path {
    ebm_ais_base base;
    float minimum, maximum;
    float mean, std;
    double temperature;
    double beta; /* where on the path */
} ebm_ais_path;

ebm_ais_path ebm_ais_path_of(const ebm_ais *ais);

/* E_0 of a state, which is inside the box, and log Z_0. */
double ebm_ais_base_energy(const ebm_ais_path *path, const float *x,
                           size_t size);
double ebm_ais_base_log_z(const ebm_ais_path *path, size_t size);

/* A model of the energy at path->beta, without parameters: see bridge.c. Both
   must outlive it. */
ebm_status ebm_ais_bridge_create(const ebm_model *target,
                                 const ebm_ais_path *path, ebm_model **bridge);

/* b of a level. */
double ebm_ais_beta_at(const ebm_ais *ais, size_t level);

/* Turns log w[n] into results: LOG_Z to BOUND_ERROR. */
void ebm_ais_summarise(const double *log_weights, size_t n,
                       ebm_ais_direction direction, double log_z_base,
                       double confidence, double *values);

#endif
