/* Indexes beside two shards: "a.safetensors" with x and y, "b.safetensors" with z. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static void put_shard(const char *name, const char *header, size_t data)
{
    unsigned char file[512] = {0};
    const size_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(file + 8, header, length);
    fuzz_put_file(name, file, 8 + length + data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    if (!begun) {
        put_shard("a.safetensors",
                  "{\"__metadata__\":{\"format\":\"pt\"},"
                  "\"x\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                  "\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[24,28]}}",
                  28);
        put_shard("b.safetensors",
                  "{\"z\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8);
        begun = true;
    }
    fuzz_format(&graft__format_safetensors_index, fuzz_folder(), data, size);
    return 0;
}
