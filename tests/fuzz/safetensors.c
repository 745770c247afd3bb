/* Whole files; and, where an input begins with "{", headers alone: their length and the bytes of
 * the tensors are added, so that what changes a header does not break its length. A file whose
 * header's length begins with the byte of "{" is not tried. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { ELEMENTS = 256 };

static void read_header(const uint8_t *header, size_t size)
{
    const size_t all = 8 + size + ELEMENTS;
    uint8_t *file = malloc(all);
    if (!file)
        fuzz_die("no memory for a header");
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)(size >> 8 * i);
    memcpy(file + 8, header, size);
    for (int i = 0; i < ELEMENTS; i++)
        file[8 + size + i] = (uint8_t)i;
    /* Every byte behind the header must be a tensor's: an input says how many there are by how many
     * spaces end it. */
    size_t spaces = 0;
    while (spaces < size && header[size - 1 - spaces] == ' ')
        spaces++;
    fuzz_format(&graft__format_safetensors, NULL, file,
                8 + size + (spaces < ELEMENTS ? spaces : ELEMENTS));
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == '{')
        read_header(data, size);
    else
        fuzz_format(&graft__format_safetensors, NULL, data, size);
    return 0;
}
