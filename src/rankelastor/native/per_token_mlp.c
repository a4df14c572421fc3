/* Linear or none, activation, dropout, linear, all of every token's own: a block of rows at a time, so that the hidden
 * numbers stay in the caches of one core.
 *
 * x and the gradient: rows of in and of out numbers, *_token and *_row apart. w1: (token, in, hidden), b1: (token, hidden),
 * or NULL: then x are the hidden numbers, and in is hidden. w2: (token, hidden, out), b2: (token, out).
 * noise: (token, row, hidden), those below threshold are dropped and the others multiplied by scale; NULL: all pass.
 * kept: (token, row, hidden), the hidden numbers, or NULL: then they are computed again in the backward pass.
 * out, dx: (token, row, out or in).
 */
#include <stddef.h>

#include "elementwise.h"
#include "products.h"
#include "rows.h"

enum { IDENTITY = 0, RELU = 1, GELU = 2 };

typedef struct {
    int64_t activation;
    const uint8_t *noise; /* NULL: nothing is dropped */
    uint8_t highest;      /* of those dropped */
    float scale;
} Active;

static Active active_of(int64_t activation, const uint8_t *noise, int64_t threshold, float scale) {
    return (Active){activation, threshold ? noise : NULL, (uint8_t)(threshold - 1), scale};
}

static inline float activated(int64_t activation, float x) {
    if (activation == GELU) return x * normal_below(x);
    if (activation == RELU) return x <= 0 ? 0.0f : x; /* so that NaN passes */
    return x;
}

static inline void activate_as(int64_t activation, Active as, const float *restrict h, const uint8_t *restrict noise,
                               float *restrict a, int64_t width) {
    if (noise)
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) a[i] = noise[i] <= as.highest ? 0.0f : activated(activation, h[i]) * as.scale;
    else
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) a[i] = activated(activation, h[i]) * as.scale;
}

/* a = dropout(activation(h)) for count rows of h, h_row apart, from the given place in the noise. */
static void activate(Active as, const float *h, int64_t h_row, int64_t place, float *a, int64_t count, int64_t width) {
    if (h_row == width) width *= count, count = 1; /* one long row leaves fewer rests of vectors */
    for (int64_t row = 0; row < count; row++, h += h_row, a += width) {
        const uint8_t *noise = as.noise ? as.noise + place + row * width : NULL;
        if (as.activation == GELU) activate_as(GELU, as, h, noise, a, width);
        else if (as.activation == RELU) activate_as(RELU, as, h, noise, a, width);
        else activate_as(IDENTITY, as, h, noise, a, width);
    }
}

static inline void activate_backward_as(int64_t activation, Active as, const float *restrict h,
                                        const uint8_t *restrict noise, const float *da, float *restrict a, float *dh,
                                        int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const float scale = noise && noise[i] <= as.highest ? 0.0f : as.scale;
        if (activation == GELU) {
            const Normal normal = normal_at(h[i]);
            a[i] = h[i] * normal.below * scale;
            dh[i] = da[i] * scale * (normal.below + h[i] * normal.density);
        } else {
            a[i] = activated(activation, h[i]) * scale;
            dh[i] = activation == RELU && !(h[i] > 0) ? 0.0f : da[i] * scale;
        }
    }
}

/* From the gradient of a to that of h, which may take its place; a is computed again. */
static void activate_backward(Active as, const float *h, int64_t h_row, int64_t place, const float *da, float *a, float *dh,
                              int64_t count, int64_t width) {
    if (h_row == width) width *= count, count = 1;
    for (int64_t row = 0; row < count; row++, h += h_row, da += width, a += width, dh += width) {
        const uint8_t *noise = as.noise ? as.noise + place + row * width : NULL;
        if (as.activation == GELU && noise) activate_backward_as(GELU, as, h, noise, da, a, dh, width);
        else if (as.activation == GELU) activate_backward_as(GELU, as, h, NULL, da, a, dh, width);
        else if (as.activation == RELU && noise) activate_backward_as(RELU, as, h, noise, da, a, dh, width);
        else if (as.activation == RELU) activate_backward_as(RELU, as, h, NULL, da, a, dh, width);
        else if (noise) activate_backward_as(IDENTITY, as, h, noise, da, a, dh, width);
        else activate_backward_as(IDENTITY, as, h, NULL, da, a, dh, width);
    }
}

