/* Chains and what moves, keeps, judges and follows them. */
#include "sweep.h"

/* ---- Transitions ---- */

static int jump(float *x, const int32_t *labels, size_t n, size_t height,
                size_t width, size_t channels, const uint64_t *keys,
                void *user)
{
    (void)x, (void)labels, (void)n, (void)height, (void)width, (void)channels;
    (void)keys, (void)user;
    return 0;
}

static ebm_status transition_create(world *w)
{
    return ebm_transition_create(w->context, EBM_TRANSITION_CROP,
                                 &w->made.transition);
}
static ebm_status transition_callback(world *w)
{
    return ebm_transition_create_callback(w->context, jump, NULL,
                                          &w->made.transition);
}
static ebm_status transition_sequence(world *w)
{
    ebm_transition *const parts[2] = {w->flip, w->elastic};
    return ebm_transition_create_sequence(w->context, parts, 2,
                                          &w->made.transition);
}
static ebm_status transition_one_of(world *w)
{
    ebm_transition *const parts[2] = {w->flip, w->elastic};
    return ebm_transition_create_one_of(w->context, parts, NULL, 2,
                                        &w->made.transition);
}
static ebm_status transition_with_probability(world *w)
{
    return ebm_transition_create_with_probability(w->elastic, 0.5,
                                                  &w->made.transition);
}
static ebm_status transition_preset(world *w)
{
    return ebm_transition_create_preset(w->context, "simclr",
                                        &w->made.transition);
}
static ebm_status transition_simclr(world *w)
{
    return ebm_transition_create_simclr(w->context, 1, &w->made.transition);
}
static ebm_status transition_apply(world *w)
{
    memcpy(w->f, sweep_x, sizeof w->f);
    return ebm_transition_apply(w->elastic, w->f, NULL, N, H, W, C, 1, 0, 0);
}
static void fill_f(world *w)
{
    memcpy(w->f, sweep_x, sizeof w->f);
}

/* ---- Chains, samplers, buffers ---- */

static ebm_status chains_create(world *w)
{
    return ebm_chains_create(w->context, 4, H, W, C, 1, &w->made.chains);
}
static ebm_status sampler_create(world *w)
{
    return ebm_sampler_create(w->context, EBM_SAMPLER_HMC, &w->made.sampler);
}
static void set_tail(world *w)
{
    assert_ok(ebm_sampler_set(w->sampler, EBM_SAMPLER_KEEP_STEPS, 2));
}
static int level(size_t step, size_t steps, double *value, void *user)
{
    (void)user;
    *value = 0.1 + (double)step / (double)steps;
    return 0;
}
static void set_jumps(world *w)
{
    assert_ok(ebm_sampler_set_transition(w->sampler, w->elastic, 2));
    assert_ok(ebm_sampler_set_schedule_callback(
        w->sampler, EBM_SAMPLER_STEP_SIZE, level, NULL));
}
static ebm_status sampler_run(world *w)
{
    return ebm_sampler_run(w->sampler, w->model, w->chains);
}
static ebm_status sampler_run_sum(world *w)
{
    return ebm_sampler_run(w->sampler, w->sum, w->chains);
}
static ebm_status sampler_run_mala(world *w)
{
    return ebm_sampler_run(w->mala, w->model, w->chains);
}
static ebm_status buffer_create(world *w)
{
    return ebm_buffer_create(w->context, 4, H, W, C, 1, &w->made.buffer);
}
static void set_buffer_transition(world *w)
{
    assert_ok(ebm_buffer_set_transition(w->buffer, w->elastic));
}
static ebm_status buffer_draw(world *w)
{
    return ebm_buffer_draw(w->buffer, w->chains);
}
/* As large as the pictures. */
static void make_small_buffer(world *w)
{
    assert_ok(ebm_buffer_create(w->context, 4, 3, 2, 1, 1, &w->made.buffer));
}
static ebm_status buffer_fill_data(world *w)
{
    return ebm_buffer_fill_data(w->made.buffer, w->folder, 3);
}

/* ---- Losses and optimizers ---- */

static ebm_status loss_create(world *w)
{
    return ebm_loss_create(w->context, EBM_LOSS_CD, &w->made.loss);
}
static ebm_status loss_entropy_array(world *w)
{
    return ebm_loss_set_entropy_array(w->kl, sweep_x, N, SIZE);
}
static ebm_status loss_nll(world *w)
{
    return ebm_loss_backward(w->nll, w->sum, sweep_x, NULL, N, w->chains,
                             w->report);
}
static void make_tail(world *w)
{
    set_tail(w);
    assert_ok(ebm_sampler_run(w->sampler, w->model, w->chains));
}
static void make_tail_and_reference(world *w)
{
    make_tail(w);
    w->jumps_count = 1;
    assert_ok(ebm_buffer_set_transition(w->buffer, w->elastic));
    assert_ok(ebm_loss_set_entropy_reference(w->kl, w->buffer, 4));
}
static ebm_status loss_kl(world *w)
{
    return ebm_loss_backward(w->kl, w->model, NULL, NULL, 0, w->chains,
                             w->report);
}
static ebm_status report_create(world *w)
{
    return ebm_report_create(w->context, &w->made.report);
}
static ebm_status optimizer_create(world *w)
{
    return ebm_optimizer_create(w->context, EBM_OPTIMIZER_SGD, w->model,
                                &w->made.optimizer);
}
static ebm_status optimizer_set(world *w)
{
    return ebm_optimizer_set(w->optimizer, EBM_OPTIMIZER_EMA_DECAY, 0.9);
}

