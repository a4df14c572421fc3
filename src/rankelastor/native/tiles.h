/* Multiply matrices by tiles of the result that stay in registers: see tiles.c. */
#ifndef TILES_H
#define TILES_H

#include <stdint.h>

/* A product of a (m x depth) and b (depth x n). *_row and *_step are the strides of rows and of the values within a row; one
 * stride of b is 1. */
typedef struct {
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    int64_t b_row, b_step, depth;
} Product;

/* Compute c (m x n) = the sum of one or two products, plus a bias for each row unless it is NULL, added to c if add is not 0;
 * not with a bias. */
void sum_by_tiles(int64_t m, int64_t n, const Product *products, int count, const float *bias, float *c, int64_t c_row, int add);

#endif
