#include "apart.h"

#include "folder.h"

test_apart test_take_apart(const unsigned char *bytes, size_t size)
{
    test_apart t = {0};
    uint64_t length = 0;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    t.root = json_loadb((const char *)bytes + 8, length, 0, NULL);
    assert_non_null(t.root);
    t.metadata = json_object_get(t.root, "__metadata__");
    const char *objects =
        json_string_value(json_object_get(t.metadata, "libebm.objects"));
    t.objects = objects ? json_loads(objects, 0, NULL) : NULL;
    t.size = size - 8 - length;
    t.data = test_memory(t.size + 64);
    memcpy(t.data, bytes + 8 + length, t.size);
    return t;
}

void test_put_together(test_apart *t, const char *path)
{
    if (t->objects) {
        char *objects = json_dumps(t->objects, JSON_REAL_PRECISION(17));
        json_object_set_new(t->metadata, "libebm.objects",
                            json_string(objects));
        free(objects);
    }
    char *header = json_dumps(t->root, JSON_COMPACT);
    size_t length = strlen(header);
    unsigned char *bytes = test_memory(8 + length + t->size);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, t->data, t->size);
    test_file_write(path, bytes, 8 + length + t->size);
    free(bytes);
    free(header);
    free(t->data);
    json_decref(t->objects);
    json_decref(t->root);
}

unsigned char *test_tensor(const test_apart *t, const char *name)
{
    json_t *offsets =
        json_object_get(json_object_get(t->root, name), "data_offsets");
    return t->data + json_integer_value(json_array_get(offsets, 0));
}
