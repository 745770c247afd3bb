/* The Python dict that an npy file begins with, read as exactly the dict that numpy writes there.
 * numpy.lib.format has the description of the format. */
#include "file/npy.h"

#include <string.h>

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

uint64_t graft__npy_header_end(const unsigned char *bytes, uint64_t size)
{
    if (size < 10 || memcmp(bytes, magic, sizeof magic) != 0)
        return 0;
    if (bytes[6] == 1)
        return 10 + (uint64_t)graft__le16(bytes + 8);
    return size < 12 ? 0 : 12 + (uint64_t)graft__le32(bytes + 8);
}

/* ---- Python literals, as far as they are needed ---- */

typedef struct literal {
    graft__reading *r;
    const char *text;
    uint64_t size, at;
    uint64_t base;  /* of the text in the file */
    bool long_ints; /* Python 2 wrote 3L */
} literal;

static graft_status fault(const literal *l, const char *words)
{
    return graft__fault(l->r, GRAFT_FAULT_NPY, (int64_t)(l->base + l->at), "%s", words);
}

static void skip_space(literal *l)
{
    while (l->at < l->size && strchr(" \t\n\r\f", l->text[l->at]) && l->text[l->at])
        l->at++;
}

/* The next character that is no space, 0 at the end. */
static char peek(literal *l)
{
    skip_space(l);
    return l->at < l->size ? l->text[l->at] : 0;
}

static bool take(literal *l, char c)
{
    if (peek(l) != c)
        return false;
    l->at++;
    return true;
}

static bool take_word(literal *l, const char *word)
{
    size_t n = strlen(word);
    if (l->size - l->at < n || memcmp(l->text + l->at, word, n) != 0)
        return false;
    l->at += n;
    return true;
}

static graft_status read_string(literal *l, graft__name *out)
{
    char quote = peek(l);
    if (quote != '\'' && quote != '"')
        return fault(l, "expected a string in quotes");
    uint64_t begin = ++l->at;
    while (l->at < l->size && l->text[l->at] != quote) {
        if (l->text[l->at] == '\\' || l->text[l->at] == '\n')
            return fault(l, "a string with escapes, which numpy does not write here");
        l->at++;
    }
    if (l->at == l->size)
        return fault(l, "a string without an end");
    *out = (graft__name){
        .text = l->text + begin, .length = l->at - begin, .offset = (int64_t)(l->base + begin)};
    l->at++;
    return GRAFT_OK;
}

static graft_status read_size(literal *l, int64_t *out)
{
    bool minus = take(l, '-');
    uint64_t begin = l->at;
    int64_t n = 0;
    for (; l->at < l->size && l->text[l->at] >= '0' && l->text[l->at] <= '9'; l->at++)
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, l->text[l->at] - '0', &n))
            return graft__fault(l->r, GRAFT_FAULT_OVERFLOW, (int64_t)(l->base + begin),
                                "a size that does not fit 64 bits");
    if (l->at == begin)
        return fault(l, "expected a number");
    if (l->text[begin] == '0' && l->at - begin > 1)
        return fault(l, "a number that begins with 0");
    if (minus)
        return graft__fault(l->r, GRAFT_FAULT_SHAPE, (int64_t)(l->base + begin),
                            "a negative size: -%lld", (long long)n);
    if (l->long_ints)
        take_word(l, "L");
    *out = n;
    return GRAFT_OK;
}

/* "()", "(3,)", "(3, 4)", "(3, 4,)" */
static graft_status read_shape(literal *l, graft__npy *out)
{
    if (!take(l, '('))
        return fault(l, "expected the shape as a tuple");
    bool comma = true;
    for (out->ndim = 0; !take(l, ')'); out->ndim++) {
        if (!comma)
            return fault(l, "expected ',' or ')'");
        if (out->ndim == GRAFT_MAX_DIMS)
            return graft__fault(l->r, GRAFT_FAULT_SHAPE, (int64_t)(l->base + l->at),
                                "more than %d dimensions", GRAFT_MAX_DIMS);
        graft_status status = read_size(l, &out->size[out->ndim]);
        if (status != GRAFT_OK)
            return status;
        comma = take(l, ',');
    }
    if (out->ndim == 1 && !comma)
        return fault(l, "(n) is a number: a shape of one dimension is (n,)");
    return GRAFT_OK;
}

