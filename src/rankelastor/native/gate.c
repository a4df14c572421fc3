/* The published gate, y = ((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x, token by token and a block of rows at a time: what
 * lies between its products stays in the caches of one core.
 *
 * x and the gradient: rows of dim and of out numbers, *_token and *_row apart.
 * lift: (token, dim, lift_row), of which the first 3 inner columns are W1 | W2 | S2; lift_bias: (token, lift_row).
 * direct (S1): (token, dim, direct_row), of which the first out columns are used; reduce (W3): (token, inner, out);
 * bias: (token, out), added to the result. out, dx: (token, row, out or dim).
 * lifted: (token, row, 3 inner), the maps W1 | W2 | S2 of x with their bias, or NULL: then they are computed again in the
 * backward pass.
 */
#include <stddef.h>

#include "elementwise.h"
#include "products.h"
#include "rows.h"

/* Elements that one call of a *_part works on: a constant, so that it becomes vector instructions without a rest. */
#define PART 16

/* Calls part(i) for all elements of a row, PART at a time; the last call may overlap the one before it, which is why parts
 * write only what they compute from other arrays. */
#define FOR_PARTS(i, width) \
    for (int64_t i = 0; i < (width); i = i + PART < (width) && i + 2 * PART > (width) ? (width) - PART : i + PART)

static inline void open_part(const float *restrict gate, const float *restrict value, const float *restrict skip,
                             float *restrict product, int64_t width) {
#pragma GCC ivdep
    for (int64_t i = 0; i < width; i++) product[i] = (gate[i] * normal_below(gate[i]) + skip[i]) * value[i];
}

/* product = (gelu(gate) + skip) * value. */
static void open_gate(const float *lifted, float *product, int64_t rows, int64_t inner) {
    for (int64_t row = 0; row < rows; row++, lifted += 3 * inner, product += inner) {
        const float *value = lifted + inner, *skip = value + inner;
        if (inner < PART) open_part(lifted, value, skip, product, inner);
        else FOR_PARTS(i, inner) open_part(lifted + i, value + i, skip + i, product + i, PART);
    }
}

/* The maps W1 | W2 | S2 of rows of x. */
static void lift_rows(const float *x, int64_t x_row, const float *lift, int64_t lift_row, const float *lift_bias,
                      float *maps, int64_t count, int64_t dim, int64_t inner) {
    repeat_row(lift_bias, maps, count, 3 * inner);
    product(count, 3 * inner, dim, x, x_row, lift, lift_row, maps, 3 * inner, ADD);
}

/* scratch: 4 inner numbers a row of a block. */
void gate_forward(const float *x, int64_t x_token, int64_t x_row, const float *lift, int64_t lift_row,
                  const float *lift_bias, const float *direct, int64_t direct_row, const float *reduce,
                  const float *bias, float *out, float *lifted, float *scratch, int64_t tokens, int64_t rows,
                  int64_t dim, int64_t inner, int64_t out_dim, int64_t block) {
    for (int64_t token = 0; token < tokens; token++) {
        for (int64_t row = 0; row < rows; row += block) {
            const int64_t count = smaller(block, rows - row), place = token * rows + row;
            const float *xs = x + token * x_token + row * x_row;
            float *opened = scratch, *maps = lifted ? lifted + place * 3 * inner : scratch + block * inner;
            float *outs = out + place * out_dim;
            lift_rows(xs, x_row, lift + token * dim * lift_row, lift_row, lift_bias + token * lift_row, maps, count, dim,
                      inner);
            open_gate(maps, opened, count, inner);
            repeat_row(bias + token * out_dim, outs, count, out_dim);
            product(count, out_dim, dim, xs, x_row, direct + token * dim * direct_row, direct_row, outs, out_dim, ADD);
            product(count, out_dim, inner, opened, inner, reduce + token * inner * out_dim, out_dim, outs, out_dim, ADD);
        }
    }
}

