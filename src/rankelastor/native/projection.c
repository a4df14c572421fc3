/* Linear, RMSNorm or none, ReLU, dropout, Linear: a block of rows at a time, so that the hidden numbers, which are far
 * more than what comes in and goes out, stay in the caches of one core.
 *
 * x: (row, in), x_row apart. w1: (hidden, in), w2: (out, hidden), as in a linear layer. gain: of the norm, or ones, over
 * the share that is kept. noise: (row, hidden), those below threshold are dropped; NULL: all are kept.
 * inverse: (row), 1 / rms of the hidden numbers, or 1 without a norm. kept: (row, hidden), the hidden numbers before the
 * norm, or NULL: then they are computed again in the backward pass.
 */
#include <math.h>
#include <stddef.h>

#include "products.h"
#include "rows.h"

/* a = relu(h * gain * scale) * kept */
static void activate(const float *restrict h, const float *restrict gain, float scale, const uint8_t *restrict noise,
                     int64_t threshold, float *restrict a, int64_t width) {
    if (noise && threshold) {
        const uint8_t highest = (uint8_t)(threshold - 1); /* of those dropped: a threshold of 256 drops all */
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) {
            const float value = h[i] * gain[i] * scale;
            a[i] = (value <= 0 || noise[i] <= highest) ? 0.0f : value; /* so that NaN passes */
        }
    } else {
#pragma GCC ivdep
        for (int64_t i = 0; i < width; i++) {
            const float value = h[i] * gain[i] * scale;
            a[i] = value <= 0 ? 0.0f : value;
        }
    }
}

/* scratch: 2 hidden numbers a row of a block. */
void projection_forward(const float *x, int64_t x_row, const float *w1, const float *b1, const float *gain,
                        const uint8_t *noise, int64_t threshold, const float *w2, const float *b2, float *out,
                        float *kept, float *inverse, float *scratch, int64_t rows, int64_t in, int64_t hidden, int64_t out_width,
                        int64_t norm, int64_t block) {
    float *a = scratch;
    for (int64_t row = 0; row < rows; row += block) {
        const int64_t count = smaller(block, rows - row);
        float *h = kept ? kept + row * hidden : scratch + block * hidden, *outs = out + row * out_width;
        product_by_transposed(count, hidden, in, x + row * x_row, x_row, w1, in, h, hidden, REPLACE);
        for (int64_t i = 0; i < count; i++) {
            float *line = h + i * hidden;
            float squares = 0, scale = 1.0f;
#pragma GCC ivdep
            for (int64_t j = 0; j < hidden; j++) {
                line[j] += b1[j];
                squares += line[j] * line[j];
            }
            if (norm) scale = 1.0f / sqrtf(squares / (float)hidden + NORM_EPSILON);
            inverse[row + i] = scale;
            activate(line, gain, scale, noise ? noise + (row + i) * hidden : NULL, threshold, a + i * hidden, hidden);
        }
        repeat_row(b2, outs, count, out_width);
        product_by_transposed(count, out_width, hidden, a, hidden, w2, hidden, outs, out_width, ADD);
    }
}

/* From the gradient of a to that of h, in place; dgain and db get theirs added. */
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

/* dw1, db1, dgain, dw2, db2: in the layouts of their parameters; db1, dgain and db2 of zeros. scratch: 3 hidden numbers a
 * row of a block. */
void projection_backward(const float *gradient, int64_t gradient_row, const float *x, int64_t x_row, const float *w1,
                         const float *b1, const float *gain, const uint8_t *noise, int64_t threshold, const float *w2,
                         const float *kept, const float *inverse, float *dx, float *dw1, float *db1, float *dgain, float *dw2, float *db2,
                         float *scratch, int64_t rows, int64_t in, int64_t hidden, int64_t out_width, int64_t norm,
                         int64_t block) {
    float *a = scratch, *da = a + block * hidden, *again = da + block * hidden;
    for (int64_t row = 0; row < rows; row += block) {
        const int64_t count = smaller(block, rows - row);
        const float *gs = gradient + row * gradient_row, *xs = x + row * x_row;
        const int add = row > 0 ? ADD : REPLACE;
        const float *h = kept ? kept + row * hidden : again;
        if (!kept) {
            product_by_transposed(count, hidden, in, xs, x_row, w1, in, again, hidden, REPLACE);
            add_row(b1, again, count, hidden);
        }
        product(count, hidden, out_width, gs, gradient_row, w2, hidden, da, hidden, REPLACE);
        for (int64_t i = 0; i < count; i++) {
            const float scale = inverse[row + i];
            const float *line = h + i * hidden;
            float *active = a + i * hidden;
            activate(line, gain, scale, noise ? noise + (row + i) * hidden : NULL, threshold, active, hidden);
            activate_backward(line, active, gain, scale, norm, da + i * hidden, dgain, db1, hidden);
        }
        product_of_transposed(out_width, hidden, count, gs, gradient_row, a, hidden, dw2, hidden, add);
        product_of_transposed(hidden, in, count, da, hidden, xs, x_row, dw1, in, add);
        product(count, in, hidden, da, hidden, w1, in, dx + row * in, in, REPLACE);
        add_rows(gs, gradient_row, db2, count, out_width);
    }
}
