/* Chains remember the buffer of their last draw and their slots in it; a file
   names that buffer. Slots that are no good any more are as good as none. */
#include <string.h>

#include "buffer/buffer.h"
#include "chains/chains.h"
#include "checkpoint/part.h"
#include "core/memory.h"

#define LINK "drawn_from"

static const ebm_chains *chains_of(const ebm_part *part)
{
    return part->ops == &ebm_chains_record ? part->object : NULL;
}

void ebm_part_write_link(ebm_part_record *record)
{
    const ebm_checkpoint *checkpoint = record->checkpoint;
    const ebm_chains *chains = chains_of(record->part);
    const char *name = "";
    if (!chains || record->record.status != EBM_OK)
        return;
    for (size_t i = 0; i < checkpoint->part_count; i++) {
        const ebm_part *part = checkpoint->parts + i;
        if (part->ops == &ebm_buffer_record &&
            ebm_buffer_holds_slots(part->object, chains))
            name = part->name;
    }
    if (json_object_set_new(record->entry, LINK, json_string(name)))
        record->record.status =
            ebm_out_of_memory(record->record.context, "a checkpoint's header");
}

const ebm_part *ebm_part_read_link(ebm_part_record *record, void **images,
                                   const void *image)
{
    const ebm_checkpoint *checkpoint = record->checkpoint;
    const ebm_chains *chains = chains_of(record->part);
    const ebm_chains_image *staged = image;
    if (!chains || record->record.status != EBM_OK)
        return NULL;
    const char *name = json_string_value(json_object_get(record->entry, LINK));
    const ebm_part *part =
        name && *name ? ebm_part_find(checkpoint, name) : NULL;
    if (!name || (*name && (!part || part->ops != &ebm_buffer_record))) {
        ebm_record_fail(&record->record, EBM_ERROR_FORMAT,
                        LINK " does not name a buffer");
        return NULL;
    }
    json_object_del(record->entry, LINK);
    if (!part)
        return NULL;
    const ebm_buffer_image *buffer = images[part - checkpoint->parts];
    for (size_t k = 0; k < chains->n; k++)
        if (staged->slots[k] != UINT64_MAX &&
            staged->slots[k] >= buffer->count) {
            ebm_record_fail(&record->record, EBM_ERROR_FORMAT,
                            "chain %zu is from slot %llu of %llu", k,
                            (unsigned long long)staged->slots[k],
                            (unsigned long long)buffer->count);
            return NULL;
        }
    return part;
}

void ebm_part_restore_link(const ebm_part *chains, const ebm_part *buffer)
{
    if (buffer)
        ebm_buffer_give_slots(buffer->object, chains->object);
}