static inline void open_part_backward(const float *restrict gate, const float *restrict value,
                                      const float *restrict skip, const float *restrict dproduct,
                                      float *restrict dgate, float *restrict dvalue, float *restrict dskip,
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

/* From the gradient of product to those of the three maps; product is computed again. */
static void open_gate_backward(const float *lifted, const float *dproduct, float *dlifted, float *product, int64_t rows,
                               int64_t inner) {
    for (int64_t row = 0; row < rows; row++, lifted += 3 * inner, dproduct += inner, dlifted += 3 * inner, product += inner) {
        const float *value = lifted + inner, *skip = value + inner;
        float *dvalue = dlifted + inner, *dskip = dvalue + inner;
        if (inner < PART) open_part_backward(lifted, value, skip, dproduct, dlifted, dvalue, dskip, product, inner);
        else FOR_PARTS(i, inner)
            open_part_backward(lifted + i, value + i, skip + i, dproduct + i, dlifted + i, dvalue + i, dskip + i,
                               product + i, PART);
    }
}

/* dlift, dlift_bias: as wide as lift, written in the first 3 inner columns; ddirect: in the layout of direct.
 * dlift_bias and dbias get the sums over the rows added. scratch: 8 inner numbers a row of a block. */
void gate_backward(const float *gradient, int64_t gradient_token, int64_t gradient_row, const float *x, int64_t x_token,
                   int64_t x_row, const float *lift, int64_t lift_row, const float *lift_bias, const float *direct,
                   int64_t direct_row, const float *reduce, const float *lifted, float *dx, float *dlift, float *dlift_bias, float *ddirect,
                   float *dreduce, float *dbias, float *scratch, int64_t tokens, int64_t rows, int64_t dim,
                   int64_t inner, int64_t out_dim, int64_t block) {
    float *opened = scratch, *dproduct = opened + block * inner, *dlifted = dproduct + block * inner;
    float *again = dlifted + block * 3 * inner;
    for (int64_t token = 0; token < tokens; token++) {
        const float *l = lift + token * dim * lift_row, *d = direct + token * dim * direct_row;
        const float *r = reduce + token * inner * out_dim;
        float *dl = dlift + token * dim * lift_row, *dd = ddirect + token * dim * direct_row;
        float *dr = dreduce + token * inner * out_dim;
        for (int64_t row = 0; row < rows; row += block) {
            const int64_t count = smaller(block, rows - row), place = token * rows + row;
            const float *gs = gradient + token * gradient_token + row * gradient_row;
            const float *xs = x + token * x_token + row * x_row;
            float *dxs = dx + place * dim;
            const int add = row > 0 ? ADD : REPLACE;
            product_by_transposed(count, inner, out_dim, gs, gradient_row, r, out_dim, dproduct, inner, REPLACE);
            if (!lifted) lift_rows(xs, x_row, l, lift_row, lift_bias + token * lift_row, again, count, dim, inner);
            open_gate_backward(lifted ? lifted + place * 3 * inner : again, dproduct, dlifted, opened, count, inner);
            add_rows(dlifted, 3 * inner, dlift_bias + token * lift_row, count, 3 * inner);
            product_of_transposed(inner, out_dim, count, opened, inner, gs, gradient_row, dr, out_dim, add);
            product_of_transposed(dim, 3 * inner, count, xs, x_row, dlifted, 3 * inner, dl, lift_row, add);
            product_of_transposed(dim, out_dim, count, xs, x_row, gs, gradient_row, dd, direct_row, add);
            product_by_transposed(count, dim, 3 * inner, dlifted, 3 * inner, l, lift_row, dxs, dim, REPLACE);
            product_by_transposed(count, dim, out_dim, gs, gradient_row, d, direct_row, dxs, dim, ADD);
            add_rows(gs, gradient_row, dbias + token * out_dim, count, out_dim);
        }
    }
}
