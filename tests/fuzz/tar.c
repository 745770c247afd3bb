/* Tar files. Their headers have checksums, which no change would survive: they are made right,
 * except where a field of one does not begin as a number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { BLOCK = 512, SIZE_AT = 124, SIZE_LENGTH = 12, SUM_AT = 148, SUM_LENGTH = 8 };

static void repair(uint8_t *header)
{
    unsigned sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_LENGTH ? ' ' : header[i];
    snprintf((char *)header + SUM_AT, SUM_LENGTH - 1, "%06o", sum);
    header[SUM_AT + 7] = ' ';
}

static uint64_t octal(const uint8_t *field, int length)
{
    uint64_t number = 0;
    for (int i = 0; i < length && field[i] >= '0' && field[i] <= '7'; i++)
        number = number * 8 + field[i] - '0';
    return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = malloc(size + 1);
    if (!file)
        fuzz_die("no memory for an input");
    memcpy(file, data, size);
    for (uint64_t at = 0; size >= BLOCK && at <= size - BLOCK;) {
        uint8_t *header = file + at;
        if (header[0] == 0 || (header[SUM_AT] != ' ' && (header[SUM_AT] | 7) != '7'))
            break;
        repair(header);
        at += BLOCK + (octal(header + SIZE_AT, SIZE_LENGTH) + BLOCK - 1) / BLOCK * BLOCK;
    }
    fuzz_pickled(&graft__format_pt_tar, file, size);
    free(file);
    return 0;
}