/* ---- Checks and log Z ---- */

static ebm_status check_create(world *w)
{
    return ebm_check_create(w->context, 1, &w->made.check);
}
static ebm_status check_run(world *w)
{
    return ebm_check_run(w->check, w->model, sweep_x, NULL, 2);
}
static ebm_status ais_create(world *w)
{
    return ebm_ais_create(w->context, EBM_AIS_BOX, &w->made.ais);
}
static void let_chains_move(world *w)
{
    w->chains_move = 1;
}
static ebm_status ais_forward(world *w)
{
    return ebm_ais_forward(w->ais, w->mala, w->model, w->chains);
}
static ebm_status ais_reverse(world *w)
{
    return ebm_ais_reverse(w->ais, w->mala, w->model, w->chains);
}

const sweep_row sweep_chains[] = {
    {"ebm_transition_create", NULL, transition_create},
    {"ebm_transition_create_callback", NULL, transition_callback},
    {"ebm_transition_create_sequence", NULL, transition_sequence},
    {"ebm_transition_create_one_of", NULL, transition_one_of},
    {"ebm_transition_create_with_probability", NULL,
     transition_with_probability},
    {"ebm_transition_create_preset", NULL, transition_preset},
    {"ebm_transition_create_simclr", NULL, transition_simclr},
    {"ebm_transition_apply", fill_f, transition_apply},
    {"ebm_chains_create", NULL, chains_create},
    {"ebm_sampler_create", NULL, sampler_create},
    {"ebm_sampler_run", NULL, sampler_run},
    {"ebm_sampler_run", set_tail, sampler_run},
    {"ebm_sampler_run", set_jumps, sampler_run},
    {"ebm_sampler_run", NULL, sampler_run_sum},
    {"ebm_sampler_run", NULL, sampler_run_mala},
    {"ebm_buffer_create", NULL, buffer_create},
    {"ebm_buffer_fill_data", make_small_buffer, buffer_fill_data},
    {"ebm_buffer_draw", set_buffer_transition, buffer_draw},
    {"ebm_loss_create", NULL, loss_create},
    {"ebm_loss_set_entropy_array", NULL, loss_entropy_array},
    {"ebm_loss_backward", NULL, loss_nll},
    {"ebm_loss_backward", make_tail, loss_kl},
    {"ebm_loss_backward", make_tail_and_reference, loss_kl},
    {"ebm_report_create", NULL, report_create},
    {"ebm_optimizer_create", NULL, optimizer_create},
    {"ebm_optimizer_set", NULL, optimizer_set},
    {"ebm_check_create", NULL, check_create},
    {"ebm_check_run", NULL, check_run},
    {"ebm_ais_create", NULL, ais_create},
    {"ebm_ais_forward", let_chains_move, ais_forward},
    {"ebm_ais_reverse", let_chains_move, ais_reverse},
    {0}};

static void quiet_training(world *w)
{
    const char *name;
    QUIET(ebm_loss_set, w->nll, EBM_LOSS_ENERGY_L2, 0.1);
    QUIET(ebm_loss_get, w->nll, EBM_LOSS_ENERGY_L2, w->d);
    QUIET(ebm_loss_option, EBM_LOSS_ENERGY_L2, &name, NULL, w->d, NULL, NULL);
    QUIET(ebm_loss_set_entropy_reference, w->kl, w->buffer, 2);
    QUIET(ebm_report_get, w->report, EBM_REPORT_TOTAL, w->d);
    QUIET(ebm_optimizer_get, w->optimizer, EBM_OPTIMIZER_BETA1, w->d);
    QUIET(ebm_optimizer_option, EBM_OPTIMIZER_BETA1, &name, NULL, w->d, NULL,
          NULL);
    QUIET(ebm_optimizer_step, w->optimizer);
    QUIET(ebm_optimizer_swap_average, w->optimizer);
    QUIET(ebm_optimizer_get_statistic, w->optimizer, EBM_OPTIMIZER_STAT_STEPS,
          w->d);
    QUIET(ebm_check_set, w->check, EBM_CHECK_ELEMENTS, 4);
    QUIET(ebm_check_get, w->check, EBM_CHECK_ELEMENTS, w->d);
    QUIET(ebm_check_option, EBM_CHECK_ELEMENTS, &name, NULL, w->d, NULL, NULL);
    QUIET(ebm_check_get_result, w->check, EBM_DERIVATIVE_INPUT,
          EBM_CHECK_PASSED, w->d);
    QUIET(ebm_ais_set, w->ais, EBM_AIS_LEVELS, 4);
    QUIET(ebm_ais_get, w->ais, EBM_AIS_LEVELS, w->d);
    QUIET(ebm_ais_option, EBM_AIS_LEVELS, &name, NULL, w->d, NULL, NULL);
    QUIET(ebm_ais_beta, w->ais, 1, w->d);
    QUIET(ebm_ais_get_result, w->ais, EBM_AIS_FORWARD, EBM_AIS_LOG_Z, w->d);
    QUIET(ebm_ais_log_weights, w->ais, EBM_AIS_FORWARD, w->d, CHAINS);
    QUIET(ebm_ais_bits_per_dimension, w->ais, EBM_AIS_FORWARD, 1, 1, w->d,
          NULL);
}

