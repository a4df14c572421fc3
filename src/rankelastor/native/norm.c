/* Compute RMSNorm, out = gain * x / sqrt(mean(x^2) + 1e-12), for rows in groups that share a gain. *_group and *_row are
 * the distances between groups and rows; gain_group 0: one gain for all. inverse: (group, row), 1 / rms(x).
 */
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
            n.inverse[group * n.rows + row] = norm_row(n.x + group * n.x_group + row * n.x_row, gain,
                                                       n.out + group * n.out_group + row * n.out_row, n.dim);
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
    float *dgain; /* one accumulator per part, in the layout of gain; sums over the rows are added */
    int64_t gain_size, groups, rows, dim;
} RmsNormBackward;

void rms_norm_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const RmsNormBackward n = *(const RmsNormBackward *)arguments;
    for (int64_t group = 0; group < n.groups; group++) {
        const float *gain = n.gain + group * n.gain_group;
        float *dgain = n.dgain + part * apart(n.gain_size) + group * n.gain_group;
        for (int64_t row = first; row < last; row++) {
            norm_row_backward(n.gradient + group * n.gradient_group + row * n.gradient_row,
                              n.x + group * n.x_group + row * n.x_row, gain, n.inverse[group * n.rows + row], NULL,
                              n.dx + group * n.dx_group + row * n.dx_row, dgain, n.dim);
        }
    }
}
