/* The gate by rows: see gate.h. */
#include <stddef.h>

#include "gate.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"

static void open_gate(const float *maps, float *product, int64_t rows, int64_t inner) {
    for (int64_t row = 0; row < rows; row++, maps += 3 * inner, product += inner) {
        const float *value = maps + inner, *skip = value + inner;
        if (inner < PART) open_part(maps, value, skip, product, inner);
        else FOR_PARTS(i, inner) open_part(maps + i, value + i, skip + i, product + i, PART);
    }
}

static inline void open_and_keep_part(const float *restrict gate, const float *restrict value, const float *restrict skip,
                                      float *restrict product, float *restrict slope, float *restrict factor,
                                      float *restrict open, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const Normal normal = normal_at(gate[i]);
        open[i] = gate[i] * normal.below + skip[i];
        slope[i] = normal.below + gate[i] * normal.density;
        factor[i] = value[i];
        product[i] = open[i] * value[i];
    }
}

/* The same, and keep what the gradient needs: the slope of gelu(gate), value, and gelu(gate) + skip. */
static void open_gate_and_keep(const float *maps, float *product, float *kept, int64_t rows, int64_t inner) {
    for (int64_t row = 0; row < rows; row++, maps += 3 * inner, product += inner, kept += 3 * inner) {
        const float *value = maps + inner, *skip = value + inner;
        float *factor = kept + inner, *open = factor + inner;
        if (inner < PART) open_and_keep_part(maps, value, skip, product, kept, factor, open, inner);
        else FOR_PARTS(i, inner)
            open_and_keep_part(maps + i, value + i, skip + i, product + i, kept + i, factor + i, open + i, PART);
    }
}

void gate_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const GateForward g = *(const GateForward *)arguments;
    if (g.by_strips) {
        gate_forward_by_strips(&g, first, last, part);
        return;
    }
    float *gated = g.scratch + part * g.block * (4 * g.inner + g.dim), *maps = gated + g.block * g.inner;
    float *normed = maps + g.block * 3 * g.inner;
    for (int64_t token = 0; token < g.tokens; token++) {
        const float *lift = g.lift + token * g.dim * g.lift_row, *lift_bias = g.lift_bias + token * g.lift_row;
        const float *direct = g.direct + token * g.dim * g.direct_row, *bias = g.bias + token * g.out_dim;
        const float *reduce = g.reduce + token * g.inner * g.out_dim;
        for (int64_t row = first; row < last; row += g.block) {
            const int64_t count = minimum(g.block, last - row), place = token * g.rows + row;
            const int64_t x_row = g.gain ? g.dim : g.x_row;
            const float *x = g.x + token * g.x_token + row * g.x_row;
            if (g.gain) {
                for (int64_t i = 0; i < count; i++)
                    g.inverse[place + i] = norm_row(x + i * g.x_row, g.gain + token * g.dim, normed + i * g.dim, g.dim);
                x = normed;
            }
            linear(x, x_row, lift, g.lift_row, lift_bias, maps, count, g.dim, 3 * g.inner);
            if (g.kept) open_gate_and_keep(maps, gated, g.kept + place * 3 * g.inner, count, g.inner);
            else open_gate(maps, gated, count, g.inner);
            const Product products[] = {{gated, g.inner, 1, reduce, g.out_dim, 1, g.inner},
                                        {x, x_row, 1, direct, g.direct_row, 1, g.dim}};
            sum_of_products(count, g.out_dim, products, 2, bias, g.out + place * g.out_dim, g.out_dim);
        }
    }
}

static inline void open_part_backward(const float *restrict slope, const float *restrict value,
                                      const float *restrict open, const float *restrict dproduct,
                                      float *restrict dgate, float *restrict dvalue, float *restrict dskip,
                                      float *restrict product, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const float dopen = dproduct[i] * value[i];
        product[i] = open[i] * value[i];
        dgate[i] = dopen * slope[i];
        dvalue[i] = dproduct[i] * open[i];
        dskip[i] = dopen;
    }
}

