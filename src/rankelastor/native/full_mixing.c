/* Compute x + W RMSNorm(x) + b for rows that hold all tokens of an example: a block of rows at a time, so that the normed
 * numbers stay in the caches of one core.
 *
 * x and the gradient: rows of tokens of dim numbers; *_token and *_row are the distances between tokens and rows; flat = tokens * dim. gain, b: (flat).
 * w: (flat out, flat in), as in a linear layer. out, dx: (row, flat). inverse: (row), 1 / rms(x).
 */
#include "parallel.h"
#include "products.h"
#include "rows.h"

/* Copy the tokens of a row, one after the other. */
static void flatten(const float *restrict x, int64_t x_token, float *restrict flat, int64_t tokens, int64_t dim) {
    for (int64_t token = 0; token < tokens; token++)
        for (int64_t i = 0; i < dim; i++) flat[token * dim + i] = x[token * x_token + i];
}

typedef struct {
    const float *x;
    int64_t x_token, x_row;
    const float *gain, *w, *b;
    float *out, *inverse, *scratch; /* scratch: flat numbers per row of a block, for each part */
    int64_t tokens, dim, block;
} FullMixingForward;

void full_mixing_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const FullMixingForward f = *(const FullMixingForward *)arguments;
    const int64_t flat = f.tokens * f.dim;
    float *normed = f.scratch + part * f.block * flat;
    for (int64_t row = first; row < last; row += f.block) {
        const int64_t count = smaller(f.block, last - row);
        for (int64_t i = 0; i < count; i++) {
            float *out = f.out + (row + i) * flat;
            flatten(f.x + (row + i) * f.x_row, f.x_token, out, f.tokens, f.dim);
            f.inverse[row + i] = norm_row(out, f.gain, normed + i * flat, flat);
            add_row(f.b, out, 1, flat);
        }
        product_by_transposed(count, flat, flat, normed, flat, f.w, flat, f.out + row * flat, flat, ADD);
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_token, gradient_row;
    const float *x;
    int64_t x_token, x_row;
    const float *gain, *w, *inverse;
    float *dx;
    float *dgain, *dw, *db; /* one accumulator per part, in the layouts of gain, w and b */
    float *scratch;         /* 4 flat numbers per row of a block, for each part */
    int64_t tokens, dim, block;
} FullMixingBackward;

void full_mixing_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const FullMixingBackward f = *(const FullMixingBackward *)arguments;
    const int64_t flat = f.tokens * f.dim, size = f.block * flat;
    float *xs = f.scratch + part * 4 * size, *normed = xs + size, *gradients = normed + size, *dnormed = gradients + size;
    float *dgain = f.dgain + part * apart(flat);
    for (int64_t row = first; row < last; row += f.block) {
        const int64_t count = smaller(f.block, last - row);
        for (int64_t i = 0; i < count; i++) {
            flatten(f.x + (row + i) * f.x_row, f.x_token, xs + i * flat, f.tokens, f.dim);
            flatten(f.gradient + (row + i) * f.gradient_row, f.gradient_token, gradients + i * flat, f.tokens, f.dim);
            scale_row(xs + i * flat, f.gain, f.inverse[row + i], normed + i * flat, flat);
        }
        product(count, flat, flat, gradients, flat, f.w, flat, dnormed, flat, REPLACE);
        product_of_transposed(flat, flat, count, gradients, flat, normed, flat, f.dw + part * apart(flat * flat), flat,
                              row > first ? ADD : REPLACE);
        add_rows(gradients, flat, f.db + part * apart(flat), count, flat);
        for (int64_t i = 0; i < count; i++)
            norm_row_backward(dnormed + i * flat, xs + i * flat, f.gain, f.inverse[row + i], gradients + i * flat,
                              f.dx + (row + i) * flat, dgain, flat);
    }
}
