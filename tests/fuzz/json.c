/* JSON: every event is looked at, and the same text is passed over in one go. */
#include "file/json.h"

#include "fuzz.h"

static void check_text(const graft__json *j, graft__json_kind kind)
{
    uint64_t number;
    size_t bad;
    if ((kind == GRAFT__JSON_KEY || kind == GRAFT__JSON_STRING) &&
        !graft__is_utf8(j->text, j->length, &bad))
        fuzz_die("a string that is not UTF-8");
    if (kind == GRAFT__JSON_NUMBER && j->length == 0)
        fuzz_die("a number of no bytes");
    if (kind == GRAFT__JSON_NUMBER)
        (void)graft__json_u64(j, &number);
}

/* Whether it is JSON. */
static bool walk(graft_ctx *g, const uint8_t *data, size_t size)
{
    graft__json j;
    graft__json_open(&j, g, (const char *)data, size);
    int depth = 0;
    size_t events = 0;
    graft__json_kind kind;
    while ((kind = graft__json_next(&j)) != GRAFT__JSON_END && kind != GRAFT__JSON_ERROR) {
        if (++events > size)
            fuzz_die("more events than bytes");
        check_text(&j, kind);
        depth += kind == GRAFT__JSON_OBJECT || kind == GRAFT__JSON_ARRAY;
        depth -= kind == GRAFT__JSON_OBJECT_END || kind == GRAFT__JSON_ARRAY_END;
        if (depth < 0 || depth > GRAFT__JSON_DEPTH)
            fuzz_die("nested %d deep", depth);
    }
    if (kind == GRAFT__JSON_END && (depth != 0 || events == 0))
        fuzz_die("an end inside of something");
    if (kind == GRAFT__JSON_ERROR && !j.error && !j.no_memory)
        fuzz_die("an error without words");
    if (j.at < j.text_begin || j.at > j.end)
        fuzz_die("a place outside of the text");
    graft__json_close(&j);
    return kind == GRAFT__JSON_END;
}

static bool skip(graft_ctx *g, const uint8_t *data, size_t size)
{
    graft__json j;
    graft__json_open(&j, g, (const char *)data, size);
    const graft__json_kind first = graft__json_next(&j);
    const bool good = first != GRAFT__JSON_ERROR && first != GRAFT__JSON_END &&
                      graft__json_skip(&j, first) && graft__json_next(&j) == GRAFT__JSON_END;
    graft__json_close(&j);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_run f;
    fuzz_open(&f, 0);
    if (walk(f.g, data, size) != skip(f.g, data, size))
        fuzz_die("walking and skipping do not agree");
    graft_clear_error(f.g);
    fuzz_close(&f);
    return 0;
}
