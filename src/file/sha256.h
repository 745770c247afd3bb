/* SHA-256, by nettle. */
#ifndef GRAFT__FILE_SHA256_H
#define GRAFT__FILE_SHA256_H

#include "graft/base.h"

enum { GRAFT__SHA256_SIZE = 32, GRAFT__SHA256_TEXT = 65 };

/* false: this build has no nettle, and the others must not be called. */
bool graft__has_sha256(void);

/* A hash in the making: room for nettle's struct, which only sha256.c knows. */
typedef struct graft__sha256 {
    uint64_t state[16];
} graft__sha256;

void graft__sha256_begin(graft__sha256 *h);
void graft__sha256_add(graft__sha256 *h, const void *bytes, size_t size);
void graft__sha256_end(graft__sha256 *h, unsigned char out[GRAFT__SHA256_SIZE]);

/* In lower-case hexadecimal, 0-terminated; and back, false if it is not that. */
void graft__sha256_to_text(const unsigned char hash[GRAFT__SHA256_SIZE],
                           char out[GRAFT__SHA256_TEXT]);
bool graft__sha256_from_text(const char *text, unsigned char out[GRAFT__SHA256_SIZE]);

#endif