/* Compute the gradients of the three maps from that of product, and recompute product. */
static void open_gate_backward(const float *kept, const float *dproduct, float *dlifted, float *product, int64_t rows,
                               int64_t inner) {
    for (int64_t row = 0; row < rows; row++, kept += 3 * inner, dproduct += inner, dlifted += 3 * inner, product += inner) {
        const float *value = kept + inner, *open = value + inner;
        float *dvalue = dlifted + inner, *dskip = dvalue + inner;
        if (inner < PART) open_part_backward(kept, value, open, dproduct, dlifted, dvalue, dskip, product, inner);
        else FOR_PARTS(i, inner)
            open_part_backward(kept + i, value + i, open + i, dproduct + i, dlifted + i, dvalue + i, dskip + i,
                               product + i, PART);
    }
}

void gate_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const GateBackward g = *(const GateBackward *)arguments;
    if (g.by_strips) {
        gate_backward_by_strips(&g, first, last, part);
        return;
    }
    const int64_t dim = g.dim, inner = g.inner, out_dim = g.out_dim;
    float *gated = g.scratch + part * g.block * (5 * inner + 2 * dim), *dproduct = gated + g.block * inner;
    float *dlifted = dproduct + g.block * inner, *normed = dlifted + g.block * 3 * inner, *dnormed = normed + g.block * dim;
    for (int64_t token = 0; token < g.tokens; token++) {
        const float *lift = g.lift + token * dim * g.lift_row, *reduce = g.reduce + token * inner * out_dim;
        const float *direct = g.direct + token * dim * g.direct_row;
        float *dlift = buffer(g.dlift, part, token, g.tokens, dim * g.lift_row);
        float *dlift_bias = buffer(g.dlift_bias, part, token, g.tokens, g.lift_row);
        float *ddirect = buffer(g.ddirect, part, token, g.tokens, dim * g.direct_row);
        float *dreduce = buffer(g.dreduce, part, token, g.tokens, inner * out_dim);
        float *dgain = g.gain ? buffer(g.dgain, part, token, g.tokens, dim) : NULL;
        float *dbias = buffer(g.dbias, part, token, g.tokens, out_dim);
        for (int64_t row = first; row < last; row += g.block) {
            const int64_t count = minimum(g.block, last - row), place = token * g.rows + row;
            const float *gradient = g.gradient + token * g.gradient_token + row * g.gradient_row;
            const int64_t x_row = g.gain ? dim : g.x_row;
            const float *input = g.x + token * g.x_token + row * g.x_row, *x = g.gain ? normed : input;
            float *out = g.dx + token * g.dx_token + row * g.dx_row, *dx = g.gain ? dnormed : out;
            const int64_t dx_row = g.gain ? dim : g.dx_row;
            const int add = row > first ? ADD : REPLACE;
            if (g.gain)
                for (int64_t i = 0; i < count; i++)
                    scale_row(input + i * g.x_row, g.gain + token * dim, g.inverse[place + i], normed + i * dim, dim);
            product_by_transposed(count, inner, out_dim, gradient, g.gradient_row, reduce, out_dim, dproduct, inner, REPLACE);
            open_gate_backward(g.kept + place * 3 * inner, dproduct, dlifted, gated, count, inner);
            add_rows(dlifted, 3 * inner, dlift_bias, count, 3 * inner);
            product_of_transposed(inner, out_dim, count, gated, inner, gradient, g.gradient_row, dreduce, out_dim, add);
            product_of_transposed(dim, 3 * inner, count, x, x_row, dlifted, 3 * inner, dlift, g.lift_row, add);
            product_of_transposed(dim, out_dim, count, x, x_row, gradient, g.gradient_row, ddirect, g.direct_row, add);
            const Product products[] = {{dlifted, 3 * inner, 1, lift, 1, g.lift_row, 3 * inner},
                                        {gradient, g.gradient_row, 1, direct, 1, g.direct_row, out_dim}};
            sum_of_products(count, dim, products, 2, NULL, dx, dx_row);
            add_rows(gradient, g.gradient_row, dbias, count, out_dim);
            if (g.gain)
                for (int64_t i = 0; i < count; i++)
                    norm_row_backward(dnormed + i * dim, input + i * g.x_row, g.gain + token * dim,
                                      g.inverse[place + i], NULL, out + i * g.dx_row, dgain, dim);
        }
    }
}
