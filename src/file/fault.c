/* What is wrong with a file: names, and the errors that carry them. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "file/json.h"
#include "file/reading.h"

static const char *const names[GRAFT_FAULTS] = {
    [GRAFT_FAULT_NONE] = "None",
    [GRAFT_FAULT_UNKNOWN_FORMAT] = "UnknownFormat",
    [GRAFT_FAULT_TRUNCATED] = "Truncated",
    [GRAFT_FAULT_OUT_OF_BOUNDS] = "OutOfBounds",
    [GRAFT_FAULT_OVERFLOW] = "Overflow",
    [GRAFT_FAULT_LIMIT] = "Limit",
    [GRAFT_FAULT_UNSUPPORTED] = "Unsupported",
    [GRAFT_FAULT_DTYPE] = "Dtype",
    [GRAFT_FAULT_SHAPE] = "Shape",
    [GRAFT_FAULT_DUPLICATE] = "Duplicate",
    [GRAFT_FAULT_NAME] = "Name",
    [GRAFT_FAULT_CHECKSUM] = "Checksum",
    [GRAFT_FAULT_TRAILING] = "Trailing",
    [GRAFT_FAULT_HEADER_TOO_SMALL] = "HeaderTooSmall",
    [GRAFT_FAULT_HEADER_TOO_LARGE] = "HeaderTooLarge",
    [GRAFT_FAULT_INVALID_HEADER_LENGTH] = "InvalidHeaderLength",
    [GRAFT_FAULT_INVALID_HEADER] = "InvalidHeader",
    [GRAFT_FAULT_INVALID_HEADER_DESERIALIZATION] = "InvalidHeaderDeserialization",
    [GRAFT_FAULT_TENSOR_INVALID_INFO] = "TensorInvalidInfo",
    [GRAFT_FAULT_INVALID_OFFSET] = "InvalidOffset",
    [GRAFT_FAULT_VALIDATION_OVERFLOW] = "ValidationOverflow",
    [GRAFT_FAULT_MISALIGNED_SLICE] = "MisalignedSlice",
    [GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER] = "MetadataIncompleteBuffer",
    [GRAFT_FAULT_SHARD_MISSING] = "ShardMissing",
    [GRAFT_FAULT_SHARD_LACKS] = "ShardLacks",
    [GRAFT_FAULT_SHARD_UNLISTED] = "ShardUnlisted",
    [GRAFT_FAULT_INDEX] = "Index",
    [GRAFT_FAULT_ZIP_END] = "ZipEnd",
    [GRAFT_FAULT_ZIP_DIRECTORY] = "ZipDirectory",
    [GRAFT_FAULT_ZIP_LOCAL] = "ZipLocal",
    [GRAFT_FAULT_ZIP_METHOD] = "ZipMethod",
    [GRAFT_FAULT_ZIP_OVERLAP] = "ZipOverlap",
    [GRAFT_FAULT_ZIP_INFLATE] = "ZipInflate",
    [GRAFT_FAULT_PICKLE_OPCODE] = "PickleOpcode",
    [GRAFT_FAULT_PICKLE_STACK] = "PickleStack",
    [GRAFT_FAULT_PICKLE_MEMO] = "PickleMemo",
    [GRAFT_FAULT_PICKLE_VALUE] = "PickleValue",
    [GRAFT_FAULT_PICKLE_RECURSIVE] = "PickleRecursive",
    [GRAFT_FAULT_MEMBER_MISSING] = "MemberMissing",
    [GRAFT_FAULT_STORAGE] = "Storage",
    [GRAFT_FAULT_TENSOR] = "Tensor",
    [GRAFT_FAULT_TAR] = "Tar",
    [GRAFT_FAULT_NPY] = "Npy",
    [GRAFT_FAULT_GGUF] = "Gguf",
    [GRAFT_FAULT_PROTOBUF] = "Protobuf",
};

const char *graft_fault_name(graft_fault fault)
{
    return (unsigned)fault < GRAFT_FAULTS ? names[fault] : "?";
}

graft_fault graft_error_fault(const graft_ctx *g)
{
    return g && g->error.status != GRAFT_OK ? (graft_fault)g->error.fault : GRAFT_FAULT_NONE;
}

int64_t graft_error_offset(const graft_ctx *g)
{
    return g && g->error.status != GRAFT_OK ? g->error.offset : -1;
}

/* Names of a file may hold what a terminal obeys, and may be cut off inside of a character: such
 * bytes are shown as '?'. */
static void make_printable(char *text)
{
    size_t bad = 0;
    for (char *p = text; !graft__is_utf8(p, strlen(p), &bad);) {
        p += bad;
        *p++ = '?';
    }
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        const bool wide = p[0] == 0xC2 && p[1] < 0xA0; /* U+0080 to U+009F */
        if (*p < 0x20 || *p == 0x7F || wide)
            *p = '?';
        if (wide)
            *++p = '?';
    }
}

graft_status graft__fault_at(graft_ctx *g, const graft__where *where, graft_fault fault,
                             const char *format, va_list args)
{
    if (g->error.status != GRAFT_OK)
        return GRAFT_ERR_FORMAT;
    char words[512], member[256], place[32] = "";
    vsnprintf(words, sizeof words, format, args);
    snprintf(member, sizeof member, "%s", where->member ? where->member : "");
    make_printable(words);
    make_printable(member);
    if (where->offset >= 0)
        snprintf(place, sizeof place, "byte %lld: ", (long long)where->offset);
    graft__fail(g, GRAFT_ERR_FORMAT, "%s: %s: %s%s%s%s (%s)", where->op, where->path, member,
                where->member ? ": " : "", place, words, graft_fault_name(fault));
    g->error.fault = fault;
    g->error.offset = where->offset;
    return GRAFT_ERR_FORMAT;
}

graft_status graft__fault(graft__reading *r, graft_fault fault, int64_t offset, const char *format,
                          ...)
{
    const graft__where where = {r->op, r->path, r->member, offset};
    va_list args;
    va_start(args, format);
    const graft_status status = graft__fault_at(r->g, &where, fault, format, args);
    va_end(args);
    return status;
}

bool graft__charge(graft__reading *r, uint64_t bytes)
{
    if (bytes > r->memory_left) {
        graft__fault(r, GRAFT_FAULT_LIMIT, -1,
                     "reading it would take more memory than its size explains (max_memory)");
        return false;
    }
    r->memory_left -= bytes;
    return true;
}

bool graft__advance(graft__reading *r, uint64_t bytes)
{
    r->done += bytes;
    if (r->done > r->total)
        r->done = r->total;
    if (!r->options.progress || r->options.progress(r->options.progress_user, r->done, r->total))
        return true;
    graft__fail(r->g, GRAFT_ERR_CANCELLED, "%s: %s: cancelled by the progress function", r->op,
                r->path);
    return false;
}
