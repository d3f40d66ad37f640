/* Status codes: one list for names and texts. */
#include <ebm/status.h>

#include <stddef.h>

static const struct {
    ebm_status status;
    const char *name;
    const char *text;
} statuses[] = {
    {EBM_OK, "EBM_OK", "success"},
    {EBM_ERROR_ARGUMENT, "EBM_ERROR_ARGUMENT", "an argument is not valid"},
    {EBM_ERROR_HANDLE, "EBM_ERROR_HANDLE",
     "not a handle of this type, or one that was destroyed"},
    {EBM_ERROR_RANGE, "EBM_ERROR_RANGE", "a number is outside its range"},
    {EBM_ERROR_SHAPE, "EBM_ERROR_SHAPE", "shapes or counts do not agree"},
    {EBM_ERROR_NON_FINITE, "EBM_ERROR_NON_FINITE",
     "NaN or infinity where a finite number is needed"},
    {EBM_ERROR_OVERFLOW, "EBM_ERROR_OVERFLOW",
     "a product of sizes is too large for this machine"},
    {EBM_ERROR_CONTEXT, "EBM_ERROR_CONTEXT",
     "the handles belong to different contexts"},
    {EBM_ERROR_UNSUPPORTED, "EBM_ERROR_UNSUPPORTED",
     "this kind of object has no such operation"},
    {EBM_ERROR_STATE, "EBM_ERROR_STATE",
     "the object is not in a state that allows the call"},
    {EBM_ERROR_NOT_COMPUTED, "EBM_ERROR_NOT_COMPUTED",
     "the report does not hold this term"},
    {EBM_ERROR_MEMORY, "EBM_ERROR_MEMORY", "out of memory"},
    {EBM_ERROR_IO, "EBM_ERROR_IO", "a file can not be read or written"},
    {EBM_ERROR_FORMAT, "EBM_ERROR_FORMAT",
     "a file's content contradicts its format"},
    {EBM_ERROR_DIVERGED, "EBM_ERROR_DIVERGED",
     "a chain turned non-finite and was stopped"},
    {EBM_ERROR_ORIGIN, "EBM_ERROR_ORIGIN",
     "the loss is not valid for chains of this origin"},
    {EBM_ERROR_CALLBACK, "EBM_ERROR_CALLBACK", "a callback stopped the call"},
};

static size_t find(ebm_status status)
{
    size_t i = 0;
    while (i < sizeof statuses / sizeof *statuses &&
           statuses[i].status != status)
        i++;
    return i;
}

const char *ebm_status_name(ebm_status status)
{
    size_t i = find(status);
    return i < sizeof statuses / sizeof *statuses ? statuses[i].name
                                                  : "EBM_STATUS_UNKNOWN";
}

const char *ebm_status_text(ebm_status status)
{
    size_t i = find(status);
    return i < sizeof statuses / sizeof *statuses ? statuses[i].text
                                                  : "not a status of libebm";
}
