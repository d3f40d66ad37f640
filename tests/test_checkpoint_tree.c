/*
 * Model files of compositions by hand: one that must load for ever, and those
 * that somebody made to do harm.
 */
#include "model_file.h"

/* A file by hand, of points of one number: it must load for ever. Its energy
   is 2 (3 x) - 2.5 x / 0.5 + 0.5 (3 x). */
#define Q "\\\""
#define DENSE_LAYERS                                                          \
    "[{" Q "kind" Q ":" Q "dense" Q "," Q "units" Q ":1," Q "bias" Q ":false" \
    "}]"
static const char golden_tree[] =
    "{" Q "kind" Q ":" Q "sum" Q "," Q "weights" Q ":[2,1,0.5]," Q "parts" Q
    ":[{" Q "network" Q ":0},{" Q "kind" Q ":" Q "negated" Q "," Q "parts" Q
    ":[{" Q "kind" Q ":" Q "tempered" Q "," Q "temperature" Q ":0.5," Q
    "parts" Q ":[{" Q "network" Q ":1}]}]},{" Q "network" Q ":0}]}";
static const char golden_tensors[] =
    "\"0.0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],"
    "\"data_offsets\":[0,4]},"
    "\"1.0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],"
    "\"data_offsets\":[4,8]}}";

static char *golden_header(const char *tree)
{
    static char text[1 << 17];
    snprintf(text, sizeof text,
             "{\"__metadata__\":{\"format\":\"pt\",\"libebm.format\":\"1\","
             "\"libebm.model\":\"%s\",\"libebm.networks\":"
             "\"[{" Q "input" Q ":[1,1,1]," Q "layers" Q ":" DENSE_LAYERS
             "},{" Q "input" Q ":[1,1,1]," Q "layers" Q ":" DENSE_LAYERS
             "}]\"},%s",
             tree, golden_tensors);
    return text;
}

