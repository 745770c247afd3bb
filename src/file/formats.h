/* The table of readers. */
#ifndef GRAFT__FILE_FORMATS_H
#define GRAFT__FILE_FORMATS_H

#include "file/reading.h"

/* Ends with NULL. */
extern const graft__format *const graft__formats[];

/* Which reader says what is wrong with a file that no reader knows by its content: by how the path
 * ends. Ends with NULL. */
typedef struct graft__ending {
    const char *text;
    const graft__format *format;
} graft__ending;

extern const graft__ending graft__endings[];

#endif
