/* Checkpoints: what they hold, and their files. */
#include "sweep.h"

static ebm_status create(world *w)
{
    return ebm_checkpoint_create(w->context, &w->made.checkpoint);
}
static void have_empty(world *w)
{
    assert_ok(ebm_checkpoint_create(w->context, &w->made.checkpoint));
}
static ebm_status add_model(world *w)
{
    return ebm_checkpoint_add_model(w->made.checkpoint, "m", w->sum);
}
static ebm_status add_optimizer(world *w)
{
    return ebm_checkpoint_add_optimizer(w->made.checkpoint, "o", w->optimizer);
}
static ebm_status add_buffer(world *w)
{
    return ebm_checkpoint_add_buffer(w->made.checkpoint, "b", w->buffer);
}
static ebm_status add_chains(world *w)
{
    return ebm_checkpoint_add_chains(w->made.checkpoint, "c", w->chains);
}
static ebm_status add_dataset(world *w)
{
    return ebm_checkpoint_add_dataset(w->made.checkpoint, "d", w->dataset);
}
static ebm_status add_sampler(world *w)
{
    return ebm_checkpoint_add_sampler(w->made.checkpoint, "s", w->mala);
}
static ebm_status set_number(world *w)
{
    return ebm_checkpoint_set_number(w->made.checkpoint, "other", 3);
}
static ebm_status save(world *w)
{
    return ebm_checkpoint_save(w->run, sweep_out_path);
}
static ebm_status load(world *w)
{
    return ebm_checkpoint_load(w->run, sweep_run_path);
}

const sweep_row sweep_checkpoints[] = {
    {"ebm_checkpoint_create", NULL, create},
    {"ebm_checkpoint_add_model", have_empty, add_model},
    {"ebm_checkpoint_add_optimizer", have_empty, add_optimizer},
    {"ebm_checkpoint_add_buffer", have_empty, add_buffer},
    {"ebm_checkpoint_add_chains", have_empty, add_chains},
    {"ebm_checkpoint_add_dataset", have_empty, add_dataset},
    {"ebm_checkpoint_add_sampler", have_empty, add_sampler},
    {"ebm_checkpoint_set_number", have_empty, set_number},
    {"ebm_checkpoint_save", NULL, save},
    {"ebm_checkpoint_load", NULL, load},
    {0}};

void sweep_quiet_checkpoints(world *w)
{
    QUIET(ebm_checkpoint_get_number, w->run, "iteration", w->u);
}
