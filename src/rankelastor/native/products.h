/* Multiply row-major matrices, by tiles or with the BLAS of PyTorch: see use_tiles. */
#ifndef PRODUCTS_H
#define PRODUCTS_H

#include <stdint.h>

#include "tiles.h"

enum { REPLACE = 0, ADD = 1 };

/* Compute c (m x n) = a (m x depth) b (depth x n), added to c if add is ADD. *_row is the stride of the rows of a
 * matrix. */
void product(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b, int64_t b_row, float *c,
             int64_t c_row, int add);

/* Compute c = a b^T, where b is (n x depth). */
void product_by_transposed(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b,
                           int64_t b_row, float *c, int64_t c_row, int add);

/* Compute c = a^T b, where a is (depth x m). */
void product_of_transposed(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b,
                           int64_t b_row, float *c, int64_t c_row, int add);

/* Compute c = the sum of one or two products, plus a bias for each row unless it is NULL; every a_step is 1. */
void sum_of_products(int64_t m, int64_t n, const Product *products, int count, const float *bias, float *c, int64_t c_row);

/* Compute out = x w + b for count rows of x, where w is (in x out_dim) with rows w_row apart. */
static inline void linear(const float *x, int64_t x_row, const float *w, int64_t w_row, const float *b, float *out, int64_t count,
                          int64_t in, int64_t out_dim) {
    const Product product = {x, x_row, 1, w, w_row, 1, in};
    sum_of_products(count, out_dim, &product, 1, b, out, out_dim);
}

/* Compute out = x w^T + b, where w is (out_dim x in). */
static inline void linear_by_transposed(const float *x, const float *w, const float *b, float *out, int64_t count, int64_t in,
                                        int64_t out_dim) {
    const Product product = {x, in, 1, w, 1, in, in};
    sum_of_products(count, out_dim, &product, 1, b, out, out_dim);
}

#endif
