/* PyTorch's own functions and classes: none of them is known before its formats are. */
#include "file/pickle_globals.h"

#include <stddef.h>

const graft__global *graft__torch_global(const char *name, size_t length)
{
    return graft__find_global(NULL, 0, name, length);
}
