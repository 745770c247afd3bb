/* Deflate is RFC 1951. Codes are decoded a bit at a time from the number of codes of each length:
 * a few hundred bytes are wanted, which no table would pay for. */
#include "file/inflate_prefix.h"

#include <string.h>

enum { MAX_BITS = 15, LITERALS = 288, DISTANCES = 30, END = 256 };

typedef struct stream {
    const unsigned char *in;
    size_t size, at;
    uint32_t hold; /* bits that were read and not yet taken, the next one lowest */
    unsigned held;
    bool bad; /* damaged or at its end */
    unsigned char *out;
    size_t out_size, out_at;
} stream;

/* A Huffman code: how many codes there are of each length, and their symbols in the order of the
 * codes. */
typedef struct code {
    uint16_t count[MAX_BITS + 1];
    uint16_t symbol[LITERALS];
} code;

static unsigned take_bits(stream *s, unsigned n)
{
    while (s->held < n) {
        if (s->at == s->size) {
            s->bad = true;
            return 0;
        }
        s->hold |= (uint32_t)s->in[s->at++] << s->held;
        s->held += 8;
    }
    unsigned bits = s->hold & ((1u << n) - 1);
    s->hold >>= n;
    s->held -= n;
    return bits;
}

/* false if more codes are asked for than their lengths allow, or if fewer codes leave bits without
 * a meaning (only a code of a single symbol may). */
static bool make_code(code *c, const unsigned char *length, unsigned symbols)
{
    uint16_t next[MAX_BITS + 1] = {0};
    memset(c->count, 0, sizeof c->count);
    for (unsigned i = 0; i < symbols; i++)
        c->count[length[i]]++;
    int left = 1;
    for (unsigned bits = 1; bits <= MAX_BITS; bits++) {
        left = 2 * left - c->count[bits];
        if (left < 0)
            return false;
        if (bits < MAX_BITS)
            next[bits + 1] = (uint16_t)(next[bits] + c->count[bits]);
    }
    for (unsigned i = 0; i < symbols; i++)
        if (length[i])
            c->symbol[next[length[i]]++] = (uint16_t)i;
    return left == 0 || symbols - c->count[0] <= 1;
}

static unsigned take_symbol(stream *s, const code *c)
{
    unsigned value = 0, first = 0, index = 0;
    for (unsigned bits = 1; bits <= MAX_BITS; bits++) {
        value |= take_bits(s, 1);
        if (s->bad)
            return 0;
        if (value - first < c->count[bits])
            return c->symbol[index + value - first];
        index += c->count[bits];
        first = (first + c->count[bits]) << 1;
        value <<= 1;
    }
    s->bad = true;
    return 0;
}

static void copy_back(stream *s, size_t distance, size_t length)
{
    if (distance > s->out_at) {
        s->bad = true;
        return;
    }
    for (; length > 0 && s->out_at < s->out_size; length--, s->out_at++)
        s->out[s->out_at] = s->out[s->out_at - distance];
}

static void read_codes(stream *s, const code *literals, const code *distances)
{
    static const uint16_t base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const unsigned char extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    while (!s->bad && s->out_at < s->out_size) {
        unsigned symbol = take_symbol(s, literals);
        if (s->bad || symbol == END)
            return;
        if (symbol < END) {
            s->out[s->out_at++] = (unsigned char)symbol;
            continue;
        }
        symbol -= END + 1;
        if (symbol >= sizeof extra) {
            s->bad = true;
            return;
        }
        size_t length = base[symbol] + take_bits(s, extra[symbol]);
        unsigned d = take_symbol(s, distances);
        if (s->bad || d >= DISTANCES) {
            s->bad = true;
            return;
        }
        unsigned more = d < 4 ? 0 : d / 2 - 1;
        size_t distance = d < 4 ? d + 1 : ((size_t)(2 + d % 2) << more) + 1;
        distance += take_bits(s, more);
        if (!s->bad)
            copy_back(s, distance, length);
    }
}

static void read_fixed(stream *s)
{
    unsigned char length[LITERALS];
    memset(length, 8, 144);
    memset(length + 144, 9, 112);
    memset(length + 256, 7, 24);
    memset(length + 280, 8, 8);
    code literals, distances;
    make_code(&literals, length, LITERALS);
    memset(length, 5, DISTANCES);
    make_code(&distances, length, DISTANCES);
    read_codes(s, &literals, &distances);
}

/* The lengths of both codes, themselves coded, with runs. */
static bool read_lengths(stream *s, const code *lengths, unsigned char *out, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        unsigned symbol = take_symbol(s, lengths);
        if (s->bad)
            return false;
        if (symbol < 16) {
            out[i++] = (unsigned char)symbol;
            continue;
        }
        if (symbol == 16 && i == 0)
            return false;
        unsigned char repeated = symbol == 16 ? out[i - 1] : 0;
        unsigned n = symbol == 16   ? 3 + take_bits(s, 2)
                     : symbol == 17 ? 3 + take_bits(s, 3)
                                    : 11 + take_bits(s, 7);
        if (s->bad || n > count - i)
            return false;
        memset(out + i, repeated, n);
        i += n;
    }
    return true;
}

static void read_dynamic(stream *s)
{
    static const unsigned char order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                          11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned char length[LITERALS + 32] = {0};
    unsigned literal_count = 257 + take_bits(s, 5), distance_count = 1 + take_bits(s, 5);
    unsigned length_count = 4 + take_bits(s, 4);
    for (unsigned i = 0; i < length_count; i++)
        length[order[i]] = (unsigned char)take_bits(s, 3);
    code lengths, literals, distances;
    bool good = !s->bad && literal_count <= 286 && distance_count <= DISTANCES &&
                make_code(&lengths, length, sizeof order);
    memset(length, 0, sizeof length);
    good = good && read_lengths(s, &lengths, length, literal_count + distance_count) &&
           length[END] != 0 && make_code(&literals, length, literal_count) &&
           make_code(&distances, length + literal_count, distance_count);
    if (good)
        read_codes(s, &literals, &distances);
    else
        s->bad = true;
}

static void read_stored(stream *s)
{
    s->hold = 0;
    s->held = 0;
    if (s->size - s->at < 4) {
        s->bad = true;
        return;
    }
    const unsigned char *p = s->in + s->at;
    size_t n = p[0] | (size_t)p[1] << 8, check = p[2] | (size_t)p[3] << 8;
    s->at += 4;
    size_t room = s->out_size - s->out_at, wanted = n < room ? n : room;
    if ((n ^ check) != 0xFFFF || s->size - s->at < wanted) {
        s->bad = true;
        return;
    }
    memcpy(s->out + s->out_at, s->in + s->at, wanted);
    s->out_at += wanted;
    s->at += wanted;
}

bool graft__inflate_prefix(const void *bytes, size_t size, void *out, size_t out_size)
{
    stream s = {.in = bytes, .size = size, .out = out, .out_size = out_size};
    bool last = false;
    while (!s.bad && !last && s.out_at < out_size) {
        last = take_bits(&s, 1);
        switch (take_bits(&s, 2)) {
        case 0:
            read_stored(&s);
            break;
        case 1:
            read_fixed(&s);
            break;
        case 2:
            read_dynamic(&s);
            break;
        default:
            s.bad = true;
        }
    }
    return !s.bad && s.out_at == out_size;
}
