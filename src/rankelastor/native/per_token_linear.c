/* Activation, dropout, then a linear map of every token's own: a block of rows at a time, so that the activated
 * numbers, which are not kept, stay in the caches of one core.
 *
 * x and the gradient: rows of in and of out numbers, *_token and *_row apart. w: (token, in, out), b: (token, out).
 * noise: (token, row, in), those below threshold are dropped and the others multiplied by scale; NULL: all pass.
 * out, dx: (token, row, out or in).
 */
#include <stddef.h>

#include "elementwise.h"
#include "products.h"
#include "rows.h"

enum { RELU = 1, GELU = 2 };

static void drop(const uint8_t *restrict noise, int64_t threshold, float *restrict values, int64_t width) {
    const uint8_t highest = (uint8_t)(threshold - 1); /* of those dropped: a threshold of 256 drops all */
    if (noise && threshold)
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) values[i] = noise[i] <= highest ? 0.0f : values[i];
}

static void activate(const float *restrict x, int64_t activation, const uint8_t *restrict noise, int64_t threshold,
                     float scale, float *restrict a, int64_t width) {
    if (activation == GELU)
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) a[i] = x[i] * normal_below(x[i]) * scale;
    else
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) a[i] = x[i] <= 0 ? 0.0f : x[i] * scale; /* so that NaN passes */
    drop(noise, threshold, a, width);
}

/* From the gradient of the activated numbers to that of x. */
static void activate_backward(const float *restrict x, int64_t activation, const uint8_t *restrict noise,
                              int64_t threshold, float scale, const float *restrict da, float *restrict dx,
                              int64_t width) {
    if (activation == GELU)
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++)
            dx[i] = da[i] * scale * (normal_below(x[i]) + x[i] * normal_density(x[i]));
    else
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) dx[i] = x[i] > 0 ? da[i] * scale : 0.0f;
    drop(noise, threshold, dx, width);
}

/* activation: RELU or GELU. scratch: in numbers a row of a block. */
void per_token_linear_forward(const float *x, int64_t x_token, int64_t x_row, int64_t activation, const uint8_t *noise,
                              int64_t threshold, float scale, const float *w, const float *b, float *out,
                              float *scratch, int64_t tokens, int64_t rows, int64_t in, int64_t out_dim,
                              int64_t block) {
    for (int64_t token = 0; token < tokens; token++) {
        for (int64_t row = 0; row < rows; row += block) {
            const int64_t count = smaller(block, rows - row);
            const float *xs = x + token * x_token + row * x_row;
            float *outs = out + (token * rows + row) * out_dim;
            for (int64_t i = 0; i < count; i++)
                activate(xs + i * x_row, activation, noise ? noise + (token * rows + row + i) * in : NULL, threshold,
                         scale, scratch + i * in, in);
            repeat_row(b + token * out_dim, outs, count, out_dim);
            product(count, out_dim, in, scratch, in, w + token * in * out_dim, out_dim,
                    outs, out_dim, ADD);
        }
    }
}

/* dw: in the layout of w; db, in that of b, gets the sums over the rows added. scratch: 2 in numbers a row of a block. */
void per_token_linear_backward(const float *gradient, int64_t gradient_token, int64_t gradient_row, const float *x,
                               int64_t x_token, int64_t x_row, int64_t activation, const uint8_t *noise,
                               int64_t threshold, float scale, const float *w, float *dx, float *dw, float *db,
                               float *scratch, int64_t tokens, int64_t rows, int64_t in, int64_t out_dim,
                               int64_t block) {
    float *a = scratch, *da = scratch + block * in;
    for (int64_t token = 0; token < tokens; token++) {
        const float *ws = w + token * in * out_dim;
        float *dws = dw + token * in * out_dim;
        for (int64_t row = 0; row < rows; row += block) {
            const int64_t count = smaller(block, rows - row);
            const float *gs = gradient + token * gradient_token + row * gradient_row;
            const float *xs = x + token * x_token + row * x_row;
            float *dxs = dx + (token * rows + row) * in;
            product_by_transposed(count, in, out_dim, gs, gradient_row, ws, out_dim, da, in, REPLACE);
            for (int64_t i = 0; i < count; i++) {
                const uint8_t *bytes = noise ? noise + (token * rows + row + i) * in : NULL;
                activate(xs + i * x_row, activation, bytes, threshold, scale, a + i * in, in);
                activate_backward(xs + i * x_row, activation, bytes, threshold, scale, da + i * in, dxs + i * in, in);
            }
            product_of_transposed(in, out_dim, count, a, in, gs, gradient_row, dws,
                                  out_dim, row > 0 ? ADD : REPLACE);
            add_rows(gs, gradient_row, db + token * out_dim, count, out_dim);
        }
    }
}
