/* Kernels that are compiled once for each kind of processor. */
#ifndef GRAFT__KERNEL_TARGET_H
#define GRAFT__KERNEL_TARGET_H

#if defined(__x86_64__)
#define GRAFT__X86 1
#define GRAFT__TARGET_AVX2 __attribute__((target("avx2,fma")))
#define GRAFT__TARGET_AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
#else
#define GRAFT__X86 0
#endif

/* A function that becomes a kernel of its own wherever it is called with constants. With every
 * access checked, hundreds of those would take a compiler minutes. */
#if defined(GRAFT__SANITIZE)
#define GRAFT__INLINE static inline
#else
#define GRAFT__INLINE static inline __attribute__((always_inline))
#endif

/* A step that is as good called as expanded where it is taken. */
#define GRAFT__STEP static __attribute__((noinline))

/* For a loop over elements whose result may lie in the very place of an input, and overlaps none
 * otherwise: iterations do not depend on each other, whatever the compiler fears. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* a sanitizer may keep it from being used */
#define GRAFT__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define GRAFT__INDEPENDENT _Pragma("GCC ivdep")
#else
#define GRAFT__INDEPENDENT
#endif

/* The kind of the processor at hand: an index into tables of kernels. */
enum { GRAFT__PORTABLE, GRAFT__AVX2, GRAFT__AVX512, GRAFT__KINDS };

static inline int graft__processor(void)
{
#if GRAFT__X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return GRAFT__AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return GRAFT__AVX2;
#endif
    return GRAFT__PORTABLE;
}

#endif
