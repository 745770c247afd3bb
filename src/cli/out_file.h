/* A file that a command writes itself: the old one or the new one, whole, whatever happens. What is
 * written goes to a file beside it, which takes its name at the end. */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include "cli/cli.h"

typedef struct out_file {
    const cli_call *call;
    const char *path;
    FILE *stream; /* what to write to */
    char *part;   /* the name until the end; NULL: the stream is stdout */
} out_file;

/* "-" is standard output, which may not be a terminal unless text. A file that is there already
 * takes force. false after telling why. Ended by out_file_keep or out_file_drop. */
bool out_file_open(out_file *f, const cli_call *call, const char *path, bool force, bool text);

/* Whether all of it is on the disk under its name; false after telling why, or if the user pressed
 * ^C: then there is no trace of it. */
bool out_file_keep(out_file *f);

void out_file_drop(out_file *f);

#endif
