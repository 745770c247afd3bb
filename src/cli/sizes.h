/* Sizes and counts for people. */
#ifndef CLI_SIZES_H
#define CLI_SIZES_H

#include <stdbool.h>
#include <stdint.h>

enum { SIZE_TEXT = 32 };

/* "999 B", "1.5 MB": three digits at least, in powers of 1,000. Returns out. */
const char *size_text(uint64_t bytes, char out[SIZE_TEXT]);

/* "11,689,512". Returns out. */
const char *count_text(uint64_t count, char out[SIZE_TEXT]);

/* "4096", "500MB", "2GiB", "1.5 GB": in bytes; K, M, G, T alone are powers of 1,000. */
bool size_parse(const char *text, uint64_t *bytes);

#endif
