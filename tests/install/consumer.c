/* Uses a little of every room, so that all of the library's parts link. */
#include <stdio.h>

#include <ebm/ebm.h>

static int fail(const char *what, ebm_context *context)
{
    fprintf(stderr, "%s: %s\n", what, ebm_context_last_error(context));
    return 1;
}

int main(void)
{
    ebm_context *context = NULL;
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    ebm_chains *chains = NULL;
    ebm_sampler *sampler = NULL;

    if (ebm_version_number() != EBM_VERSION_NUMBER)
        return 1;
    if (ebm_context_create(&context))
        return 1;
    if (ebm_network_create(context, 4, 4, 1, &network) ||
        ebm_network_conv2d(network, 8, 3, 1, 1) ||
        ebm_network_swish(network) || ebm_network_flatten(network) ||
        ebm_network_dense(network, 1) ||
        ebm_model_create_network(network, 1, &model))
        return fail("model", context);
    if (ebm_chains_create(context, 4, 4, 4, 1, 7, &chains) ||
        ebm_chains_init_uniform(chains, -1.0, 1.0) ||
        ebm_sampler_create(context, EBM_SAMPLER_LANGEVIN, &sampler) ||
        ebm_sampler_set(sampler, EBM_SAMPLER_STEPS, 5.0) ||
        ebm_sampler_run(sampler, model, chains))
        return fail("chains", context);
    /* Eigenvalues: LAPACK is linked too. */
    double distance = -1;
    if (ebm_distance_frechet(context, ebm_chains_states(chains), 4,
                             ebm_chains_states(chains), 4, 16, &distance) ||
        !(distance >= 0 && distance < 1e-6))
        return fail("a distance", context);
    if (ebm_model_load(context, "/nowhere", &model) != EBM_ERROR_IO)
        return fail("a missing file was loaded", context);
    printf("%s, %s\n", ebm_version_string(), ebm_context_machinery(context));
    ebm_context_destroy(context);
    ebm_network_destroy(network);
    ebm_model_destroy(model);
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(sampler);
    return 0;
}
