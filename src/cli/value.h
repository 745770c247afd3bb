/* Values of dicts that are no tensors. */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "cli/json.h"
#include "graft/dict.h"

/* "int", "str", "dict", ...: what it is in Python. */
const char *value_kind(graft_value_kind kind);

bool value_is_container(graft_value_kind kind);

/* Writes entry i of d much as Python prints it, and not escaped; at most so many bytes of a text.
 */
void value_print(FILE *out, const graft_dict *d, int64_t i, size_t longest);

/* The same as JSON: bytes in hexadecimal, a complex number as a list of two, a big integer as text.
 */
void value_json(json *j, const graft_dict *d, int64_t i);

#endif
