/* Opening the checkpoints that a command line names. */
#ifndef CLI_OPEN_H
#define CLI_OPEN_H

#include "cli/cli.h"

/* Opens a file of any format; "-" is standard input, which is read into memory (a file that was
 * redirected is mapped as any other). options may be NULL. NULL after telling why. Its tensors are
 * of call->g. */
graft_checkpoint *open_checkpoint(cli_call *call, const char *path,
                                  const graft_read_options *options);

/* The same for who wants to know more. */
typedef struct opened {
    graft_checkpoint *c;
    unsigned char *bytes; /* of a pipe, for a second look; NULL else */
    size_t size;
} opened;

/* Leaves the error in call->g, to be told by open_tell; where there is none there, it was told. */
bool open_file(cli_call *call, const char *path, const graft_read_options *options, opened *out);
void open_tell(cli_call *call, const char *path);
void open_close(opened *o);

/* The error in call->g without what the library puts in front of it. */
const char *open_reason(const cli_call *call, const char *path);

/* What unpickling it with Python would run; NULL if that can't be said, without an error. */
graft_audit_report *open_audit(cli_call *call, const char *path, const opened *o);

/* What messages call it: "-" is "standard input". */
const char *open_name(const char *path);

/* An open file's name as JSON and people are told it; the format's name. */
const char *open_format(const graft_checkpoint *c);

/* The values of d as a person means them: a module that was pickled whole stands for its state
 * dict, which takes its place in the tree (in memory). Borrowed: d, or a dict that lives as long as
 * the command. */
graft_dict *open_state(graft_dict *d);

/* open_state of the file's root. */
graft_dict *open_root(const graft_checkpoint *c);

/* What a safetensors file says of itself, for another that is made of it: not what is of its bytes
 * (hashes, deltas). *out is NULL for other formats; freed by graft_dict_free. CLI_OK, or
 * CLI_TROUBLE after telling why. */
int open_metadata(cli_call *call, const graft_checkpoint *c, graft_dict **out);

/* Whether a dict holds tensors alone, by their names. */
bool open_is_flat(const graft_dict *d);

/* All tensors by their dotted paths: graft_dict_flatten of open_root, freed with graft_dict_free.
 * NULL after telling why. */
graft_dict *open_tensors(cli_call *call, const char *path, const graft_checkpoint *c);

/* Whether a command may write to path: it is not there, or force. Tells it where not. */
bool open_may_write(const cli_call *call, const char *path, bool force);

#endif
