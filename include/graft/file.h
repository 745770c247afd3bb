/* graft/file.h: checkpoint files: .pt, safetensors, npy, npz, GGUF and ONNX to ordered dicts and
 * back. Nothing that a file contains is ever run. docs/files.md says what each format gives. */
#ifndef GRAFT_FILE_H
#define GRAFT_FILE_H

#include "graft/dict.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum graft_format {
    GRAFT_FORMAT_AUTO = 0,          /* read: by content; write: by the extension of the path */
    GRAFT_FORMAT_PT,                /* torch.save's ZIP form */
    GRAFT_FORMAT_PT_LEGACY,         /* torch.save's stream of pickles, before 1.6 */
    GRAFT_FORMAT_PT_TAR,            /* the tar before that */
    GRAFT_FORMAT_TORCHSCRIPT,       /* torch.jit.save's ZIP form */
    GRAFT_FORMAT_SAFETENSORS,       /* one file */
    GRAFT_FORMAT_SAFETENSORS_INDEX, /* model.safetensors.index.json and its shards */
    GRAFT_FORMAT_NPY,
    GRAFT_FORMAT_NPZ,
    GRAFT_FORMAT_GGUF,
    GRAFT_FORMAT_ONNX
} graft_format;

/* "pt", "safetensors", ...; never NULL. */
GRAFT_API const char *graft_format_name(graft_format format);

/* ---- Faults: what exactly is wrong with a file. A GRAFT_ERR_FORMAT of a reader has one. ---- */

typedef enum graft_fault {
    GRAFT_FAULT_NONE = 0,
    /* any format */
    GRAFT_FAULT_UNKNOWN_FORMAT, /* the first bytes are of no format that graft reads */
    GRAFT_FAULT_TRUNCATED,      /* the file ends inside of something */
    GRAFT_FAULT_OUT_OF_BOUNDS,  /* a size or place leads outside of the file or of its storage */
    GRAFT_FAULT_OVERFLOW,       /* a size that does not fit 64 bits */
    GRAFT_FAULT_LIMIT,          /* more than graft_read_options allows */
    GRAFT_FAULT_UNSUPPORTED,    /* legal, but of a kind or version that graft does not read */
    GRAFT_FAULT_DTYPE,          /* an element type that the format does not have */
    GRAFT_FAULT_SHAPE,          /* negative sizes, more than 8 dimensions, or the wrong size */
    GRAFT_FAULT_DUPLICATE,      /* one name twice */
    GRAFT_FAULT_NAME,           /* a name that leaves its folder, is empty or is not UTF-8 */
    GRAFT_FAULT_CHECKSUM,       /* the bytes are not those that were written */
    GRAFT_FAULT_TRAILING,       /* bytes behind the end */
    /* safetensors, by the names of the reference implementation */
    GRAFT_FAULT_HEADER_TOO_SMALL,               /* HeaderTooSmall */
    GRAFT_FAULT_HEADER_TOO_LARGE,               /* HeaderTooLarge */
    GRAFT_FAULT_INVALID_HEADER_LENGTH,          /* InvalidHeaderLength */
    GRAFT_FAULT_INVALID_HEADER,                 /* InvalidHeader: not UTF-8 */
    GRAFT_FAULT_INVALID_HEADER_DESERIALIZATION, /* InvalidHeaderDeserialization: not the JSON wanted
                                                 */
    GRAFT_FAULT_TENSOR_INVALID_INFO,        /* TensorInvalidInfo: shape x dtype is not the range */
    GRAFT_FAULT_INVALID_OFFSET,             /* InvalidOffset: a hole, an overlap */
    GRAFT_FAULT_VALIDATION_OVERFLOW,        /* ValidationOverflow */
    GRAFT_FAULT_MISALIGNED_SLICE,           /* MisalignedSlice: bits that are no whole bytes */
    GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER, /* MetadataIncompleteBuffer: not all or too many bytes
                                             */
    /* sets of shards */
    GRAFT_FAULT_SHARD_MISSING,  /* the index names a file that is not there */
    GRAFT_FAULT_SHARD_LACKS,    /* a shard lacks a tensor that the index says it has */
    GRAFT_FAULT_SHARD_UNLISTED, /* a shard has a tensor that the index lacks or puts elsewhere */
    GRAFT_FAULT_INDEX,          /* the index is not the JSON wanted */
    /* ZIP */
    GRAFT_FAULT_ZIP_END,       /* no end of central directory */
    GRAFT_FAULT_ZIP_DIRECTORY, /* a central directory that contradicts itself */
    GRAFT_FAULT_ZIP_LOCAL,     /* a local header that contradicts the directory */
    GRAFT_FAULT_ZIP_METHOD,    /* neither stored nor deflated, or encrypted */
    GRAFT_FAULT_ZIP_OVERLAP,   /* two members share bytes */
    GRAFT_FAULT_ZIP_INFLATE,   /* deflated data that is none, or of another size */
    /* pickles and what PyTorch puts into them */
    GRAFT_FAULT_PICKLE_OPCODE,    /* no such opcode, or one of no use here */
    GRAFT_FAULT_PICKLE_STACK,     /* an opcode wants what is not on the stack */
    GRAFT_FAULT_PICKLE_MEMO,      /* a memo entry that was never put */
    GRAFT_FAULT_PICKLE_VALUE,     /* a value of the wrong kind, or text that is no number */
    GRAFT_FAULT_PICKLE_RECURSIVE, /* something that contains itself */
    GRAFT_FAULT_MEMBER_MISSING,   /* a ZIP without a member that it must have */
    GRAFT_FAULT_STORAGE,          /* a storage that is not there or contradicts itself */
    GRAFT_FAULT_TENSOR,           /* a tensor that does not fit its storage or contradicts itself */
    GRAFT_FAULT_TAR,              /* a tar header that is none */
    /* others */
    GRAFT_FAULT_NPY,      /* a header that numpy would not have written */
    GRAFT_FAULT_GGUF,     /* counts, keys, types or alignment that make no sense */
    GRAFT_FAULT_PROTOBUF, /* not the wire format, or not ONNX's fields */
    GRAFT_FAULTS          /* how many there are */
} graft_fault;

