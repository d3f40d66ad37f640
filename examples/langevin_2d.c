/*
 * langevin_2d: samplers side by side, in the plane, where one can look.
 *
 * Three energies whose densities are known (rings, a mixture of Gaussians, a
 * double well), and five samplers on each. A sampler's picture, NAME.png, has
 * a panel an energy: the density exp(-E) in blue, where 500 chains ended in
 * orange, and the way of one chain in green. What to look for:
 *
 * - langevin.png: step and noise are free of each other here, as in the
 *   recipes for images. Noise too small for the step: a temperature below 1,
 *   and points that huddle.
 * - tied.png: noise tied to the step; the law is right but for an error of the
 *   order of the step.
 * - mala.png: the same with a Metropolis test: the law is exact, at any step.
 * - hmc.png: the same test on long strides; a chain crosses the plane.
 * - baoab.png: a chain with momentum.
 *
 * For each it prints how often proposals were accepted, and how far the mean
 * energy of the points is from the density's own, which a grid gives.
 *
 * Then a network of 4,481 parameters learns an energy from points on two
 * moons, by maximum likelihood: moons.png, data beside the model and its
 * chains.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/ebm.h>

#include "common/files.h"
#include "common/landscape.h"
#include "common/mlp.h"
#include "common/moons.h"
#include "common/options.h"
#include "common/try.h"

enum { CHAINS = 500, STEPS = 1000, WAY = 120, MOONS = 2000 };

static const double reach = 3.5; /* of the pictures */
static const float orange[3] = {0.93f, 0.45f, 0.08f};
static const float green[3] = {0.20f, 0.60f, 0.25f};

/* One sampler of the gallery. */
typedef struct exhibit {
    const char *name;
    ebm_sampler_kind kind;
    double step;
    double noise; /* of the free kind */
} exhibit;

static const exhibit gallery[] = {
    {"langevin", EBM_SAMPLER_LANGEVIN, 0.01, 0.07},
    {"tied", EBM_SAMPLER_TIED_LANGEVIN, 0.01, 0},
    {"mala", EBM_SAMPLER_MALA, 0.05, 0},
    /* Ten steps take 1.0: at 1.57, half a period in a Gaussian of standard
       deviation 0.5, a chain would go back and forth for ever. */
    {"hmc", EBM_SAMPLER_HMC, 0.1, 0},
    {"baoab", EBM_SAMPLER_BAOAB, 0.15, 0},
};
enum { EXHIBITS = sizeof gallery / sizeof gallery[0] };

static ebm_sampler *create_sampler(ebm_context *context, const exhibit *e,
                                   size_t steps)
{
    ebm_sampler *s = NULL;
    TRY(ebm_sampler_create(context, e->kind, &s));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEPS, (double)steps));
    TRY(ebm_sampler_set(s, EBM_SAMPLER_STEP_SIZE, e->step));
    if (e->kind == EBM_SAMPLER_LANGEVIN)
        TRY(ebm_sampler_set(s, EBM_SAMPLER_NOISE_STD, e->noise));
    return s;
}

/* The energies. Each is a model like any network. */
enum { ENERGIES = 3 };

static void create_energies(ebm_context *context, ebm_model **energies)
{
    const double radii[] = {1.0, 2.4};
    const double means[] = {-1.6, -1.2, 1.8, -0.6, 0.0, 1.8};
    const double stds[] = {0.5, 0.35, 0.6};
    TRY(ebm_model_create_rings(context, 2, radii, 0.2, &energies[0]));
    TRY(ebm_model_create_gaussian_mixture(context, 2, 3, NULL, means, stds,
                                          &energies[1]));
    TRY(ebm_model_create_double_well(context, 2, 2.0, &energies[2]));
}