static void write_file(const char *header, size_t length,
                       const unsigned char *data)
{
    FILE *file = fopen(model_path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        fputc((int)(length >> (8 * i) & 0xff), file);
    fwrite(header, 1, length, file);
    fwrite(data, 1, 8, file);
    assert_int_equal(fclose(file), 0);
}

static const unsigned char golden_data[8] = {0, 0, 0x40, 0x40,  /* 3 */
                                             0, 0, 0x20, 0x40}; /* 2.5 */

static void test_golden_file(void **state)
{
    (void)state;
    float x[2] = {1, -2}, energy[2];
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL;
    const char *header = golden_header(golden_tree);
    write_file(header, strlen(header), golden_data);
    assert_ok(ebm_model_load(context, model_path, &model));
    assert_ok(ebm_model_energy(model, x, NULL, 2, energy));
    assert_same_bits(energy, ((float[]){2.5f, -5}), 2);
    assert_int_equal(ebm_model_parameter_count(model), 2);
    /* And written again: this text, to the byte. */
    assert_ok(ebm_model_save(model, model_path));
    size_t size;
    unsigned char *bytes = test_slurp(model_path, &size);
    assert_memory_equal(bytes + 8, header, strlen(header));
    free(bytes);
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void assert_refused(ebm_context *context, test_allocator *memory,
                           ebm_status expected, const char *word)
{
    ebm_model *untouched = (ebm_model *)(void *)context;
    size_t before = memory->live_bytes;
    memory->peak_bytes = 0;
    assert_error(context, ebm_model_load(context, model_path, &untouched),
                 expected, word);
    assert_ptr_equal(untouched, context);
    assert_int_equal(memory->live_bytes, before);
    assert_true(memory->peak_bytes < before + (1 << 20));
}

/* In the header's text, first place. */
static const struct {
    const char *from, *to, *word;
} corruptions[] = {
    /* metadata */
    {"libebm.model", "libebm.Model", "libebm.input"},
    {"libebm.networks", "libebm.Networks", "libebm.networks"},
    {"libebm.networks", "networks", "libebm.networks"},
    {"\"format\":\"pt\"", "\"libebm.layers\":\"[]\"", "libebm.layers"},
    {"\"format\":\"pt\"", "\"libebm.input\":\"[1,1,1]\"", "libebm.input"},
    {"\"{" Q "kind", "\"{{" Q "kind", "JSON"},
    /* the tree */
    {golden_tree, "", "libebm.model"},
    {golden_tree, "[]", "kind"},
    {golden_tree, "7", "JSON"},
    {golden_tree, "{}", "kind"},
    {Q "sum" Q, "3", "kind"},
    {Q "sum" Q, Q "product" Q, "product"},
    {Q "kind" Q ":" Q "sum" Q, Q "x" Q ":1", "kind"},
    {Q "weights" Q ":[2,1,0.5]", Q "weight" Q ":1", "weights"},
    {"[2,1,0.5]", "[2,1]", "weights"},
    {"[2,1,0.5]", "[2,1,0.5,1]", "weights"},
    {"[2,1,0.5]", "[2," Q "1" Q ",0.5]", "weight 1"},
    {"[2,1,0.5]", "[2,0,0.5]", "weight 1"},
    {"[2,1,0.5]", "[2,1,0.5]," Q "x" Q ":1", "unknown key"},
    {"[{" Q "network" Q ":0}", "[7", "kind"},
    {Q "network" Q ":0", Q "network" Q ":2", "not one of the 2"},
    {Q "network" Q ":0", Q "network" Q ":-1", "not one of the 2"},
    {Q "network" Q ":0", Q "network" Q ":0.5", "not one of the 2"},
    {Q "network" Q ":0", Q "network" Q ":" Q "0" Q, "not one of"},
    {Q "network" Q ":0", Q "network" Q ":null", "not one of"},
    {Q "network" Q ":0", Q "network" Q ":0," Q "x" Q ":1", "unknown key"},
    {Q "network" Q ":1", Q "network" Q ":0", "network 1"},
    {Q "negated" Q, Q "negated" Q "," Q "x" Q ":1", "unknown key"},
    {Q "negated" Q, Q "sum" Q "," Q "weights" Q ":[1e999]", "JSON"},
    {Q "negated" Q, Q "downsampled" Q, "factor"},
    {Q "negated" Q, Q "downsampled" Q "," Q "factor" Q ":2.5", "factor"},
    {Q "negated" Q, Q "downsampled" Q "," Q "factor" Q ":0", "factor"},
    {Q "negated" Q, Q "downsampled" Q "," Q "factor" Q ":65", "factor"},
    {Q "negated" Q, Q "downsampled" Q "," Q "factor" Q ":65537", "factor"},
    {Q "negated" Q, Q "downsampled" Q "," Q "factor" Q ":2", "part 0"},
    {Q "negated" Q, Q "mixture" Q "," Q "weights" Q ":[-1]", "weight 0"},
    {Q "temperature" Q ":0.5", Q "temperature" Q ":0", "temperature"},
    {Q "temperature" Q ":0.5", Q "temperature" Q ":-1", "temperature"},
    {Q "temperature" Q ":0.5", Q "temperature" Q ":" Q Q, "temperature"},
    {Q "temperature" Q ":0.5,", "", "temperature"},
    {":[{" Q "network" Q ":1}]", ":[]", "0 parts"},
    {":[{" Q "network" Q ":1}]", ":{" Q "network" Q ":1}", "0 parts"},
    {":[{" Q "network" Q ":1}]",
     ":[{" Q "network" Q ":1},{" Q "network" Q ":1}]", "2 parts"},
    /* the networks */
    {"\"[{" Q "input", "\"{" Q "input", "JSON"},
    {"[1,1,1]", "[1,1]", "network 0: libebm.input"},
    {"[1,1,1]", "[1,1,2]", "0.0.weight"},
    {"[1,1,1]", "[2,2,1]", "network 0: layer 0 (dense)"},
    {Q "input" Q, Q "Input" Q, "network 0: libebm.input"},
    {Q "layers" Q, Q "rows" Q, "network 0: libebm.layers"},
    {Q "layers" Q, Q "x" Q ":1," Q "layers" Q, "network 0: unknown key"},
    {Q "units" Q ":1", Q "units" Q ":2", "0.0.weight"},
    {Q "dense" Q, Q "swish" Q, "network 0: layer 0 (swish)"},
    {"\"0.0.weight\"", "\"0.weight\"", "0.0.weight is missing"},
    {"\"1.0.weight\"", "\"2.0.weight\"", "1.0.weight is missing"},
    {"[4,8]", "[0,4]", "begins at"},
};

static const char *corrupted(const char *from, const char *to)
{
    static char text[8192];
    const char *header = golden_header(golden_tree);
    const char *place = strstr(header, from);
    assert_non_null(place);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(place - header), header, to,
             place + strlen(from));
    return text;
}

static void test_corrupted_headers(void **state)
{
    (void)state;
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    for (size_t i = 0; i < TEST_COUNT(corruptions); i++) {
        const char *header = corrupted(corruptions[i].from, corruptions[i].to);
        write_file(header, strlen(header), golden_data);
        assert_refused(context, &memory, EBM_ERROR_FORMAT,
                       corruptions[i].word);
    }
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* Trees that are too wide, too large or too deep: `count` times `each`
   between two texts, then `count` times `closing`. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *before, *each, *after, *closing;
        int count;
        const char *word;
    } rows[] = {
        {"{" Q "kind" Q ":" Q "sum" Q "," Q "weights" Q ":[]," Q "parts" Q
         ":[",
         "{" Q "network" Q ":0},", "{" Q "network" Q ":1}]}", "", 64,
         "65 parts"},
        {"", "{" Q "kind" Q ":" Q "negated" Q "," Q "parts" Q ":[",
         "{" Q "network" Q ":0}", "]}", 512, "more than 512"},
        {"", "{" Q "kind" Q ":" Q "negated" Q "," Q "parts" Q ":[",
         "{" Q "network" Q ":0}", "]}", 511, "network 1"},
        {"", "{" Q "kind" Q ":" Q "negated" Q "," Q "parts" Q ":[",
         "{" Q "network" Q ":0}", "]}", 1500, "JSON"},
    };
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    char *tree = test_memory(1 << 17);
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        char *end = tree + sprintf(tree, "%s", rows[i].before);
        for (int k = 0; k < rows[i].count; k++)
            end += sprintf(end, "%s", rows[i].each);
        end += sprintf(end, "%s", rows[i].after);
        for (int k = 0; k < rows[i].count; k++)
            end += sprintf(end, "%s", rows[i].closing);
        const char *header = golden_header(tree);
        write_file(header, strlen(header), golden_data);
        assert_refused(context, &memory, EBM_ERROR_FORMAT, rows[i].word);
    }
    free(tree);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* Networks that are fine one by one: 65 of 256 layers, or of residual blocks
   with nine layers each. */