/* "HeaderTooLarge", "PickleStack", ...; never NULL. */
GRAFT_API const char *graft_fault_name(graft_fault fault);

/* The fault behind the context's error; GRAFT_FAULT_NONE if it is not about a file's bytes. */
GRAFT_API graft_fault graft_error_fault(const graft_ctx *g);

/* Where in the file, or in the member that the message names, it was met; -1 if there is no such
 * place. */
GRAFT_API int64_t graft_error_offset(const graft_ctx *g);

/* ---- Reading ---- */

/* Called now and then during long work; returning false cancels it: GRAFT_ERR_CANCELLED, and
 * nothing is left behind. total does not change. */
typedef bool (*graft_progress)(void *user, uint64_t done, uint64_t total);

typedef enum graft_verify {
    GRAFT_VERIFY_USE = 0, /* a storage's checksum when one of its tensors is first taken out of the
                             dict: graft_dict_tensor and the like return NULL if it is wrong */
    GRAFT_VERIFY_OPEN,    /* everything before graft_load returns */
    GRAFT_VERIFY_NEVER    /* as PyTorch does */
} graft_verify;

typedef struct graft_read_options {
    graft_verify verify;
    bool map;            /* tensors point into a private mapping of the file (default), so that it
                            must not be cut short while they live; else all is read at once */
    int64_t max_depth;   /* of nesting: 1,000 */
    int64_t max_names;   /* names of tensors, that is paths from the root: 10,000,000 */
    uint64_t max_memory; /* bytes that the dict may take beside the tensors' data: 0 means 64 MiB
                            and 256 times the size of what is parsed */
    graft_progress progress;
    void *progress_user;
} graft_read_options;

GRAFT_API graft_read_options graft_read_defaults(void);

/* An open checkpoint: its root, its metadata and what was noticed while reading. Freed by
 * graft_checkpoint_free; the dicts and tensors that were taken from it live on. */
typedef struct graft_checkpoint graft_checkpoint;

