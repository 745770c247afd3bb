/* The parts of a comparison. Files: diff.c (the whole), diff_sides.c (what there is to compare),
 * diff_match.c (which names meet), diff_ties.c, diff_tensors.c (elements), diff_values.c (what is
 * no tensor), diff_report.c (what came out), diff_text.c (in words). */
#ifndef GRAFT__COPY_DIFF_PARTS_H
#define GRAFT__COPY_DIFF_PARTS_H

#include "base/object.h"
#include "base/text.h"
#include "copy/item.h"
#include "graft/diff.h"
#include "tensor/dict.h"

/* ---- What came out ---- */

typedef struct graft__diff_entry {
    char *name;
    graft_diff_kind kind;
    bool in_a, in_b; /* as a tensor */
    bool has_numbers;
    graft_diff_numbers numbers;
    graft_tensor_info a, b;
    int64_t *row; /* the first of the changed ones; NULL: none */
    size_t rows, row_room;
    char *note; /* NULL: none */
} graft__diff_entry;

struct graft_diff_report {
    graft__object object;
    graft__diff_entry *entry;
    size_t count, capacity;
    char *text;
};

/* An empty one, with one reference; NULL with the error set. */
graft_diff_report *graft__diff_report_new(graft_ctx *g);

/* Adds an entry with a copy of the name; NULL with the error set. Valid until the next one. */
graft__diff_entry *graft__diff_add(graft_diff_report *d, const char *name, graft_diff_kind kind);

/* Takes a text for a note: *text is empty afterwards. false with the error set. */
bool graft__diff_set_note(graft__diff_entry *e, graft__text *text);

/* The report in words: false with the error set. */
bool graft__diff_write_text(graft_diff_report *d);

/* ---- The sides ---- */

/* Something with a name: a tensor that is there or a node that makes one, or another value. */
typedef struct graft__diff_place {
    char *name;
    const graft__value *value; /* of the dict that is compared; NULL: node */
    graft__node *node;         /* held; NULL: value */
    const graft__item *item;   /* of rules that wait for the other side's shape; or NULL */
    size_t mate;               /* its place on the other side; SIZE_MAX: none */
} graft__diff_place;

typedef struct graft__diff_side {
    graft_ctx *g;
    graft__diff_place *place;
    size_t count, capacity;
    graft__items items; /* of rules */
    bool has_items;
} graft__diff_side;

/* All values below d; with rules the tensors that these make, and behind them the other values. On
 * failure too it is ended by graft__diff_side_end. */
graft_status graft__diff_side_of(graft__diff_side *s, const graft_dict *d,
                                 const graft_rules *rules);

/* Carries out the rules of a's places that wait for what their mates are like. */
graft_status graft__diff_adapt(graft__diff_side *a, const graft__diff_side *b,
                               const graft_rules *rules);
void graft__diff_side_end(graft__diff_side *s);

/* Finds the mates of all places of both. GRAFT_ERR_NAME if one side has a name twice. */
graft_status graft__diff_match(graft__diff_side *a, graft__diff_side *b);

/* The tensor of a place that is a value or a source; NULL if it is to be computed or is none. */
graft_tensor *graft__diff_tensor(const graft__diff_place *p);

/* Whether the place is of a tensor, and what that is like. */
bool graft__diff_info(const graft__diff_place *p, graft_tensor_info *out);

/* ---- Comparing ---- */

typedef struct graft__diff_work {
    graft_ctx *g;
    graft_diff_options options;
    uint64_t done, total, told; /* bytes, for the progress */
} graft__diff_work;

/* Fills in the kind, the numbers and the rows of an entry whose two tensors have one shape. */
graft_status graft__diff_compare(graft__diff_work *w, const graft__diff_place *a,
                                 const graft__diff_place *b, graft__diff_entry *e);

/* The same for two places of which one at least is no tensor: EQUAL, or CHANGED with a note. */
graft_status graft__diff_values(graft__diff_work *w, const graft__diff_place *a,
                                const graft__diff_place *b, graft__diff_entry *e);

/* Entry i of the report is place i of a: notes where tensors that both sides have are tied with
 * others than there, and makes EQUAL ones TIES. */
graft_status graft__diff_ties(graft_diff_report *d, const graft__diff_side *a,
                              const graft__diff_side *b);

/* Says how far it is; GRAFT_ERR_CANCELLED if the caller says stop. */
graft_status graft__diff_tell(graft__diff_work *w, uint64_t done);

#endif
