/* Comparing elements as bits: NaN is equal to the same NaN, 0 is not equal to -0. */
#ifndef GRAFT__KERNEL_SAME_BITS_H
#define GRAFT__KERNEL_SAME_BITS_H

#include "kernel/array.h"

/* Arrays of one shape and dtype. */
bool graft__same_bits(const graft__array *a, const graft__array *b);

#endif
