#include "products.h"

#include <stddef.h>

/* Fortran's sgemm, column by column. Sizes are passed as addresses of 64-bit numbers: on little-endian processors the
 * libraries with 32-bit integers read the same values there. */
typedef void blas_sgemm(const char *, const char *, const int64_t *, const int64_t *, const int64_t *, const float *,
                        const float *, const int64_t *, const float *, const int64_t *, const float *, float *,
                        const int64_t *);

static blas_sgemm *sgemm = NULL;

void use_sgemm(void *function) { sgemm = (blas_sgemm *)function; }

/* Row-major c = a b is column-major c^T = b^T a^T. */
static void multiply(const char *of_b, const char *of_a, int64_t m, int64_t n, int64_t depth, const float *a,
                     int64_t a_row, const float *b, int64_t b_row, float *c, int64_t c_row, int add) {
    const float one = 1.0f, kept = add ? 1.0f : 0.0f;
    sgemm(of_b, of_a, &n, &m, &depth, &one, b, &b_row, a, &a_row, &kept, c, &c_row);
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
