/* RMSNorm, out = gain * x / sqrt(mean(x^2) + 1e-12), for rows in groups that share a gain. *_group and *_row: how far
 * groups and rows are apart; gain_group 0: one gain for all. inverse: (group, row), 1 / rms(x).
 */
#include <math.h>

#include "parallel.h"
#include "rows.h"

typedef struct {
    const float *x;
    int64_t x_group, x_row;
    const float *gain;
    int64_t gain_group;
    float *out;
    int64_t out_group, out_row;
    float *inverse;
    int64_t groups, rows, dim;
} RmsNormForward;

void rms_norm_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const RmsNormForward n = *(const RmsNormForward *)arguments;
    (void)part;
    for (int64_t group = 0; group < n.groups; group++) {
        const float *gain = n.gain + group * n.gain_group;
        for (int64_t row = first; row < last; row++) {
            const float *restrict x = n.x + group * n.x_group + row * n.x_row;
            float *restrict out = n.out + group * n.out_group + row * n.out_row;
            float squares = 0;
#pragma GCC ivdep
            for (int64_t i = 0; i < n.dim; i++) squares += x[i] * x[i];
            const float scale = 1.0f / sqrtf(squares / (float)n.dim + NORM_EPSILON);
#pragma GCC ivdep
            for (int64_t i = 0; i < n.dim; i++) out[i] = x[i] * scale * gain[i];
            n.inverse[group * n.rows + row] = scale;
        }
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_group, gradient_row;
    const float *x;
    int64_t x_group, x_row;
    const float *gain;
    int64_t gain_group;
    const float *inverse;
    float *dx;
    int64_t dx_group, dx_row;
    float *dgain; /* for every part, in the layout of gain; gets sums over the rows added */
    int64_t gain_size, groups, rows, dim;
} RmsNormBackward;

void rms_norm_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const RmsNormBackward n = *(const RmsNormBackward *)arguments;
    for (int64_t group = 0; group < n.groups; group++) {
        const float *gain = n.gain + group * n.gain_group;
        float *restrict dgain = n.dgain + part * apart(n.gain_size) + group * n.gain_group;
        for (int64_t row = first; row < last; row++) {
            const float *restrict gradient = n.gradient + group * n.gradient_group + row * n.gradient_row;
            const float *restrict x = n.x + group * n.x_group + row * n.x_row;
            float *restrict dx = n.dx + group * n.dx_group + row * n.dx_row;
            const float scale = n.inverse[group * n.rows + row];
            float along = 0;
#pragma GCC ivdep
            for (int64_t i = 0; i < n.dim; i++) {
                const float along_x = gradient[i] * x[i];
                along += along_x * gain[i];
                dgain[i] += along_x * scale;
            }
            const float pull = along * scale * scale * scale / (float)n.dim;
#pragma GCC ivdep
            for (int64_t i = 0; i < n.dim; i++) dx[i] = gradient[i] * gain[i] * scale - x[i] * pull;
        }
    }
}
