#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_pickled(&graft__format_pt_legacy, data, size);
    return 0;
}
