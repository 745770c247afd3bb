#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/elements.h"
#include "file/json.h"
#include "file/load.h"
#include "file/safetensors.h"
#include "file/safetensors_write.h"
#include "file/shards.h"

static const char index_end[] = ".index.json", file_end[] = ".safetensors";

typedef struct set {
    graft__safetensors_plan *p;
    char *index;        /* path */
    char *stem;         /* "model": of the shards' names, without a folder */
    int generation;     /* the names are "model-v2-..." from 2 on */
    graft__save **save; /* shards + 1 */
} set;

/* ---- Names ---- */

/* The file name of a shard, as the field has it: "model-00001-of-00003.safetensors". */
static graft_status add_name(const set *s, uint32_t shard, graft__text *out)
{
    graft__text_add(out, s->stem);
    if (s->generation > 1)
        graft__text_addf(out, "-v%d", s->generation);
    graft__text_addf(out, "-%05u-of-%05u%s", (unsigned)shard + 1, (unsigned)s->p->shards, file_end);
    return out->failed ? graft__fail_memory(s->p->w->g, out->length, s->p->begin) : GRAFT_OK;
}

/* The path of a shard, to be released. */
static char *shard_path(const set *s, uint32_t shard)
{
    graft__text name;
    graft__text_init(&name, s->p->w->g);
    char *path = NULL;
    if (add_name(s, shard, &name) == GRAFT_OK)
        path = graft__beside(s->p->w->g, s->index, name.data);
    graft__text_free(&name);
    return path;
}

/* The index and the names that follow from the path that the caller gave. */
static graft_status find_names(set *s)
{
    graft_ctx *g = s->p->w->g;
    const char *path = s->p->w->path, *slash = strrchr(path, '/');
    graft__text index, stem;
    graft__text_init(&index, g);
    graft__text_init(&stem, g);
    graft__text_add(&index, path);
    graft__text_add(&stem, slash ? slash + 1 : path);
    if (graft__ends_with(path, index_end)) {
        graft__text_cut(&stem, stem.length - strlen(index_end));
    } else {
        if (!graft__ends_with(path, file_end))
            graft__text_add(&index, file_end);
        graft__text_add(&index, index_end);
    }
    if (stem.data && graft__ends_with(stem.data, file_end))
        graft__text_cut(&stem, stem.length - strlen(file_end));
    s->index = graft__text_take(&index);
    s->stem = graft__text_take(&stem);
    if (!s->index || !s->stem)
        return GRAFT_ERR_MEMORY;
    if (s->stem[0])
        return GRAFT_OK;
    return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: there is no name to call the shards by",
                       s->p->begin);
}

/* Whether none of the shards' names is taken: the index that is there may name those files, and
 * must find them as they are until it is replaced. */
static graft_status names_are_free(const set *s, bool *are)
{
    *are = true;
    for (uint32_t i = 0; i < s->p->shards && *are; i++) {
        char *path = shard_path(s, i);
        if (!path)
            return GRAFT_ERR_MEMORY;
        struct stat st;
        *are = lstat(path, &st) != 0;
        graft__text_release(s->p->w->g, path);
    }
    return GRAFT_OK;
}

static graft_status find_free_names(set *s)
{
    enum { MOST = 10000 };
    for (s->generation = 1; s->generation <= MOST; s->generation++) {
        bool are;
        graft_status status = names_are_free(s, &are);
        if (status != GRAFT_OK || are)
            return status;
    }
    return graft__fail(s->p->w->g, GRAFT_ERR_IO,
                       "%s: the folder is full of shards: no name is left", s->p->begin);
}

/* ---- What an index names ---- */

/* The names of the files that the index on disk names, a dict of None; NULL if it can't be read, in
 * which case *there says whether there is one. Errors are forgotten. */
static graft_dict *named_by_index(const set *s, bool *there)
{
    graft_ctx *g = s->p->w->g;
    const bool had_error = graft_error(g) != NULL;
    struct stat st;
    *there = lstat(s->index, &st) == 0;
    graft__shard_index x = {.names = NULL};
    graft__reading r = {
        .g = g,
        .op = s->p->w->op,
        .path = s->index,
        .has_folder = true,
        .options = graft_read_defaults(),
        .memory_left = UINT64_MAX,
    };
    graft_dict *shards = NULL;
    r.metadata = graft__dict_new(g);
    r.source = *there && r.metadata ? graft__source_open(g, r.op, s->index, false) : NULL;
    if (r.source && graft__shard_index_read(&r, &x) == GRAFT_OK) {
        shards = x.shards;
        x.shards = NULL;
        graft__shard_index_free(&x);
    }
    graft__source_unref(r.source);
    if (r.metadata)
        graft__dict_unref(r.metadata);
    if (!had_error)
        graft_clear_error(g);
    return shards;
}

/* ---- Deleting ---- */

/* Whether the file is a plain one that begins as safetensors do. */
static bool is_safetensors(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    unsigned char bytes[4096];
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return graft__safetensors_matches(bytes, size);
}

/* Deletes the file of that name beside the index, if it is safetensors. */
static void delete_file(const set *s, const char *name)
{
    char *path = graft__beside(s->p->w->g, s->index, name);
    if (path && is_safetensors(path))
        unlink(path);
    graft__text_release(s->p->w->g, path);
}

