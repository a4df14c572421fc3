/* Compute LayerNorm(x + swap_parts(x)), out = gain * (z - mean(z)) / sqrt(var(z) + epsilon) + bias: a token is cut into
 * one part per token, and token t takes part t of every token.
 *
 * x and the gradient: (row, token, dim); *_token and *_row are the strides of tokens and rows. gain, bias: (dim). out,
 * normed, dx: (row, token, dim); normed is the value before gain and bias. inverse: (row, token), 1 / sqrt(var(z) + epsilon).
 */
#include <math.h>

#include "parallel.h"
#include "vectors.h"

/* Compute z = own + the same part of every other token. */
ALWAYS_INLINE void add_parts_of_width(const int64_t width, const float *restrict own, const float *restrict parts,
                                      int64_t parts_token, int64_t tokens, float *restrict z) {
    for (int64_t other = 0; other < tokens; other++)
        for (int64_t i = 0; i < width; i++) z[other * width + i] = own[other * width + i] + parts[other * parts_token + i];
}

/* The same with narrow parts apart, for which the compiler writes out the inner loop: it takes longer to begin than to run. */
static inline void add_parts(int64_t width, const float *own, const float *parts, int64_t parts_token, int64_t tokens, float *z) {
    switch (width) {
        case 1: add_parts_of_width(1, own, parts, parts_token, tokens, z); break;
        case 2: add_parts_of_width(2, own, parts, parts_token, tokens, z); break;
        case 3: add_parts_of_width(3, own, parts, parts_token, tokens, z); break;
        case 4: add_parts_of_width(4, own, parts, parts_token, tokens, z); break;
        default: add_parts_of_width(width, own, parts, parts_token, tokens, z);
    }
}

typedef struct {
    const float *x;
    int64_t x_token, x_row;
    const float *gain, *bias;
    double epsilon;
    float *out, *normed, *inverse;
    int64_t tokens, dim;
} SplitMixingForward;

void split_mixing_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SplitMixingForward s = *(const SplitMixingForward *)arguments;
    const int64_t width = s.dim / s.tokens;
    (void)part;
    for (int64_t row = first; row < last; row++) {
        const float *x = s.x + row * s.x_row;
        float *all = s.normed + row * s.tokens * s.dim;
        for (int64_t token = 0; token < s.tokens; token++)
            add_parts(width, x + token * s.x_token, x + token * width, s.x_token, s.tokens, all + token * s.dim);
        for (int64_t token = 0; token < s.tokens; token++) {
            const int64_t place = row * s.tokens + token;
            float *restrict z = all + token * s.dim, *restrict out = s.out + place * s.dim, sum = 0, squares = 0;
#pragma GCC ivdep
            for (int64_t i = 0; i < s.dim; i++) sum += z[i];
            const float mean = sum / (float)s.dim;
#pragma GCC ivdep
            for (int64_t i = 0; i < s.dim; i++) squares += (z[i] - mean) * (z[i] - mean);
            /* Infinite squares must not become zeros: the output is not a number, as PyTorch's is. */
            const float inverse = isfinite(squares) ? 1.0f / sqrtf(squares / (float)s.dim + (float)s.epsilon) : NAN;
#pragma GCC ivdep
            for (int64_t i = 0; i < s.dim; i++) {
                z[i] = (z[i] - mean) * inverse;
                out[i] = z[i] * s.gain[i] + s.bias[i];
            }
            s.inverse[place] = inverse;
        }
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_token, gradient_row;
    const float *gain, *normed, *inverse;
    float *dx;
    float *dgain, *dbias, *scratch; /* per part an accumulator of (dim), and scratch of (token, dim) */
    int64_t tokens, dim;
} SplitMixingBackward;

void split_mixing_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SplitMixingBackward s = *(const SplitMixingBackward *)arguments;
    const int64_t width = s.dim / s.tokens, dim = s.dim;
    float *restrict dgain = s.dgain + part * padded_size(dim), *restrict dbias = s.dbias + part * padded_size(dim);
    float *restrict all = s.scratch + part * padded_size(s.tokens * dim);
    for (int64_t row = first; row < last; row++) {
        for (int64_t token = 0; token < s.tokens; token++) {
            const int64_t place = row * s.tokens + token;
            const float *restrict gradient = s.gradient + row * s.gradient_row + token * s.gradient_token;
            const float *restrict normed = s.normed + place * dim;
            float *restrict dz = all + token * dim, sum = 0, along = 0;
#pragma GCC ivdep
            for (int64_t i = 0; i < dim; i++) {
                const float scaled = gradient[i] * s.gain[i];
                sum += scaled;
                along += scaled * normed[i];
                dgain[i] += gradient[i] * normed[i];
                dbias[i] += gradient[i];
            }
            const float mean = sum / (float)dim, pull = along / (float)dim, inverse = s.inverse[place];
#pragma GCC ivdep
            for (int64_t i = 0; i < dim; i++) dz[i] = (gradient[i] * s.gain[i] - mean - normed[i] * pull) * inverse;
        }
        float *restrict dx = s.dx + row * s.tokens * dim;
        for (int64_t token = 0; token < s.tokens; token++)
            add_parts(width, all + token * dim, all + token * width, dim, s.tokens, dx + token * dim);
    }
}
