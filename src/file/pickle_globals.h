/* The globals that the pickle interpreter knows: what Python would have got by calling them. */
#ifndef GRAFT__FILE_PICKLE_GLOBALS_H
#define GRAFT__FILE_PICKLE_GLOBALS_H

#include "file/reading.h"

/* What name(*args) gives, in *out, which is the interpreter's then (a text in a block of its own).
 * args is a TUPLE, lent for the call: what is kept of it is referenced or copied. Faults are set at
 * r->pickle_offset, where the opcode is. A call that turns out to be of a kind that graft has no
 * value for gives graft__record_of_call. */
typedef graft_status graft__global_call(graft__reading *r, graft_dict *args, graft__value *out);

typedef struct graft__global {
    const char *name;         /* "collections.OrderedDict" */
    graft__global_call *call; /* NULL: harmless; it and what is made with it stay records, without a
                                 line in the audit */
} graft__global;

/* PyTorch's (torch_globals.c) and Python's and NumPy's own (pickle_globals.c). NULL: it is none of
 * them. name need not end at its length. */
const graft__global *graft__torch_global(const char *name, size_t length);
const graft__global *graft__python_global(const char *name, size_t length);

/* The entry of a table that is sorted by strcmp; for the two above. */
const graft__global *graft__find_global(const graft__global *table, size_t count, const char *name,
                                        size_t length);

/* A record of class `name` ("torch._utils._rebuild_qtensor"; what is before the last dot is the
 * module; NULL: what is being called), made by a call with these arguments, which it references. */
graft_status graft__record_of_call(graft__reading *r, const char *name, graft_dict *args,
                                   graft__value *out);

/* Another reference (a copy of a text) to what v holds, and putting such of a key and a value into
 * a dict; both take what it costs off the memory budget. Keys that Python has no hash for are
 * GRAFT_FAULT_PICKLE_VALUE. */
graft_status graft__copy_charged(graft__reading *r, const graft__value *v, graft__value *out);
graft_status graft__put_charged(graft__reading *r, graft_dict *d, const graft__value *key,
                                const graft__value *value);

/* A container with its share of the memory budget; NULL with the error set. */
graft_dict *graft__container_charged(graft__reading *r, graft_value_kind container);

/* ---- NumPy (pickle_numpy.c) ---- */

/* Whether d is the record of an array that waits for its state. */
bool graft__is_numpy_array(const graft_dict *d);

/* The tensor that an array with the state (version, shape, dtype, is_fortran, data) is; *out is
 * NONE where graft has no dtype for it (objects, texts, structures): then it stays a record. */
graft_status graft__numpy_array(graft__reading *r, const graft_dict *state, graft__value *out);

/* numpy.core.multiarray.scalar(dtype, data) and numpy.core.numeric._frombuffer. */
graft__global_call graft__numpy_scalar, graft__numpy_frombuffer;

#endif
