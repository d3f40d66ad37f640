/* libFuzzer's own mutations, most of them repaired: see fuzz_repair(). */
#include "fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room,
                               unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room,
                               unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, room);
    if (seed % 4)
        fuzz_repair(data, size);
    return size;
}