/* ---- descr ---- */

static const struct {
    char text[4];
    unsigned char dtype, width; /* width: of what has a byte order */
} dtypes[] = {{"b1", GRAFT_BOOL, 1}, {"i1", GRAFT_I8, 1},   {"i2", GRAFT_I16, 2},
              {"i4", GRAFT_I32, 4},  {"i8", GRAFT_I64, 8},  {"u1", GRAFT_U8, 1},
              {"u2", GRAFT_U16, 2},  {"u4", GRAFT_U32, 4},  {"u8", GRAFT_U64, 8},
              {"f2", GRAFT_F16, 2},  {"f4", GRAFT_F32, 4},  {"f8", GRAFT_F64, 8},
              {"c8", GRAFT_C64, 4},  {"c16", GRAFT_C128, 8}};

/* Why there is no dtype for a descr of that letter. */
static graft_status refuse_descr(const literal *l, const graft__name *descr, char letter)
{
    graft_fault f = letter == 'O' ? GRAFT_FAULT_UNSUPPORTED : GRAFT_FAULT_DTYPE;
    const char *why = "numpy has no such dtype";
    switch (letter) {
    case 'O':
        why = "an array of Python objects is a pickle, which could run code";
        break;
    case 'S':
    case 'a':
    case 'U':
    case 'T':
        why = "text is no tensor";
        break;
    case 'V':
        why = "bytes without a meaning (npy has no name for bfloat16 and the like: save them as "
              "float32, or as safetensors)";
        break;
    case 'M':
    case 'm':
        why = "a tensor has no dates and times";
        break;
    case 'f':
    case 'c':
    case 'g':
    case 'G':
        why = "a long double is another thing on another machine";
        break;
    default:
        break;
    }
    return graft__fault(l->r, f, descr->offset, "descr '%.*s': %s", GRAFT__NAME(descr), why);
}

static graft_status read_descr(literal *l, graft__npy *out)
{
    char next = peek(l);
    if (next == '[' || next == '(')
        return graft__fault(l->r, GRAFT_FAULT_UNSUPPORTED, (int64_t)(l->base + l->at),
                            "a structured array, of records with fields: expected one dtype");
    graft__name descr;
    graft_status status = read_string(l, &descr);
    if (status != GRAFT_OK)
        return status;
    const char *text = descr.text;
    size_t n = (size_t)descr.length;
    bool big = n > 0 && *text == '>';
    if (n > 0 && strchr("<>|=", *text) && *text) {
        text++;
        n--;
    }
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (n == strlen(dtypes[i].text) && memcmp(text, dtypes[i].text, n) == 0) {
            out->dtype = dtypes[i].dtype;
            out->swap = big && dtypes[i].width > 1 ? dtypes[i].width : 0;
            size_t width = graft_dtype_size(out->dtype);
            out->align = width < 8 ? (uint32_t)width : 8;
            return GRAFT_OK;
        }
    return refuse_descr(l, &descr, n > 0 ? *text : 0);
}

/* ---- The dict ---- */

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static graft_status read_order(literal *l, bool *fortran)
{
    skip_space(l);
    *fortran = take_word(l, "True");
    return *fortran || take_word(l, "False") ? GRAFT_OK : fault(l, "expected True or False");
}

static graft_status read_item(literal *l, graft__npy *out, bool *fortran, int *seen)
{
    graft__name key;
    graft_status status = read_string(l, &key);
    if (status != GRAFT_OK)
        return status;
    static const char *const names[] = {"descr", "fortran_order", "shape"};
    int which = 0;
    while (which < 3 && (key.length != strlen(names[which]) ||
                         memcmp(key.text, names[which], (size_t)key.length) != 0))
        which++;
    if (which == 3)
        return graft__fault(l->r, GRAFT_FAULT_NPY, key.offset,
                            "a key '%.*s': expected descr, fortran_order and shape",
                            GRAFT__NAME(&key));
    if (*seen & 1 << which)
        return graft__fault(l->r, GRAFT_FAULT_DUPLICATE, key.offset, "two keys '%s'", names[which]);
    *seen |= 1 << which;
    if (!take(l, ':'))
        return fault(l, "expected ':'");
    return which == 0   ? read_descr(l, out)
           : which == 1 ? read_order(l, fortran)
                        : read_shape(l, out);
}

