/* Networks, models of every kind, and their files. */
#include "sweep.h"

/* ---- Builders ---- */

static ebm_status network_create(world *w)
{
    return ebm_network_create(w->context, H, W, C, &w->made.network);
}
static ebm_status conv2d(world *w)
{
    return ebm_network_conv2d(w->network, 2, 3, 1, 0);
}
/* The builder's room is for 16 layers at first: the next one takes memory. */
static void fill(world *w)
{
    for (int layers = 1; layers < 16; layers++)
        assert_ok(ebm_network_relu(w->network));
}
static void fill_flat(world *w)
{
    for (int layers = 2; layers < 16; layers++)
        assert_ok(ebm_network_relu(w->network));
    assert_ok(ebm_network_flatten(w->network));
}
static ebm_status dense(world *w)
{
    return ebm_network_dense(w->network, 3);
}
static ebm_status swish(world *w)
{
    return ebm_network_swish(w->network);
}
static ebm_status relu(world *w)
{
    return ebm_network_relu(w->network);
}
static ebm_status leaky_relu(world *w)
{
    return ebm_network_leaky_relu(w->network, 0.1);
}
static ebm_status flatten(world *w)
{
    return ebm_network_flatten(w->network);
}
static ebm_status square(world *w)
{
    return ebm_network_square(w->network);
}
static ebm_status softplus(world *w)
{
    return ebm_network_softplus(w->network);
}
static ebm_status avg_pool(world *w)
{
    return ebm_network_avg_pool(w->network, 2, 2, 0, 1);
}
static ebm_status global_mean_pool(world *w)
{
    return ebm_network_global_mean_pool(w->network);
}
static ebm_status global_sum_pool(world *w)
{
    return ebm_network_global_sum_pool(w->network);
}
static ebm_status group_norm(world *w)
{
    return ebm_network_group_norm(w->network, 2);
}
static ebm_status instance_norm(world *w)
{
    return ebm_network_instance_norm(w->network);
}
static ebm_status class_affine(world *w)
{
    return ebm_network_class_affine(w->network, CLASSES);
}
static ebm_status self_attention(world *w)
{
    return ebm_network_self_attention(w->network);
}
static ebm_status res_block(world *w)
{
    return ebm_network_res_block(w->network, 4, EBM_RES_DOWN_WIDEN);
}
static void be_whole(world *w)
{
    assert_ok(ebm_network_set(w->network, EBM_NETWORK_WEIGHTS,
                              EBM_WEIGHTS_SPECTRAL));
    assert_ok(ebm_network_res_block(w->network, 4, EBM_RES_DOWN));
    assert_ok(ebm_network_flatten(w->network));
    assert_ok(ebm_network_dense(w->network, 1));
}
static ebm_status create_network(world *w)
{
    return ebm_model_create_network(w->network, 3, &w->made.model);
}
static ebm_status preset_create(world *w)
{
    return ebm_preset_create(w->context, "du2020-mnist", &w->made.preset);
}
static ebm_status preset_make_model(world *w)
{
    return ebm_preset_make_model(w->preset, 4, &w->made.model);
}

const sweep_row sweep_networks[] = {
    {"ebm_network_create", NULL, network_create},
    {"ebm_network_conv2d", fill, conv2d},
    {"ebm_network_dense", fill_flat, dense},
    {"ebm_network_swish", fill, swish},
    {"ebm_network_relu", fill, relu},
    {"ebm_network_leaky_relu", fill, leaky_relu},
    {"ebm_network_flatten", fill, flatten},
    {"ebm_network_square", fill, square},
    {"ebm_network_softplus", fill, softplus},
    {"ebm_network_avg_pool", fill, avg_pool},
    {"ebm_network_global_mean_pool", fill, global_mean_pool},
    {"ebm_network_global_sum_pool", fill, global_sum_pool},
    {"ebm_network_group_norm", fill, group_norm},
    {"ebm_network_instance_norm", fill, instance_norm},
    {"ebm_network_class_affine", fill, class_affine},
    {"ebm_network_self_attention", fill, self_attention},
    {"ebm_network_res_block", fill, res_block},
    {"ebm_model_create_network", be_whole, create_network},
    {"ebm_preset_create", NULL, preset_create},
    {"ebm_preset_make_model", NULL, preset_make_model},
    {0}};

/* ---- Models ---- */

