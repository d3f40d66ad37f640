/* The version that this library was built with. */
#include <ebm/version.h>

#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

int ebm_version_number(void)
{
    return EBM_VERSION_NUMBER;
}

int ebm_version_major(void)
{
    return EBM_VERSION_MAJOR;
}

int ebm_version_minor(void)
{
    return EBM_VERSION_MINOR;
}

int ebm_version_patch(void)
{
    return EBM_VERSION_PATCH;
}

int ebm_abi_major(void)
{
    return EBM_ABI_MAJOR;
}

const char *ebm_version_string(void)
{
    return DOTTED(EBM_VERSION_MAJOR, EBM_VERSION_MINOR, EBM_VERSION_PATCH);
}
