#include "file/formats.h"

#include <stddef.h>

/* In the order in which they are asked: the surest marks first. */
const graft__format *const graft__formats[] = {
    NULL,
};

const graft__ending graft__endings[] = {
    {NULL, NULL},
};
