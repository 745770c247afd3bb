#include <string.h>

#include "cli/cp.h"
#include "cli/open.h"
#include "cli/say.h"

/* ---- Deltas ---- */

/* The base of a delta is opened only to be held by the dict that is made of both. */
static int join_delta(cli_call *call, cp_file *f, const char *base_path)
{
    graft_checkpoint *base = open_checkpoint(call, base_path, NULL);
    if (!base)
        return CLI_TROUBLE;
    f->root = graft_load_delta(f->checkpoint, open_root(base));
    f->owns_root = true;
    graft_checkpoint_free(base);
    return f->root ? CLI_OK : say_file_error(call, f->path);
}

static int take_root(cli_call *call, cp_file *f, const char *base)
{
    const char *named = graft_delta_base(f->checkpoint);
    if (named && base)
        return join_delta(call, f, base);
    if (named)
        return say_trouble(call,
                           "%s holds only what differs from %s: give that file with --base "
                           "(graft ls shows what is there)",
                           open_name(f->path), named);
    if (base)
        return say_trouble(call, "%s is no delta: it needs no --base", open_name(f->path));
    f->root = graft_checkpoint_root(f->checkpoint);
    return CLI_OK;
}

/* ---- What of it is meant ---- */

static int take_part(cli_call *call, cp_file *f, const char *path)
{
    f->dict = path ? graft_dict_dict(f->root, path) : f->root;
    if (!f->dict)
        return say_trouble(call, "%s: there is no dict at %s", open_name(f->path), path);
    return CLI_OK;
}

static int open_one(cli_call *call, const char *path, const char *base, const char *part,
                    cp_file *f)
{
    *f = (cp_file){.path = path, .checkpoint = open_checkpoint(call, path, NULL)};
    if (!f->checkpoint)
        return CLI_TROUBLE;
    int status = take_root(call, f, base);
    if (status == CLI_OK)
        status = take_part(call, f, part);
    return status;
}

int cp_open_source(cli_call *call, const char *path, cp_file *out)
{
    const cp_options *o = call->options;
    const int status = open_one(call, path, o->base, o->root, out);
    if (status == CLI_OK && !o->records)
        out->dict = open_state(out->dict);
    return status;
}

int cp_open_target(cli_call *call, const char *path, cp_file *out)
{
    const int status = open_one(call, path, NULL, NULL, out);
    if (status == CLI_OK)
        out->dict = open_state(out->dict);
    return status;
}

void cp_close(cp_file *f)
{
    if (f->owns_root)
        graft_dict_free(f->root);
    graft_checkpoint_free(f->checkpoint);
    *f = (cp_file){.path = NULL};
}
