/* `graft ls`: what a file holds. Files: ls.c (the command), ls_file.c (reading, ties, order),
 * ls_findings.c, ls_text.c, ls_tree.c, ls_stats.c, ls_values.c (what is no tensor), ls_json.c. */
#ifndef CLI_LS_H
#define CLI_LS_H

#include "cli/json.h"
#include "cli/open.h"

typedef struct ls_options {
    bool json, tree, stats, all, reverse;
    int sort; /* an ls_order */
    int64_t depth;
    cli_texts names;
} ls_options;

typedef enum ls_order { LS_FILE_ORDER, LS_BY_NAME, LS_BY_SIZE, LS_BY_SHAPE } ls_order;

enum { LS_NONE = -1 };

typedef struct ls_entry {
    const char *name;
    graft_tensor_info info;
    int64_t index;   /* in the flat dict */
    int64_t storage; /* which one, counted from 0 in the order of the file */
    int64_t same;    /* the first entry that is these very elements; LS_NONE: this one */
    int64_t shares;  /* the first entry of the storage; LS_NONE: this one */
    bool listed;
} ls_entry;

typedef struct ls_finding {
    const char *kind; /* "fault", "code", "wasted", ...: static */
    int64_t count;    /* calls, bytes; -1: nothing that is counted */
    char *message;
} ls_finding;

enum { LS_FINDINGS = 8 };

typedef struct ls_file {
    const char *path;
    opened file; /* c NULL: it could not be opened, and a finding says why */
    graft_dict *flat;
    ls_entry *entries; /* in the order of the file */
    size_t count;
    size_t *listed; /* those that are listed, in the order wanted */
    size_t listed_count;
    uint64_t wasted; /* bytes of storages that no tensor has */
    ls_finding findings[LS_FINDINGS];
    size_t finding_count;
} ls_file;

/* Reads the names; false after telling why, with what could be found out in the findings. Either
 * way ls_file_close is due. */
bool ls_file_open(cli_call *call, const char *path, ls_file *f);
void ls_file_close(ls_file *f);

/* Chooses and orders what is listed; false after telling that memory ran out. */
bool ls_file_list(cli_call *call, ls_file *f);

/* A finding; the message as printf has it. */
__attribute__((format(printf, 4, 5))) void ls_find(ls_file *f, const char *kind, int64_t count,
                                                   const char *format, ...);

/* Why it could not be opened: the context's error. */
void ls_find_fault(cli_call *call, ls_file *f);

/* What is to be said of a file that was opened. */
void ls_find_all(cli_call *call, ls_file *f);

/* What of the listed is there, with ties and shared storages counted once in all but names. */
typedef struct ls_totals {
    size_t names, tied;
    uint64_t elements, bytes;
} ls_totals;
ls_totals ls_count(const ls_file *f);

/* Forms of output; false if stats could not be had, or memory ran out: it was told. */
bool ls_text(cli_call *call, const ls_file *f);
bool ls_tree(cli_call *call, const ls_file *f);
bool ls_print_tree(cli_call *call, const ls_file *f); /* without the totals */
bool ls_json(cli_call *call, const ls_file *f);

/* What a name is shown as: `""` for the value alone of a file. */
const char *ls_name(const ls_entry *e);

/* Values that are no tensors; of the metadata too. */
bool ls_values_text(cli_call *call, const ls_file *f);
bool ls_values_json(json *j, const ls_file *f);

#endif