static void test_too_many_layers(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        int networks, rows;
    } cases[] = {
        {"{" Q "kind" Q ":" Q "relu" Q "}", 65, 256},
        {"{" Q "kind" Q ":" Q "res_block" Q "," Q "channels" Q ":1," Q
         "residual" Q ":1," Q "bias" Q ":true," Q "norm" Q ":0}",
         512, 12},
    };
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    char *text = test_memory(1 << 20);
    for (size_t i = 0; i < TEST_COUNT(cases); i++) {
        char *end = text;
        end += sprintf(end, "{\"__metadata__\":{\"libebm.format\":\"1\","
                            "\"libebm.model\":\"{" Q "network" Q ":0}\","
                            "\"libebm.networks\":\"[");
        for (int k = 0; k < cases[i].networks; k++) {
            end +=
                sprintf(end, "%s{" Q "input" Q ":[8,8,1]," Q "layers" Q ":[",
                        k ? "," : "");
            for (int r = 0; r < cases[i].rows; r++)
                end += sprintf(end, "%s%s", r ? "," : "", cases[i].row);
            end += sprintf(end, "]}");
        }
        end += sprintf(end, "]\"}}");
        write_file(text, (size_t)(end - text), golden_data);
        ebm_model *untouched = NULL;
        memory.peak_bytes = 0;
        assert_error(context, ebm_model_load(context, model_path, &untouched),
                     EBM_ERROR_FORMAT, "more than 16384 layers");
        assert_null(untouched);
        assert_true(memory.peak_bytes < 64u << 20);
    }
    free(text);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* A few bytes at random places become digits, brackets or anything. */
static void test_random_damage(void **state)
{
    (void)state;
    static const char likely[] = "0123456789[]{},:\"\\.e- ";
    static char text[2048];
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    const char *header = golden_header(golden_tree);
    size_t n = strlen(header), loaded = 0, refused = 0;
    uint64_t random = 7;
    assert_true(n < sizeof text);
    for (int round = 0; round < 4000; round++) {
        ebm_model *model = NULL;
        memcpy(text, header, n);
        size_t changes = 1 + test_random_word(&random) % 3;
        for (size_t i = 0; i < changes; i++) {
            uint64_t word = test_random_word(&random);
            text[word % n] = word >> 63
                                 ? (char)(word >> 40)
                                 : likely[(word >> 40) % (sizeof likely - 1)];
        }
        write_file(text, n, golden_data);
        memory.peak_bytes = 0;
        ebm_status status = ebm_model_load(context, model_path, &model);
        assert_true(memory.peak_bytes < 1 << 20);
        assert_true(status == EBM_OK || status == EBM_ERROR_FORMAT ||
                    status == EBM_ERROR_OVERFLOW);
        assert_int_equal(status == EBM_OK, model != NULL);
        loaded += status == EBM_OK;
        refused += status != EBM_OK;
        ebm_model_destroy(model);
    }
    assert_in_range(loaded, 20, 2000);
    assert_in_range(refused, 2000, 3980);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_golden_file),
        TEST_WITH_FOLDER(test_corrupted_headers),
        TEST_WITH_FOLDER(test_limits),
        TEST_WITH_FOLDER(test_too_many_layers),
        TEST_WITH_FOLDER(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
