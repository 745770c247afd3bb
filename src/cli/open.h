/* Opening the checkpoints that a command line names. */
#ifndef CLI_OPEN_H
#define CLI_OPEN_H

#include "cli/cli.h"

/* Opens a file of any format; "-" is standard input, which is read into memory (a file that was
 * redirected is mapped as any other). options may be NULL. NULL after telling why. Its tensors are
 * of call->g. */
graft_checkpoint *open_checkpoint(cli_call *call, const char *path,
                                  const graft_read_options *options);

/* What messages call it: "-" is "standard input". */
const char *open_name(const char *path);

/* An open file's name as JSON and people are told it; the format's name. */
const char *open_format(const graft_checkpoint *c);

/* All tensors by their dotted paths: graft_dict_flatten of the root, freed with graft_dict_free.
 * NULL after telling why. */
graft_dict *open_tensors(cli_call *call, const char *path, const graft_checkpoint *c);

/* Whether a command may write to path: it is not there, or force. Tells it where not. */
bool open_may_write(const cli_call *call, const char *path, bool force);

#endif
