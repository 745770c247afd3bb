/* graft check in parts: check.c (the command), check_findings.c (the list), check_file.c (damage,
 * code), check_tensors.c (values, storages), check_like.c (beside a model). */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "cli/cli.h"

typedef enum finding_kind {
    FINDING_DAMAGED, /* bytes that are not what was written, or no checkpoint */
    FINDING_CODE,    /* Python would run it */
    FINDING_CLASS,   /* Python would import it, or fill it in */
    FINDING_NAN,
    FINDING_INFINITE,
    FINDING_OVERLAP, /* tensors that share some of their elements */
    FINDING_WASTE,   /* bytes in the file that no tensor shows */
    FINDING_TIE,     /* names that are one tensor in the model, with two values */
    FINDING_UNLIKE,  /* names, shapes or dtypes that are not the model's */
    FINDING_KINDS
} finding_kind;

const char *finding_name(finding_kind kind); /* "damaged", ... */

typedef struct finding {
    finding_kind kind;
    char *name; /* of a tensor or a place; may be empty */
    char *what;
} finding;

typedef struct findings {
    finding *at;
    size_t count, capacity;
    bool ignored[FINDING_KINDS];
    bool out_of_memory;
} findings;

/* Adds one, unless its kind is ignored. */
__attribute__((format(printf, 4, 5))) void find(findings *f, finding_kind kind, const char *name,
                                                const char *format, ...);
void findings_free(findings *f);

typedef struct check_options {
    cli_texts ignore;
    const char *like;
    uint64_t waste; /* bytes that are not worth telling */
    bool quick, json;
} check_options;

/* Each adds what it finds; CLI_TROUBLE, after telling why, where that could not be found out. */
int check_code(cli_call *call, const char *path, findings *f);
int check_values(cli_call *call, const char *path, const graft_dict *all, findings *f);
int check_storages(cli_call *call, const graft_dict *all, findings *f);
int check_like(cli_call *call, const graft_dict *root, findings *f);

#endif
