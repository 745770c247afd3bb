/* What PyTorch puts into pickles and around them. Files: torch_globals.c (names), torch_types.c
 * (dtypes and storage classes), torch_args.c (what calls are given), torch_rebuild.c (tensors),
 * torch_rebuild_kinds.c (what graft has no tensors for), torch_storages.c (persistent ids),
 * torch_archive.c, torch_zip.c and torch_script.c (ZIP), torch_legacy.c, torch_tar.c. */
#ifndef GRAFT__FILE_TORCH_H
#define GRAFT__FILE_TORCH_H

#include "file/pickle.h"
#include "file/pickle_globals.h"
#include "file/zip.h"

/* ---- Types ---- */

typedef struct graft__torch_class {
    const char *name;  /* "FloatStorage" */
    graft_dtype dtype; /* what graft has its elements as */
    bool quantized;
    bool untyped; /* bytes, over which tensors of any dtype may lie */
} graft__torch_class;

/* The class of storages that a value names: "torch.FloatStorage", on any device. NULL if it is
 * none.
 */
const graft__torch_class *graft__torch_class_of(const graft__value *v);

/* The dtype that a value names: "torch.float32". false if it is none that graft has. */
bool graft__torch_dtype_of(const graft__value *v, graft_dtype *out);

/* The width of what has to be reversed where the byte order is another one; 0: nothing. */
uint32_t graft__torch_swap(graft_dtype dtype);

/* The text of a value that is a class, function or dtype by itself, without "torch."; NULL if it is
 * no such thing. */
const char *graft__torch_name_of(const graft__value *v);

/* ---- What calls are given ---- */

/* The arguments of a call, and its name for errors. */
typedef struct graft__torch_call {
    graft__reading *r;
    const char *name; /* "torch._utils._rebuild_tensor_v2" */
    graft_dict *args;
} graft__torch_call;

/* All of these: GRAFT_OK, or a fault (usually TENSOR) with the call's name. */
graft_status graft__torch_count(const graft__torch_call *c, size_t least, size_t most);
graft_status graft__torch_int(const graft__torch_call *c, size_t i, const char *what, int64_t *out);
graft_status graft__torch_bool(const graft__torch_call *c, size_t i, const char *what, bool *out);

/* Sizes or strides: ints in a tuple or list. */
graft_status graft__torch_sizes(const graft__torch_call *c, size_t i, const char *what,
                                graft_shape *out);

/* A tuple or list as argument i. */
graft_status graft__torch_tuple(const graft__torch_call *c, size_t i, const char *what,
                                graft_dict **out);

/* "what is X, expected Y", about argument i. */
graft_status graft__torch_wrong(const graft__torch_call *c, size_t i, const char *what,
                                const char *expected);

/* ---- Tensors ---- */

/* Where a tensor lies. Offset and strides count elements from the beginning of what stands for the
 * storage. */
typedef struct graft__torch_place {
    graft_dtype dtype;
    int64_t offset;
    graft_shape size, stride;
} graft__torch_place;

/* A tensor over `storage`, a 1-d tensor which stands for all or a slice of one, checked to lie
 * inside; the caller's reference in *out. name is for errors. */
graft_status graft__torch_tensor(graft__reading *r, const char *name, const graft_tensor *storage,
                                 const graft__torch_place *at, graft_tensor **out);

/* The 1-d tensor that stands for a storage as an argument; NULL if v is none. Of a quantized one
 * *quantized is its class. */
graft_tensor *graft__torch_storage_of(const graft__value *v, const graft__torch_class **quantized);

/* Sets requires_grad, which tensors of integers cannot have. */
graft_status graft__torch_require_grad(graft__reading *r, const char *name, graft_tensor *t,
                                       bool requires_grad);

/* Counts in the metadata that functions hung on a tensor were left out. */
graft_status graft__torch_note_hooks(graft__reading *r, const graft__value *hooks);

/* A record of the call that is written as it was read, and beside its arguments the attributes
 * under which its parts are found. They are no state: a writer leaves them out
 * (graft__torch_has_derived_attributes). Fills *fields with the dict to put them into. */
graft_status graft__torch_record(const graft__torch_call *c, graft__value *out,
                                 graft_dict **fields);
graft_status graft__torch_field(graft_dict *fields, graft__reading *r, const char *name,
                                const graft__value *value);

/* The same taking the value over. */
graft_status graft__torch_give_field(graft_dict *fields, graft__reading *r, const char *name,
                                     graft__value value);

