/* Random 16-bit floats, bit for bit PyTorch's: it does not round the numbers that it would draw for
 * f32, it draws fewer bits, so that 1 stays out of [0, 1). As base/random.h otherwise; a coin flip
 * is graft__random_bernoulli_f32's. */
#ifndef GRAFT__KERNEL_HALF_RANDOM_H
#define GRAFT__KERNEL_HALF_RANDOM_H

#include <stdint.h>

#include "base/random.h"

void graft__random_uniform_f16(graft__random *r, int64_t n, uint16_t *out, double from, double to);
void graft__random_uniform_bf16(graft__random *r, int64_t n, uint16_t *out, double from, double to);
void graft__random_normal_f16(graft__random *r, int64_t n, uint16_t *out, double mean, double std);
void graft__random_normal_bf16(graft__random *r, int64_t n, uint16_t *out, double mean, double std);

#endif
