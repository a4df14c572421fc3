/* Compute a layer of a compressed interaction network, out = sum_ij w_ij x0_i x_j + b, for rows that hold one place of the embeddings
 * of all fields, in blocks of rows whose products x0_i x_j fit into the caches of one core.
 *
 * x0: (row, fields), x: (row, width). w: (out, fields, width), b: (out). out and the gradient: (row, out_dim).
 */
#include "parallel.h"
#include "products.h"
#include "rows.h"

/* Compute all products of a value of x0 and a value of x, in the order of w. */
static void multiply_pairs(const float *x0, const float *x, float *pairs, int64_t rows, int64_t fields, int64_t width) {
    for (int64_t row = 0; row < rows; row++, x += width)
        for (int64_t i = 0; i < fields; i++, x0++, pairs += width) {
            const float first = *x0;
            float *restrict to = pairs;
#pragma GCC ivdep
            for (int64_t j = 0; j < width; j++) to[j] = first * x[j];
        }
}

typedef struct {
    const float *x0, *x, *w, *b;
    float *out, *scratch; /* scratch: fields * width values per row of a block, for each part */
    int64_t fields, width, out_dim, block;
} CinForward;

void cin_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const CinForward c = *(const CinForward *)arguments;
    const int64_t pairs = c.fields * c.width;
    float *products = c.scratch + part * c.block * pairs;
    for (int64_t row = first; row < last; row += c.block) {
        const int64_t count = minimum(c.block, last - row);
        multiply_pairs(c.x0 + row * c.fields, c.x + row * c.width, products, count, c.fields, c.width);
        linear_by_transposed(products, c.w, c.b, c.out + row * c.out_dim, count, pairs, c.out_dim);
    }
}

typedef struct {
    const float *gradient, *x0, *x, *w;
    float *dx0, *dx;
    float *dw;      /* one accumulator per part, in the layout of w */
    float *scratch; /* 2 fields * width values per row of a block, for each part */
    int64_t fields, width, out_dim, block;
} CinBackward;

/* Compute the gradients of a row of x0 and of x from that of their products. */
static void divide_pairs(const float *dpairs, const float *x0, const float *x, float *dx0, float *restrict dx, int64_t fields,
                         int64_t width) {
    for (int64_t j = 0; j < width; j++) dx[j] = 0;
    for (int64_t i = 0; i < fields; i++, dpairs += width) {
        const float *restrict from = dpairs;
        const float first = x0[i];
        float sum = 0;
#pragma GCC ivdep
        for (int64_t j = 0; j < width; j++) {
            sum += from[j] * x[j];
            dx[j] += from[j] * first;
        }
        dx0[i] = sum;
    }
}

void cin_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const CinBackward c = *(const CinBackward *)arguments;
    const int64_t pairs = c.fields * c.width;
    float *products = c.scratch + part * c.block * 2 * pairs, *dproducts = products + c.block * pairs;
    float *dw = c.dw + part * padded_size(c.out_dim * pairs);
    for (int64_t row = first; row < last; row += c.block) {
        const int64_t count = minimum(c.block, last - row);
        const float *gradient = c.gradient + row * c.out_dim, *x0 = c.x0 + row * c.fields, *x = c.x + row * c.width;
        multiply_pairs(x0, x, products, count, c.fields, c.width);
        product_of_transposed(c.out_dim, pairs, count, gradient, c.out_dim, products, pairs, dw, pairs, row > first ? ADD : REPLACE);
        product(count, pairs, c.out_dim, gradient, c.out_dim, c.w, pairs, dproducts, pairs, REPLACE);
        for (int64_t i = 0; i < count; i++)
            divide_pairs(dproducts + i * pairs, x0 + i * c.fields, x + i * c.width, c.dx0 + (row + i) * c.fields,
                         c.dx + (row + i) * c.width, c.fields, c.width);
    }
}
