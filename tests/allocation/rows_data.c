/* Contexts, datasets, pictures, diagnostics and distances. */
#include "sweep.h"

static ebm_status array(world *w)
{
    return ebm_dataset_create_array(w->context, sweep_x, sweep_labels, N, H, W,
                                    C, 1, &w->made.dataset);
}
static ebm_status idx(world *w)
{
    return ebm_dataset_create_idx(w->context, sweep_idx_path, NULL, 1,
                                  &w->made.dataset);
}
static ebm_status cifar(world *w)
{
    const char *const paths[2] = {sweep_cifar_path, sweep_cifar_path};
    return ebm_dataset_create_cifar10(w->context, paths, 2, 1,
                                      &w->made.dataset);
}
static ebm_status folder(world *w)
{
    return ebm_dataset_create_folder(w->context, sweep_folder_path, 2, 2, 3,
                                     1000, 1, &w->made.dataset);
}
static ebm_status dataset_next(world *w)
{
    return ebm_dataset_next(w->folder, 2, w->f, w->i);
}
static ebm_status dataset_read(world *w)
{
    return ebm_dataset_read(w->folder, 0, 2, w->f, w->i);
}

static ebm_status write_png(world *w)
{
    return ebm_image_write_png(w->context, sweep_out_path, sweep_x, 4, 8, 3,
                               -1, 1);
}
static ebm_status write_grid(world *w)
{
    return ebm_image_write_grid(w->context, sweep_out_path, sweep_x, N, 4, 8,
                                1, 2, 2, -1, 1);
}

static ebm_status autocorrelation(world *w)
{
    return ebm_diagnostics_autocorrelation(w->context, sweep_series, 16, 4,
                                           w->d);
}
static ebm_status autocorrelation_time(world *w)
{
    return ebm_diagnostics_autocorrelation_time(w->context, sweep_series, 2,
                                                16, w->d);
}
static ebm_status ess(world *w)
{
    return ebm_diagnostics_ess(w->context, EBM_ESS_BULK, sweep_series, 2, 16,
                               w->d);
}
static ebm_status r_hat(world *w)
{
    return ebm_diagnostics_r_hat(w->context, sweep_series, 2, 16, w->d);
}
static ebm_status summary(world *w)
{
    return ebm_diagnostics_summary(w->context, sweep_x, 8, 2, 3, w->d,
                                   w->d + 4, w->d + 8, w->z);
}
static ebm_status auroc(world *w)
{
    return ebm_diagnostics_auroc(w->context, sweep_x, 5, sweep_x + 5, 6, w->d);
}
static ebm_status nearest(world *w)
{
    return ebm_distance_nearest(w->context, sweep_x, N, sweep_x + 1, 4, SIZE,
                                2, w->z, w->d);
}
static ebm_status nearest_data(world *w)
{
    return ebm_distance_nearest_data(w->folder, sweep_x, N, 1, w->z, w->d);
}
static ebm_status entropy(world *w)
{
    return ebm_distance_entropy(w->context, sweep_x, N, NULL, 0, SIZE, 1, w->d,
                                w->z);
}
static ebm_status frechet(world *w)
{
    return ebm_distance_frechet(w->context, sweep_x, 9, sweep_x + 40, 8, 3,
                                w->d);
}
static ebm_status mmd_polynomial(world *w)
{
    return ebm_distance_mmd_polynomial(w->context, sweep_x, 4, sweep_x + 20, 5,
                                       3, 3, 1, 1, w->d);
}
static ebm_status mmd_rbf(world *w)
{
    return ebm_distance_mmd_rbf(w->context, sweep_x, 4, sweep_x + 20, 5, 3, 1,
                                w->d);
}

const sweep_row sweep_data[] = {
    {"ebm_dataset_create_array", NULL, array},
    {"ebm_dataset_create_idx", NULL, idx},
    {"ebm_dataset_create_cifar10", NULL, cifar},
    {"ebm_dataset_create_folder", NULL, folder},
    {"ebm_dataset_next", NULL, dataset_next},
    {"ebm_dataset_read", NULL, dataset_read},
    {"ebm_image_write_png", NULL, write_png},
    {"ebm_image_write_grid", NULL, write_grid},
    {"ebm_diagnostics_autocorrelation", NULL, autocorrelation},
    {"ebm_diagnostics_autocorrelation_time", NULL, autocorrelation_time},
    {"ebm_diagnostics_ess", NULL, ess},
    {"ebm_diagnostics_r_hat", NULL, r_hat},
    {"ebm_diagnostics_summary", NULL, summary},
    {"ebm_diagnostics_auroc", NULL, auroc},
    {"ebm_distance_nearest", NULL, nearest},
    {"ebm_distance_nearest_data", NULL, nearest_data},
    {"ebm_distance_entropy", NULL, entropy},
    {"ebm_distance_frechet", NULL, frechet},
    {"ebm_distance_mmd_polynomial", NULL, mmd_polynomial},
    {"ebm_distance_mmd_rbf", NULL, mmd_rbf},
    {0}};

void sweep_quiet_data(world *w)
{
    const char *name;
    char text[100];
    QUIET_VALUE(ebm_version_number);
    QUIET_VALUE(ebm_version_string);
    QUIET_VALUE(ebm_version_major);
    QUIET_VALUE(ebm_version_minor);
    QUIET_VALUE(ebm_version_patch);
    QUIET_VALUE(ebm_abi_major);
    QUIET_VALUE(ebm_status_name, EBM_OK);
    QUIET_VALUE(ebm_status_text, EBM_OK);
    QUIET(ebm_context_set, w->context, EBM_CONTEXT_THREADS, 2);
    QUIET(ebm_context_get, w->context, EBM_CONTEXT_THREADS, w->d);
    QUIET(ebm_context_option, EBM_CONTEXT_THREADS, &name, NULL, w->d, NULL,
          NULL);
    QUIET(ebm_context_set_log, w->context, NULL, NULL);
    QUIET_VALUE(ebm_context_last_error, w->context);
    QUIET(ebm_context_copy_last_error, w->context, text, sizeof text);
    QUIET_VALUE(ebm_context_machinery, w->context);
    QUIET(ebm_dataset_set, w->dataset, EBM_DATASET_SHUFFLE, 0);
    QUIET(ebm_dataset_get, w->dataset, EBM_DATASET_SHUFFLE, w->d);
    QUIET(ebm_dataset_option, EBM_DATASET_SHUFFLE, &name, NULL, w->d, NULL,
          NULL);
    QUIET_VALUE(ebm_dataset_count, w->dataset);
    QUIET(ebm_dataset_shape, w->dataset, w->z, w->z + 1, w->z + 2);
    QUIET_VALUE(ebm_dataset_has_labels, w->dataset);
    QUIET(ebm_dataset_next, w->dataset, 2, w->f, w->i);
    QUIET(ebm_dataset_read, w->dataset, 0, 2, w->f, w->i);
    QUIET_VALUE(ebm_dataset_epoch, w->dataset);
    QUIET(ebm_image_resize, w->context, sweep_x, 1, 2, 4, 1, 1, 2, w->f);
    QUIET(ebm_diagnostics_series, w->context, sweep_x, 4, 2, 3, 1, w->d);
    QUIET(ebm_diagnostics_energy, w->chains, sweep_x, EBM_ORIGIN_NOISE, w->z,
          w->d, w->d + 1);
    QUIET(ebm_diagnostics_shares, w->sampler, w->d, w->d + 1, w->d + 2);
}
