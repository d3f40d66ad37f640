/* The same from C++, with a custom energy. */
#include <cstdio>

#include <ebm/ebm.h>

static int energy_grad(const float *, const float *x, const int32_t *,
                       size_t n, float *energy, float *grad, void *)
{
    for (size_t i = 0; i < n; i++) {
        energy[i] = x[i] * x[i] / 2;
        grad[i] = x[i];
    }
    return 0;
}

int main()
{
    ebm_context *context = nullptr;
    ebm_model *model = nullptr;
    if (ebm_version_number() != EBM_VERSION_NUMBER ||
        ebm_context_create(&context) != EBM_OK)
        return 1;
    ebm_energy_ops ops = ebm_energy_ops();
    ops.struct_size = sizeof ops;
    ops.energy_grad = energy_grad;
    const float x[2] = {1, 2};
    float energy[2] = {0, 0};
    if (ebm_model_create_custom(context, 1, 1, 1, &ops, nullptr, &model) ||
        ebm_model_energy(model, x, nullptr, 2, energy)) {
        std::fprintf(stderr, "%s\n", ebm_context_last_error(context));
        return 1;
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    return energy[0] == 0.5f && energy[1] == 2 ? 0 : 1;
}
