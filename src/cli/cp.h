/* graft cp in parts: cp.c (the command), cp_source.c (what is copied), cp_plan.c (through rules),
 * cp_write.c (the new file), cp_show.c (what is said about it). */
#ifndef CLI_CP_H
#define CLI_CP_H

#include "cli/cli.h"

typedef struct cp_options {
    cli_rules rules;
    const char *root, *optimizer; /* dotted paths in the source */
    const char *names;            /* a file of the optimizer's parameters, a line each */
    const char *into, *base, *delta;
    int format;      /* which of cp_formats */
    uint64_t shards; /* bytes; 0: one file */
    int64_t initial, left, unmatched;
    bool strict, no_cast, force, dry_run, json, no_sync, whole_storages, records, hash;
} cp_options;

extern const char *const cp_formats[];
graft_format cp_format(const cp_options *o);
bool cp_is_safetensors(const cp_options *o, const char *path); /* that is to be written */

/* An open file and what of it is meant. */
typedef struct cp_file {
    const char *path;
    graft_checkpoint *checkpoint;
    graft_dict *root; /* all of it: the file's root, or what a delta makes of its base */
    graft_dict *dict; /* what is copied: root, or what is below --root; the state dict of a module
                         that was pickled whole. Borrowed */
    bool owns_root;
} cp_file;

/* CLI_OK, or the exit status after telling why. Closed in either case. */
int cp_open_source(cli_call *call, const char *path, cp_file *out);
int cp_open_target(cli_call *call, const char *path, cp_file *out);
void cp_close(cp_file *f);

/* What is to be written, and what was planned for it. */
typedef struct cp_job {
    cp_file source, target; /* of --into: target.checkpoint NULL without */
    graft_rules *rules;     /* NULL: none */
    graft_plan *plan;       /* NULL: none is needed */
    graft_moment_report *moments;
    graft_dict *result; /* what is written, freed if owns_result */
    bool owns_result;
    graft_dict *metadata; /* of the new file; NULL: none */
    graft_write_report written;
} cp_job;

/* Whether rules, a target or an optimizer are in play; without, a copy is of all values. */
bool cp_needs_plan(const cp_options *o);

/* Plans, and makes the result unless it is a dry run. CLI_FOUND if the plan is refused. */
int cp_make_plan(cli_call *call, cp_job *job);

/* Writes the result to path; "-" is standard output. */
int cp_write(cli_call *call, cp_job *job, const char *path);

/* The plan and what was written, for people or as JSON, to stdout. */
void cp_show(cli_call *call, const cp_job *job, const char *path);

#endif