/* The mean energy under exp(-E): sums over a fine grid. */
static double exact_mean_energy(ebm_context *context, const ebm_model *model)
{
    enum { SIDE = 400, COUNT = SIDE * SIDE };
    float *x = try_allocate(2 * COUNT, sizeof *x);
    float *energy = try_allocate(COUNT, sizeof *energy);
    double mass = 0.0, sum = 0.0;
    for (int i = 0; i < COUNT; i++) {
        x[2 * i] = (float)((i % SIDE + 0.5) * 12.0 / SIDE - 6.0);
        x[2 * i + 1] = (float)((i / SIDE + 0.5) * 12.0 / SIDE - 6.0);
    }
    TRY(ebm_model_energy(model, x, NULL, COUNT, energy));
    for (int i = 0; i < COUNT; i++) {
        double weight = exp(-(double)energy[i]);
        mass += weight;
        sum += weight * (double)energy[i];
    }
    free(energy);
    free(x);
    return sum / mass;
}

static double mean_energy(ebm_context *context, const ebm_model *model,
                          const ebm_chains *chains)
{
    static float energy[CHAINS];
    double sum = 0.0;
    TRY(ebm_model_energy(model, ebm_chains_states(chains), NULL, CHAINS,
                         energy));
    for (size_t i = 0; i < CHAINS; i++)
        sum += (double)energy[i];
    return sum / CHAINS;
}

/* An observer: the way of the first chain. */
typedef struct way {
    float points[WAY + 1][2];
    size_t taken;
} way;

static int follow(size_t step, const ebm_chains *chains, void *user)
{
    way *w = user;
    (void)step;
    if (w->taken <= WAY)
        memcpy(w->points[w->taken++], ebm_chains_states(chains),
               sizeof w->points[0]);
    return 0;
}

/* One panel: chains from the middle to the end of the run. Not from further
   out: the double well is steep there, and a step without a test overshoots
   for good. */
static void show(landscape *picture, size_t panel, ebm_context *context,
                 const ebm_model *model, const exhibit *e, uint64_t seed)
{
    static const char *const titles[] = {"rings", "mixture", "double well"};
    ebm_chains *chains = NULL;
    way w = {.taken = 0};
    ebm_sampler *s = create_sampler(context, e, STEPS);
    double proposals = 0.0, acceptance = 1.0;
    TRY(ebm_chains_create(context, CHAINS, 1, 1, 2, seed, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 0.8));
    follow(0, chains, &w);
    TRY(ebm_sampler_set_observer(s, 1, follow, &w));
    TRY(ebm_sampler_run(s, model, chains));
    TRY(ebm_sampler_get_statistic(s, EBM_SAMPLER_STAT_PROPOSALS, &proposals));
    if (proposals > 0)
        TRY(ebm_sampler_get_statistic(s, EBM_SAMPLER_STAT_ACCEPTANCE,
                                      &acceptance));
    printf("%-9s %-12s accepted %5.3f, mean energy %+.3f (exact %+.3f)\n",
           e->name, titles[panel], acceptance,
           mean_energy(context, model, chains),
           exact_mean_energy(context, model));
    landscape_density(picture, panel, context, model);
    landscape_points(picture, panel, ebm_chains_states(chains), CHAINS,
                     orange);
    landscape_way(picture, panel, w.points[0], w.taken, green);
    landscape_title(picture, panel, titles[panel]);
    ebm_sampler_destroy(s);
    ebm_chains_destroy(chains);
}

/* Maximum likelihood: mlp_learn() in common/mlp.c is how. */
static void learn(ebm_context *context, ebm_model *model, const float *points,
                  size_t iterations, uint64_t seed)
{
    const mlp_fit fit = {.iterations = iterations,
                         .batch = 256,
                         .steps = 20,
                         .step_size = 0.02,
                         .spread = 2.0,
                         .rate = 3e-3,
                         .seed = seed};
    ebm_dataset *moons = NULL;
    TRY(ebm_dataset_create_array(context, points, NULL, MOONS, 1, 1, 2, seed,
                                 &moons));
    mlp_learn(context, model, moons, &fit);
    ebm_dataset_destroy(moons);
}

static ebm_model *load_network(ebm_context *context, const char *file)
{
    ebm_model *network = NULL;
    size_t height, width, channels;
    if (ebm_model_load(context, file, &network) != EBM_OK)
        fail(EXIT_USAGE, "--model: %s", ebm_context_last_error(context));
    TRY(ebm_model_shape(network, &height, &width, &channels));
    if (height != 1 || width != 1 || channels != 2)
        fail(EXIT_USAGE, "--model: for %zu x %zu x %zu, not points of a plane",
             height, width, channels);
    return network;
}