/* Opens a file of any format that graft reads, recognised by its content. Tensors of uncompressed
 * files cost no memory until they are used. options may be NULL. Errors: GRAFT_ERR_IO,
 * GRAFT_ERR_FORMAT with a fault, GRAFT_ERR_CANCELLED. */
GRAFT_API graft_checkpoint *graft_checkpoint_open(graft_ctx *g, const char *path,
                                                  const graft_read_options *options);

/* The same from memory, which is copied. A set of shards, and ONNX's external data, cannot be
 * opened this way: they need a folder. */
GRAFT_API graft_checkpoint *graft_checkpoint_open_memory(graft_ctx *g, const void *bytes,
                                                         size_t size,
                                                         const graft_read_options *options);

GRAFT_API void graft_checkpoint_free(graft_checkpoint *c);

GRAFT_API graft_format graft_checkpoint_format(const graft_checkpoint *c);

/* The root: a dict, list, tuple, set or record. A file that holds one value alone (a tensor of
 * torch.save(t), an npy) gives a dict with the one key "". Borrowed. */
GRAFT_API graft_dict *graft_checkpoint_root(const graft_checkpoint *c);

/* Whether the root is such a value alone. */
GRAFT_API bool graft_checkpoint_is_bare(const graft_checkpoint *c);

/* What the file says about itself: safetensors' __metadata__, GGUF's key-values, ONNX's producer
 * and versions, .pt's byte order and version. Never NULL for an open checkpoint. Borrowed. */
GRAFT_API graft_dict *graft_checkpoint_metadata(const graft_checkpoint *c);

/* Opens, takes the root and closes. Freed by graft_dict_free. */
GRAFT_API graft_dict *graft_load(graft_ctx *g, const char *path, const graft_read_options *options);

/* One tensor by its dotted path, belonging to the current scope: only its bytes are read.
 * GRAFT_ERR_NAME if there is none. */
GRAFT_API graft_tensor *graft_load_tensor(graft_ctx *g, const char *path, const char *name,
                                          const graft_read_options *options);

/* Rows start..start+count-1 (the first dimension) of one tensor. Where verify is not
 * GRAFT_VERIFY_NEVER and the format has checksums, all of the tensor's storage is checked. */
GRAFT_API graft_tensor *graft_load_rows(graft_ctx *g, const char *path, const char *name,
                                        int64_t start, int64_t count,
                                        const graft_read_options *options);

/* The state dict of a model that was pickled whole (a record with _parameters, _buffers and
 * _modules, as torch.save(model) writes): keys as model.state_dict() has them, non-persistent
 * buffers left out. Belongs to the current scope. GRAFT_ERR_ARGUMENT if d is no such record. */
GRAFT_API graft_dict *graft_pickled_state_dict(const graft_dict *d);

/* ---- Audit: what Python would have run ---- */

/* Each call, import and state change that unpickling the file with Python would have made beyond
 * the rebuilding of tensors and plain containers. Freed by graft_audit_free. */
typedef struct graft_audit_report graft_audit_report;

/* Reads the pickles of a file and lists what they would run. A file without pickles has an empty
 * list. A pickle that breaks off is listed as far as it goes, and the error of reading it is
 * graft_audit_error. NULL if the file can't be read at all. */
GRAFT_API graft_audit_report *graft_audit(graft_ctx *g, const char *path,
                                          const graft_read_options *options);
GRAFT_API graft_audit_report *graft_audit_memory(graft_ctx *g, const void *bytes, size_t size,
                                                 const graft_read_options *options);

GRAFT_API int64_t graft_audit_len(const graft_audit_report *a);
GRAFT_API const char *graft_audit_global(const graft_audit_report *a, int64_t i); /* "os.system" */
GRAFT_API const char *graft_audit_args(const graft_audit_report *a, int64_t i);   /* "('id',)" */
GRAFT_API const char *graft_audit_member(const graft_audit_report *a, int64_t i); /* "data.pkl" */
GRAFT_API int64_t graft_audit_offset(const graft_audit_report *a, int64_t i); /* in the member */

/* Whether it calls code by itself (functions, constructors), rather than only naming a class or
 * filling in the state of an object. */
