/* Compute a SwiGLU, y = (silu(Wg x + bg) * (Wu x + bu)) Wd + bd, each token with its own weights; if there is a gain, x + y of
 * gain * x / rms(x): token by token and in blocks of rows, so that hidden values fit into the caches of one core.
 *
 * A row of a token, x, gradient, out and dx alike, is divided into pieces of equal width: *_token, *_row and *_piece are the
 * strides of tokens, of rows and of the pieces of a row. So a head may consist of a piece of every token, where it lies.
 * gain: (dim), for all tokens, or NULL; inverse: (token, row), 1 / rms(x).
 * up: (token, dim, 2 hidden), Wg | Wu; up_bias: (token, 2 hidden). down: (token, hidden, dim); down_bias: (token, dim).
 * saved: (token, row, 2 hidden), the maps Wg | Wu of x with their bias, or NULL, so that the backward pass recomputes them.
 */
#include <stddef.h>

#include "elementwise.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"

static inline void open_part(const float *restrict gate, const float *restrict value, float *restrict out, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) out[i] = gate[i] * sigmoid_of(gate[i]) * value[i];
}

/* Compute out = silu(gate) * value for rows that hold gate | value. */
static void open_rows(const float *maps, float *out, int64_t rows, int64_t hidden) {
    for (int64_t row = 0; row < rows; row++, maps += 2 * hidden, out += hidden) {
        if (hidden < PART) open_part(maps, maps + hidden, out, hidden);
        else FOR_PARTS(i, hidden) open_part(maps + i, maps + hidden + i, out + i, PART);
    }
}

static inline void open_part_backward(const float *restrict gate, const float *restrict value, const float *restrict dopened,
                                      float *restrict dgate, float *restrict dvalue, float *restrict out, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const float share = sigmoid_of(gate[i]), open = gate[i] * share;
        out[i] = open * value[i];
        dvalue[i] = dopened[i] * open;
        dgate[i] = dopened[i] * value[i] * (share + open * (1.0f - share));
    }
}

/* Compute the gradient of gate | value from that of out, and recompute out. */
static void open_rows_backward(const float *maps, const float *dopened, float *dmaps, float *out, int64_t rows, int64_t hidden) {
    for (int64_t row = 0; row < rows; row++, maps += 2 * hidden, dmaps += 2 * hidden, dopened += hidden, out += hidden) {
        if (hidden < PART) open_part_backward(maps, maps + hidden, dopened, dmaps, dmaps + hidden, out, hidden);
        else FOR_PARTS(i, hidden)
            open_part_backward(maps + i, maps + hidden + i, dopened + i, dmaps + i, dmaps + hidden + i, out + i, PART);
    }
}

/* Find rows whose values are consecutive: those given, or copies of their pieces. */
static const float *join_pieces(const float *x, int64_t *x_row, int64_t x_piece, int64_t pieces, float *restrict copies,
                                int64_t rows, int64_t dim) {
    const int64_t width = dim / pieces;
    if (pieces == 1) return x;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t piece = 0; piece < pieces; piece++)
            for (int64_t i = 0; i < width; i++)
                copies[row * dim + piece * width + i] = x[row * *x_row + piece * x_piece + i];
    *x_row = dim;
    return copies;
}

/* Write rows of consecutive values where their pieces belong. */
static void part_pieces(const float *restrict rows_of_out, float *restrict out, int64_t out_row, int64_t out_piece,
                        int64_t pieces, int64_t rows, int64_t dim) {
    const int64_t width = dim / pieces;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t piece = 0; piece < pieces; piece++)
            for (int64_t i = 0; i < width; i++)
                out[row * out_row + piece * out_piece + i] = rows_of_out[row * dim + piece * width + i];
}

typedef struct {
    const float *x;
    int64_t x_token, x_row, x_piece;
    const float *gain;
    float *inverse;
    const float *up, *up_bias, *down, *down_bias;
    float *out;
    int64_t out_token, out_row, out_piece;
    float *saved, *scratch; /* scratch: 3 hidden + 3 dim values per row of a block, for each part */
    int64_t tokens, rows, pieces, dim, hidden, block;
} SwigluForward;

void swiglu_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SwigluForward s = *(const SwigluForward *)arguments;
    const int64_t dim = s.dim, hidden = s.hidden;
    float *copies = s.scratch + part * s.block * (3 * hidden + 3 * dim), *normed = copies + s.block * dim;
    float *made = normed + s.block * dim, *local_maps = made + s.block * dim, *opened = local_maps + s.block * 2 * hidden;
    for (int64_t token = 0; token < s.tokens; token++) {
        const float *bias = s.down_bias + token * dim;
        for (int64_t row = first; row < last; row += s.block) {
            const int64_t count = minimum(s.block, last - row), place = token * s.rows + row;
            int64_t x_row = s.x_row;
            const float *x = join_pieces(s.x + token * s.x_token + row * s.x_row, &x_row, s.x_piece, s.pieces, copies, count, dim);
            float *maps = s.saved ? s.saved + place * 2 * hidden : local_maps;
            float *to = s.out + token * s.out_token + row * s.out_row, *out = s.pieces == 1 ? to : made;
            const int64_t out_row = s.pieces == 1 ? s.out_row : dim;
            if (s.gain)
                for (int64_t i = 0; i < count; i++)
                    s.inverse[place + i] = norm_row(x + i * x_row, s.gain, normed + i * dim, dim);
            linear(s.gain ? normed : x, s.gain ? dim : x_row, s.up + token * dim * 2 * hidden, 2 * hidden,
                   s.up_bias + token * 2 * hidden, maps, count, dim, 2 * hidden);
            open_rows(maps, opened, count, hidden);
            for (int64_t i = 0; i < count; i++) {
                repeat_row(bias, out + i * out_row, 1, dim);
                if (s.gain) add_row(x + i * x_row, out + i * out_row, 1, dim);
            }
            product(count, dim, hidden, opened, hidden, s.down + token * hidden * dim, dim, out, out_row, ADD);
            if (s.pieces > 1) part_pieces(made, to, s.out_row, s.out_piece, s.pieces, count, dim);
        }
    }
}

