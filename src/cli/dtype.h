/* Short names of dtypes. */
#ifndef CLI_DTYPE_H
#define CLI_DTYPE_H

#include "graft/tensor.h"

enum { DTYPE_TEXT = 32 };

/* "f32", "bf16", "i64", "u8", "c64", "f8_e4m3fn"; "bool", "bits8", "q4_0" as they are. Returns out.
 */
const char *dtype_short(graft_dtype dtype, char out[DTYPE_TEXT]);

/* A dtype by its short name or by PyTorch's; false if there is none. */
bool dtype_parse(const char *name, graft_dtype *dtype);

/* "[64, 3, 7, 7]". Returns out. */
enum { SHAPE_TEXT = 192 };
const char *shape_text(const graft_shape *shape, char out[SHAPE_TEXT]);

/* The number of elements. */
int64_t shape_elements(const graft_shape *shape);

#endif
