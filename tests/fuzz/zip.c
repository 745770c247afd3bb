/* Archives: what the directory gives, and what a walk over what is left of one gives. */
#include "file/zip.h"

#include <string.h>

#include "fuzz.h"

enum { READ_LIMIT = 1 << 20 };

static void look_at(fuzz_run *f, graft__reading *r, const graft__zip *zip)
{
    for (size_t i = 0; i < zip->count; i++) {
        const graft__zip_member *m = &zip->member[i];
        if (m->offset > r->source->size || m->stored > r->source->size - m->offset)
            fuzz_die("member %zu leaves the file", i);
        if (graft__zip_find(zip, m->name, m->name_length) != m)
            fuzz_die("member %zu is not found by its name", i);
        if (m->size > READ_LIMIT)
            continue;
        graft__zip_bytes bytes;
        if (graft__zip_read(r, m, &bytes) != GRAFT_OK) {
            fuzz_expect_fault(f, "a member");
            continue;
        }
        if (bytes.size != m->size)
            fuzz_die("member %zu has %zu bytes", i, bytes.size);
        (void)fuzz_hash(bytes.bytes, bytes.size);
        graft__zip_release(r->g, &bytes);
    }
}

static void read_archive(fuzz_run *f, graft__reading *r)
{
    graft__zip zip, lost;
    if (graft__zip_open(r, &zip) == GRAFT_OK) {
        look_at(f, r, &zip);
        graft__zip_close(&zip);
    } else {
        fuzz_expect_fault(f, "an archive");
    }
    if (graft__zip_scan(r, &zip, &lost) == GRAFT_OK) {
        look_at(f, r, &zip);
        graft__zip_close(&zip);
        graft__zip_close(&lost);
    } else {
        fuzz_expect_fault(f, "what is left of an archive");
    }
}

static void run(const uint8_t *data, size_t size, graft_verify verify, size_t fail_at)
{
    fuzz_run f;
    fuzz_open(&f, fail_at);
    graft__source *source = graft__source_copy(f.g, "load", data, size);
    graft__reading r = {
        .g = f.g,
        .op = "load",
        .path = "(memory)",
        .source = source,
        .options = graft_read_defaults(),
        .memory_left = (uint64_t)64 << 20,
        .total = size,
    };
    r.options.verify = verify;
    if (source)
        read_archive(&f, &r);
    else
        fuzz_expect_fault(&f, "a source");
    graft__source_unref(source);
    fuzz_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t hash = fuzz_hash(data, size);
    run(data, size, hash & 1 ? GRAFT_VERIFY_NEVER : GRAFT_VERIFY_USE, 0);
    if (hash % 8 == 0)
        run(data, size, GRAFT_VERIFY_NEVER, 1 + (size_t)(hash >> 8) % 16);
    return 0;
}