typedef struct {
    const float *gradient;
    int64_t gradient_token, gradient_row, gradient_piece;
    const float *x;
    int64_t x_token, x_row, x_piece;
    const float *gain;
    float *inverse;
    const float *up, *up_bias, *down, *saved;
    float *dx;
    int64_t dx_token, dx_row, dx_piece;
    /* One accumulator per part, in the layouts of gain, up, up_bias, down, down_bias; sums over the rows are added to dgain
     * and to those of the biases. */
    float *dgain, *dup, *dup_bias, *ddown, *ddown_bias;
    float *scratch; /* 6 hidden + 5 dim values per row of a block, for each part */
    int64_t tokens, rows, pieces, dim, hidden, block;
} SwigluBackward;

void swiglu_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SwigluBackward s = *(const SwigluBackward *)arguments;
    const int64_t dim = s.dim, hidden = s.hidden, size = s.block * dim;
    float *copies = s.scratch + part * s.block * (6 * hidden + 5 * dim), *gradients = copies + size, *normed = gradients + size;
    float *dnormed = normed + size, *made = dnormed + size, *local_maps = made + size;
    float *dmaps = local_maps + s.block * 2 * hidden, *opened = dmaps + s.block * 2 * hidden, *dopened = opened + s.block * hidden;
    float *dgain = s.gain ? s.dgain + part * padded_size(dim) : NULL;
    for (int64_t token = 0; token < s.tokens; token++) {
        const float *up = s.up + token * dim * 2 * hidden, *down = s.down + token * hidden * dim;
        float *dup = buffer(s.dup, part, token, s.tokens, dim * 2 * hidden);
        float *dup_bias = buffer(s.dup_bias, part, token, s.tokens, 2 * hidden);
        float *ddown = buffer(s.ddown, part, token, s.tokens, hidden * dim);
        float *ddown_bias = buffer(s.ddown_bias, part, token, s.tokens, dim);
        for (int64_t row = first; row < last; row += s.block) {
            const int64_t count = minimum(s.block, last - row), place = token * s.rows + row;
            const int add = row > first ? ADD : REPLACE;
            int64_t x_row = s.x_row, gradient_row = s.gradient_row;
            const float *x = join_pieces(s.x + token * s.x_token + row * s.x_row, &x_row, s.x_piece, s.pieces, copies, count, dim);
            const float *gradient = join_pieces(s.gradient + token * s.gradient_token + row * s.gradient_row, &gradient_row,
                                                s.gradient_piece, s.pieces, gradients, count, dim);
            const float *input = s.gain ? normed : x, *maps = s.saved ? s.saved + place * 2 * hidden : local_maps;
            const int64_t input_row = s.gain ? dim : x_row;
            float *to = s.dx + token * s.dx_token + row * s.dx_row, *dx = s.pieces == 1 ? to : made;
            const int64_t dx_row = s.pieces == 1 ? s.dx_row : dim;
            if (s.gain)
                for (int64_t i = 0; i < count; i++)
                    scale_row(x + i * x_row, s.gain, s.inverse[place + i], normed + i * dim, dim);
            if (!s.saved)
                linear(input, input_row, up, 2 * hidden, s.up_bias + token * 2 * hidden, local_maps, count, dim, 2 * hidden);
            product_by_transposed(count, hidden, dim, gradient, gradient_row, down, dim, dopened, hidden, REPLACE);
            open_rows_backward(maps, dopened, dmaps, opened, count, hidden);
            product_of_transposed(hidden, dim, count, opened, hidden, gradient, gradient_row, ddown, dim, add);
            add_rows(gradient, gradient_row, ddown_bias, count, dim);
            product_of_transposed(dim, 2 * hidden, count, input, input_row, dmaps, 2 * hidden, dup, 2 * hidden, add);
            add_rows(dmaps, 2 * hidden, dup_bias, count, 2 * hidden);
            product_by_transposed(count, dim, 2 * hidden, dmaps, 2 * hidden, up, 2 * hidden, s.gain ? dnormed : dx,
                                  s.gain ? dim : dx_row, REPLACE);
            if (s.gain)
                for (int64_t i = 0; i < count; i++)
                    norm_row_backward(dnormed + i * dim, x + i * x_row, s.gain, s.inverse[place + i], gradient + i * gradient_row,
                                      dx + i * dx_row, dgain, dim);
            if (s.pieces > 1) part_pieces(made, to, s.dx_row, s.dx_piece, s.pieces, count, dim);
        }
    }
}
