/* Compute a layer of a cross network, out = x0 * (W x + b) + x, or of one whose map is a mixture of experts of low rank, in blocks
 * of rows whose values fit into the caches of one core.
 *
 * x0, x, mapped, out and the gradients: (row, width); mapped is W x + b, or what the experts make of x, or NULL where no backward
 * pass follows. w: (width out, width in). b: (width).
 * The experts' part of x is sum_i g_i U_i tanh(C_i tanh(V_i x)) with g = softmax(G x). down (V): (expert, width, rank); core (C):
 * (expert, rank, rank); up (U): (expert, rank, width); gate (G): (expert, width). gates: (row, expert), g. first, second: (row,
 * expert, rank), the inner and the outer tanh.
 */
#include <math.h>
#include <stddef.h>

#include "elementwise.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"

/* Compute out = x0 * mapped + x; mapped may be out. */
static void cross_rows(const float *x0, const float *x, const float *mapped, float *out, int64_t size) {
#pragma GCC ivdep
    for (int64_t i = 0; i < size; i++) out[i] = x0[i] * mapped[i] + x[i];
}

/* Compute the gradient of mapped, and add those of x0 and of x by the sum; dx NULL: x is x0. */
static void cross_rows_backward(const float *restrict gradient, const float *restrict x0, const float *restrict mapped,
                                float *restrict dmapped, float *restrict dx0, float *restrict dx, int64_t size) {
    if (dx)
#pragma GCC ivdep
        for (int64_t i = 0; i < size; i++) {
            dmapped[i] = gradient[i] * x0[i];
            dx0[i] += gradient[i] * mapped[i];
            dx[i] = gradient[i];
        }
    else
#pragma GCC ivdep
        for (int64_t i = 0; i < size; i++) {
            dmapped[i] = gradient[i] * x0[i];
            dx0[i] += gradient[i] * mapped[i] + gradient[i];
        }
}

/* Add the sum of rows to total; sums of a block are made apart, so that few terms are added to a large one. */
static void add_block(const float *rows, float *restrict local, float *restrict total, int64_t count, int64_t width) {
    for (int64_t i = 0; i < width; i++) local[i] = 0;
    add_rows(rows, width, local, count, width);
    add_row(local, total, 1, width);
}

typedef struct {
    const float *x0, *x, *w, *b;
    float *mapped, *out;
    int64_t width, block;
} CrossForward;

void cross_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const CrossForward c = *(const CrossForward *)arguments;
    const int64_t width = c.width;
    (void)part;
    for (int64_t row = first; row < last; row += c.block) {
        const int64_t count = minimum(c.block, last - row), place = row * width;
        float *mapped = (c.mapped ? c.mapped : c.out) + place;
        linear_by_transposed(c.x + place, c.w, c.b, mapped, count, width, width);
        cross_rows(c.x0 + place, c.x + place, mapped, c.out + place, count * width);
    }
}

typedef struct {
    const float *gradient, *x0, *x, *mapped, *w;
    float *dx0, *dx; /* the gradient of x0 is added to dx0; dx NULL: so is that of x, which is x0 */
    float *dw, *db;  /* one accumulator per part, in the layouts of w and b; sums over the rows are added to db */
    float *scratch;  /* width values per row of a block and one more, for each part */
    int64_t width, block;
} CrossBackward;

void cross_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const CrossBackward c = *(const CrossBackward *)arguments;
    const int64_t width = c.width;
    float *dmapped = c.scratch + part * (c.block + 1) * width, *local = dmapped + c.block * width;
    for (int64_t row = first; row < last; row += c.block) {
        const int64_t count = minimum(c.block, last - row), place = row * width;
        float *dx = (c.dx ? c.dx : c.dx0) + place;
        cross_rows_backward(c.gradient + place, c.x0 + place, c.mapped + place, dmapped, c.dx0 + place,
                            c.dx ? dx : NULL, count * width);
        product(count, width, width, dmapped, width, c.w, width, dx, width, ADD);
        product_of_transposed(width, width, count, dmapped, width, c.x + place, width, c.dw + part * padded_size(width * width),
                              width, row > first ? ADD : REPLACE);
        add_block(dmapped, local, c.db + part * padded_size(width), count, width);
    }
}

