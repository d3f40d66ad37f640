/* Presets: settings, and a model from a table. */
#include "model/preset/preset.h"

#include <string.h>

#include <ebm/composition.h>
#include <ebm/network.h>

#include "core/option.h"
#include "model/model.h"

static const ebm_option_row settings[EBM_PRESET_KEYS] = {
    [EBM_PRESET_WIDTH] = {"width", EBM_OPTION_INTEGER, 0, 4096, 0},
    [EBM_PRESET_VARIANT] = {"variant", EBM_OPTION_CHOICE, EBM_PRESET_PAPER,
                            EBM_PRESET_CODE, EBM_PRESET_PAPER},
    [EBM_PRESET_CLASSES] = {"classes", EBM_OPTION_INTEGER, 0, 65536, 0},
    [EBM_PRESET_SCALES] = {"scales", EBM_OPTION_INTEGER, 0,
                           EBM_PRESET_MOST_SCALES, 0},
};

const char *ebm_preset_name(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!ebm_preset_tables[i].name)
            return NULL;
    return ebm_preset_tables[index].name;
}

ebm_status ebm_preset_create(ebm_context *context, const char *name,
                             ebm_preset **out)
{
    EBM_CHECK_HANDLE(context, EBM_TYPE_CONTEXT);
    if (!name || !out)
        return ebm_fail(context, EBM_ERROR_ARGUMENT, "%s is NULL",
                        name ? "preset" : "name");
    const ebm_preset_table *table = ebm_preset_tables;
    while (table->name && strcmp(table->name, name) != 0)
        table++;
    if (!table->name)
        return ebm_fail(context, EBM_ERROR_ARGUMENT,
                        "there is no preset %.40s", name);
    ebm_preset *preset =
        ebm_object_create(context, EBM_TYPE_PRESET, sizeof *preset, NULL);
    if (!preset)
        return EBM_ERROR_MEMORY;
    ebm_option_reset(settings, EBM_PRESET_KEYS, preset->values);
    preset->table = table;
    *out = preset;
    return EBM_OK;
}

void ebm_preset_destroy(ebm_preset *preset)
{
    ebm_object_destroy(preset, EBM_TYPE_PRESET);
}

ebm_status ebm_preset_set(ebm_preset *preset, ebm_preset_key key, double value)
{
    EBM_CHECK_HANDLE(preset, EBM_TYPE_PRESET);
    const ebm_context *context = ebm_context_of(preset);
    const ebm_preset_table *table = preset->table;
    EBM_TRY(ebm_option_check(context, settings, EBM_PRESET_KEYS, (unsigned)key,
                             value));
    if (key == EBM_PRESET_CLASSES && value > 0 && !table->has_norms)
        return ebm_fail(context, EBM_ERROR_UNSUPPORTED,
                        "%s has no conditional form", table->name);
    if (key == EBM_PRESET_SCALES && value > (double)table->scale_count)
        return ebm_fail(context, EBM_ERROR_RANGE,
                        "scales = %g, but %s has %zu", value, table->name,
                        table->scale_count);
    preset->values[key] = value;
    return EBM_OK;
}

ebm_status ebm_preset_get(const ebm_preset *preset, ebm_preset_key key,
                          double *value)
{
    EBM_CHECK_HANDLE(preset, EBM_TYPE_PRESET);
    return ebm_option_get(ebm_context_of(preset), EBM_PRESET_KEYS,
                          preset->values, (unsigned)key, value);
}

ebm_status ebm_preset_option(ebm_preset_key key, const char **name,
                             ebm_option_kind *kind, double *minimum,
                             double *maximum, double *initial)
{
    return ebm_option_describe(settings, EBM_PRESET_KEYS, (unsigned)key, name,
                               kind, minimum, maximum, initial);
}

/* What normalises in a block: group norm says the paper; the code takes
   instance norm up to 128 channels and 32 groups above. */
static ebm_status choose_norm(ebm_network *network, int is_code,
                              size_t channels)
{
    int instance = is_code && channels <= 128;
    EBM_TRY(ebm_network_set(network, EBM_NETWORK_NORM,
                            instance ? EBM_NORM_INSTANCE : EBM_NORM_GROUP));
    return ebm_network_set(network, EBM_NETWORK_GROUPS, is_code ? 32 : 0);
}

static ebm_status add_block(ebm_network *network, int is_code, size_t channels,
                            ebm_res_kind kind)
{
    EBM_TRY(choose_norm(network, is_code, channels));
    EBM_TRY(ebm_network_set(network, EBM_NETWORK_WEIGHTS,
                            is_code ? EBM_WEIGHTS_STANDARDISED
                                    : EBM_WEIGHTS_PLAIN));
    EBM_TRY(ebm_network_res_block(network, channels, kind));
    return ebm_network_set(network, EBM_NETWORK_WEIGHTS, EBM_WEIGHTS_PLAIN);
}

