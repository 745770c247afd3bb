#include "file/sha256.h"

#if GRAFT_NETTLE

#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(graft__sha256), "nettle's struct has room");

bool graft__has_sha256(void)
{
    return true;
}

void graft__sha256_begin(graft__sha256 *h)
{
    sha256_init((struct sha256_ctx *)h);
}

void graft__sha256_add(graft__sha256 *h, const void *bytes, size_t size)
{
    if (size > 0)
        sha256_update((struct sha256_ctx *)h, size, bytes);
}

void graft__sha256_end(graft__sha256 *h, unsigned char out[GRAFT__SHA256_SIZE])
{
    sha256_digest((struct sha256_ctx *)h, GRAFT__SHA256_SIZE, out);
}

#else

bool graft__has_sha256(void)
{
    return false;
}

void graft__sha256_begin(graft__sha256 *h)
{
    (void)h;
}

void graft__sha256_add(graft__sha256 *h, const void *bytes, size_t size)
{
    (void)h;
    (void)bytes;
    (void)size;
}

void graft__sha256_end(graft__sha256 *h, unsigned char out[GRAFT__SHA256_SIZE])
{
    (void)h;
    for (int i = 0; i < GRAFT__SHA256_SIZE; i++)
        out[i] = 0;
}

#endif

static const char digits[] = "0123456789abcdef";

void graft__sha256_to_text(const unsigned char hash[GRAFT__SHA256_SIZE],
                           char out[GRAFT__SHA256_TEXT])
{
    for (int i = 0; i < GRAFT__SHA256_SIZE; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[GRAFT__SHA256_TEXT - 1] = 0;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool graft__sha256_from_text(const char *text, unsigned char out[GRAFT__SHA256_SIZE])
{
    for (int i = 0; i < GRAFT__SHA256_SIZE; i++) {
        const int high = digit_value(text[2 * i]);
        const int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
