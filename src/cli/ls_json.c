/* A file as an object in one line. */
#include "cli/dtype.h"
#include "cli/ls.h"
#include "cli/ls_stats.h"

static bool put_tensor(cli_call *call, json *j, const ls_file *f, const ls_entry *e)
{
    const ls_options *const o = call->options;
    char dtype[DTYPE_TEXT];
    json_open_object(j);
    json_key_text(j, "name", e->name);
    json_key_text(j, "dtype", dtype_short(e->info.dtype, dtype));
    json_key_array(j, "shape");
    for (int i = 0; i < e->info.shape.ndim; i++)
        json_int(j, e->info.shape.size[i]);
    json_close_array(j);
    json_key_uint(j, "bytes", e->info.bytes);
    json_key_int(j, "storage", e->storage);
    const bool ok = !o->stats || ls_stats_json(call, j, f, e);
    json_close_object(j);
    return ok;
}

bool ls_json(cli_call *call, const ls_file *f)
{
    const ls_options *const o = call->options;
    json j = json_to(stdout, false);
    bool ok = true;
    json_open_object(&j);
    json_key_text(&j, "file", f->path);
    json_key_text(&j, "format", f->file.c ? open_format(f->file.c) : NULL);
    json_key_array(&j, "tensors");
    for (size_t i = 0; i < f->listed_count; i++)
        ok = put_tensor(call, &j, f, &f->entries[f->listed[i]]) && ok;
    json_close_array(&j);
    json_key_array(&j, "findings");
    for (size_t i = 0; i < f->finding_count; i++) {
        json_open_object(&j);
        json_key_text(&j, "kind", f->findings[i].kind);
        json_key_text(&j, "message", f->findings[i].message);
        if (f->findings[i].count >= 0)
            json_key_int(&j, "count", f->findings[i].count);
        json_close_object(&j);
    }
    json_close_array(&j);
    if (o->all && f->file.c)
        ok = ls_values_json(&j, f) && ok;
    json_close_object(&j);
    return ok;
}