/* Compute tanh; beyond 43 it is 1 in float32. */
static inline float tanh_of(float x) {
    const float e = exp_of(x < 0 ? 2.0f * x : -2.0f * x), size = (1.0f - e) / (1.0f + e);
    return x < 0 ? -size : size;
}

static void tanh_rows(float *x, int64_t size) {
#pragma GCC ivdep
    for (int64_t i = 0; i < size; i++) x[i] = tanh_of(x[i]);
}

/* Compute the gradient of what tanh was applied to, from that of its result, in place. */
static void tanh_rows_backward(const float *restrict made, float *restrict gradient, int64_t size) {
#pragma GCC ivdep
    for (int64_t i = 0; i < size; i++) gradient[i] *= 1.0f - made[i] * made[i];
}

/* Turn rows into their softmax. */
static void soften_rows(float *x, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++, x += width) {
        float most = x[0], sum = 0;
        for (int64_t i = 1; i < width; i++) most = x[i] <= most ? most : x[i]; /* in this form, so that NaN passes */
        for (int64_t i = 0; i < width; i++) sum += x[i] = exp_of(x[i] - most);
        for (int64_t i = 0; i < width; i++) x[i] /= sum;
    }
}

/* Compute out_i = g_i x_i for the values of each expert. */
static void weigh(const float *restrict gates, const float *restrict x, float *restrict out, int64_t rows, int64_t experts,
                  int64_t rank) {
    for (int64_t i = 0; i < rows * experts; i++)
        for (int64_t j = 0; j < rank; j++) out[i * rank + j] = gates[i] * x[i * rank + j];
}

typedef struct {
    const float *x0, *x, *gate, *down, *core, *up, *b;
    float *gates, *first, *second, *mapped, *out;
    float *scratch; /* experts * rank values per row of a block, for each part */
    int64_t width, experts, rank, block;
} CrossExpertsForward;

void cross_experts_forward(const void *arguments, int64_t from, int64_t to, int64_t part) {
    const CrossExpertsForward c = *(const CrossExpertsForward *)arguments;
    const int64_t width = c.width, experts = c.experts, rank = c.rank, inner = experts * rank;
    float *weighed = c.scratch + part * c.block * inner;
    for (int64_t row = from; row < to; row += c.block) {
        const int64_t count = minimum(c.block, to - row), place = row * width;
        const float *x = c.x + place;
        float *mapped = (c.mapped ? c.mapped : c.out) + place, *gates = c.gates + row * experts;
        float *first = c.first + row * inner, *second = c.second + row * inner;
        product_by_transposed(count, experts, width, x, width, c.gate, width, gates, experts, REPLACE);
        soften_rows(gates, count, experts);
        for (int64_t i = 0; i < experts; i++)
            product(count, rank, width, x, width, c.down + i * width * rank, rank, first + i * rank, inner, REPLACE);
        tanh_rows(first, count * inner);
        for (int64_t i = 0; i < experts; i++)
            product(count, rank, rank, first + i * rank, inner, c.core + i * rank * rank, rank, second + i * rank, inner, REPLACE);
        tanh_rows(second, count * inner);
        weigh(gates, second, weighed, count, experts, rank);
        linear(weighed, inner, c.up, width, c.b, mapped, count, inner, width);
        cross_rows(c.x0 + place, x, mapped, c.out + place, count * width);
    }
}

typedef struct {
    const float *gradient, *x0, *x, *gate, *down, *core, *up, *gates, *first, *second, *mapped;
    float *dx0, *dx; /* as in CrossBackward */
    /* One accumulator per part, in the layouts of gate, down, core, up and b; sums over the rows are added to db. */
    float *dgate, *ddown, *dcore, *dup, *db;
    float *scratch; /* width + 3 experts * rank + experts values per row of a block, and width values, for each part */
    int64_t width, experts, rank, block;
} CrossExpertsBackward;