static ebm_status gaussian(world *w)
{
    static const double mean[2] = {0, 1}, covariance[4] = {2, 0.5, 0.5, 1};
    return ebm_model_create_gaussian(w->context, 2, mean, covariance,
                                     &w->made.model);
}
static ebm_status gaussian_mixture(world *w)
{
    static const double weights[2] = {1, 2}, means[2] = {-1, 1};
    static const double stds[2] = {1, 0.5};
    return ebm_model_create_gaussian_mixture(w->context, 1, 2, weights, means,
                                             stds, &w->made.model);
}
static ebm_status double_well(world *w)
{
    return ebm_model_create_double_well(w->context, 2, 1, &w->made.model);
}
static ebm_status rings(world *w)
{
    static const double radii[2] = {1, 2};
    return ebm_model_create_rings(w->context, 2, radii, 0.1, &w->made.model);
}
static ebm_status rosenbrock(world *w)
{
    return ebm_model_create_rosenbrock(w->context, 1, 2, 3, &w->made.model);
}
static ebm_status custom(world *w)
{
    return ebm_model_create_custom(w->context, H, W, C, &test_quadratic_ops,
                                   &w->quadratic, &w->made.model);
}
static ebm_status sum(world *w)
{
    ebm_model *const parts[3] = {w->model, w->custom, w->model};
    return ebm_model_create_sum(parts, NULL, 3, &w->made.model);
}
static ebm_status mixture(world *w)
{
    ebm_model *const parts[2] = {w->model, w->sum};
    return ebm_model_create_mixture(parts, NULL, 2, &w->made.model);
}
static ebm_status downsampled(world *w)
{
    return ebm_model_create_downsampled(w->model, 2, &w->made.model);
}
static ebm_status negated(world *w)
{
    return ebm_model_create_negated(w->sum, &w->made.model);
}
static ebm_status tempered(world *w)
{
    return ebm_model_create_tempered(w->sum, 2, &w->made.model);
}
static ebm_status energy(world *w)
{
    return ebm_model_energy(w->model, sweep_x, NULL, N, w->f);
}
static ebm_status energy_of_sum(world *w)
{
    return ebm_model_energy(w->sum, sweep_x, NULL, N, w->f);
}
static ebm_status energy_grad(world *w)
{
    return ebm_model_energy_grad(w->sum, sweep_x, NULL, N, w->f, w->f + N);
}
static ebm_status backward(world *w)
{
    return ebm_model_backward(w->sum, sweep_x, NULL, N, sweep_x, w->f);
}
static ebm_status hessian_vector(world *w)
{
    return ebm_model_hessian_vector(w->sum, sweep_x, NULL, N, sweep_x + SIZE,
                                    w->f);
}
static ebm_status mixed_backward(world *w)
{
    return ebm_model_mixed_backward(w->sum, sweep_x, NULL, N, sweep_x + SIZE,
                                    sweep_x, w->f);
}
static ebm_status classify(world *w)
{
    return ebm_model_classify(w->classes, sweep_x, N, w->i, w->f);
}
static ebm_status part_energies(world *w)
{
    return ebm_model_part_energies(w->sum, sweep_x, NULL, N, w->f);
}

/* ---- Files ---- */

static ebm_status save(world *w)
{
    return ebm_model_save(w->model, sweep_out_path);
}
static ebm_status save_composition(world *w)
{
    ebm_model *half = NULL;
    ebm_status status = ebm_model_create_tempered(w->classes, 2, &half);
    if (status == EBM_OK)
        status = ebm_model_save(half, sweep_out_path);
    ebm_model_destroy(half);
    return status;
}
static ebm_status load(world *w)
{
    return ebm_model_load(w->context, sweep_model_path, &w->made.model);
}

const sweep_row sweep_models[] = {
    {"ebm_model_create_gaussian", NULL, gaussian},
    {"ebm_model_create_gaussian_mixture", NULL, gaussian_mixture},
    {"ebm_model_create_double_well", NULL, double_well},
    {"ebm_model_create_rings", NULL, rings},
    {"ebm_model_create_rosenbrock", NULL, rosenbrock},
    {"ebm_model_create_custom", NULL, custom},
    {"ebm_model_create_sum", NULL, sum},
    {"ebm_model_create_mixture", NULL, mixture},
    {"ebm_model_create_downsampled", NULL, downsampled},
    {"ebm_model_create_negated", NULL, negated},
    {"ebm_model_create_tempered", NULL, tempered},
    {"ebm_model_energy", NULL, energy},
    {"ebm_model_energy", NULL, energy_of_sum},
    {"ebm_model_energy_grad", NULL, energy_grad},
    {"ebm_model_backward", NULL, backward},
    {"ebm_model_hessian_vector", NULL, hessian_vector},
    {"ebm_model_mixed_backward", NULL, mixed_backward},
    {"ebm_model_classify", NULL, classify},
    {"ebm_model_part_energies", NULL, part_energies},
    {"ebm_model_save", NULL, save},
    {"ebm_model_save", NULL, save_composition},
    {"ebm_model_load", NULL, load},
    {0}};

void sweep_quiet_models(world *w)
{
    const char *name;
    float *lent;
    QUIET(ebm_network_set, w->network, EBM_NETWORK_BIAS, 0);
    QUIET(ebm_network_get, w->network, EBM_NETWORK_BIAS, w->d);
    QUIET(ebm_network_option, EBM_NETWORK_BIAS, &name, NULL, w->d, NULL, NULL);
    QUIET(ebm_network_shape, w->network, w->z, NULL, NULL);
    QUIET_VALUE(ebm_preset_name, 0);
    QUIET(ebm_preset_set, w->preset, EBM_PRESET_WIDTH, 4);
    QUIET(ebm_preset_get, w->preset, EBM_PRESET_WIDTH, w->d);
    QUIET(ebm_preset_option, EBM_PRESET_WIDTH, &name, NULL, NULL, NULL, NULL);
    QUIET(ebm_model_shape, w->sum, w->z, w->z + 1, w->z + 2);
    QUIET_VALUE(ebm_model_slab_size, w->model);
    QUIET_VALUE(ebm_model_parameter_count, w->sum);
    QUIET_VALUE(ebm_model_parameters, w->model);
    QUIET_VALUE(ebm_model_gradient, w->model);
    QUIET(ebm_model_get_parameters, w->sum, 0, w->f, 2);
    QUIET(ebm_model_get_gradient, w->sum, 0, w->f, 2);
    QUIET(ebm_model_set_parameters, w->sum, 0, sweep_x, 2);
    QUIET(ebm_model_begin_write, w->model, &lent);
    QUIET(ebm_model_end_write, w->model);
    QUIET(ebm_model_iterate, w->model, 2);
    QUIET(ebm_model_zero_gradient, w->sum);
    QUIET_VALUE(ebm_model_class_count, w->classes);
    QUIET_VALUE(ebm_model_view_count, w->sum);
    QUIET(ebm_model_view, w->sum, 0, &name, w->z, w->z + 1, w->z + 2);
    QUIET_VALUE(ebm_model_part_count, w->sum);
    QUIET(ebm_model_log_normaliser, w->well, w->d);
}
