/*
 * What examples/bindings/<language>/toy does, in C and without a binding: the
 * files that it writes are those that the bindings must write too.
 */
#include <stdio.h>
#include <stdlib.h>

#include <ebm/ebm.h>

#define TRY(call)                                                            \
    do {                                                                     \
        if ((call) != EBM_OK) {                                              \
            fprintf(stderr, "toy.c: %s\n", ebm_context_last_error(context)); \
            exit(1);                                                         \
        }                                                                    \
    } while (0)

enum { POINTS = 2000, BATCH = 128 };

static ebm_sampler *create_sampler(ebm_context *context, ebm_sampler_kind kind,
                                   double steps, double step_size)
{
    ebm_sampler *s = NULL;
    TRY(ebm_sampler_create(context, kind, &s));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, steps));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEP_SIZE, step_size));
    return s;
}

static ebm_dataset *draw_mixture(ebm_context *context)
{
    const double means[] = {-1.5, -1.5, -1.5, 1.5, 1.5, -1.5, 1.5, 1.5};
    const double stds[] = {0.4, 0.4, 0.4, 0.4};
    ebm_model *mixture = NULL;
    ebm_chains *chains = NULL;
    ebm_dataset *dataset = NULL;
    ebm_sampler *mala = create_sampler(context, EBM_SAMPLER_MALA, 100, 0.05);
    TRY(ebm_model_create_gaussian_mixture(context, 2, 4, NULL, means, stds,
                                          &mixture));
    TRY(ebm_chains_create(context, POINTS, 1, 1, 2, 1, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 1.5));
    TRY(ebm_sampler_run(mala, mixture, chains));
    TRY(ebm_dataset_create_array(context, ebm_chains_states(chains), NULL,
                                 POINTS, 1, 1, 2, 2, &dataset));
    ebm_sampler_destroy(mala);
    ebm_model_destroy(mixture);
    ebm_chains_destroy(chains);
    return dataset;
}

static ebm_model *create_network(ebm_context *context)
{
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    TRY(ebm_network_create(context, 1, 1, 2, &network));
    TRY(ebm_network_dense(network, 32));
    TRY(ebm_network_swish(network));
    TRY(ebm_network_dense(network, 32));
    TRY(ebm_network_swish(network));
    TRY(ebm_network_dense(network, 1));
    TRY(ebm_model_create_network(network, 3, &model));
    ebm_network_destroy(network);
    return model;
}

/* Maximum likelihood; without a buffer the chains go on where they were. */
static void train(ebm_context *context, ebm_model *model, ebm_dataset *dataset,
                  ebm_sampler *sampler, ebm_buffer *buffer, ebm_chains *chains,
                  int iterations, double rate)
{
    static float data[BATCH * 2];
    ebm_loss *nll = NULL;
    ebm_optimizer *adam = NULL;
    TRY(ebm_loss_create(context, EBM_LOSS_NLL, &nll));
    TRY(ebm_optimizer_create(context, EBM_OPTIMIZER_ADAM, model, &adam));
    TRY(ebm_optimizer_set(adam, EBM_OPTIMIZER_LEARNING_RATE, rate));
    for (int i = 0; i < iterations; i++) {
        TRY(ebm_dataset_next(dataset, BATCH, data, NULL));
        if (buffer != NULL)
            TRY(ebm_buffer_draw(buffer, chains));
        TRY(ebm_sampler_run(sampler, model, chains));
        TRY(ebm_loss_backward(nll, model, data, NULL, BATCH, chains, NULL));
        TRY(ebm_optimizer_step(adam));
        if (buffer != NULL)
            TRY(ebm_buffer_store(buffer, chains));
    }
    ebm_loss_destroy(nll);
    ebm_optimizer_destroy(adam);
    ebm_dataset_destroy(dataset);
    ebm_sampler_destroy(sampler);
    ebm_buffer_destroy(buffer);
    ebm_chains_destroy(chains);
}

