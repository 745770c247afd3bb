#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_format(&graft__format_npy, NULL, data, size);
    return 0;
}
