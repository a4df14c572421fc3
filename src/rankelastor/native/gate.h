/* Compute the published gate, y = ((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x, after an RMSNorm if there is a gain: token by
 * token, and by rows in blocks whose intermediate results fit into the caches of one core (gate.c) or, where by_strips is not
 * 0, by strips (gate_by_strips.c), which keep nothing for the backward pass and fill registers however narrow tokens are.
 *
 * x and the gradient: (token, row, dim or out); *_token and *_row are the strides of tokens and rows.
 * gain: (token, dim) of the RMSNorm, or NULL; inverse: (token, row), 1 / rms of x, NULL by strips.
 * lift: (token, dim, lift_row), of which the first 3 inner columns are W1 | W2 | S2; lift_bias: (token, lift_row).
 * direct (S1): (token, dim, direct_row), of which the first out columns are used; reduce (W3): (token, inner, out);
 * bias: (token, out), added to the result. out: (token, row, out). dx: (token, row, dim), with strides.
 * kept: (token, row, 3 inner), what the backward pass by rows needs: the slope of GELU at W1 x, then W2 x, then
 * S2 x + GELU(W1 x); or NULL.
 * block: rows of a block, by strips a multiple of STRIP.
 */
#ifndef GATE_H
#define GATE_H

#include <stdint.h>

#include "elementwise.h"

typedef struct {
    const float *x;
    int64_t x_token, x_row;
    const float *gain;
    float *inverse;
    const float *lift;
    int64_t lift_row;
    const float *direct;
    int64_t direct_row;
    const float *reduce, *lift_bias, *bias;
    float *out, *kept;
    /* For each part, 4 inner + dim values per row of a block; by strips 4 inner + dim + out per row of one strip. */
    float *scratch;
    int64_t tokens, rows, dim, inner, out_dim, block, by_strips;
} GateForward;

typedef struct {
    const float *gradient;
    int64_t gradient_token, gradient_row;
    const float *x;
    int64_t x_token, x_row;
    const float *gain;
    float *inverse;
    const float *lift;
    int64_t lift_row;
    const float *direct;
    int64_t direct_row;
    const float *reduce, *lift_bias, *kept;
    float *dx;
    int64_t dx_token, dx_row;
    /* One accumulator per part; dlift and dlift_bias as wide as lift, written in the first 3 inner columns; ddirect in the
     * layout of direct; sums over the rows are added to dgain, dlift_bias and dbias. */
    float *dgain, *dlift, *dlift_bias, *ddirect, *dreduce, *dbias;
    /* For each part, 5 inner + 2 dim values per row of a block; by strips 4 inner + dim + out, and 4 inner + 3 dim per row of
     * one strip. */
    float *scratch;
    int64_t tokens, rows, dim, inner, out_dim, block, by_strips;
} GateBackward;

void gate_forward_by_strips(const GateForward *arguments, int64_t first, int64_t last, int64_t part);
void gate_backward_by_strips(const GateBackward *arguments, int64_t first, int64_t last, int64_t part);

/* Compute product = (gelu(gate) + skip) * value. */
static inline void open_part(const float *restrict gate, const float *restrict value, const float *restrict skip,
                             float *restrict product, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) product[i] = (gate[i] * normal_below(gate[i]) + skip[i]) * value[i];
}

#endif