/* Compute the gradient of the gates' logits: g_i (dg_i - sum_k g_k dg_k), where dg_i = dweighed_i . second_i. The bias, which
 * all experts have, does not change with the gates. */
static void soften_rows_backward(const float *gates, const float *dweighed, const float *second, float *dlogits, int64_t rows,
                                 int64_t experts, int64_t rank) {
    for (int64_t row = 0; row < rows; row++, gates += experts, dlogits += experts) {
        float sum = 0;
        for (int64_t i = 0; i < experts; i++, dweighed += rank, second += rank) {
            float along = 0;
#pragma GCC ivdep
            for (int64_t j = 0; j < rank; j++) along += dweighed[j] * second[j];
            dlogits[i] = along;
            sum += gates[i] * along;
        }
        for (int64_t i = 0; i < experts; i++) dlogits[i] = gates[i] * (dlogits[i] - sum);
    }
}

void cross_experts_backward(const void *arguments, int64_t from, int64_t to, int64_t part) {
    const CrossExpertsBackward c = *(const CrossExpertsBackward *)arguments;
    const int64_t width = c.width, experts = c.experts, rank = c.rank, inner = experts * rank;
    float *dmapped = c.scratch + part * (c.block * (width + 3 * inner + experts) + width), *weighed = dmapped + c.block * width;
    float *dsecond = weighed + c.block * inner, *dfirst = dsecond + c.block * inner, *dlogits = dfirst + c.block * inner;
    float *local = dlogits + c.block * experts;
    float *dgate = c.dgate + part * padded_size(experts * width), *dup = c.dup + part * padded_size(inner * width);
    for (int64_t row = from; row < to; row += c.block) {
        const int64_t count = minimum(c.block, to - row), place = row * width;
        const int add = row > from ? ADD : REPLACE;
        const float *x = c.x + place, *gates = c.gates + row * experts;
        const float *first = c.first + row * inner, *second = c.second + row * inner;
        float *dx = (c.dx ? c.dx : c.dx0) + place;
        cross_rows_backward(c.gradient + place, c.x0 + place, c.mapped + place, dmapped, c.dx0 + place, c.dx ? dx : NULL,
                            count * width);
        add_block(dmapped, local, c.db + part * padded_size(width), count, width);
        weigh(gates, second, weighed, count, experts, rank);
        product_of_transposed(inner, width, count, weighed, inner, dmapped, width, dup, width, add);
        product_by_transposed(count, inner, width, dmapped, width, c.up, width, dfirst, inner, REPLACE); /* of weighed */
        soften_rows_backward(gates, dfirst, second, dlogits, count, experts, rank);
        weigh(gates, dfirst, dsecond, count, experts, rank);
        tanh_rows_backward(second, dsecond, count * inner);
        for (int64_t i = 0; i < experts; i++) {
            product_of_transposed(rank, rank, count, first + i * rank, inner, dsecond + i * rank, inner,
                                  buffer(c.dcore, part, i, experts, rank * rank), rank, add);
            product_by_transposed(count, rank, rank, dsecond + i * rank, inner, c.core + i * rank * rank, rank, dfirst + i * rank,
                                  inner, REPLACE);
        }
        tanh_rows_backward(first, dfirst, count * inner);
        for (int64_t i = 0; i < experts; i++) {
            product_of_transposed(width, rank, count, x, width, dfirst + i * rank, inner,
                                  buffer(c.ddown, part, i, experts, width * rank), rank, add);
            product_by_transposed(count, width, rank, dfirst + i * rank, inner, c.down + i * width * rank, rank, dx, width, ADD);
        }
        product_of_transposed(experts, width, count, dlogits, experts, x, width, dgate, width, add);
        product(count, width, experts, dlogits, experts, c.gate, width, dx, width, ADD);
    }
}
