#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ls.h"
#include "cli/sizes.h"

void ls_find(ls_file *f, const char *kind, int64_t count, const char *format, ...)
{
    if (f->finding_count == LS_FINDINGS)
        return;
    ls_finding *const finding = &f->findings[f->finding_count];
    *finding = (ls_finding){.kind = kind, .count = count};
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&finding->message, format, arguments);
    va_end(arguments);
    f->finding_count += length >= 0;
}

void ls_find_fault(cli_call *call, ls_file *f)
{
    ls_find(f, "fault", -1, "%s", open_reason(call, f->path));
}

static bool has_pickles(graft_format format)
{
    return format == GRAFT_FORMAT_PT || format == GRAFT_FORMAT_PT_LEGACY ||
           format == GRAFT_FORMAT_PT_TAR || format == GRAFT_FORMAT_TORCHSCRIPT;
}

enum { NAMES = 3, NAMES_TEXT = 256 };

/* The first few of what a pickle names. */
static const char *names(const graft_audit_report *a, char out[NAMES_TEXT])
{
    size_t n = 0;
    *out = 0;
    const int64_t count = graft_audit_len(a);
    for (int64_t i = 0, told = 0; i < count && told < NAMES && n < NAMES_TEXT; i++) {
        const char *const name = graft_audit_global(a, i);
        if (strstr(out, name))
            continue;
        n += (size_t)snprintf(out + n, NAMES_TEXT - n, "%s%.60s", told ? ", " : "", name);
        told++;
    }
    return out;
}

static void find_code(cli_call *call, ls_file *f)
{
    graft_audit_report *const a = open_audit(call, f->path, &f->file);
    int64_t calls = 0;
    char list[NAMES_TEXT];
    for (int64_t i = 0; i < graft_audit_len(a); i++)
        calls += graft_audit_is_call(a, i);
    if (graft_audit_len(a))
        ls_find(f, "code", graft_audit_len(a),
                "unpickling with Python would make %lld calls and %lld imports or changes of "
                "objects beside tensors and plain values (%s)",
                (long long)calls, (long long)(graft_audit_len(a) - calls), names(a, list));
    graft_audit_free(a);
}

void ls_find_all(cli_call *call, ls_file *f)
{
    char size[SIZE_TEXT];
    const char *const base = graft_delta_base(f->file.c);
    if (base)
        ls_find(f, "delta", -1, "holds only what differs from %s", base);
    if (has_pickles(graft_checkpoint_format(f->file.c)))
        find_code(call, f);
    if (f->wasted)
        ls_find(f, "wasted", (int64_t)f->wasted, "%s of storages belong to no tensor",
                size_text(f->wasted, size));
}
