/* Pickles: each is the data.pkl of an archive as torch.save writes one, beside storages "s<N>" of N
 * bytes, so that what PyTorch puts into pickles is met too. Nothing here has a checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file/zip_record.h"
#include "fuzz.h"

static const unsigned sizes[] = {0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128};
enum { STORAGES = sizeof sizes / sizeof *sizes, LARGEST = 128, RECORD = 100 };

typedef struct archive {
    uint8_t *bytes;
    size_t size;
    uint8_t directory[(STORAGES + 1) * RECORD];
    size_t directory_size;
} archive;

static void put(uint8_t *at, uint64_t number, int width)
{
    for (int i = 0; i < width; i++)
        at[i] = (uint8_t)(number >> 8 * i);
}

static void add(archive *a, const char *name, const uint8_t *data, size_t size)
{
    const size_t length = strlen(name);
    uint8_t *local = a->bytes + a->size, *central = a->directory + a->directory_size;
    memset(local, 0, GRAFT__ZIP_LOCAL);
    memset(central, 0, GRAFT__ZIP_CENTRAL);
    put(local, GRAFT__ZIP_SIGN_LOCAL, 4);
    put(local + 18, size, 4);
    put(local + 22, size, 4);
    put(local + 26, length, 2);
    memcpy(local + GRAFT__ZIP_LOCAL, name, length);
    if (size > 0)
        memcpy(local + GRAFT__ZIP_LOCAL + length, data, size);
    put(central, GRAFT__ZIP_SIGN_CENTRAL, 4);
    put(central + 20, size, 4);
    put(central + 24, size, 4);
    put(central + 28, length, 2);
    put(central + 42, a->size, 4);
    memcpy(central + GRAFT__ZIP_CENTRAL, name, length);
    a->size += GRAFT__ZIP_LOCAL + length + size;
    a->directory_size += GRAFT__ZIP_CENTRAL + length;
}

static void finish(archive *a)
{
    uint8_t *end = a->bytes + a->size + a->directory_size;
    memcpy(a->bytes + a->size, a->directory, a->directory_size);
    memset(end, 0, GRAFT__ZIP_END);
    put(end, GRAFT__ZIP_SIGN_END, 4);
    put(end + 8, STORAGES + 1, 2);
    put(end + 10, STORAGES + 1, 2);
    put(end + 12, a->directory_size, 4);
    put(end + 16, a->size, 4);
    a->size += a->directory_size + GRAFT__ZIP_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    archive a = {.bytes = malloc(size + (STORAGES + 1) * (2 * RECORD + LARGEST))};
    if (!a.bytes)
        fuzz_die("no memory for an archive");
    uint8_t elements[LARGEST];
    for (int i = 0; i < LARGEST; i++)
        elements[i] = (uint8_t)(i * 37);
    add(&a, "a/data.pkl", data, size);
    for (int i = 0; i < STORAGES; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/data/s%u", sizes[i]);
        add(&a, name, elements, sizes[i]);
    }
    finish(&a);
    fuzz_pickled(&graft__format_pt, a.bytes, a.size);
    free(a.bytes);
    return 0;
}
