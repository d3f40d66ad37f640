/* Everything that can be read of a world, in one number. */
#include "sweep.h"

/* FNV-1a. */
static void add(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

static void add_word(uint64_t *hash, uint64_t word)
{
    add(hash, &word, sizeof word);
}

/* Numbers that are asked for by keys 0, 1, ..., as far as there are any. */
#define ADD_KEYS(hash, ask, ...)                        \
    do {                                                \
        ebm_status key_status = EBM_OK;                 \
        for (int key = 0; key < 64; key++) {            \
            double value = 0;                           \
            key_status = ask(__VA_ARGS__, key, &value); \
            if (key_status == EBM_ERROR_ARGUMENT)       \
                break;                                  \
            add_word((hash), (uint64_t)key_status);     \
            add((hash), &value, sizeof value);          \
        }                                               \
    } while (0)

static void add_model(uint64_t *hash, const ebm_model *model)
{
    size_t shape[3] = {0}, n = ebm_model_parameter_count(model);
    float energy[CHAINS] = {0};
    ebm_model_shape(model, shape, shape + 1, shape + 2);
    add(hash, shape, sizeof shape);
    add_word(hash, n);
    if (n) {
        float *copy = test_floats(n);
        assert_ok(ebm_model_get_parameters(model, 0, copy, n));
        add(hash, copy, n * sizeof *copy);
        assert_ok(ebm_model_get_gradient(model, 0, copy, n));
        add(hash, copy, n * sizeof *copy);
        free(copy);
    }
    if (shape[0] * shape[1] * shape[2] > SIZE)
        return;
    add_word(hash, (uint64_t)ebm_model_energy(
                       model, sweep_x,
                       ebm_model_class_count(model) ? sweep_labels : NULL, N,
                       energy));
    add(hash, energy, sizeof energy);
}

static void add_network(uint64_t *hash, const ebm_network *network)
{
    size_t shape[3] = {0};
    ebm_model *model = NULL;
    ebm_network_shape(network, shape, shape + 1, shape + 2);
    add(hash, shape, sizeof shape);
    ADD_KEYS(hash, ebm_network_get, network);
    /* The layers show once there is a model of them. */
    add_word(hash, (uint64_t)ebm_model_create_network(network, 1, &model));
    if (model)
        add_model(hash, model);
    ebm_model_destroy(model);
}

static void add_chains(uint64_t *hash, const ebm_chains *chains)
{
    size_t n = ebm_chains_count(chains), shape[3] = {0};
    if (!n)
        return;
    ebm_chains_shape(chains, shape, shape + 1, shape + 2);
    add(hash, ebm_chains_states(chains),
        n * shape[0] * shape[1] * shape[2] * sizeof(float));
    add(hash, ebm_chains_labels(chains), n * sizeof(int32_t));
    add_word(hash, ebm_chains_step_count(chains));
    for (size_t i = 0; i < n; i++) {
        ebm_origin origin = EBM_ORIGIN_NOISE;
        uint64_t age = 0, step = 0, count = 0;
        ebm_chains_origin(chains, i, &origin);
        ebm_chains_age(chains, i, &age);
        ebm_chains_diverged(chains, i, &step);
        ebm_chains_transitions(chains, i, &count);
        add_word(hash, (uint64_t)origin);
        add_word(hash, age);
        add_word(hash, step);
        add_word(hash, count);
    }
}

static void add_sampler(uint64_t *hash, const ebm_sampler *sampler)
{
    double acceptance[CHAINS] = {0};
    ADD_KEYS(hash, ebm_sampler_get, sampler);
    ADD_KEYS(hash, ebm_sampler_get_statistic, sampler);
    add_word(hash,
             (uint64_t)ebm_sampler_acceptance(sampler, acceptance, CHAINS));
    add(hash, acceptance, sizeof acceptance);
}

static void add_buffer(uint64_t *hash, const ebm_buffer *buffer)
{
    float x[SIZE] = {0};
    ADD_KEYS(hash, ebm_buffer_get, buffer);
    ADD_KEYS(hash, ebm_buffer_get_statistic, buffer);
    for (size_t i = 0; i < ebm_buffer_size(buffer); i++) {
        assert_ok(ebm_buffer_read(buffer, i, 1, x));
        add(hash, x, sizeof x);
    }
}

static void add_dataset(uint64_t *hash, const ebm_dataset *dataset)
{
    size_t shape[3] = {0};
    ebm_dataset_shape(dataset, shape, shape + 1, shape + 2);
    size_t size = shape[0] * shape[1] * shape[2];
    float *x = test_floats(size);
    ADD_KEYS(hash, ebm_dataset_get, dataset);
    add_word(hash, ebm_dataset_epoch(dataset));
    for (size_t i = 0; i < ebm_dataset_count(dataset); i++) {
        int32_t label = 0;
        assert_ok(ebm_dataset_read(dataset, i, 1, x, &label));
        add(hash, x, size * sizeof *x);
        add_word(hash, (uint64_t)label);
    }
    free(x);
}

static void add_transition(uint64_t *hash, const ebm_transition *transition,
                           int counters)
{
    ADD_KEYS(hash, ebm_transition_get, transition);
    if (counters)
        ADD_KEYS(hash, ebm_transition_get_statistic, transition);
    add_word(hash, (uint64_t)ebm_transition_get_kind(transition));
    add_word(hash, ebm_transition_part_count(transition));
}

static void add_results(uint64_t *hash, const ebm_check *check,
                        const ebm_ais *ais)
{
    ADD_KEYS(hash, ebm_check_get, check);
    for (int of = 0; of < 3; of++)
        ADD_KEYS(hash, ebm_check_get_result, check, (ebm_derivative)of);
    ADD_KEYS(hash, ebm_ais_get, ais);
    for (int way = 0; way < 2; way++)
        ADD_KEYS(hash, ebm_ais_get_result, ais, (ebm_ais_direction)way);
}

static void add_checkpoint(uint64_t *hash, const ebm_checkpoint *checkpoint)
{
    static const char *const names[] = {"iteration", "other"};
    for (size_t i = 0; i < TEST_COUNT(names); i++) {
        uint64_t value = 0;
        add_word(hash, (uint64_t)ebm_checkpoint_get_number(checkpoint,
                                                           names[i], &value));
        add_word(hash, value);
    }
}

/* Handles that are nothing answer with their status. */
static void add_made(uint64_t *hash, const sweep_made *made)
{
    add_word(hash, ebm_context_machinery(made->context)[0] != 0);
    add_model(hash, made->model);
    add_network(hash, made->network);
    ADD_KEYS(hash, ebm_preset_get, made->preset);
    add_chains(hash, made->chains);
    add_sampler(hash, made->sampler);
    add_buffer(hash, made->buffer);
    ADD_KEYS(hash, ebm_loss_get, made->loss);
    ADD_KEYS(hash, ebm_report_get, made->report);
    ADD_KEYS(hash, ebm_optimizer_get, made->optimizer);
    add_dataset(hash, made->dataset);
    add_transition(hash, made->transition, 1);
    add_results(hash, made->check, made->ais);
    add_checkpoint(hash, made->checkpoint);
}

uint64_t sweep_hash(const world *w)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const ebm_model *models[] = {w->model, w->classes, w->sum, w->custom,
                                 w->well};
    for (size_t i = 0; i < TEST_COUNT(models); i++)
        add_model(&hash, models[i]);
    ADD_KEYS(&hash, ebm_context_get, w->context);
    add_network(&hash, w->network);
    ADD_KEYS(&hash, ebm_preset_get, w->preset);
    if (!w->chains_move) {
        add_chains(&hash, w->chains);
        add_sampler(&hash, w->sampler);
        add_sampler(&hash, w->mala);
    }
    add_buffer(&hash, w->buffer);
    ADD_KEYS(&hash, ebm_loss_get, w->nll);
    ADD_KEYS(&hash, ebm_loss_get, w->kl);
    ADD_KEYS(&hash, ebm_report_get, w->report);
    ADD_KEYS(&hash, ebm_optimizer_get, w->optimizer);
    ADD_KEYS(&hash, ebm_optimizer_get_statistic, w->optimizer);
    add_dataset(&hash, w->dataset);
    add_dataset(&hash, w->folder);
    add_transition(&hash, w->flip, 1);
    add_transition(&hash, w->elastic, !w->jumps_count);
    add_results(&hash, w->check, w->ais);
    add_checkpoint(&hash, w->run);
    add_made(&hash, &w->made);
    add(&hash, w->f, sizeof w->f);
    add(&hash, w->d, sizeof w->d);
    add(&hash, w->z, sizeof w->z);
    add(&hash, w->i, sizeof w->i);
    add(&hash, w->u, sizeof w->u);
    return hash;
}