static void train_network(ebm_context *context, const char *path)
{
    ebm_model *model = create_network(context);
    ebm_dataset *dataset = draw_mixture(context);
    ebm_sampler *s =
        create_sampler(context, EBM_SAMPLER_TIED_LANGEVIN, 20, 0.02);
    ebm_buffer *buffer = NULL;
    ebm_chains *chains = NULL;
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MIN, -4.0));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STATE_MAX, 4.0));
    TRY(ebm_buffer_create(context, 1024, 1, 1, 2, 4, &buffer));
    TRY(ebm_buffer_fill_uniform(buffer, 1024, -4.0, 4.0));
    TRY(ebm_chains_create(context, BATCH, 1, 1, 2, 5, &chains));
    train(context, model, dataset, s, buffer, chains, 600, 0.002);
    TRY(ebm_model_save(model, path));
    ebm_model_destroy(model);
}

/* E(x) = k |x - (a, b)|^2 / 2 with the parameters k, a, b. */
static int bowl_energy_grad(const float *p, const float *x,
                            const int32_t *labels, size_t n, float *energy,
                            float *grad, void *user)
{
    (void)labels;
    (void)user;
    for (size_t i = 0; i < n; i++) {
        double k = p[0], dx = (double)x[2 * i] - (double)p[1];
        double dy = (double)x[2 * i + 1] - (double)p[2];
        energy[i] = (float)(0.5 * k * (dx * dx + dy * dy));
        grad[2 * i] = (float)(k * dx);
        grad[2 * i + 1] = (float)(k * dy);
    }
    return 0;
}

static int bowl_param_grad(const float *p, const float *x,
                           const int32_t *labels, size_t n, const float *scale,
                           float *gradient, void *user)
{
    double sums[3] = {0, 0, 0};
    (void)labels;
    (void)user;
    for (size_t i = 0; i < n; i++) {
        double k = p[0], dx = (double)x[2 * i] - (double)p[1];
        double dy = (double)x[2 * i + 1] - (double)p[2];
        sums[0] += (double)scale[i] * (0.5 * (dx * dx + dy * dy));
        sums[1] -= (double)scale[i] * (k * dx);
        sums[2] -= (double)scale[i] * (k * dy);
    }
    for (int j = 0; j < 3; j++)
        gradient[j] += (float)sums[j];
    return 0;
}

static void train_bowl(ebm_context *context, const char *path)
{
    const ebm_energy_ops ops = {.struct_size = sizeof ops,
                                .parameter_count = 3,
                                .energy_grad = bowl_energy_grad,
                                .param_grad = bowl_param_grad};
    const float start[3] = {1.0f, 0.0f, 0.0f};
    ebm_model *model = NULL;
    ebm_chains *drawn = NULL, *chains = NULL;
    ebm_dataset *dataset = NULL;
    TRY(ebm_chains_create(context, POINTS, 1, 1, 2, 6, &drawn));
    TRY(ebm_chains_init_normal(drawn, 1.0, 0.5));
    TRY(ebm_dataset_create_array(context, ebm_chains_states(drawn), NULL,
                                 POINTS, 1, 1, 2, 7, &dataset));
    ebm_chains_destroy(drawn);
    TRY(ebm_model_create_custom(context, 1, 1, 2, &ops, NULL, &model));
    TRY(ebm_model_set_parameters(model, 0, start, 3));
    TRY(ebm_chains_create(context, BATCH, 1, 1, 2, 8, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 1.0));
    train(context, model, dataset,
          create_sampler(context, EBM_SAMPLER_TIED_LANGEVIN, 10, 0.02), NULL,
          chains, 300, 0.03);
    FILE *file = fopen(path, "wb");
    if (file == NULL ||
        fwrite(ebm_model_parameters(model), sizeof(float), 3, file) != 3 ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    ebm_model_destroy(model);
}

int main(int argc, char **argv)
{
    char path[4096];
    ebm_context *context = NULL;
    if (argc != 2)
        return 2;
    TRY(ebm_context_create(&context));
    snprintf(path, sizeof path, "%s/network.safetensors", argv[1]);
    train_network(context, path);
    snprintf(path, sizeof path, "%s/bowl.f32", argv[1]);
    train_bowl(context, path);
    ebm_context_destroy(context);
    return 0;
}
