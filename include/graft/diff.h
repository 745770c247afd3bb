/* graft/diff.h: how two dicts, models or files differ, in bounded memory. */
#ifndef GRAFT_DIFF_H
#define GRAFT_DIFF_H

#include "graft/dict.h"
#include "graft/file.h"
#include "graft/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum graft_diff_kind {
    GRAFT_DIFF_EQUAL = 0, /* bit for bit, or within the tolerances */
    GRAFT_DIFF_CHANGED,   /* values */
    GRAFT_DIFF_DTYPE,     /* dtypes, and values may too: the numbers compare the values */
    GRAFT_DIFF_SHAPE,     /* shapes: no element is read */
    GRAFT_DIFF_MISSING,   /* b lacks it */
    GRAFT_DIFF_EXTRA,     /* a lacks it */
    GRAFT_DIFF_TIES       /* equal, but tied with other names in b than in a */
} graft_diff_kind;

GRAFT_API const char *graft_diff_kind_name(graft_diff_kind kind); /* "equal", ...; never NULL */

typedef struct graft_diff_options {
    const graft_rules *rules; /* applied to a first, so that names and shapes meet; may be NULL */
    double rtol, atol; /* |a - b| <= atol + rtol * |b| counts as equal: 0 and 0, bit for bit; with
                          them +0 equals -0 and NaN equals NaN */
    bool only_bits;    /* no numbers: whether they differ is enough, and ends at the first */
    int64_t max_rows;  /* rows (of the first dimension) of a tensor that are listed: 16 */
    graft_progress progress;
    void *progress_user;
} graft_diff_options;

GRAFT_API graft_diff_options graft_diff_defaults(void);

/* Numbers of one pair of tensors; b is the reference. Elements that are NaN or infinite in either
 * count as changed where they differ, and are left out of sums, maxima and means. Complex dtypes,
 * bits and blocks are compared as bits: their real numbers are NaN, and all elements of a block
 * count as changed if one bit of it is. docs/comparing.md has the formulas. */
typedef struct graft_diff_numbers {
    int64_t elements, changed;
    int64_t not_finite;    /* pairs of which one or both are NaN or infinite, and that differ */
    double max_abs;        /* the largest |a - b| */
    double max_rel;        /* the largest |a - b| / |b| where b is not 0 */
    int64_t max_ulps;      /* the most representable values between, of floating dtypes that are
                              the same in both; -1 else */
    double mean_abs;       /* of |a - b| over the elements that are not left out; 0 of none */
    double rms;            /* root of the mean of (a - b)^2 over the same */
    double cosine;         /* of the two as vectors; NaN if one is zero */
    double norm_a, norm_b; /* L2 */
    int64_t rows_changed;  /* of the first dimension */
    int64_t first_changed; /* the first element that differs, in C order; -1: none */
} graft_diff_numbers;

/* Freed by graft_diff_free. */
typedef struct graft_diff_report graft_diff_report;

/* Compares all tensors below a and b by their dotted names. Bytes of files are read in order, a
 * piece at a time, and let go of. options may be NULL. Values that are no tensors are compared
 * too: as entries without numbers. NULL with the error set: a rule that can't be applied, a file
 * that is damaged, GRAFT_ERR_CANCELLED. Freed by graft_diff_free. */
GRAFT_API graft_diff_report *graft_diff(const graft_dict *a, const graft_dict *b,
                                        const graft_diff_options *options);

/* Entries in a's order, then those of b alone. */
GRAFT_API int64_t graft_diff_len(const graft_diff_report *d);
GRAFT_API const char *graft_diff_name(const graft_diff_report *d, int64_t i); /* as matched */
GRAFT_API graft_diff_kind graft_diff_kind_of(const graft_diff_report *d, int64_t i);
GRAFT_API bool graft_diff_numbers_of(const graft_diff_report *d, int64_t i,
                                     graft_diff_numbers *out); /* false: nothing was read */

/* What it is in a and in b; false if it is not there or no tensor. storage is NULL. */
GRAFT_API bool graft_diff_info_a(const graft_diff_report *d, int64_t i, graft_tensor_info *out);
GRAFT_API bool graft_diff_info_b(const graft_diff_report *d, int64_t i, graft_tensor_info *out);

/* The changed rows that are listed: how many, and the j-th. */
GRAFT_API int64_t graft_diff_rows(const graft_diff_report *d, int64_t i);
GRAFT_API int64_t graft_diff_row(const graft_diff_report *d, int64_t i, int64_t j);

/* In words, for what numbers do not say: "tied with decoder.weight in b only", "3 in a, 4 in b". ""
 * if there is nothing to say. */
GRAFT_API const char *graft_diff_note(const graft_diff_report *d, int64_t i);

GRAFT_API int64_t graft_diff_count(const graft_diff_report *d, graft_diff_kind kind);
GRAFT_API bool graft_diff_is_equal(const graft_diff_report *d);    /* all entries are EQUAL */
GRAFT_API const char *graft_diff_text(const graft_diff_report *d); /* valid while d lives */
GRAFT_API void graft_diff_free(graft_diff_report *d);

#ifdef __cplusplus
}
#endif

#endif
