/* The vector functions over SLEEF, by the machine's widest vectors. */
#ifndef GRAFT__KERNEL_VMATH_SLEEF_H
#define GRAFT__KERNEL_VMATH_SLEEF_H

#include "kernel/vmath.h"

#if defined(GRAFT_SLEEF) && defined(__x86_64__)
#define GRAFT__VMATH_SLEEF 1
extern const graft__vmath graft__vmath_avx2;
extern const graft__vmath graft__vmath_avx512;
#endif

#endif
