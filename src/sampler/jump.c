/* Jumps of chains between Langevin steps. */
#include "sampler/jump.h"

#include "core/object.h"

ebm_status ebm_sampler_set_transition(ebm_sampler *sampler,
                                      ebm_transition *transition, size_t every)
{
    EBM_CHECK_HANDLE(sampler, EBM_TYPE_SAMPLER);
    const ebm_context *context = ebm_context_of(sampler);
    if (sampler->is_running)
        return ebm_fail(context, EBM_ERROR_STATE,
                        "the sampler is in the middle of a run");
    if (transition) {
        EBM_CHECK_HANDLE(transition, EBM_TYPE_TRANSITION);
        EBM_CHECK_SAME_CONTEXT(sampler, transition);
        if (!every)
            return ebm_fail(context, EBM_ERROR_ARGUMENT,
                            "a transition after every 0 steps");
    }
    ebm_object_retain(transition);
    ebm_object_release(sampler->transition);
    sampler->transition = transition;
    sampler->jump_every = every;
    return EBM_OK;
}

size_t ebm_sampler_until_jump(const ebm_sampler *sampler,
                              const ebm_chains *chains, size_t steps)
{
    if (!sampler->transition)
        return steps;
    if (chains->since_jump >= sampler->jump_every)
        return 0;
    uint64_t left = sampler->jump_every - chains->since_jump;
    return left < steps ? (size_t)left : steps;
}

/* The derivative of the path ends at a jump: kept steps must come after. */
static ebm_status check_kept(const ebm_sampler *sampler,
                             const ebm_chains *chains)
{
    size_t steps = (size_t)sampler->values[EBM_SAMPLER_STEPS];
    size_t kept = (size_t)sampler->values[EBM_SAMPLER_KEEP_STEPS];
    size_t jump = ebm_sampler_until_jump(sampler, chains, steps);
    if (!kept || jump >= steps)
        return EBM_OK;
    jump += (steps - 1 - jump) / sampler->jump_every * sampler->jump_every;
    if (steps - kept >= jump)
        return EBM_OK;
    return ebm_fail(ebm_context_of(sampler), EBM_ERROR_RANGE,
                    "keep_steps %zu of %zu reach back over the jump after "
                    "step %zu",
                    kept, steps, jump);
}

static ebm_status prepare(ebm_sampler *sampler, const ebm_chains *chains)
{
    return ebm_transition_prepare(&sampler->jump_work, sampler->transition,
                                  chains->n, chains->height, chains->width,
                                  chains->channels);
}

ebm_status ebm_sampler_prepare_jumps(ebm_sampler *sampler,
                                     const ebm_chains *chains)
{
    if (!sampler->transition)
        return EBM_OK;
    EBM_TRY(check_kept(sampler, chains));
    /* The number of a step keys the jump before it. */
    if (chains->steps + (uint64_t)sampler->values[EBM_SAMPLER_STEPS] >
        EBM_TRANSITION_LIMIT)
        return ebm_fail(ebm_context_of(sampler), EBM_ERROR_RANGE,
                        "the chains have used up the step numbers of "
                        "transitions");
    return prepare(sampler, chains);
}

ebm_status ebm_sampler_jump(ebm_sampler *sampler, ebm_chains *chains)
{
    if (ebm_sampler_until_jump(sampler, chains, 1))
        return EBM_OK;
    /* Settings may be others than when the run began. */
    EBM_TRY(prepare(sampler, chains));
    ebm_transition_work *work = &sampler->jump_work;
    for (size_t i = 0; i < chains->n; i++)
        work->skip[i] = chains->diverged[i] != 0;
    ebm_transition_batch batch = {.x = chains->states,
                                  .labels = chains->labels,
                                  .n = chains->n,
                                  .seed = chains->seed,
                                  .purpose = EBM_PURPOSE_TRANSITION,
                                  .first_stream = chains->first_stream,
                                  .count = chains->steps};
    EBM_TRY(ebm_transition_run(work, &batch));
    for (size_t i = 0; i < chains->n; i++)
        chains->transitions[i] += work->touched[i];
    chains->since_jump = 0;
    return EBM_OK;
}