/* The data, and what was learnt with chains on it. */
static void draw_moons(ebm_context *context, const char *out,
                       const ebm_model *model, const float *points,
                       uint64_t seed)
{
    const exhibit mala = {"mala", EBM_SAMPLER_MALA, 0.02, 0};
    ebm_sampler *s = create_sampler(context, &mala, STEPS);
    ebm_chains *chains = NULL;
    landscape picture;
    landscape_begin(&picture, 2, reach);
    landscape_points(&picture, 0, points, MOONS, orange);
    landscape_title(&picture, 0, "data");
    TRY(ebm_chains_create(context, CHAINS, 1, 1, 2, seed, &chains));
    TRY(ebm_chains_init_normal(chains, 0.0, 2.0));
    TRY(ebm_sampler_run(s, model, chains));
    landscape_density(&picture, 1, context, model);
    landscape_points(&picture, 1, ebm_chains_states(chains), CHAINS, orange);
    landscape_title(&picture, 1, "model and chains");
    TRY(landscape_write(&picture, context, path_in(out, "moons.png")));
    ebm_chains_destroy(chains);
    ebm_sampler_destroy(s);
}

static void check_files(const char *out)
{
    make_folder(out);
    check_writable(out, "moons.png");
    check_writable(out, "moons.safetensors");
    for (size_t i = 0; i < EXHIBITS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.png", gallery[i].name);
        check_writable(out, name);
    }
}

static void draw_gallery(ebm_context *context, const char *out, uint64_t seed)
{
    ebm_model *energies[ENERGIES] = {NULL};
    create_energies(context, energies);
    for (size_t i = 0; i < EXHIBITS; i++) {
        char name[32];
        landscape picture;
        landscape_begin(&picture, ENERGIES, reach);
        for (size_t k = 0; k < ENERGIES; k++)
            show(&picture, k, context, energies[k], &gallery[i], seed);
        snprintf(name, sizeof name, "%s.png", gallery[i].name);
        TRY(landscape_write(&picture, context, path_in(out, name)));
    }
    for (size_t k = 0; k < ENERGIES; k++)
        ebm_model_destroy(energies[k]);
}

int main(int argc, char **argv)
{
    const char *out = "out", *file = NULL;
    uint64_t iterations = 5000, seed = 1, threads = 0;
    const option_row rows[] = {
        {"out", "FOLDER", "where the pictures go", .text = &out},
        {"iterations", "N", "of learning the moons", .number = &iterations,
         .minimum = 1, .maximum = 1000000},
        {"model", "FILE", "a network of the moons: do not learn one",
         .text = &file},
        {"seed", "N", "of all randomness", .number = &seed,
         .maximum = UINT64_MAX},
        {"threads", "N", "processors to use, 0 for all", .number = &threads,
         .maximum = 1024}};
    options_parse(argc, argv,
                  "Samples known energies in the plane by every sampler, and "
                  "learns one of its\nown. Writes langevin.png, tied.png, "
                  "mala.png, hmc.png, baoab.png, moons.png\nand "
                  "moons.safetensors.",
                  rows, sizeof rows / sizeof rows[0]);
    check_files(out);
    ebm_context *context = NULL;
    TRY(ebm_context_create(&context));
    if (threads > 0)
        TRY(ebm_context_set(context, EBM_CONTEXT_THREADS, (double)threads));
    ebm_model *network = file != NULL ? load_network(context, file)
                                      : mlp_create(context, 2, 64, seed);
    ebm_model *model = mlp_with_gaussian(context, network, 2.0);

    draw_gallery(context, out, seed);
    float *points = moons_create(context, MOONS, seed);
    if (file == NULL) {
        learn(context, model, points, (size_t)iterations, seed);
        TRY(ebm_model_save(network, path_in(out, "moons.safetensors")));
    }
    draw_moons(context, out, model, points, seed + 1);
    printf("done: %s/moons.png\n", out);
    try_output();
    free(points);
    ebm_model_destroy(model);
    ebm_model_destroy(network);
    ebm_context_destroy(context);
    return EXIT_SUCCESS;
}
