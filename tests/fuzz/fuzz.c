#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file/json.h"

enum { MEMORY_LIMIT = 256 << 20, VALUES_LIMIT = 20000 };

void fuzz_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("finding: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

uint64_t fuzz_hash(const uint8_t *data, size_t size)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

/* ---- A run ---- */

static void *counting_alloc(void *user, size_t size, size_t align)
{
    fuzz_run *f = user;
    f->calls++;
    if (f->fail_at && f->calls >= f->fail_at) {
        f->failed = true;
        return NULL;
    }
    if (size > MEMORY_LIMIT - f->live)
        fuzz_die("%zu bytes are wanted, %zu are in use", size, f->live);
    void *block = NULL;
    if (posix_memalign(&block, align, size) != 0)
        fuzz_die("no memory for %zu bytes", size);
    f->live += size;
    return block;
}

static void counting_free(void *user, void *block, size_t size)
{
    fuzz_run *f = user;
    f->live -= size;
    free(block);
}

void fuzz_open(fuzz_run *f, size_t fail_at)
{
    *f = (fuzz_run){.values_left = VALUES_LIMIT};
    graft_options options = graft_options_defaults();
    options.allocator = (graft_allocator){counting_alloc, counting_free, f};
    options.threads = 1;
    options.cache_limit = 0;
    f->g = graft_open(&options);
    if (!f->g)
        fuzz_die("there is no context");
    /* The room for a scope's results stays: it shall be there before the counting begins. */
    graft_scope_begin(f->g);
    graft_zeros(f->g, graft_shape1(1), GRAFT_F32);
    graft_scope_end(f->g);
    f->begin_live = f->live;
    f->calls = 0;
    f->fail_at = fail_at;
}

void fuzz_close(fuzz_run *f)
{
    if (graft_error(f->g))
        fuzz_die("an error is left: %s", graft_error(f->g));
    if (f->live != f->begin_live)
        fuzz_die("%zu bytes are left", f->live - f->begin_live);
    graft_close(f->g);
    if (f->live != 0)
        fuzz_die("%zu bytes are left by the context", f->live);
}

static void expect_showable(const char *text)
{
    if (!text || !*text)
        fuzz_die("an error without words");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            fuzz_die("byte %02x in the words of an error: %s", (unsigned char)*p, text);
    if (!graft__is_utf8(text, strlen(text), &(size_t){0}))
        fuzz_die("the words of an error are not UTF-8: %s", text);
}

void fuzz_expect_fault(fuzz_run *f, const char *what)
{
    const graft_status status = graft_error_status(f->g);
    const graft_fault fault = graft_error_fault(f->g);
    if (status == GRAFT_OK)
        fuzz_die("%s: it failed without an error", what);
    expect_showable(graft_error(f->g));
    const bool of_file = status == GRAFT_ERR_FORMAT && fault > GRAFT_FAULT_NONE &&
                         fault < GRAFT_FAULTS && graft_error_offset(f->g) >= -1;
    if (!of_file && !(f->failed && status == GRAFT_ERR_MEMORY))
        fuzz_die("%s: %s with fault %d at %lld: %s", what, graft_status_name(status), (int)fault,
                 (long long)graft_error_offset(f->g), graft_error(f->g));
    graft_clear_error(f->g);
}

void fuzz_expect_none(fuzz_run *f, const char *what)
{
    const char *error = graft_error(f->g);
    if (error && !(f->failed && graft_error_status(f->g) == GRAFT_ERR_MEMORY))
        fuzz_die("%s: %s", what, error);
    graft_clear_error(f->g);
}

/* ---- Reading ---- */

static bool read_once(const graft__format *format, const char *path, const uint8_t *data,
                      size_t size, graft_verify verify, fuzz_run *f)
{
    graft_read_options options = graft_read_defaults();
    options.verify = verify;
    options.max_names = 2000;
    graft__source *source = graft__source_copy(f->g, "load", data, size);
    graft_dict *metadata = source ? graft__dict_new(f->g) : NULL;
    graft_dict *root = NULL;
    if (metadata) {
        graft__reading r = {
            .g = f->g,
            .op = "load",
            .path = path ? path : "(memory)",
            .has_folder = path != NULL,
            .source = source,
            .options = options,
            .memory_left = ((uint64_t)64 << 20) + 256 * (uint64_t)size,
            .total = size,
            .metadata = metadata,
        };
        root = format->read(&r);
    }
    graft__source_unref(source);
    if (root) {
        fuzz_expect_none(f, "load");
        fuzz_walk(f, metadata);
        fuzz_walk(f, root);
    } else {
        fuzz_expect_fault(f, "load");
    }
    graft__dict_unref(metadata);
    graft__dict_unref(root);
    return root != NULL;
}

void fuzz_format(const graft__format *format, const char *folder, const uint8_t *data, size_t size)
{
    char path[256];
    if (folder)
        snprintf(path, sizeof path, "%s/fuzzed", folder);
    const char *const where = folder ? path : NULL;
    fuzz_run f;
    fuzz_open(&f, 0);
    const bool good = read_once(format, where, data, size, GRAFT_VERIFY_NEVER, &f);
    const size_t calls = f.calls;
    fuzz_close(&f);
    if (good) {
        fuzz_open(&f, 0);
        read_once(format, where, data, size,
                  fuzz_hash(data, size) & 8 ? GRAFT_VERIFY_OPEN : GRAFT_VERIFY_USE, &f);
        fuzz_close(&f);
    }
    const uint64_t hash = fuzz_hash(data, size);
    if (calls > 0 && hash % 8 == 0) {
        fuzz_open(&f, 1 + (size_t)(hash >> 8) % calls);
        read_once(format, where, data, size, GRAFT_VERIFY_NEVER, &f);
        fuzz_close(&f);
    }
}

/* ---- What Python would have run ---- */

static void walk_audit(const graft_audit_report *a)
{
    const int64_t count = graft_audit_len(a);
    size_t length = 0;
    for (int64_t i = 0; i < count; i++) {
        const char *global = graft_audit_global(a, i), *args = graft_audit_args(a, i);
        const char *member = graft_audit_member(a, i);
        if (!global || !args || !member || graft_audit_offset(a, i) < 0)
            fuzz_die("line %lld of an audit lacks something", (long long)i);
        length += strlen(global) + strlen(args) + strlen(member);
        (void)graft_audit_is_call(a, i);
    }
    if (!graft_audit_text(a) || strlen(graft_audit_text(a)) < length)
        fuzz_die("the text of an audit lacks something");
    if (graft_audit_error(a))
        expect_showable(graft_audit_error(a));
}

void fuzz_pickled(const graft__format *format, const uint8_t *data, size_t size)
{
    fuzz_format(format, NULL, data, size);
    const uint64_t hash = fuzz_hash(data, size);
    if (hash % 4 != 1)
        return;
    graft_read_options options = graft_read_defaults();
    options.verify = GRAFT_VERIFY_NEVER;
    options.max_names = 2000;
    fuzz_run f;
    fuzz_open(&f, hash % 16 == 1 ? 1 + (size_t)(hash >> 8) % 256 : 0);
    graft_audit_report *a = graft_audit_memory(f.g, data, size, &options);
    if (a) {
        walk_audit(a);
        fuzz_expect_none(&f, "audit");
    } else {
        fuzz_expect_fault(&f, "audit");
    }
    graft_audit_free(a);
    fuzz_close(&f);
}

/* ---- A folder ---- */

static char folder[128];
static char files[8][256];
static size_t file_count;

static void remove_folder(void)
{
    for (size_t i = 0; i < file_count; i++)
        unlink(files[i]);
    rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (folder[0])
        return folder;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/graft-fuzz-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        fuzz_die("%s cannot be made", folder);
    atexit(remove_folder);
    return folder;
}

void fuzz_put_file(const char *name, const void *bytes, size_t size)
{
    char *path = files[file_count++];
    snprintf(path, sizeof files[0], "%s/%s", fuzz_folder(), name);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(bytes, 1, size, out) != size || fclose(out) != 0)
        fuzz_die("%s cannot be written", path);
}
