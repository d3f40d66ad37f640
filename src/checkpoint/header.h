/*
 * The header of a model file, see docs/model-files.md: JSON that names the
 * tensors and, as text within __metadata__, the layers of a network, or of
 * several and how their energies become one.
 *
 * Jansson keeps its tree in memory of its own. json_set_alloc_funcs() could
 * send it to the context's allocator, but it is one setting for the whole
 * process, which belongs to the program and not to a library in it. So no
 * memory changes hands between Jansson and us: texts are dumped into blocks
 * of ours, and values are copied out before their tree goes.
 */
#ifndef EBM_CHECKPOINT_HEADER_H
#define EBM_CHECKPOINT_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checkpoint/tree.h"
#include "model/network/network.h"

/* Keys and values of __metadata__. What begins with the prefix is ours. A
   network has input and layers, a composition model and networks. */
#define EBM_HEADER_METADATA "__metadata__"
#define EBM_HEADER_PREFIX "libebm."
#define EBM_HEADER_FORMAT "libebm.format"
#define EBM_HEADER_INPUT "libebm.input"
#define EBM_HEADER_LAYERS "libebm.layers"
#define EBM_HEADER_MODEL "libebm.model"
#define EBM_HEADER_NETWORKS "libebm.networks"
#define EBM_HEADER_VERSION "1"

enum {
    /* Bytes in front of the header: its length. */
    EBM_HEADER_LENGTH_SIZE = 8,
    /* Longest header in bytes, room for a few thousand layers. A hostile one
       of that length makes Jansson take about 80 MiB before it is refused. */
    EBM_HEADER_LONGEST = 1 << 20,
    /* Bytes of a number in the data, and numbers read or written at a time. */
    EBM_NUMBER_SIZE = 4,
    EBM_NUMBERS_AT_ONCE = 1024,
    EBM_TENSOR_NAME = 64,
    /* Most layers of all networks together: a layer takes more memory than the
       text that asks for it. */
    EBM_HEADER_MOST_LAYERS = 64 * EBM_MOST_LAYERS
};

/* Where a layer's array stands in the file. */
typedef struct ebm_tensor {
    size_t network, layer;
    size_t view;    /* a state's is EBM_LAYER_VIEWS + its number */
    uint64_t begin; /* first byte, counted from the start of the data */
} ebm_tensor;

/* What a header says. */
typedef struct ebm_header {
    ebm_network **networks;
    size_t network_count;
    size_t layer_count;  /* of all networks */
    ebm_tree tree;       /* without nodes for a single network */
    ebm_tensor *tensors; /* every array of every layer, in the data's order */
    size_t count;
} ebm_header;

/* Makes the header of a model, padded by spaces to a multiple of 8. The same
   layers give the same bytes. The networks are those of ebm_tree_networks().
   Free *text with ebm_free().
   Errors: UNSUPPORTED (longer than EBM_HEADER_LONGEST), MEMORY. */
ebm_status ebm_header_write(const ebm_model *model,
                            const ebm_network_list *networks, char **text,
                            size_t *length);

/* Understands a header, in front of data_size bytes of data. When it returns
   EBM_OK every tensor is there once, has the shape that its layer wants, and
   the tensors cover the data without holes: the networks' parameters and
   states take data_size bytes exactly. The path is for error texts.
   Errors: FORMAT, OVERFLOW, MEMORY; then *header is all zero. */
ebm_status ebm_header_read(ebm_context *context, const char *path,
                           const char *text, size_t length, uint64_t data_size,
                           ebm_header *header);

/* Frees what a header holds; all zero is fine. */
void ebm_header_clear(ebm_context *context, ebm_header *header);

/* FORMAT with the text "PATH: PLACE WHAT"; bytes of a hostile file that are
   not plain characters are shown as question marks. The place is "" or ends in
   a space. */
ebm_status ebm_header_refuse(const ebm_context *context, const char *path,
                             const char *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Turns a builder's refusal into a fault of the file: what is a wrong argument
   from a caller is FORMAT from a file. OVERFLOW and MEMORY stay. */
ebm_status ebm_header_blame(const ebm_context *context, const char *path,
                            const char *place, ebm_status status);

/* Arrays that a layer has in a file: its parameters, then its state. */
static inline size_t ebm_layer_arrays(const ebm_layer *layer)
{
    return layer->view_count + layer->state_view_count;
}

/* Array number i of these, as ebm_tensor's view. */
static inline size_t ebm_layer_array(const ebm_layer *layer, size_t i)
{
    return i < layer->view_count ? i : EBM_LAYER_VIEWS + i - layer->view_count;
}

static inline const ebm_layer_view *ebm_layer_find(const ebm_layer *layer,
                                                   size_t view)
{
    return view < EBM_LAYER_VIEWS ? layer->views + view
                                  : layer->states + (view - EBM_LAYER_VIEWS);
}

/* PyTorch's name: the layer's index in nn.Sequential, "0.weight". In a
   composition the network's number stands before it, "2.0.weight". */
void ebm_tensor_name(const ebm_layer *layer, const ebm_tensor *tensor,
                     int is_composition, char name[EBM_TENSOR_NAME]);

/* Where element i of an array in PyTorch's order stands in ours. */
static inline size_t ebm_torch_index(const ebm_layer *layer, size_t view,
                                     size_t i)
{
    return layer->ops->torch_index ? layer->ops->torch_index(layer, view, i)
                                   : i;
}

/* Numbers are little-endian in the file. Put together from bytes, which is
   right on every host and a plain move on most. */
static inline float ebm_load_number(const unsigned char *bytes)
{
    uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                    (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static inline void ebm_store_number(float number, unsigned char *bytes)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < EBM_NUMBER_SIZE; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i));
}

#endif
