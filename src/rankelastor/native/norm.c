/* RMSNorm, out = gain * x / sqrt(mean(x^2) + 1e-12), for rows in groups that share a gain. *_group and *_row: how far
 * groups and rows are apart; gain_group 0: one gain for all. inverse: (group, row), 1 / rms(x).
 */
#include <math.h>
#include <stdint.h>

#include "rows.h"

void rms_norm_forward(const float *x, int64_t x_group, int64_t x_row, const float *gain, int64_t gain_group, float *out,
                      int64_t out_group, int64_t out_row, float *inverse, int64_t groups, int64_t rows, int64_t dim) {
    for (int64_t group = 0; group < groups; group++) {
        const float *gains = gain + group * gain_group;
        for (int64_t row = 0; row < rows; row++) {
            const float *restrict xs = x + group * x_group + row * x_row;
            float *restrict outs = out + group * out_group + row * out_row;
            float squares = 0;
#pragma GCC ivdep
            for (int64_t i = 0; i < dim; i++) squares += xs[i] * xs[i];
            const float scale = 1.0f / sqrtf(squares / (float)dim + NORM_EPSILON);
#pragma GCC ivdep
            for (int64_t i = 0; i < dim; i++) outs[i] = xs[i] * scale * gains[i];
            inverse[group * rows + row] = scale;
        }
    }
}

/* dx in the layout of out; dgain, in the layout of gain, gets its gradient added. */
void rms_norm_backward(const float *gradient, int64_t gradient_group, int64_t gradient_row, const float *x,
                       int64_t x_group, int64_t x_row, const float *gain, int64_t gain_group, const float *inverse,
                       float *dx, int64_t dx_group, int64_t dx_row, float *dgain, int64_t groups, int64_t rows,
                       int64_t dim) {
    for (int64_t group = 0; group < groups; group++) {
        const float *gains = gain + group * gain_group;
        float *restrict dgains = dgain + group * gain_group;
        for (int64_t row = 0; row < rows; row++) {
            const float *restrict gs = gradient + group * gradient_group + row * gradient_row;
            const float *restrict xs = x + group * x_group + row * x_row;
            float *restrict dxs = dx + group * dx_group + row * dx_row;
            const float scale = inverse[group * rows + row];
            float along = 0;
#pragma GCC ivdep
            for (int64_t i = 0; i < dim; i++) {
                const float along_x = gs[i] * xs[i];
                along += along_x * gains[i];
                dgains[i] += along_x * scale;
            }
            const float pull = along * scale * scale * scale / (float)dim;
#pragma GCC ivdep
            for (int64_t i = 0; i < dim; i++) dxs[i] = gs[i] * gains[i] * scale - xs[i] * pull;
        }
    }
}
