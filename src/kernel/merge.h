/* Inner loops of merging. All arrays are packed and aligned, n elements of float or, with f64, of
 * double. */
#ifndef GRAFT__KERNEL_MERGE_H
#define GRAFT__KERNEL_MERGE_H

#include "graft/tensor.h"

/* out = c x; out += c x; out += c (x - base); out *= c; out /= c; out = base + c out.
 */
void graft__merge_scale(bool f64, int64_t n, double c, const void *x, void *out);
void graft__merge_add(bool f64, int64_t n, double c, const void *x, void *out);
void graft__merge_add_delta(bool f64, int64_t n, double c, const void *x, const void *base,
                            void *out);
void graft__merge_scale_in_place(bool f64, int64_t n, double c, void *out);
void graft__merge_divide(bool f64, int64_t n, double c, void *out);
void graft__merge_apply(bool f64, int64_t n, double c, const void *base, void *out);

/* a.b, a.a and b.b, summed in double in a fixed order. */
void graft__merge_products(bool f64, int64_t n, const void *a, const void *b, double out[3]);

/* ---- TIES ---- */

/* What is summed of the deltas that stay: all, the positive and the negative ones, and the weights
 * of the latter two. Arrays of n. */
typedef struct graft__elected {
    void *all, *positive, *negative, *positive_weight, *negative_weight;
} graft__elected;

void graft__elect_begin(bool f64, int64_t n, const graft__elected *e);

/* Adds w (x - base) where the bits of |x - base| are at least `threshold`: magnitudes have the
 * order of their bits, infinity being above all numbers and NaN above that. */
void graft__elect_add(bool f64, int64_t n, double w, uint64_t threshold, const void *x,
                      const void *base, const graft__elected *e);

/* all = the sum of the sign that `all` has, divided by its weights with normalise; 0 where `all` is
 * 0, NaN where it is NaN. */
void graft__elect_end(bool f64, int64_t n, bool normalise, const graft__elected *e);

/* Counts the digits (bits >> shift) & 0xffff of those magnitudes |x - base| whose bits above the
 * digit are `prefix`. */
void graft__count_magnitudes(bool f64, int64_t n, const void *x, const void *base, int shift,
                             uint64_t prefix, uint64_t *counts);

/* ---- DARE ---- */

/* Philox4x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3; 2011). */
void graft__philox(uint64_t key, const uint32_t counter[4], uint32_t out[4]);

/* out += c (x - base) where element first + i is kept: its draw is below `below` of 2^32. The draw
 * of element e is word e mod 4 of Philox with that key at the counter {e / 4, stream}. */
void graft__merge_add_dropped(bool f64, int64_t n, double c, uint64_t key, uint64_t stream,
                              uint64_t below, int64_t first, const void *x, const void *base,
                              void *out);

/* ---- Integers ---- */

/* Whether there is a largest of that dtype: integers, also the unsigned ones that are only carried,
 * and bool. */
bool graft__has_max(graft_dtype dtype);

/* out = max(out, x). */
void graft__merge_max(graft_dtype dtype, int64_t n, const void *x, void *out);

#endif
