/* Compute x + swap_parts(gain * x / rms(x)): a token is cut into one part per token, and token t takes part t of every token.
 *
 * x, gradient, out and dx: (row, token, dim); *_token and *_row are the strides of tokens and rows. gain: (dim). inverse: (row,
 * token), 1 / rms(x).
 */
#include "parallel.h"
#include "rows.h"

typedef struct {
    const float *x;
    int64_t x_token, x_row;
    const float *gain;
    float *inverse, *out;
    int64_t out_token, out_row;
    float *scratch; /* tokens * dim values, for each part */
    int64_t tokens, dim;
} SwappedPartsForward;

void swapped_parts_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SwappedPartsForward s = *(const SwappedPartsForward *)arguments;
    const int64_t width = s.dim / s.tokens;
    float *restrict normed = s.scratch + part * s.tokens * s.dim;
    for (int64_t row = first; row < last; row++) {
        for (int64_t token = 0; token < s.tokens; token++)
            s.inverse[row * s.tokens + token] =
                norm_row(s.x + row * s.x_row + token * s.x_token, s.gain, normed + token * s.dim, s.dim);
        for (int64_t token = 0; token < s.tokens; token++) {
            const float *restrict x = s.x + row * s.x_row + token * s.x_token;
            float *restrict out = s.out + row * s.out_row + token * s.out_token;
            for (int64_t other = 0; other < s.tokens; other++)
                for (int64_t i = 0; i < width; i++)
                    out[other * width + i] = x[other * width + i] + normed[other * s.dim + token * width + i];
        }
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_token, gradient_row;
    const float *x;
    int64_t x_token, x_row;
    const float *gain, *inverse;
    float *dx;
    int64_t dx_token, dx_row;
    float *dgain;   /* one accumulator per part; sums over the rows are added */
    float *scratch; /* dim values, for each part */
    int64_t tokens, dim;
} SwappedPartsBackward;

void swapped_parts_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SwappedPartsBackward s = *(const SwappedPartsBackward *)arguments;
    const int64_t width = s.dim / s.tokens;
    float *restrict dnormed = s.scratch + part * s.dim, *dgain = s.dgain + part * padded_size(s.dim);
    for (int64_t row = first; row < last; row++) {
        const float *restrict gradient = s.gradient + row * s.gradient_row;
        for (int64_t token = 0; token < s.tokens; token++) {
            for (int64_t other = 0; other < s.tokens; other++)
                for (int64_t i = 0; i < width; i++)
                    dnormed[other * width + i] = gradient[other * s.gradient_token + token * width + i];
            norm_row_backward(dnormed, s.x + row * s.x_row + token * s.x_token, s.gain, s.inverse[row * s.tokens + token],
                              gradient + token * s.gradient_token, s.dx + row * s.dx_row + token * s.dx_token, dgain, s.dim);
        }
    }
}
