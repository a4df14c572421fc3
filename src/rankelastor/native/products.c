#include "products.h"

#include <stddef.h>

/* Fortran's sgemm, column by column. Sizes are passed as addresses of 64-bit numbers: on little-endian processors the
 * libraries with 32-bit integers read the same values there. */
typedef void blas_sgemm(const char *, const char *, const int64_t *, const int64_t *, const int64_t *, const float *,
                        const float *, const int64_t *, const float *, const int64_t *, const float *, float *,
                        const int64_t *);

typedef void blas_sgemv(const char *, const int64_t *, const int64_t *, const float *, const float *, const int64_t *,
                        const float *, const int64_t *, const float *, float *, const int64_t *);

static blas_sgemm *sgemm = NULL;
static blas_sgemv *sgemv = NULL;

void use_blas(void *matrix_product, void *vector_product) {
    sgemm = (blas_sgemm *)matrix_product;
    sgemv = (blas_sgemv *)vector_product;
}

/* Row-major c = a b is column-major c^T = b^T a^T. */
static void multiply(const char *of_b, const char *of_a, int64_t m, int64_t n, int64_t depth, const float *a,
                     int64_t a_row, const float *b, int64_t b_row, float *c, int64_t c_row, int add) {
    const float one = 1.0f, beta = add ? 1.0f : 0.0f;
    const int64_t next = 1;
    if (m == 1) { /* libraries do not see for themselves that one row or column is a vector */
        const int64_t *step = *of_a == 'N' ? &next : &a_row, *outer = *of_b == 'N' ? &n : &depth;
        sgemv(of_b, outer, *of_b == 'N' ? &depth : &n, &one, b, &b_row, a, step, &beta, c, &next);
    } else if (n == 1) {
        const int64_t *step = *of_b == 'N' ? &b_row : &next, *outer = *of_a == 'N' ? &depth : &m;
        sgemv(*of_a == 'N' ? "T" : "N", outer, *of_a == 'N' ? &m : &depth, &one, a, &a_row, b, step, &beta, c, &c_row);
    } else {
        sgemm(of_b, of_a, &n, &m, &depth, &one, b, &b_row, a, &a_row, &beta, c, &c_row);
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