/* Deletes what the old index named and the new one does not: only in the folder itself. */
static void delete_old(const set *s, const graft_dict *old)
{
    bool there;
    graft_dict *now = named_by_index(s, &there);
    for (size_t i = 0; now && i < old->count; i++) {
        const graft__value *name = &old->entry[i].key;
        const graft__key key = {.text = name->text.data, .length = name->text.length};
        if (graft__dict_find_key(now, &key) < 0 && !strchr(name->text.data, '/') &&
            graft__ends_with(name->text.data, file_end))
            delete_file(s, name->text.data);
    }
    if (now)
        graft__dict_unref(now);
}

/* After a failure: the new shards that have got their names, unless it is the index's sync that
 * failed and they are what it names. */
static void delete_new(const set *s)
{
    bool there;
    graft_dict *now = named_by_index(s, &there);
    for (uint32_t i = 0; i < s->p->shards && (now || !there); i++) {
        graft__text name;
        graft__text_init(&name, s->p->w->g);
        if (add_name(s, i, &name) == GRAFT_OK) {
            const graft__key key = graft__string_key(name.data);
            if (!now || graft__dict_find_key(now, &key) < 0)
                delete_file(s, name.data);
        }
        graft__text_free(&name);
    }
    if (now)
        graft__dict_unref(now);
}

/* ---- Writing ---- */

static graft_status write_shard(set *s, uint32_t shard)
{
    graft__writing *w = s->p->w;
    char *path = shard_path(s, shard);
    if (!path)
        return GRAFT_ERR_MEMORY;
    s->save[shard] = graft__save_begin(w->g, w->op, path);
    graft__text_release(w->g, path);
    if (!s->save[shard])
        return graft_error_status(w->g);
    graft_status status = graft__safetensors_write_file(s->p, shard, s->save[shard]);
    return status == GRAFT_OK ? graft__save_flush(s->save[shard]) : status;
}

/* As the field writes it, but in the dict's order rather than sorted. */
static graft_status make_index(const set *s, graft__text *out)
{
    const graft__safetensors_plan *p = s->p;
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->list.count; i++)
        bytes += graft__element_bytes(p->list.item[i].tensor);
    graft__text_add(out, "{\n  \"metadata\": {\n");
    if (p->hashes) {
        char text[GRAFT__SHA256_TEXT];
        graft__safetensors_plan_hash(p, UINT32_MAX, text);
        graft__text_addf(out, "    \"" GRAFT__SHA256_KEY "\": \"%s\",\n", text);
    }
    graft__text_add(out, "    \"total_size\": ");
    graft__add_u64(out, bytes);
    graft__text_add(out, "\n  },\n  \"weight_map\": {");
    for (size_t i = 0; i < p->list.count; i++) {
        graft__text file;
        graft__text_init(&file, p->w->g);
        graft_status status = add_name(s, p->shard[i], &file);
        if (status == GRAFT_OK) {
            graft__text_add(out, i ? ",\n    " : "\n    ");
            graft__json_quote(out, graft__listed_name(&p->list, i), p->list.item[i].length);
            graft__text_add(out, ": ");
            graft__json_quote(out, file.data, file.length);
        }
        graft__text_free(&file);
        if (status != GRAFT_OK)
            return status;
    }
    graft__text_add(out, p->list.count ? "\n  }\n}\n" : "}\n}\n");
    return out->failed ? graft__fail_memory(p->w->g, out->length, p->begin) : GRAFT_OK;
}

static graft_status write_index(set *s)
{
    graft__writing *w = s->p->w;
    graft__save **save = &s->save[s->p->shards];
    graft__text text;
    graft__text_init(&text, w->g);
    graft_status status = make_index(s, &text);
    if (status == GRAFT_OK) {
        *save = graft__save_begin(w->g, w->op, s->index);
        status =
            *save ? graft__save_write(*save, text.data, text.length) : graft_error_status(w->g);
    }
    w->report.files++;
    w->report.bytes += text.length;
    graft__text_free(&text);
    return status;
}

static graft_status write_and_commit(set *s)
{
    graft__writing *w = s->p->w;
    const size_t count = (size_t)s->p->shards + 1, bytes = count * sizeof *s->save;
    s->save = graft__alloc_zero(w->g, bytes);
    if (!s->save)
        return graft__fail_memory(w->g, bytes, s->p->begin);
    graft_status status = GRAFT_OK;
    for (uint32_t i = 0; i < s->p->shards && status == GRAFT_OK; i++)
        status = write_shard(s, i);
    if (status == GRAFT_OK)
        status = write_index(s);
    if (status == GRAFT_OK) {
        status = graft__save_commit_all(s->save, count, w->options.sync);
        if (status != GRAFT_OK)
            delete_new(s);
    } else {
        for (size_t i = 0; i < count; i++)
            graft__save_abort(s->save[i]);
    }
    graft__free(w->g, s->save, bytes);
    return status;
}

graft_status graft__write_shards(graft__safetensors_plan *p)
{
    set s = {.p = p};
    graft__safetensors_plan_split(p, p->w->options.max_shard_bytes);
    graft_status status = find_names(&s);
    if (status == GRAFT_OK)
        status = find_free_names(&s);
    if (status == GRAFT_OK) {
        bool there;
        graft_dict *old = named_by_index(&s, &there);
        status = write_and_commit(&s);
        if (old) {
            if (status == GRAFT_OK)
                delete_old(&s, old);
            graft__dict_unref(old);
        }
    }
    graft__text_release(p->w->g, s.index);
    graft__text_release(p->w->g, s.stem);
    return status;
}
