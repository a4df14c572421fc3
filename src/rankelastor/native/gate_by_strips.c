/* The gate by strips: see gate.h. Its backward pass computes the maps again, which takes less time than storing them: they are
 * nine times as wide as a token. */
#include <stddef.h>
#include <string.h>

#include "gate.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"
#include "strips.h"

void gate_forward_by_strips(const GateForward *arguments, int64_t first, int64_t last, int64_t part) {
    const GateForward g = *arguments;
    const int64_t dim = g.dim, inner = g.inner, out_dim = g.out_dim, third = STRIP * inner;
    float *x = g.scratch + part * STRIP * (4 * inner + dim + out_dim), *maps = x + STRIP * dim;
    float *product = maps + 3 * third, *out = product + third, inverse[STRIP];
    for (int64_t token = 0; token < g.tokens; token++) {
        const float *lift = g.lift + token * dim * g.lift_row, *lift_bias = g.lift_bias + token * g.lift_row;
        const float *direct = g.direct + token * dim * g.direct_row, *bias = g.bias + token * out_dim;
        const float *reduce = g.reduce + token * inner * out_dim;
        for (int64_t row = first; row < last; row += STRIP) {
            const int64_t count = minimum(STRIP, last - row);
            read_strip(g.x + token * g.x_token + row * g.x_row, g.x_row, count, dim, x);
            if (g.gain) norm_strip(x, g.gain + token * dim, inverse, x, dim);
            const StripMap up = {lift, 1, g.lift_row, x, dim};
            sum_of_strip_maps(3 * inner, &up, 1, lift_bias, maps);
            open_part(maps, maps + third, maps + 2 * third, product, third);
            const StripMap down[] = {{reduce, 1, out_dim, product, inner}, {direct, 1, g.direct_row, x, dim}};
            sum_of_strip_maps(out_dim, down, 2, bias, out);
            write_strip(out, count, out_dim, g.out + (token * g.rows + row) * out_dim, out_dim);
        }
    }
}

/* Compute product = (gelu(gate) + skip) * value and, from its gradient, those of gate, value and skip. */
static void open_backward(const float *restrict gate, const float *restrict value, const float *restrict skip,
                          const float *restrict dproduct, float *restrict dgate, float *restrict dvalue, float *restrict dskip,
                          float *restrict product, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) {
        const Normal normal = normal_at(gate[i]);
        const float open = gate[i] * normal.below + skip[i], dopen = dproduct[i] * value[i];
        product[i] = open * value[i];
        dgate[i] = dopen * (normal.below + gate[i] * normal.density);
        dvalue[i] = dproduct[i] * open;
        dskip[i] = dopen;
    }
}

void gate_backward_by_strips(const GateBackward *arguments, int64_t first, int64_t last, int64_t part) {
    const GateBackward g = *arguments;
    const int64_t dim = g.dim, inner = g.inner, out_dim = g.out_dim, third = STRIP * inner;
    /* Of each strip of a block: the gradients of the maps, the product, x after the norm, and the gradient. */
    const int64_t strip = STRIP * (4 * inner + dim + out_dim), strips_of_block = g.block / STRIP;
    float *strips = g.scratch + part * (strips_of_block * strip + STRIP * (4 * inner + 3 * dim));
    float *products = strips + 3 * third, *inputs = products + third, *gradients = inputs + STRIP * dim;
    float *maps = strips + strips_of_block * strip, *dproduct = maps + 3 * third, *raw = dproduct + third;
    float *dx = raw + STRIP * dim, *dgain = dx + STRIP * dim, inverse[STRIP];
    for (int64_t token = 0; token < g.tokens; token++) {
        const float *lift = g.lift + token * dim * g.lift_row, *lift_bias = g.lift_bias + token * g.lift_row;
        const float *direct = g.direct + token * dim * g.direct_row, *reduce = g.reduce + token * inner * out_dim;
        const float *gain = g.gain ? g.gain + token * dim : NULL;
        float *dlift = buffer(g.dlift, part, token, g.tokens, dim * g.lift_row);
        float *dlift_bias = buffer(g.dlift_bias, part, token, g.tokens, g.lift_row);
        float *ddirect = buffer(g.ddirect, part, token, g.tokens, dim * g.direct_row);
        float *dreduce = buffer(g.dreduce, part, token, g.tokens, inner * out_dim);
        float *dbias = buffer(g.dbias, part, token, g.tokens, out_dim);
        memset(dgain, 0, sizeof(float) * (size_t)(STRIP * dim));
        for (int64_t block = first; block < last; block += g.block) {
            const int64_t end = minimum(block + g.block, last);
            int64_t place = 0; /* of the strip */
            for (int64_t row = block; row < end; row += STRIP, place += strip) {
                const int64_t count = minimum(STRIP, end - row);
                float *x = inputs + place, *gradient = gradients + place, *dlifted = strips + place;
                read_strip(g.gradient + token * g.gradient_token + row * g.gradient_row, g.gradient_row, count, out_dim,
                           gradient);
                read_strip(g.x + token * g.x_token + row * g.x_row, g.x_row, count, dim, gain ? raw : x);
                if (gain) norm_strip(raw, gain, inverse, x, dim);
                const StripMap up = {lift, 1, g.lift_row, x, dim}, back = {reduce, out_dim, 1, gradient, out_dim};
                sum_of_strip_maps(3 * inner, &up, 1, lift_bias, maps);
                sum_of_strip_maps(inner, &back, 1, NULL, dproduct);
                open_backward(maps, maps + third, maps + 2 * third, dproduct, dlifted, dlifted + third, dlifted + 2 * third,
                              products + place, third);
                const StripMap to_x[] = {{lift, g.lift_row, 1, dlifted, 3 * inner}, {direct, g.direct_row, 1, gradient, out_dim}};
                sum_of_strip_maps(dim, to_x, 2, NULL, dx);
                if (gain) norm_strip_backward(dx, raw, gain, inverse, dgain, dim);
                write_strip(dx, count, dim, g.dx + token * g.dx_token + row * g.dx_row, g.dx_row);
            }
            const int64_t count = place / strip;
            const int add = block > first ? ADD : REPLACE;
            product_over_strips(count, dim, inputs, strip, 3 * inner, strips, strip, dlift, g.lift_row, add, dlift_bias);
            product_over_strips(count, inner, products, strip, out_dim, gradients, strip, dreduce, out_dim, add, dbias);
            product_over_strips(count, dim, inputs, strip, out_dim, gradients, strip, ddirect, g.direct_row, add, NULL);
        }
        if (gain) {
            float *sum = buffer(g.dgain, part, token, g.tokens, dim);
            for (int64_t k = 0; k < dim; k++)
                for (int row = 0; row < STRIP; row++) sum[k] += dgain[k * STRIP + row];
        }
    }
}
