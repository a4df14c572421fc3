/* Compute linear, [RMSNorm], ReLU, dropout, linear: in blocks of rows whose hidden values, far more than those
 * of input and output, fit into the caches of one core.
 *
 * x: (row, in), with row stride x_row. w1: (hidden, in), w2: (out, hidden), as in a linear layer. gain: gain of the norm,
 * or ones, divided by the probability of keeping a value. noise: (row, hidden); values whose noise is below threshold
 * are dropped; NULL: no value is dropped.
 * inverse: (row), 1 / rms of the hidden values, or 1 without a norm. saved: (row, hidden), the hidden values before the
 * norm, or NULL, so that the backward pass recomputes them.
 */
#include <math.h>
#include <stddef.h>

#include "parallel.h"
#include "products.h"
#include "rows.h"

/* Compute a = relu(h * gain * scale) where an element is not dropped, else 0. */
static void activate(const float *restrict h, const float *restrict gain, float scale, const uint8_t *restrict noise,
                     int64_t threshold, float *restrict a, int64_t width) {
    if (noise && threshold) {
        const uint8_t highest = (uint8_t)(threshold - 1); /* highest noise of a dropped value; a threshold of 256 drops all */
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) {
            const float value = h[i] * gain[i] * scale;
            a[i] = (value <= 0) | (noise[i] <= highest) ? 0.0f : value; /* in this form, so that NaN passes; | is vectorised */
        }
    } else {
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) {
            const float value = h[i] * gain[i] * scale;
            a[i] = value <= 0 ? 0.0f : value;
        }
    }
}

typedef struct {
    const float *x;
    int64_t x_row;
    const float *w1, *b1, *gain;
    const uint8_t *noise;
    int64_t threshold;
    const float *w2, *b2;
    float *out, *saved, *inverse, *scratch; /* scratch: 2 hidden values per row of a block, for each part */
    int64_t in, hidden, out_dim, norm, block;
} ProjectionForward;

void projection_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const ProjectionForward p = *(const ProjectionForward *)arguments;
    const int64_t hidden = p.hidden, out_dim = p.out_dim;
    float *a = p.scratch + part * p.block * 2 * hidden, *made = a + p.block * hidden;
    for (int64_t row = first; row < last; row += p.block) {
        const int64_t count = minimum(p.block, last - row);
        float *h = p.saved ? p.saved + row * hidden : made, *out = p.out + row * out_dim;
        product_by_transposed(count, hidden, p.in, p.x + row * p.x_row, p.x_row, p.w1, p.in, h, hidden, REPLACE);
        for (int64_t i = 0; i < count; i++) {
            float *restrict line = h + i * hidden;
            float squares = 0, scale = 1.0f;
#pragma GCC ivdep
            for (int64_t j = 0; j < hidden; j++) {
                line[j] += p.b1[j];
                squares += line[j] * line[j];
            }
            if (p.norm) scale = 1.0f / sqrtf(squares / (float)hidden + NORM_EPSILON);
            p.inverse[row + i] = scale;
            activate(line, p.gain, scale, p.noise ? p.noise + (row + i) * hidden : NULL, p.threshold, a + i * hidden,
                     hidden);
        }
        linear_by_transposed(a, p.w2, p.b2, out, count, hidden, out_dim);
    }
}

/* Compute the gradient of h from that of a, in place; add the gradients of gain and bias to dgain and db. */
static void activate_backward(const float *restrict h, const float *restrict a, const float *restrict gain, float scale,
                              int64_t norm, float *restrict da, float *restrict dgain, float *restrict db,
                              int64_t width) {
    float along = 0;
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const float g = a[i] > 0 ? da[i] : 0.0f, along_h = g * h[i];
        along += along_h * gain[i];
        dgain[i] += along_h * scale;
    }
    const float pull = norm ? along * scale * scale * scale / (float)width : 0.0f;
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const float g = a[i] > 0 ? da[i] : 0.0f, dh = g * gain[i] * scale - h[i] * pull;
        da[i] = dh;
        db[i] += dh;
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_row;
    const float *x;
    int64_t x_row;
    const float *w1, *b1, *gain;
    const uint8_t *noise;
    int64_t threshold;
    const float *w2, *saved, *inverse;
    float *dx;
    /* One accumulator per part, in the layouts of their parameters; sums over the rows are added to db1, dgain and db2. */
    float *dw1, *db1, *dgain, *dw2, *db2;
    float *scratch; /* 3 hidden values per row of a block, for each part */
    int64_t in, hidden, out_dim, norm, block;
} ProjectionBackward;

void projection_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const ProjectionBackward p = *(const ProjectionBackward *)arguments;
    const int64_t in = p.in, hidden = p.hidden, out_dim = p.out_dim;
    float *a = p.scratch + part * p.block * 3 * hidden, *da = a + p.block * hidden, *recomputed = da + p.block * hidden;
    float *dw1 = p.dw1 + part * padded_size(hidden * in), *dw2 = p.dw2 + part * padded_size(out_dim * hidden);
    for (int64_t row = first; row < last; row += p.block) {
        const int64_t count = minimum(p.block, last - row);
        const float *gradient = p.gradient + row * p.gradient_row, *x = p.x + row * p.x_row;
        const int add = row > first ? ADD : REPLACE;
        const float *h = p.saved ? p.saved + row * hidden : recomputed;
        if (!p.saved) {
            product_by_transposed(count, hidden, in, x, p.x_row, p.w1, in, recomputed, hidden, REPLACE);
            add_row(p.b1, recomputed, count, hidden);
        }
        product(count, hidden, out_dim, gradient, p.gradient_row, p.w2, hidden, da, hidden, REPLACE);
        for (int64_t i = 0; i < count; i++) {
            const float scale = p.inverse[row + i], *line = h + i * hidden;
            float *active = a + i * hidden;
            activate(line, p.gain, scale, p.noise ? p.noise + (row + i) * hidden : NULL, p.threshold, active, hidden);
            activate_backward(line, active, p.gain, scale, p.norm, da + i * hidden, p.dgain + part * padded_size(hidden),
                              p.db1 + part * padded_size(hidden), hidden);
        }
        product_of_transposed(out_dim, hidden, count, gradient, p.gradient_row, a, hidden, dw2, hidden, add);
        product_of_transposed(hidden, in, count, da, hidden, x, p.x_row, dw1, in, add);
        product(count, in, hidden, da, hidden, p.w1, in, p.dx + row * in, in, REPLACE);
        add_rows(gradient, p.gradient_row, p.db2 + part * padded_size(out_dim), count, out_dim);
    }
}
