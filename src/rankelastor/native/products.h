/* Multiply row-major matrices with the BLAS that PyTorch brings. */
#ifndef PRODUCTS_H
#define PRODUCTS_H

#include <stdint.h>

enum { REPLACE = 0, ADD = 1 };

/* c (m x n) = a (m x depth) b (depth x n), added to c where add is ADD. *_row is the distance between the rows of a
 * matrix. */
void product(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b, int64_t b_row, float *c,
             int64_t c_row, int add);

/* c = a b^T, where b is (n x depth). */
void product_by_transposed(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b,
                           int64_t b_row, float *c, int64_t c_row, int add);

/* c = a^T b, where a is (depth x m). */
void product_of_transposed(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b,
                           int64_t b_row, float *c, int64_t c_row, int add);

#endif
