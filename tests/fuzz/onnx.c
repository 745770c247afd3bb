/* Models beside a file "weights" of 256 bytes, where their external data may lie. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (!begun) {
        unsigned char weights[256];
        for (int i = 0; i < 256; i++)
            weights[i] = (unsigned char)i;
        fuzz_put_file("weights", weights, sizeof weights);
        begun = true;
    }
    fuzz_format(&graft__format_onnx, fuzz_folder(), data, size);
    return 0;
}
