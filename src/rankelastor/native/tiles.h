/* Multiply matrices by tiles of the result that stay in registers: see tiles.c. */
#ifndef TILES_H
#define TILES_H

#include <stdint.h>

/* Compute c (m x n) = a (m x depth) b (depth x n), added to c if add is not 0. *_row and *_step are the strides of rows and
 * of the values within a row. One stride of b is 1. */
void multiply_by_tiles(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, int64_t a_step, const float *b,
                       int64_t b_row, int64_t b_step, float *c, int64_t c_row, int add);

#endif