static graft_status read_dict(literal *l, graft__npy *out, bool *fortran)
{
    if (!take(l, '{'))
        return fault(l, "expected '{'");
    int seen = 0;
    bool comma = true;
    while (!take(l, '}')) {
        if (!comma)
            return fault(l, "expected ',' or '}'");
        graft_status status = read_item(l, out, fortran, &seen);
        if (status != GRAFT_OK)
            return status;
        comma = take(l, ',');
    }
    if (seen != HAS_ALL)
        return fault(l, !(seen & HAS_DESCR)   ? "no 'descr'"
                        : !(seen & HAS_ORDER) ? "no 'fortran_order'"
                                              : "no 'shape'");
    return peek(l) || l->at < l->size ? fault(l, "something behind the dict") : GRAFT_OK;
}

static void set_strides(graft__npy *n, bool fortran)
{
    graft__contiguous_strides(n->ndim, n->size, n->stride);
    if (!fortran)
        return;
    int64_t step = 1;
    for (int i = 0; i < n->ndim; i++) {
        n->stride[i] = step;
        step *= n->size[i] > 1 ? n->size[i] : 1;
    }
}

static graft_status check_sizes(graft__reading *r, graft__npy *n, uint64_t total, bool fortran)
{
    const graft__name name = {.text = "the array", .length = 9, .offset = (int64_t)n->data};
    graft_status status = graft__check_tensor(r, &name, n->dtype, n->ndim, n->size, &n->bytes);
    if (status != GRAFT_OK)
        return status;
    set_strides(n, fortran);
    uint64_t rest = total - n->data;
    char text[GRAFT__SHAPE_TEXT];
    if (rest == n->bytes)
        return GRAFT_OK;
    return graft__fault(r, rest < n->bytes ? GRAFT_FAULT_TRUNCATED : GRAFT_FAULT_TRAILING,
                        (int64_t)(rest < n->bytes ? total : n->data + n->bytes),
                        "%llu bytes of data, where %s of %s takes %llu", (unsigned long long)rest,
                        graft__shape_text(n->ndim, n->size, text), graft_dtype_name(n->dtype),
                        (unsigned long long)n->bytes);
}

graft_status graft__npy_header(graft__reading *r, const unsigned char *bytes, uint64_t have,
                               uint64_t total, graft__npy *out)
{
    *out = (graft__npy){0};
    uint64_t common = have < sizeof magic ? have : sizeof magic;
    if (memcmp(bytes, magic, (size_t)common) != 0)
        return graft__fault(r, GRAFT_FAULT_NPY, 0, "no npy file: expected \\x93NUMPY");
    if (have < 8)
        return graft__fault(r, GRAFT_FAULT_TRUNCATED, (int64_t)have, "ends before its version");
    out->major = bytes[6];
    out->minor = bytes[7];
    if (out->major < 1 || out->major > 3 || out->minor != 0)
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, 6,
                            "npy version %d.%d: expected 1.0, 2.0 or 3.0", out->major, out->minor);
    uint64_t end = graft__npy_header_end(bytes, have), begin = out->major == 1 ? 10 : 12;
    if (end == 0 || end > have)
        return graft__fault(r, GRAFT_FAULT_TRUNCATED, (int64_t)have, "ends inside of its header");
    literal l = {.r = r,
                 .text = (const char *)bytes + begin,
                 .size = end - begin,
                 .base = begin,
                 .long_ints = out->major < 3};
    bool fortran = false;
    graft_status status = read_dict(&l, out, &fortran);
    out->data = end;
    return status == GRAFT_OK ? check_sizes(r, out, total, fortran) : status;
}