static void linear(const float *x, int64_t x_row, const float *w, const float *b, float *out, int64_t count, int64_t in,
                   int64_t out_dim) {
    repeat_row(b, out, count, out_dim);
    product(count, out_dim, in, x, x_row, w, out_dim, out, out_dim, ADD);
}

/* activation: one of the above. scratch: 2 hidden numbers a row of a block. */
void per_token_mlp_forward(const float *x, int64_t x_token, int64_t x_row, const float *w1, const float *b1,
                           int64_t activation, const uint8_t *noise, int64_t threshold, float scale, const float *w2,
                           const float *b2, float *out, float *kept, float *scratch, int64_t tokens, int64_t rows,
                           int64_t in, int64_t hidden, int64_t out_dim, int64_t block) {
    const Active as = active_of(activation, noise, threshold, scale);
    float *a = scratch;
    for (int64_t token = 0; token < tokens; token++) {
        for (int64_t row = 0; row < rows; row += block) {
            const int64_t count = smaller(block, rows - row), place = token * rows + row;
            const float *xs = x + token * x_token + row * x_row, *h = xs;
            if (w1) {
                float *made = kept ? kept + place * hidden : scratch + block * hidden;
                linear(xs, x_row, w1 + token * in * hidden, b1 + token * hidden, made, count, in, hidden);
                h = made;
            }
            activate(as, h, w1 ? hidden : x_row, place * hidden, a, count, hidden);
            linear(a, hidden, w2 + token * hidden * out_dim, b2 + token * out_dim, out + place * out_dim, count, hidden,
                   out_dim);
        }
    }
}

/* dw1, dw2: in the layouts of w1 and w2. db1, db2, of zeros, get the sums over the rows. scratch: 3 hidden numbers a row
 * of a block. */
void per_token_mlp_backward(const float *gradient, int64_t gradient_token, int64_t gradient_row, const float *x,
                            int64_t x_token, int64_t x_row, const float *w1, const float *b1, int64_t activation,
                            const uint8_t *noise, int64_t threshold, float scale, const float *w2, const float *kept,
                            float *dx, float *dw1, float *db1, float *dw2, float *db2, float *scratch, int64_t tokens,
                            int64_t rows, int64_t in, int64_t hidden, int64_t out_dim, int64_t block) {
    const Active as = active_of(activation, noise, threshold, scale);
    float *a = scratch, *da = a + block * hidden, *again = da + block * hidden;
    for (int64_t token = 0; token < tokens; token++) {
        const int64_t up = token * in * hidden, down = token * hidden * out_dim;
        for (int64_t row = 0; row < rows; row += block) {
            const int64_t count = smaller(block, rows - row), place = token * rows + row;
            const int add = row > 0 ? ADD : REPLACE;
            const float *gs = gradient + token * gradient_token + row * gradient_row;
            const float *xs = x + token * x_token + row * x_row, *h = w1 ? again : xs;
            float *dxs = dx + place * in, *dh = w1 ? da : dxs;
            if (w1 && kept) h = kept + place * hidden;
            else if (w1) linear(xs, x_row, w1 + up, b1 + token * hidden, again, count, in, hidden);
            product_by_transposed(count, hidden, out_dim, gs, gradient_row, w2 + down, out_dim, da, hidden, REPLACE);
            activate_backward(as, h, w1 ? hidden : x_row, place * hidden, da, a, dh, count, hidden);
            product_of_transposed(hidden, out_dim, count, a, hidden, gs, gradient_row, dw2 + down, out_dim, add);
            add_rows(gs, gradient_row, db2 + token * out_dim, count, out_dim);
            if (w1) {
                product_of_transposed(in, hidden, count, xs, x_row, dh, hidden, dw1 + up, hidden, add);
                add_rows(dh, hidden, db1 + token * hidden, count, hidden);
                product_by_transposed(count, in, hidden, dh, hidden, w1 + up, hidden, dxs, in, REPLACE);
            }
        }
    }
}