/* Whether the attributes of a record are what graft__torch_record put there rather than a state. */
bool graft__torch_has_derived_attributes(const graft_dict *record);

/* The globals: see torch_globals.c. */
graft__global_call graft__torch_rebuild_tensor, graft__torch_rebuild_tensor_v2,
    graft__torch_rebuild_tensor_v3, graft__torch_rebuild_parameter,
    graft__torch_rebuild_parameter_with_state, graft__torch_rebuild_from_type,
    graft__torch_rebuild_from_type_v2, graft__torch_rebuild_from_numpy,
    graft__torch_rebuild_from_cpu_tensor, graft__torch_rebuild_qtensor, graft__torch_rebuild_sparse,
    graft__torch_rebuild_sparse_csr, graft__torch_rebuild_nested, graft__torch_rebuild_meta,
    graft__torch_rebuild_wrapper, graft__torch_size, graft__torch_first_argument;

/* ---- Storages ---- */

/* Of their bytes, whatever their class: tensors of any dtype may come to lie over them. */
enum { GRAFT__TORCH_ALIGN = 8 };

/* What a persistent id asks for. */
typedef struct graft__torch_wanted {
    const char *key;
    const graft__torch_class *type;
    int64_t numel;
    uint64_t bytes;
} graft__torch_wanted;

typedef struct graft__torch_made {
    graft__storage *storage;
    int64_t numel;
    graft_dtype dtype;
} graft__torch_made;

/* The storages of a file, each made once however often it is asked for. */
typedef struct graft__torch_storages {
    graft__reading *r;
    /* Makes one; NULL with the error set. */
    graft__storage *(*make)(void *user, const graft__torch_wanted *w);
    void *user;
    graft_dict *by_key; /* STRING -> INT, which of `made` it is */
    graft__torch_made *made;
    size_t count, capacity;
    graft_dict *views; /* STRING -> 1-d TENSOR, a slice of one that has a key too */
} graft__torch_storages;

/* false with the error set. */
bool graft__torch_storages_open(graft__torch_storages *s, graft__reading *r,
                                graft__storage *(*make)(void *user, const graft__torch_wanted *w),
                                void *user);
void graft__torch_storages_close(graft__torch_storages *s);

/* The storage of a key; NULL if nobody asked for one. */
const graft__torch_made *graft__torch_storage_find(const graft__torch_storages *s,
                                                   const graft__key *key);

/* A host's `persistent`, whose user is the graft__torch_storages: ('storage', class, key, location,
 * numel[, view]), and ('module', class, file, source), which is the class. */
graft_status graft__torch_persistent(graft__pickle *p, void *storages, const graft__value *id,
                                     graft__value *out);

/* The 1-d tensor as what stands for a storage in values: itself, or for a quantized class a record
 * of it with the tensor as the attribute "data". Takes t over. */
graft_status graft__torch_storage_value(graft__reading *r, const graft__torch_class *type,
                                        graft_tensor *t, graft__value *out);

/* ---- What is around the pickle ---- */

/* A ZIP of torch.save or torch.jit.save. */
typedef struct graft__torch_archive {
    graft__reading *r;
    graft__zip zip;
    const char *root; /* the folder that holds everything, "archive/"; not 0-terminated */
    size_t root_length;
    bool swap; /* the elements' bytes are in the other order */
    /* of graft__torch_archive_value: */
    const char *folder; /* "data": where the storages are */
    graft__torch_storages storages;
} graft__torch_archive;

/* The member `name` below the root in *out, NULL if there is none. */
graft_status graft__torch_archive_find(graft__torch_archive *a, const char *name,
                                       const graft__zip_member **out);

/* The value of a pickle whose storages are in the folder; the caller's. */
graft_status graft__torch_archive_value(graft__torch_archive *a, const char *pickle,
                                        const char *folder, graft__value *out);

/* Puts TorchScript's constants into the root, as "constants". */
graft_status graft__torch_script_constants(graft__torch_archive *a, graft_dict *root);

/* The root that a file's value is: itself if it is a container, else a dict of it under "", and
 * r->bare is set. Takes the value over. NULL with the error set. */
graft_dict *graft__torch_root(graft__reading *r, graft__value *v);

/* Puts what the file says about itself into the metadata, without white space behind it. false with
 * the error set. */
bool graft__torch_tell(graft__reading *r, const char *key, const char *text, size_t length);

#endif