static ebm_status add_convolution(ebm_network *network, size_t channels,
                                  size_t kernel, size_t stride, size_t padding)
{
    EBM_TRY(ebm_network_conv2d(network, channels, kernel, stride, padding));
    return ebm_network_swish(network);
}

static ebm_status add_mean(ebm_network *network)
{
    EBM_TRY(ebm_network_swish(network));
    EBM_TRY(ebm_network_global_mean_pool(network));
    return ebm_network_dense(network, 1);
}

static ebm_status add_dense(ebm_network *network, size_t units)
{
    EBM_TRY(ebm_network_flatten(network));
    EBM_TRY(ebm_network_dense(network, units));
    EBM_TRY(ebm_network_swish(network));
    return ebm_network_dense(network, 1);
}

static ebm_status add_row(ebm_network *network, int is_code, size_t width,
                          const ebm_preset_row *row)
{
    size_t channels = row->channels * width;
    switch (row->kind) {
    case EBM_ROW_SHRINK:
        return ebm_network_avg_pool(network, 3, 2, 1, 1);
    case EBM_ROW_STEM:
        return add_convolution(network, channels, 3, 1, 1);
    case EBM_ROW_STRIDED:
        return add_convolution(network, channels, 3, 2, 1);
    case EBM_ROW_WIDE:
        return add_convolution(network, channels, 5, 2, 4);
    case EBM_ROW_BLOCK:
        return add_block(network, is_code, channels, EBM_RES_PLAIN);
    case EBM_ROW_DOWN:
        return add_block(network, is_code, channels, EBM_RES_DOWN);
    case EBM_ROW_WIDEN:
        return add_block(network, is_code, channels, EBM_RES_DOWN_WIDEN);
    case EBM_ROW_ATTENTION:
        return ebm_network_self_attention(network);
    case EBM_ROW_MEAN:
        return add_mean(network);
    case EBM_ROW_DENSE:
        return add_dense(network, channels);
    case EBM_ROW_END:
        break;
    }
    return EBM_OK;
}

/* The energy of one scale, as a model of full-size samples. */
static ebm_status make_scale(const ebm_preset *preset, size_t index,
                             uint64_t seed, ebm_model **out)
{
    const ebm_preset_table *table = preset->table;
    int is_code = preset->values[EBM_PRESET_VARIANT] == EBM_PRESET_CODE;
    size_t width = (size_t)preset->values[EBM_PRESET_WIDTH];
    const ebm_preset_scale *scale = table->scales[is_code] + index;
    ebm_network *network = NULL;
    ebm_model *model = NULL;
    if (!width)
        width = table->stem;
    EBM_TRY(ebm_network_create(
        ebm_context_of(preset), table->height / scale->factor,
        table->width / scale->factor, table->channels, &network));
    ebm_status status = ebm_network_set(network, EBM_NETWORK_CLASSES,
                                        preset->values[EBM_PRESET_CLASSES]);
    for (const ebm_preset_row *row = scale->rows;
         status == EBM_OK && row->kind != EBM_ROW_END; row++)
        status = add_row(network, is_code, width, row);
    /* Each scale has a seed of its own: they share layer numbers. */
    if (status == EBM_OK)
        status = ebm_model_create_network(
            network, seed + index * 0x9e3779b97f4a7c15u, &model);
    ebm_network_destroy(network);
    if (status != EBM_OK || scale->factor == 1) {
        *out = model;
        return status;
    }
    status = ebm_model_create_downsampled(model, scale->factor, out);
    ebm_model_destroy(model); /* the view keeps it */
    return status;
}

ebm_status ebm_preset_make_model(const ebm_preset *preset, uint64_t seed,
                                 ebm_model **out)
{
    EBM_CHECK_HANDLE(preset, EBM_TYPE_PRESET);
    if (!out)
        return ebm_fail(ebm_context_of(preset), EBM_ERROR_ARGUMENT,
                        "model is NULL");
    size_t count = (size_t)preset->values[EBM_PRESET_SCALES];
    if (!count)
        count = preset->table->scale_count;
    ebm_model *scales[EBM_PRESET_MOST_SCALES] = {NULL}, *model = NULL;
    ebm_status status = EBM_OK;
    for (size_t i = 0; status == EBM_OK && i < count; i++)
        status = make_scale(preset, i, seed, scales + i);
    if (status == EBM_OK && count > 1)
        status = ebm_model_create_sum(scales, NULL, count, &model);
    if (status == EBM_OK)
        *out = count > 1 ? model : scales[0];
    /* A sum keeps its parts; a single scale is what was asked for. */
    for (size_t i = 0; i < count; i++)
        if (count > 1 || status != EBM_OK)
            ebm_model_destroy(scales[i]);
    return status;
}
