#include "products.h"

#include <stddef.h>

/* Fortran's sgemm for column-major matrices. Sizes are passed as addresses of 64-bit integers: on little-endian
 * processors, libraries with 32-bit integers read the same values. */
typedef void blas_sgemm(const char *, const char *, const int64_t *, const int64_t *, const int64_t *, const float *,
                        const float *, const int64_t *, const float *, const int64_t *, const float *, float *,
                        const int64_t *);

typedef void blas_sgemv(const char *, const int64_t *, const int64_t *, const float *, const float *, const int64_t *,
                        const float *, const int64_t *, const float *, float *, const int64_t *);

static blas_sgemm *sgemm = NULL;
static blas_sgemv *sgemv = NULL;

static int by_tiles = 0;

void use_blas(void *matrix_product, void *vector_product) {
    sgemm = (blas_sgemm *)matrix_product;
    sgemv = (blas_sgemv *)vector_product;
}

/* Multiply matrices by tiles (1) or with the BLAS (0). Vectors are multiplied with the BLAS, but for rows by a single column. */
void use_tiles(int yes) { by_tiles = yes; }

/* Compute c (m x 1) = a b, a row at a time, so that its number is the same whatever rows are beside it. */
static void multiply_by_vector(int64_t m, int64_t depth, const float *a, int64_t a_row, const float *restrict b, int64_t b_step,
                               float *c, int64_t c_row, int add) {
    for (int64_t row = 0; row < m; row++) {
        const float *restrict left = a + row * a_row;
        float sum = 0;
        if (b_step == 1)
            for (int64_t k = 0; k < depth; k++) sum += left[k] * b[k];
        else
            for (int64_t k = 0; k < depth; k++) sum += left[k] * b[k * b_step];
        c[row * c_row] = add ? c[row * c_row] + sum : sum;
    }
}

/* Row-major c = a b is column-major c^T = b^T a^T. */
static void multiply(const char *transpose_b, const char *transpose_a, int64_t m, int64_t n, int64_t depth, const float *a,
                     int64_t a_row, const float *b, int64_t b_row, float *c, int64_t c_row, int add) {
    const float one = 1.0f, beta = add ? 1.0f : 0.0f;
    const int64_t next = 1;
    if (n == 1 && by_tiles && *transpose_a == 'N') {
        multiply_by_vector(m, depth, a, a_row, b, *transpose_b == 'N' ? b_row : 1, c, c_row, add);
    } else if (m == 1) { /* BLAS libraries do not treat a single row or column as a vector by themselves */
        const int64_t *step = *transpose_a == 'N' ? &next : &a_row, *outer = *transpose_b == 'N' ? &n : &depth;
        sgemv(transpose_b, outer, *transpose_b == 'N' ? &depth : &n, &one, b, &b_row, a, step, &beta, c, &next);
    } else if (n == 1) {
        const int64_t *step = *transpose_b == 'N' ? &b_row : &next, *outer = *transpose_a == 'N' ? &depth : &m;
        sgemv(*transpose_a == 'N' ? "T" : "N", outer, *transpose_a == 'N' ? &m : &depth, &one, a, &a_row, b, step, &beta, c, &c_row);
    } else if (by_tiles) {
        const Product product = {a, *transpose_a == 'N' ? a_row : 1, *transpose_a == 'N' ? 1 : a_row,
                                 b, *transpose_b == 'N' ? b_row : 1, *transpose_b == 'N' ? 1 : b_row, depth};
        sum_by_tiles(m, n, &product, 1, NULL, c, c_row, add);
    } else {
        sgemm(transpose_b, transpose_a, &n, &m, &depth, &one, b, &b_row, a, &a_row, &beta, c, &c_row);
    }
}

void product(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b, int64_t b_row, float *c,
             int64_t c_row, int add) {
    multiply("N", "N", m, n, depth, a, a_row, b, b_row, c, c_row, add);
}

void product_by_transposed(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b,
                           int64_t b_row, float *c, int64_t c_row, int add) {
    multiply("T", "N", m, n, depth, a, a_row, b, b_row, c, c_row, add);
}

void product_of_transposed(int64_t m, int64_t n, int64_t depth, const float *a, int64_t a_row, const float *b,
                           int64_t b_row, float *c, int64_t c_row, int add) {
    multiply("N", "T", m, n, depth, a, a_row, b, b_row, c, c_row, add);
}

void sum_of_products(int64_t m, int64_t n, const Product *products, int count, const float *bias, float *c, int64_t c_row) {
    if (by_tiles && m > 1 && n > 1) {
        sum_by_tiles(m, n, products, count, bias, c, c_row, REPLACE);
        return;
    }
    for (int64_t row = 0; bias && row < m; row++)
        for (int64_t j = 0; j < n; j++) c[row * c_row + j] = bias[j];
    for (int i = 0; i < count; i++) {
        const Product p = products[i];
        /* With both strides 1, b is a single row or column, and only one of the ways has a stride as long as its rows. */
        const int transposed = p.b_step != 1 || (p.b_row == 1 && n > 1);
        multiply(transposed ? "T" : "N", "N", m, n, p.depth, p.a, p.a_row, p.b, transposed ? p.b_step : p.b_row, c, c_row,
                 bias || i > 0 ? ADD : REPLACE);
    }
}
