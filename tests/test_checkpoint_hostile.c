/*
 * Files that somebody made to do harm, or that a bad disk changed: a status
 * with a text, never a crash, and no memory that the file does not justify.
 */
#include <unistd.h>

#include "model_file.h"

/* A file as format 1 has it, by hand: it must load for ever. Its energy is
   3.weight . leaky(0.weight . x + 0.bias). */
static const char golden_layers[] =
    "[{\\\"kind\\\":\\\"conv2d\\\",\\\"channels\\\":2,\\\"kernel\\\":2,"
    "\\\"stride\\\":1,\\\"padding\\\":0,\\\"bias\\\":true},"
    "{\\\"kind\\\":\\\"leaky_relu\\\",\\\"slope\\\":0.25},"
    "{\\\"kind\\\":\\\"flatten\\\"},"
    "{\\\"kind\\\":\\\"dense\\\",\\\"units\\\":1,\\\"bias\\\":false}]";
static const char golden_tensors[] =
    "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,2,2],"
    "\"data_offsets\":[0,32]},"
    "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]},"
    "\"3.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],"
    "\"data_offsets\":[40,48]}}";
static const signed char golden_numbers[12] = {1,  2, 3, 4,  -5, 6,
                                               -7, 8, 9, 10, 11, 12};

static char *golden_header(void)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{\"__metadata__\":{\"format\":\"pt\",\"libebm.format\":\"1\","
             "\"libebm.input\":\"[2,2,1]\",\"libebm.layers\":\"%s\"},%s",
             golden_layers, golden_tensors);
    return text;
}

static void golden_data(unsigned char data[48])
{
    for (int i = 0; i < 12; i++) {
        float number = golden_numbers[i];
        uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        for (int k = 0; k < 4; k++)
            data[4 * i + k] = (unsigned char)(bits >> (8 * k));
    }
}

