/* CRC-32 sixteen bytes at a time by tables: what a build without libdeflate uses, and what the
 * tests hold libdeflate against. */
#ifndef GRAFT__FILE_CRC_SLICE_H
#define GRAFT__FILE_CRC_SLICE_H

#include <stddef.h>
#include <stdint.h>

enum { GRAFT__CRC_SLICES = 16 };

/* The checksum is linear over XOR, so that eight numbers, those of the bytes 1, 2, 4, ... 128, give
 * a table of 256. In row k they are those of the byte with k zero bytes behind it. From the last of
 * the first row, the polynomial itself, right to left and on into the next row, each number is the
 * one before moved down by a bit, with the polynomial XORed in if that bit was 1. */
#define BIT(i, n, c) ((i) >> (n)&1 ? UINT32_C(c) : 0)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                           \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^     \
     BIT(i, 6, g) ^ BIT(i, 7, h))
#define ENTRIES4(i, ...)                                                                           \
    ENTRY((i), __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__),             \
        ENTRY((i) + 3, __VA_ARGS__)
#define ENTRIES16(i, ...)                                                                          \
    ENTRIES4((i), __VA_ARGS__), ENTRIES4((i) + 4, __VA_ARGS__), ENTRIES4((i) + 8, __VA_ARGS__),    \
        ENTRIES4((i) + 12, __VA_ARGS__)
#define ENTRIES64(i, ...)                                                                          \
    ENTRIES16((i), __VA_ARGS__), ENTRIES16((i) + 16, __VA_ARGS__),                                 \
        ENTRIES16((i) + 32, __VA_ARGS__), ENTRIES16((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ENTRIES64(0, __VA_ARGS__), ENTRIES64(64, __VA_ARGS__), ENTRIES64(128, __VA_ARGS__),        \
            ENTRIES64(192, __VA_ARGS__)                                                            \
    }

static const uint32_t graft__crc_table[GRAFT__CRC_SLICES][256] = {
    TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190,
          0xedb88320),
    TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05,
          0x3b83984b),
    TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0,
          0xe1351b80),
    TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d,
          0xed59b63b),
    TABLE(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849,
          0xb1e6b092),
    TABLE(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c,
          0x1eb014d8),
    TABLE(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579,
          0x8816eaf2),
    TABLE(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed,
          0x533b85da),
    TABLE(0x177b1443, 0x2ef62886, 0x5dec510c, 0xbbd8a218, 0xacc04271, 0x82f182a3, 0xde920307,
          0x6655004f),
    TABLE(0xefc26b3e, 0x04f5d03d, 0x09eba07a, 0x13d740f4, 0x27ae81e8, 0x4f5d03d0, 0x9eba07a0,
          0xe6050901),
    TABLE(0xc18edfc0, 0x586cb9c1, 0xb0d97382, 0xbac3e145, 0xaef6c4cb, 0x869c8fd7, 0xd64819ef,
          0x77e1359f),
    TABLE(0x9ba54c6f, 0xec3b9e9f, 0x03063b7f, 0x060c76fe, 0x0c18edfc, 0x1831dbf8, 0x3063b7f0,
          0x60c76fe0),
    TABLE(0xdd96d985, 0x605cb54b, 0xc0b96a96, 0x5a03d36d, 0xb407a6da, 0xb37e4bf5, 0xbd8d91ab,
          0xa06a2517),
    TABLE(0x9d0fe176, 0xe16ec4ad, 0x19ac8f1b, 0x33591e36, 0x66b23c6c, 0xcd6478d8, 0x41b9f7f1,
          0x8373efe2),
    TABLE(0xb9fbdbe8, 0xa886b191, 0x8a7c6563, 0xcf89cc87, 0x44629f4f, 0x88c53e9e, 0xcafb7b7d,
          0x4e87f0bb),
    TABLE(0xae689191, 0x87a02563, 0xd4314c87, 0x73139f4f, 0xe6273e9e, 0x173f7b7d, 0x2e7ef6fa,
          0x5cfdedf4),
};

#undef BIT
#undef ENTRY
#undef ENTRIES4
#undef ENTRIES16
#undef ENTRIES64
#undef TABLE

/* What four bytes of a slice add, the first of them having `behind` bytes of the slice behind it.
 */
static inline uint32_t graft__crc_slice4(uint32_t v, int behind)
{
    return graft__crc_table[behind][v & 0xff] ^ graft__crc_table[behind - 1][v >> 8 & 0xff] ^
           graft__crc_table[behind - 2][v >> 16 & 0xff] ^ graft__crc_table[behind - 3][v >> 24];
}

static inline uint32_t graft__crc_word(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t graft__crc32_slice(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    crc = ~crc;
    for (; size >= GRAFT__CRC_SLICES; size -= GRAFT__CRC_SLICES, p += GRAFT__CRC_SLICES)
        crc = graft__crc_slice4(crc ^ graft__crc_word(p), 15) ^
              graft__crc_slice4(graft__crc_word(p + 4), 11) ^
              graft__crc_slice4(graft__crc_word(p + 8), 7) ^
              graft__crc_slice4(graft__crc_word(p + 12), 3);
    for (; size > 0; size--, p++)
        crc = crc >> 8 ^ graft__crc_table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#endif
