/* Compute [linear], activation, dropout, linear, each token with its own weights: in blocks of rows whose
 * hidden values fit into the caches of one core.
 *
 * x and the gradient: (token, row, in or out); *_token and *_row are the strides of tokens and rows.
 * w1: (token, in, hidden), b1: (token, hidden), or NULL: then x holds the hidden values, and in = hidden. w2: (token, hidden, out), b2: (token, out).
 * noise: (token, row, hidden); values whose noise is below threshold are dropped, the others multiplied by scale; NULL: no
 * value is dropped.
 * saved: (token, row, hidden), the hidden values, or NULL, so that the backward pass recomputes them.
 * out, dx: (token, row, out or in), with strides; those of dx are of a contiguous tensor without w1.
 */
#include <stddef.h>

#include "elementwise.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"

enum { IDENTITY = 0, RELU = 1, GELU = 2 };

typedef struct {
    int64_t activation;
    const uint8_t *noise; /* NULL: no value is dropped */
    uint8_t highest;      /* highest noise of a dropped value */
    float scale;
} Activation;

static Activation make_activation(int64_t activation, const uint8_t *noise, int64_t threshold, float scale) {
    return (Activation){activation, threshold ? noise : NULL, (uint8_t)(threshold - 1), scale};
}

static inline float apply_activation(int64_t activation, float x) {
    if (activation == GELU) return x * normal_below(x);
    if (activation == RELU) return x <= 0 ? 0.0f : x; /* in this form, so that NaN passes */
    return x;
}

static inline void activate_as(int64_t activation, Activation as, const float *restrict h, const uint8_t *restrict noise,
                               float *restrict a, int64_t width) {
    if (noise)
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) a[i] = noise[i] <= as.highest ? 0.0f : apply_activation(activation, h[i]) * as.scale;
    else
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) a[i] = apply_activation(activation, h[i]) * as.scale;
}

/* Compute a = dropout(activation(h)) for count rows of h with stride h_row; place is the offset into the noise. */
static void activate(Activation as, const float *h, int64_t h_row, int64_t place, float *a, int64_t count, int64_t width) {
    if (h_row == width) width *= count, count = 1; /* one long row has fewer scalar remainders */
    for (int64_t row = 0; row < count; row++, h += h_row, a += width) {
        const uint8_t *noise = as.noise ? as.noise + place + row * width : NULL;
        if (as.activation == GELU) activate_as(GELU, as, h, noise, a, width);
        else if (as.activation == RELU) activate_as(RELU, as, h, noise, a, width);
        else activate_as(IDENTITY, as, h, noise, a, width);
    }
}

static inline void activate_backward_as(int64_t activation, Activation as, const float *restrict h,
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
            a[i] = apply_activation(activation, h[i]) * scale;
            dh[i] = activation == RELU && !(h[i] > 0) ? 0.0f : da[i] * scale;
        }
    }
}