static void write_file(uint64_t claimed, const void *header, size_t length,
                       const void *data, size_t size)
{
    FILE *file = fopen(model_path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        fputc((int)(claimed >> (8 * i) & 0xff), file);
    fwrite(header, 1, length, file);
    fwrite(data, 1, size, file);
    assert_int_equal(fclose(file), 0);
}

/* Loads what must be refused, for this reason and without a trace. No hostile
   file of this test has a reason to make the library ask for a megabyte. */
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

static void test_golden_file(void **state)
{
    (void)state;
    static const float x[3][4] = {{1, 2, 3, 4}, {1, 0, 0, 0}, {0, 0, 10, 0}};
    static const float expected[3] = {765, 170, 249};
    unsigned char data[48];
    float energy[3];
    ebm_context *context = test_context_threads(1);
    ebm_model *model = NULL;
    golden_data(data);
    const char *header = golden_header();
    /* With padding of any length. */
    for (size_t spaces = 0; spaces < 9; spaces++) {
        char padded[2100];
        int length =
            snprintf(padded, sizeof padded, "%s%*s", header, (int)spaces, "");
        write_file((uint64_t)length, padded, (size_t)length, data, 48);
        assert_ok(ebm_model_load(context, model_path, &model));
        assert_ok(ebm_model_energy(model, x[0], NULL, 3, energy));
        assert_same_bits(energy, expected, 3);
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
}

typedef struct corruption {
    const char *from, *to; /* in the header's text, first place */
    ebm_status status;
    const char *word; /* what the error names */
} corruption;

#define Q "\\\""
static const corruption harmless[] = {
    {"\"format\":\"pt\",", "", EBM_OK, ""},
    {"\"format\":\"pt\",", "\"author\":\"me\",", EBM_OK, ""},
    {"\"libebm.input\":\"[2,2,1]\"", "\"libebm.input\":\" [ 2 ,2, 1] \"",
     EBM_OK, ""},
    {"{" Q "kind" Q ":" Q "flatten" Q "}", "{" Q "kind" Q ":" Q "swish" Q "}",
     EBM_OK, ""},
    /* The bias before the weight, as writers that sort by name have it. */
    {golden_tensors,
     "\"0.bias\":{\"shape\":[2],\"dtype\":\"F32\",\"data_offsets\":[0,8]},"
     "\"3.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],"
     "\"data_offsets\":[40,48]},"
     "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,2,2],"
     "\"data_offsets\":[8,40]}}",
     EBM_OK, ""},
};

static const corruption corruptions[] = {
    /* JSON */
    {"{\"__m", "[\"__m", EBM_ERROR_FORMAT, "brace"},
    {"{\"__m", " {\"__m", EBM_ERROR_FORMAT, "brace"},
    {",\"0.bias\"", ",,\"0.bias\"", EBM_ERROR_FORMAT, "JSON"},
    {"[40,48]}}", "[40,48]}} {}", EBM_ERROR_FORMAT, "JSON"},
    {"[40,48]}}", "[40,48]}", EBM_ERROR_FORMAT, "JSON"},
    {"\"0.bias\"", "\"0.weight\"", EBM_ERROR_FORMAT, "duplicate"},
    {"\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"",
     EBM_ERROR_FORMAT, "duplicate"},
    {"\"pt\"", "\"p\\u0000t\"", EBM_ERROR_FORMAT, "JSON"},
    {"\"pt\"", "\"p\nt\"", EBM_ERROR_FORMAT, "JSON"},
    {"\"pt\"", "\"p\xfft\"", EBM_ERROR_FORMAT, "JSON"},
    {"[0,32]", "[0,99999999999999999999]", EBM_ERROR_FORMAT, "JSON"},
    {"[0,32]", "[0,1e999]", EBM_ERROR_FORMAT, "JSON"},
    /* metadata */
    {"__metadata__", "metadata", EBM_ERROR_FORMAT, "__metadata__"},
    {"\"pt\"", "1", EBM_ERROR_FORMAT, "format"},
    {"libebm.format", "libebm.Format", EBM_ERROR_FORMAT, "libebm.format"},
    {"\"1\"", "\"2\"", EBM_ERROR_FORMAT, "libebm.format is 2"},
    {"\"1\"", "\"\"", EBM_ERROR_FORMAT, "libebm.format"},
    {"\"format\":\"pt\"", "\"libebm.more\":\"\"", EBM_ERROR_FORMAT,
     "libebm.more"},
    {"libebm.input", "input", EBM_ERROR_FORMAT, "libebm.input"},
    {"libebm.layers", "layers", EBM_ERROR_FORMAT, "libebm.layers"},
    {"[2,2,1]", "", EBM_ERROR_FORMAT, "libebm.input"},
    {"[2,2,1]", "2", EBM_ERROR_FORMAT, "libebm.input"},
    {"[2,2,1]", "[2,2]", EBM_ERROR_FORMAT, "libebm.input"},
    {"[2,2,1]", "[2,2,1,1]", EBM_ERROR_FORMAT, "libebm.input"},
    {"[2,2,1]", "[2,-2,1]", EBM_ERROR_FORMAT, "whole numbers"},
    {"[2,2,1]", "[2,2.0,1]", EBM_ERROR_FORMAT, "whole numbers"},
    {"[2,2,1]", "[2,0,1]", EBM_ERROR_FORMAT, "libebm.input"},
    {"[2,2,1]", "[2,4294967296,1]", EBM_ERROR_FORMAT, "4294967296"},
    {"[2,2,1]", "[2147483647,2147483647,2147483647]", EBM_ERROR_OVERFLOW, ""},
    {"[2,2,1]", "[2,2,3]", EBM_ERROR_FORMAT, "0.weight"},
    /* layers */
    {golden_layers, "", EBM_ERROR_FORMAT, "libebm.layers"},
    {golden_layers, "{}", EBM_ERROR_FORMAT, "array"},
    {golden_layers, "[]", EBM_ERROR_FORMAT, "belongs to no layer"},
    {golden_layers, "[1]", EBM_ERROR_FORMAT, "layer 0"},
    {"conv2d", "conv3d", EBM_ERROR_FORMAT, "conv3d"},
    {Q "conv2d" Q, "7", EBM_ERROR_FORMAT, "kind"},
    {Q "kind" Q ":" Q "flatten" Q, "", EBM_ERROR_FORMAT, "layer 2"},
    {Q "units" Q ":1,", "", EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":" Q "1" Q, EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":-1", EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":1.5", EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":0", EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":2", EBM_ERROR_FORMAT, "3.weight"},
    {Q "units" Q ":1", Q "units" Q ":1e300", EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":2147483648", EBM_ERROR_FORMAT, "units"},
    {Q "units" Q ":1", Q "units" Q ":100000000", EBM_ERROR_FORMAT, "3.weight"},
    {Q "units" Q ":1", Q "units" Q ":2147483647", EBM_ERROR_OVERFLOW, ""},
    {Q "channels" Q ":2", Q "channels" Q ":536870911", EBM_ERROR_FORMAT,
     "0.weight"},
    {Q "kernel" Q ":2", Q "kernel" Q ":3", EBM_ERROR_FORMAT, "kernel"},
    {Q "kernel" Q ":2", Q "kernel" Q ":2147483647", EBM_ERROR_FORMAT,
     "kernel"},
    {Q "stride" Q ":1", Q "stride" Q ":0", EBM_ERROR_FORMAT, "stride"},
    {Q "stride" Q ":1", Q "stride" Q ":2147483648", EBM_ERROR_FORMAT,
     "stride"},
    {Q "padding" Q ":0", Q "padding" Q ":-1", EBM_ERROR_FORMAT, "padding"},
    {Q "padding" Q ":0", Q "padding" Q ":2147483648", EBM_ERROR_FORMAT,
     "padding"},
    {Q "padding" Q ":0", Q "padding" Q ":2147483647", EBM_ERROR_OVERFLOW, ""},
    {Q "padding" Q ":0", Q "padding" Q ":2", EBM_ERROR_FORMAT, "3.weight"},
    {Q "padding" Q ":0", Q "padding" Q ":1", EBM_ERROR_FORMAT, "3.weight"},
    {Q "slope" Q ":0.25", Q "slope" Q ":-0.25", EBM_ERROR_FORMAT, "slope"},
    {Q "slope" Q ":0.25", Q "slope" Q ":2", EBM_ERROR_FORMAT, "slope"},
    {Q "slope" Q ":0.25", Q "slope" Q ":0.25," Q "x" Q ":1", EBM_ERROR_FORMAT,
     "unknown key"},
    {Q "slope" Q ":0.25", Q "slope" Q ":0.25," Q "bias" Q ":true",
     EBM_ERROR_FORMAT, "unknown key"},
    {"," Q "bias" Q ":true", "", EBM_ERROR_FORMAT, "bias"},
    {Q "bias" Q ":true", Q "bias" Q ":1", EBM_ERROR_FORMAT, "bias"},
    {Q "bias" Q ":true", Q "bias" Q ":false", EBM_ERROR_FORMAT, "0.bias"},
    {Q "bias" Q ":false", Q "bias" Q ":true", EBM_ERROR_FORMAT, "3.bias"},
    {",{" Q "kind" Q ":" Q "flatten" Q "}", "", EBM_ERROR_FORMAT, "2.weight"},
    /* tensors */
    {"\"0.bias\"", "\"0.other\"", EBM_ERROR_FORMAT, "0.bias"},
    {"\"0.weight\"", "\"00.weight\"", EBM_ERROR_FORMAT, "0.weight"},
    {"\"0.bias\":", "\"more\":{},\"0.bias\":", EBM_ERROR_FORMAT, "more"},
    {"\"0.bias\":", "\"mo\\nre\\u00e9\":{},\"0.bias\":", EBM_ERROR_FORMAT,
     "mo?re"},
    {"\"0.bias\":{", "\"0.bias\":[{", EBM_ERROR_FORMAT, "JSON"},
    {"F32", "F64", EBM_ERROR_FORMAT, "F64"},
    {"F32", "f32", EBM_ERROR_FORMAT, "f32"},
    {"\"dtype\":\"F32\"", "\"dtype\":32", EBM_ERROR_FORMAT, "dtype"},
    {"\"dtype\":\"F32\",", "", EBM_ERROR_FORMAT, "dtype"},
    {"\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"x\":0", EBM_ERROR_FORMAT,
     "unknown key"},
    {"[2,1,2,2]", "[2,2,1,2]", EBM_ERROR_FORMAT, "0.weight"},
    {"[2,1,2,2]", "[8]", EBM_ERROR_FORMAT, "0.weight"},
    {"[2,1,2,2]", "[2,1,2,2,1]", EBM_ERROR_FORMAT, "0.weight"},
    {"[2,1,2,2]", "[2,1,2,-2]", EBM_ERROR_FORMAT, "0.weight"},
    {"[2,1,2,2]", "[2,1,2,2.0]", EBM_ERROR_FORMAT, "0.weight"},
    {"[2,1,2,2]", "[2,1,2,9223372036854775807]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[0]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[0,32,32]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "\"0,32\"", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[0.0,32.0]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[-8,24]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[32,0]", EBM_ERROR_FORMAT, "within"},
    {"[0,32]", "[0.0,32]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[0,28]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[0,33]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[0,36]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[4,36]", EBM_ERROR_FORMAT, "0.weight"},
    {"[0,32]", "[16,48]", EBM_ERROR_FORMAT, "begins at"},
    {"[32,40]", "[40,48]", EBM_ERROR_FORMAT, "begins at"},
    {"[32,40]", "[0,8]", EBM_ERROR_FORMAT, "begins at"},
    {"[40,48]", "[44,52]", EBM_ERROR_FORMAT, "within"},
    {"[40,48]", "[9223372036854775800,9223372036854775807]", EBM_ERROR_FORMAT,
     "within"},
};

/* The golden header with the first `from` replaced; NULL if there is none. */
static char *corrupted_header(const corruption *c)
{
    static char text[8192];
    const char *header = golden_header();
    const char *place = strstr(header, c->from);
    if (!place)
        return NULL;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(place - header), header,
             c->to, place + strlen(c->from));
    return text;
}

static void test_corrupted_headers(void **state)
{
    (void)state;
    unsigned char data[48];
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    golden_data(data);
    for (size_t i = 0; i < TEST_COUNT(corruptions); i++) {
        const corruption *c = corruptions + i;
        const char *header = corrupted_header(c);
        assert_non_null(header);
        write_file(strlen(header), header, strlen(header), data, 48);
        assert_refused(context, &memory, c->status, c->word);
    }
    for (size_t i = 0; i < TEST_COUNT(harmless); i++) {
        ebm_model *model = NULL;
        const char *header = corrupted_header(harmless + i);
        assert_non_null(header);
        write_file(strlen(header), header, strlen(header), data, 48);
        assert_ok(ebm_model_load(context, model_path, &model));
        ebm_model_destroy(model);
    }
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* Lengths that contradict the file, and numbers that are none. */
static void test_corrupted_lengths_and_data(void **state)
{
    (void)state;
    unsigned char data[64] = {0};
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    const char *header = golden_header();
    size_t n = strlen(header);
    const struct {
        uint64_t claimed;
        const char *word;
    } lengths[] = {{0, "brace"},           {1, "JSON"},
                   {n - 1, "JSON"},        {n + 1, "JSON"},
                   {n + 49, "header of"},  {UINT64_MAX, "header of"},
                   {1ull << 63, "header"}, {UINT64_MAX - 7, "header of"}};
    golden_data(data);
    for (size_t i = 0; i < TEST_COUNT(lengths); i++) {
        write_file(lengths[i].claimed, header, n, data, 48);
        assert_refused(context, &memory, EBM_ERROR_FORMAT, lengths[i].word);
    }
    write_file(n, header, n, data, 44);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "within the 44 bytes");
    write_file(n, header, n, data, 49);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "49 bytes");
    write_file(n, header, n, data, 64);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "64 bytes");

    static const unsigned char bad[3][4] = {
        {0, 0, 0xc0, 0x7f}, {0, 0, 0x80, 0x7f}, {0, 0, 0x80, 0xff}};
    for (int i = 0; i < 3; i++) {
        golden_data(data);
        memcpy(data + 36, bad[i], 4);
        write_file(n, header, n, data, 48);
        assert_refused(context, &memory, EBM_ERROR_NON_FINITE,
                       "element 1 of 0.bias");
    }
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* Nesting deep enough to end the stack, and a header past the limit. */
static void test_oversized_headers(void **state)
{
    (void)state;
    enum { DEEP = 100000, LONG = (1 << 20) + 8 };
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    char *text = test_memory(LONG);
    memset(text, '[', DEEP);
    memcpy(text, "{\"a\":", 5);
    write_file(DEEP, text, DEEP, "", 0);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "JSON");

    char *place = strstr(strcpy(text, golden_header()), golden_layers);
    memset(place, '[', DEEP);
    memcpy(place + DEEP, "\"}}", 3);
    size_t length = (size_t)(place - text) + DEEP + 3;
    write_file(length, text, length, "", 0);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "libebm.layers");

    memset(text, ' ', LONG);
    memcpy(text, golden_header(), strlen(golden_header()));
    write_file(LONG, text, LONG, "", 0);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "at most");
    free(text);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* The file cut off after each of its bytes, as it lies and with the header's
   length set right. */
