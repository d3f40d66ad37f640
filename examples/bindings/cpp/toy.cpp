/*
 * A network and an energy of our own, trained in the plane, from C++.
 *
 *     toy FOLDER
 *
 * The programs of this name in the other folders do the same in their
 * languages, with the same numbers: the files that they write are equal to the
 * bit. First a network learns four Gaussians by maximum likelihood, and how
 * many nats a point of the data costs, log Z included, is measured by a grid;
 * then a callback energy learns where a Gaussian is and how narrow.
 */
#include "ebm.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>

namespace
{

const std::size_t points = 2000, batch = 128;
const double reach = 4.0; /* of the box in which the network is a density */

/* Four Gaussians, as 2,000 chains of MALA have drawn them. */
ebm::chains draw_data(const ebm::context &context)
{
    const std::vector<double> means = {-1.5, -1.5, -1.5, 1.5,
                                       1.5,  -1.5, 1.5,  1.5};
    const std::vector<double> stds = {0.4, 0.4, 0.4, 0.4};
    ebm::model mixture = context.create(ebm_model_create_gaussian_mixture, 2,
                                        4, nullptr, means, stds);
    ebm::chains chains = context.create(ebm_chains_create, points, 1, 1, 2, 1);
    ebm::sampler mala = context.create(ebm_sampler_create, EBM_SAMPLER_MALA);
    mala.call(ebm_sampler_set, EBM_SAMPLER_STEPS, 100);
    mala.call(ebm_sampler_set, EBM_SAMPLER_STEP_SIZE, 0.05);
    chains.call(ebm_chains_init_normal, 0.0, 1.5);
    mala.call(ebm_sampler_run, mixture, chains);
    return chains;
}

/* Mean of E over the data, plus log Z over the box by a grid. */
double nats(const ebm::model &model, const float *data)
{
    const std::size_t side = 80;
    std::vector<float> x(side * side * 2), energy(side * side);
    std::vector<float> seen(points);
    double mean = 0.0, z = 0.0, cell = 2 * reach / side;
    for (std::size_t i = 0; i < side * side; i++) {
        x[2 * i] = (float)((i % side + 0.5) * cell - reach);
        x[2 * i + 1] = (float)((i / side + 0.5) * cell - reach);
    }
    model.call(ebm_model_energy, x, nullptr, side * side, energy);
    model.call(ebm_model_energy, data, nullptr, points, seen);
    for (float e : seen)
        mean += e / points;
    for (float e : energy)
        z += std::exp(-(double)e) * cell * cell;
    return mean + std::log(z);
}

ebm::sampler tied_langevin(const ebm::context &context, double steps)
{
    ebm::sampler sampler =
        context.create(ebm_sampler_create, EBM_SAMPLER_TIED_LANGEVIN);
    sampler.call(ebm_sampler_set, EBM_SAMPLER_STEPS, steps);
    sampler.call(ebm_sampler_set, EBM_SAMPLER_STEP_SIZE, 0.02);
    return sampler;
}

void train_network(const ebm::context &context, const std::string &path)
{
    ebm::chains drawn = draw_data(context);
    const float *x = drawn.call(ebm_chains_states);
    ebm::dataset dataset = context.create(ebm_dataset_create_array, x, nullptr,
                                          points, 1, 1, 2, 2);

    ebm::network network = context.create(ebm_network_create, 1, 1, 2);
    network.call(ebm_network_dense, 32);
    network.call(ebm_network_swish);
    network.call(ebm_network_dense, 32);
    network.call(ebm_network_swish);
    network.call(ebm_network_dense, 1);
    ebm::model model = network.create(ebm_model_create_network, 3);

    ebm::sampler sampler = tied_langevin(context, 20);
    sampler.call(ebm_sampler_set, EBM_SAMPLER_STATE_MIN, -reach);
    sampler.call(ebm_sampler_set, EBM_SAMPLER_STATE_MAX, reach);
    ebm::buffer buffer = context.create(ebm_buffer_create, 1024, 1, 1, 2, 4);
    buffer.call(ebm_buffer_fill_uniform, 1024, -reach, reach);
    ebm::chains chains = context.create(ebm_chains_create, batch, 1, 1, 2, 5);
    ebm::loss nll = context.create(ebm_loss_create, EBM_LOSS_NLL);
    ebm::optimizer adam =
        context.create(ebm_optimizer_create, EBM_OPTIMIZER_ADAM, model);
    adam.call(ebm_optimizer_set, EBM_OPTIMIZER_LEARNING_RATE, 0.002);

    double before = nats(model, x);
    std::vector<float> data(batch * 2);
    for (int i = 0; i < 600; i++) {
        dataset.call(ebm_dataset_next, batch, data, nullptr);
        buffer.call(ebm_buffer_draw, chains);
        sampler.call(ebm_sampler_run, model, chains);
        nll.call(ebm_loss_backward, model, data, nullptr, batch, chains,
                 nullptr);
        adam.call(ebm_optimizer_step);
        buffer.call(ebm_buffer_store, chains);
    }
    std::printf("network: %.3f nats, then %.3f\n", before, nats(model, x));
    model.call(ebm_model_save, path);
}

/* E(x) = k |x - (a, b)|^2 / 2 with the parameters k, a, b. */
ebm::energy bowl()
{
    ebm::energy e;
    e.parameter_count = 3;
    e.energy_grad = [](const float *p, const float *x, const std::int32_t *,
                       std::size_t n, float *energy, float *grad) {
        for (std::size_t i = 0; i < n; i++) {
            double k = p[0], dx = (double)x[2 * i] - p[1];
            double dy = (double)x[2 * i + 1] - p[2];
            energy[i] = (float)(0.5 * k * (dx * dx + dy * dy));
            grad[2 * i] = (float)(k * dx);
            grad[2 * i + 1] = (float)(k * dy);
        }
    };
    e.param_grad = [](const float *p, const float *x, const std::int32_t *,
                      std::size_t n, const float *scale, float *gradient) {
        double sums[3] = {0, 0, 0};
        for (std::size_t i = 0; i < n; i++) {
            double k = p[0], dx = (double)x[2 * i] - p[1];
            double dy = (double)x[2 * i + 1] - p[2];
            sums[0] += scale[i] * (0.5 * (dx * dx + dy * dy));
            sums[1] -= scale[i] * (k * dx);
            sums[2] -= scale[i] * (k * dy);
        }
        for (int j = 0; j < 3; j++)
            gradient[j] += (float)sums[j];
    };
    return e;
}

/* The data are N((1, 1), 0.5^2), so k = 4 is what there is to learn. */
void train_bowl(const ebm::context &context, const std::string &path)
{
    ebm::chains drawn = context.create(ebm_chains_create, points, 1, 1, 2, 6);
    drawn.call(ebm_chains_init_normal, 1.0, 0.5);
    ebm::dataset dataset =
        context.create(ebm_dataset_create_array, drawn.call(ebm_chains_states),
                       nullptr, points, 1, 1, 2, 7);
    ebm::model model = ebm::custom_model(context, 1, 1, 2, bowl());
    const std::vector<float> start = {1, 0, 0};
    model.call(ebm_model_set_parameters, 0, start, 3);

    ebm::sampler sampler = tied_langevin(context, 10);
    ebm::chains chains = context.create(ebm_chains_create, batch, 1, 1, 2, 8);
    chains.call(ebm_chains_init_normal, 0.0, 1.0);
    ebm::loss nll = context.create(ebm_loss_create, EBM_LOSS_NLL);
    ebm::optimizer adam =
        context.create(ebm_optimizer_create, EBM_OPTIMIZER_ADAM, model);
    adam.call(ebm_optimizer_set, EBM_OPTIMIZER_LEARNING_RATE, 0.03);
    std::vector<float> data(batch * 2);
    for (int i = 0; i < 300; i++) {
        dataset.call(ebm_dataset_next, batch, data, nullptr);
        sampler.call(ebm_sampler_run, model, chains);
        nll.call(ebm_loss_backward, model, data, nullptr, batch, chains,
                 nullptr);
        adam.call(ebm_optimizer_step);
    }
    const float *p = model.call(ebm_model_parameters);
    std::printf("bowl: k %.3f at (%.3f, %.3f)\n", p[0], p[1], p[2]);
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(p), 3 * sizeof *p);
    if (!file.flush())
        throw std::runtime_error("can not write " + path);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc < 2) {
        std::fprintf(stderr, "usage: toy FOLDER\n");
        return 2;
    }
    try {
        const std::string folder = argv[1];
        ebm::context context;
        train_network(context, folder + "/network.safetensors");
        train_bowl(context, folder + "/bowl.f32");
    } catch (const std::exception &e) {
        std::fprintf(stderr, "toy: %s\n", e.what());
        return 1;
    }
    return 0;
}
