/* Says nothing and ends with 0 when it has the energy of one image under the
   digits network: what bench/start.c measures. */
#include <math.h>
#include <stdlib.h>

#include <ebm/ebm.h>

int main(int argc, char **argv)
{
    static const float image[28 * 28];
    ebm_context *context = NULL;
    ebm_preset *preset = NULL;
    ebm_model *model = NULL;
    float energy = NAN;
    double threads = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    int done =
        ebm_context_create(&context) == EBM_OK &&
        ebm_context_set(context, EBM_CONTEXT_THREADS, threads) == EBM_OK &&
        ebm_preset_create(context, "digits-small", &preset) == EBM_OK &&
        ebm_preset_make_model(preset, 1, &model) == EBM_OK &&
        ebm_model_energy(model, image, NULL, 1, &energy) == EBM_OK &&
        isfinite(energy);
    ebm_model_destroy(model);
    ebm_preset_destroy(preset);
    ebm_context_destroy(context);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