static void test_truncated_files(void **state)
{
    (void)state;
    unsigned char data[48];
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    const char *header = golden_header();
    size_t n = strlen(header);
    golden_data(data);
    write_file(n, header, n, data, 48);
    assert_int_equal(truncate(model_path, 0), 0);
    assert_refused(context, &memory, EBM_ERROR_FORMAT, "0 bytes");
    for (size_t size = 8 + n + 47; size > 0; size--) {
        write_file(n, header, n, data, 48);
        assert_int_equal(truncate(model_path, (off_t)size), 0);
        assert_refused(context, &memory, EBM_ERROR_FORMAT, "");
    }
    for (size_t size = n - 1; size > 0; size--) {
        write_file(size, header, size, data, 48);
        assert_refused(context, &memory, EBM_ERROR_FORMAT, "");
    }
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* More layers than the library takes, each of them fine by itself. */
static void test_too_many_layers(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    char *text = test_memory(MANY * 32 + 256), *end = text;
    end += sprintf(end, "{\"__metadata__\":{\"libebm.format\":\"1\","
                        "\"libebm.input\":\"[1,1,1]\","
                        "\"libebm.layers\":\"[");
    for (int i = 0; i < MANY; i++)
        end += sprintf(end, "%s{" Q "kind" Q ":" Q "relu" Q "}", i ? "," : "");
    end += sprintf(end, "]\"}}");
    size_t length = (size_t)(end - text);
    write_file(length, text, length, "", 0);
    ebm_model *untouched = NULL;
    assert_error(context, ebm_model_load(context, model_path, &untouched),
                 EBM_ERROR_FORMAT, "5000 layers");
    assert_null(untouched);
    free(text);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

/* A few bytes at random places become digits, brackets or anything: a model,
   or a status that fits, and no memory beyond what a small file can need. */
static void test_random_damage(void **state)
{
    (void)state;
    static const char likely[] = "0123456789[]{},:\"\\.e- ";
    unsigned char file[2048], data[48];
    test_allocator memory;
    ebm_context *context = test_context(&memory);
    const char *header = golden_header();
    size_t n = strlen(header), loaded = 0, refused = 0;
    uint64_t random = 6;
    golden_data(data);
    for (int round = 0; round < 4000; round++) {
        ebm_model *model = NULL;
        memcpy(file, header, n);
        memcpy(file + n, data, 48);
        size_t changes = 1 + test_random_word(&random) % 3;
        for (size_t i = 0; i < changes; i++) {
            uint64_t word = test_random_word(&random);
            file[word % (n + 48)] =
                word >> 63 ? (unsigned char)(word >> 40)
                           : (unsigned char)
                                 likely[(word >> 40) % (sizeof likely - 1)];
        }
        write_file(n, file, n, file + n, 48);
        memory.peak_bytes = 0;
        ebm_status status = ebm_model_load(context, model_path, &model);
        assert_true(memory.peak_bytes < 1 << 20);
        assert_true(status == EBM_OK || status == EBM_ERROR_FORMAT ||
                    status == EBM_ERROR_NON_FINITE ||
                    status == EBM_ERROR_OVERFLOW);
        assert_int_equal(status == EBM_OK, model != NULL);
        loaded += status == EBM_OK;
        refused += status != EBM_OK;
        ebm_model_destroy(model);
    }
    /* Damage to the numbers often goes unseen, damage to the text rarely. */
    assert_in_range(loaded, 50, 2000);
    assert_in_range(refused, 2000, 3950);
    ebm_context_destroy(context);
    assert_no_leaks(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FOLDER(test_golden_file),
        TEST_WITH_FOLDER(test_corrupted_headers),
        TEST_WITH_FOLDER(test_corrupted_lengths_and_data),
        TEST_WITH_FOLDER(test_oversized_headers),
        TEST_WITH_FOLDER(test_too_many_layers),
        TEST_WITH_FOLDER(test_truncated_files),
        TEST_WITH_FOLDER(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
