#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_format(&graft__format_npz, NULL, data, size);
    return 0;
}