GRAFT_API bool graft_audit_is_call(const graft_audit_report *a, int64_t i);

/* Why the pickle could not be read to its end; NULL if it was. */
GRAFT_API const char *graft_audit_error(const graft_audit_report *a);

/* All of it as text, a line each. Valid while the report lives. */
GRAFT_API const char *graft_audit_text(const graft_audit_report *a);

GRAFT_API void graft_audit_free(graft_audit_report *a);

/* ---- Writing ---- */

typedef struct graft_write_options {
    graft_format format;        /* PT, SAFETENSORS, NPZ, NPY (one tensor) or AUTO: .safetensors,
                                   .npz and .npy by their extension, .pt, .pth, .bin and .ckpt as
                                   PT */
    bool sync;                  /* wait until the disk has it: fsync of file and folder (default) */
    bool whole_storages;        /* .pt: a view brings its whole storage along, as torch.save does;
                                   default false: what lies between the first and the last element
                                   in use by the dict's tensors */
    bool records;               /* .pt: write records of unknown classes back as they were read, so
                                   that Python runs them again; default false: GRAFT_ERR_ARGUMENT */
    bool content_hash;          /* safetensors: SHA-256 of the tensors into __metadata__ */
    uint64_t max_shard_bytes;   /* safetensors: a set of files of at most this size (one tensor may
                                   be larger) with an index, which is what path names then (path ends
                                   in .index.json, or is the single file's name, from which the names
                                   are made); 0: one file */
    uint32_t alignment;         /* .pt: of storages, a power of two of 64 to 1 MiB: 64 */
    const graft_dict *metadata; /* safetensors: strings for __metadata__; may be NULL */
    graft_progress progress;
    void *progress_user;
} graft_write_options;

GRAFT_API graft_write_options graft_write_defaults(void);

typedef struct graft_write_report {
    int64_t tensors;      /* names */
    int64_t storages;     /* written, each once however many tensors share it */
    int64_t files;        /* shards and index, or 1 */
    uint64_t bytes;       /* of all files */
    uint64_t bytes_saved; /* of storages that were not written whole */
} graft_write_report;

/* Writes d with the defaults; torch.load and safetensors read it. The file is either the old one or
 * the new one, whole, whatever happens (docs/files.md). Tensors with requires_grad are written as
 * they are; history is GRAFT_ERR_STATE. */
GRAFT_API graft_status graft_save(graft_ctx *g, const char *path, const graft_dict *d);

/* The same with options, which may be NULL; fills *report if it is not NULL. safetensors and npz
 * hold tensors by name only: nested dicts become dotted names; anything else in d is
 * GRAFT_ERR_ARGUMENT with its path. */
GRAFT_API graft_status graft_save_as(graft_ctx *g, const char *path, const graft_dict *d,
                                     const graft_write_options *options,
                                     graft_write_report *report);

/* ---- Salvage ---- */

/* What was got out of a damaged file. Freed by graft_salvage_free; its dict lives on if kept. */
typedef struct graft_salvage_report graft_salvage_report;

/* From a cut-off or damaged .pt (ZIP) or safetensors file: every tensor whose bytes are all there
 * and pass their checksum. NULL only if the file can't be read or if it is of no such format. */
GRAFT_API graft_salvage_report *graft_salvage(graft_ctx *g, const char *path,
                                              const graft_read_options *options);
/* The tensors by name: of a .pt whose pickle is lost, the storages as 1-d tensors of bytes by key.
 * Borrowed. */
GRAFT_API graft_dict *graft_salvage_dict(const graft_salvage_report *s);
GRAFT_API int64_t graft_salvage_lost(const graft_salvage_report *s); /* how many tensors are lost */
GRAFT_API const char *graft_salvage_lost_name(const graft_salvage_report *s, int64_t i);
GRAFT_API const char *graft_salvage_lost_reason(const graft_salvage_report *s, int64_t i);
GRAFT_API const char *graft_salvage_text(const graft_salvage_report *s);
GRAFT_API void graft_salvage_free(graft_salvage_report *s);

#ifdef __cplusplus
}
#endif

#endif