/* Compute the gradient of h from that of a, possibly in place, and recompute a. */
static void activate_backward(Activation as, const float *h, int64_t h_row, int64_t place, const float *da, float *a, float *dh,
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

typedef struct {
    const float *x;
    int64_t x_token, x_row;
    const float *w1, *b1;
    int64_t activation; /* IDENTITY, RELU or GELU */
    const uint8_t *noise;
    int64_t threshold;
    double scale;
    const float *w2, *b2;
    float *out;
    int64_t out_token, out_row;
    float *saved, *scratch; /* scratch: 2 hidden values per row of a block, for each part */
    int64_t tokens, rows, in, hidden, out_dim, block;
} PerTokenMlpForward;

void per_token_mlp_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const PerTokenMlpForward m = *(const PerTokenMlpForward *)arguments;
    const Activation as = make_activation(m.activation, m.noise, m.threshold, (float)m.scale);
    const int64_t hidden = m.hidden, out_dim = m.out_dim;
    float *a = m.scratch + part * m.block * 2 * hidden, *made = a + m.block * hidden;
    for (int64_t token = 0; token < m.tokens; token++) {
        for (int64_t row = first; row < last; row += m.block) {
            const int64_t count = minimum(m.block, last - row), place = token * m.rows + row;
            const float *x = m.x + token * m.x_token + row * m.x_row;
            float *h = m.saved ? m.saved + place * hidden : made;
            if (m.w1)
                linear(x, m.x_row, m.w1 + token * m.in * hidden, hidden, m.b1 + token * hidden, h, count, m.in, hidden);
            activate(as, m.w1 ? h : x, m.w1 ? hidden : m.x_row, place * hidden, a, count, hidden);
            const Product down = {a, hidden, 1, m.w2 + token * hidden * out_dim, out_dim, 1, hidden};
            sum_of_products(count, out_dim, &down, 1, m.b2 + token * out_dim, m.out + token * m.out_token + row * m.out_row,
                            m.out_row);
        }
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_token, gradient_row;
    const float *x;
    int64_t x_token, x_row;
    const float *w1, *b1;
    int64_t activation;
    const uint8_t *noise;
    int64_t threshold;
    double scale;
    const float *w2, *saved;
    float *dx;
    int64_t dx_token, dx_row;
    /* One accumulator per part, in the layouts of w1, b1, w2, b2; sums over the rows are added to db1 and db2. */
    float *dw1, *db1, *dw2, *db2;
    float *scratch; /* 3 hidden values per row of a block, for each part */
    int64_t tokens, rows, in, hidden, out_dim, block;
} PerTokenMlpBackward;

void per_token_mlp_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const PerTokenMlpBackward m = *(const PerTokenMlpBackward *)arguments;
    const Activation as = make_activation(m.activation, m.noise, m.threshold, (float)m.scale);
    const int64_t in = m.in, hidden = m.hidden, out_dim = m.out_dim, up = in * hidden, down = hidden * out_dim;
    float *a = m.scratch + part * m.block * 3 * hidden, *da = a + m.block * hidden, *recomputed = da + m.block * hidden;
    for (int64_t token = 0; token < m.tokens; token++) {
        float *dw1 = buffer(m.dw1, part, token, m.tokens, up), *db1 = buffer(m.db1, part, token, m.tokens, hidden);
        float *dw2 = buffer(m.dw2, part, token, m.tokens, down), *db2 = buffer(m.db2, part, token, m.tokens, out_dim);
        for (int64_t row = first; row < last; row += m.block) {
            const int64_t count = minimum(m.block, last - row), place = token * m.rows + row;
            const int add = row > first ? ADD : REPLACE;
            const float *gradient = m.gradient + token * m.gradient_token + row * m.gradient_row;
            const float *x = m.x + token * m.x_token + row * m.x_row, *h = m.w1 ? recomputed : x;
            float *dx = m.dx + token * m.dx_token + row * m.dx_row, *dh = m.w1 ? da : dx;
            if (m.w1 && m.saved) h = m.saved + place * hidden;
            else if (m.w1) linear(x, m.x_row, m.w1 + token * up, hidden, m.b1 + token * hidden, recomputed, count, in, hidden);
            product_by_transposed(count, hidden, out_dim, gradient, m.gradient_row, m.w2 + token * down, out_dim, da,
                                  hidden, REPLACE);
            activate_backward(as, h, m.w1 ? hidden : m.x_row, place * hidden, da, a, dh, count, hidden);
            product_of_transposed(hidden, out_dim, count, a, hidden, gradient, m.gradient_row, dw2,
                                  out_dim, add);
            add_rows(gradient, m.gradient_row, db2, count, out_dim);
            if (m.w1) {
                product_of_transposed(in, hidden, count, x, m.x_row, dh, hidden, dw1, hidden, add);
                add_rows(dh, hidden, db1, count, hidden);
                product_by_transposed(count, in, hidden, dh, hidden, m.w1 + token * up, hidden, dx, m.dx_row, REPLACE);
            }
        }
    }
}