static void quiet_sampling(world *w)
{
    const char *name;
    QUIET(ebm_sampler_set, w->sampler, EBM_SAMPLER_STEPS, 3);
    QUIET(ebm_sampler_get, w->sampler, EBM_SAMPLER_STEPS, w->d);
    QUIET(ebm_sampler_option, EBM_SAMPLER_STEPS, &name, NULL, w->d, NULL,
          NULL);
    QUIET(ebm_sampler_implied_temperature, w->sampler, w->d);
    QUIET(ebm_sampler_get_statistic, w->sampler, EBM_SAMPLER_STAT_STEPS, w->d);
    QUIET(ebm_sampler_acceptance, w->mala, w->d, CHAINS);
    QUIET(ebm_sampler_set_schedule, w->sampler, EBM_SAMPLER_STEP_SIZE,
          EBM_SCHEDULE_LINEAR, 1, 2);
    QUIET(ebm_sampler_set_schedule_callback, w->sampler, EBM_SAMPLER_NOISE_STD,
          level, NULL);
    QUIET(ebm_sampler_set_observer, w->sampler, 1, NULL, NULL);
    QUIET(ebm_sampler_set_transition, w->sampler, w->flip, 2);
    QUIET_VALUE(ebm_transition_get_kind, w->flip);
    QUIET_VALUE(ebm_transition_part_count, w->flip);
    QUIET_VALUE(ebm_transition_part, w->flip, 0);
    QUIET(ebm_transition_set, w->flip, EBM_TRANSITION_PROBABILITY, 0.5);
    QUIET(ebm_transition_get, w->flip, EBM_TRANSITION_PROBABILITY, w->d);
    QUIET(ebm_transition_option, EBM_TRANSITION_FLIP,
          EBM_TRANSITION_PROBABILITY, &name, NULL, w->d, NULL, NULL);
    QUIET(ebm_transition_check, w->flip, H, W, C);
    QUIET(ebm_transition_get_statistic, w->flip, EBM_TRANSITION_STAT_APPLIED,
          w->d);
}

void sweep_quiet_chains(world *w)
{
    ebm_origin origin;
    const char *name;
    QUIET(ebm_chains_set_first_stream, w->chains, 3);
    QUIET(ebm_chains_init_normal, w->chains, 0, 1);
    QUIET(ebm_chains_init_uniform, w->chains, -1, 1);
    QUIET(ebm_chains_set_states, w->chains, sweep_x, sweep_labels,
          EBM_ORIGIN_DATA);
    QUIET_VALUE(ebm_chains_count, w->chains);
    QUIET(ebm_chains_shape, w->chains, w->z, w->z + 1, w->z + 2);
    QUIET_VALUE(ebm_chains_states, w->chains);
    QUIET_VALUE(ebm_chains_labels, w->chains);
    QUIET_VALUE(ebm_chains_step_count, w->chains);
    QUIET(ebm_chains_origin, w->chains, 0, &origin);
    QUIET(ebm_chains_age, w->chains, 0, w->u);
    QUIET(ebm_chains_diverged, w->chains, 0, w->u);
    QUIET(ebm_chains_transitions, w->chains, 0, w->u);
    QUIET_VALUE(ebm_chains_diverged_count, w->chains);
    QUIET(ebm_buffer_set, w->buffer, EBM_BUFFER_FRESH_RATE, 0.5);
    QUIET(ebm_buffer_get, w->buffer, EBM_BUFFER_FRESH_RATE, w->d);
    QUIET(ebm_buffer_option, EBM_BUFFER_FRESH_RATE, &name, NULL, w->d, NULL,
          NULL);
    QUIET(ebm_buffer_fill_uniform, w->buffer, 2, 0, 1);
    QUIET(ebm_buffer_fill_normal, w->buffer, 2, 0, 1);
    QUIET(ebm_buffer_fill_data, w->buffer, w->dataset, 2);
    QUIET(ebm_buffer_add, w->buffer, sweep_x, NULL, N, EBM_ORIGIN_NOISE);
    QUIET(ebm_buffer_draw, w->buffer, w->chains);
    QUIET(ebm_buffer_store, w->buffer, w->chains);
    QUIET_VALUE(ebm_buffer_size, w->buffer);
    QUIET(ebm_buffer_read, w->buffer, 0, 2, w->f);
    QUIET(ebm_buffer_get_statistic, w->buffer, EBM_BUFFER_STAT_SEEN, w->d);
    QUIET(ebm_buffer_set_transition, w->buffer, w->flip);
    quiet_sampling(w);
    quiet_training(w);
}
