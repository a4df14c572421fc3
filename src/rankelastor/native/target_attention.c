/* Compute target attention with one hidden layer: for each element e of a sequence and its target q, the weight
 * w = v . activation(h) + v0 with h = W [q, e, q - e, q * e] + b, and out = w e; in blocks of examples whose hidden values fit
 * into the caches of one core.
 *
 * What depends on the target alone is one row per example: h = c + A [e, q * e], where c = (Wq + Wd) q + b and
 * A = [We - Wd, Wp]. Padding has the weight 0 and takes no part, but in the statistics of Dice: there the padding of an
 * example whose elements are zero, so that h = c, is one row that counts as often as there is padding.
 *
 * elements, gradient, out, delements: (example, position, dim); *_example and *_position are strides. mask: (example, position),
 * not 0 where there is an element. target: (example, dim). lift (A): (hidden, 2 dim). constant (c): (example, hidden).
 * alpha: (hidden), of the activation x share + alpha x (1 - share): share is sigmoid((x - mean) inverse) for Dice, and whether x
 * is positive for PReLU, which has no mean (NULL). v: (hidden). weights: (example, position).
 * hidden_rows: (example, position + 1, hidden), the values of h in the order of the rows of each block; NULL: computed here.
 */
#include <math.h>
#include <stddef.h>

#include "elementwise.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"

typedef struct {
    const float *elements;
    int64_t elements_example, elements_position;
    const uint8_t *mask;
    const float *target;
    int64_t target_example;
    const float *lift, *constant;
    int64_t positions, dim, hidden, block;
    int64_t counts_padding; /* whether padding is among the rows, for the statistics of Dice */
} AttentionInput;

/* The rows of a block: place is that of an element, example * positions + position; for padding it is -1 - example. */
typedef struct {
    int64_t rows;
    int64_t *places;
    float *times, *pairs; /* how often a row counts; [e, q * e] */
} AttentionRows;

static const float *element(const AttentionInput *in, int64_t example, int64_t position) {
    return in->elements + example * in->elements_example + position * in->elements_position;
}

/* Find which example of the block a row belongs to. */
static int64_t example_of(int64_t place, int64_t positions) { return place < 0 ? -1 - place : place / positions; }

/* Tell whether a position has a row of its own. */
static int has_row(const AttentionInput *in, int64_t example, int64_t position) {
    int any = in->mask[example * in->positions + position];
    if (in->counts_padding)
        for (int64_t i = 0; i < in->dim; i++) any |= element(in, example, position)[i] != 0;
    return any;
}

/* Collect the rows of a block of examples; where padding counts, its row is the first of each example. */
static void collect(const AttentionInput *in, int64_t first, int64_t count, AttentionRows *to) {
    const int64_t dim = in->dim, positions = in->positions;
    to->rows = 0;
    for (int64_t example = 0; example < count; example++) {
        const float *restrict q = in->target + (first + example) * in->target_example;
        const int64_t start = to->rows;
        if (in->counts_padding) {
            for (int64_t i = 0; i < 2 * dim; i++) to->pairs[start * 2 * dim + i] = 0;
            to->places[start] = -1 - example;
            to->times[to->rows++] = 0;
        }
        for (int64_t position = 0; position < positions; position++) {
            if (!has_row(in, first + example, position)) {
                if (in->counts_padding) to->times[start] += 1;
                continue;
            }
            const float *restrict e = element(in, first + example, position);
            float *restrict pair = to->pairs + to->rows * 2 * dim;
            for (int64_t i = 0; i < dim; i++) pair[i] = e[i], pair[dim + i] = q[i] * e[i];
            to->places[to->rows] = example * positions + position;
            to->times[to->rows++] = 1;
        }
    }
}

/* Compute h of the rows. */
static void lift_pairs(const AttentionInput *in, int64_t first, const AttentionRows *rows, float *h) {
    const int64_t hidden = in->hidden;
    for (int64_t row = 0; row < rows->rows; row++)
        repeat_row(in->constant + (first + example_of(rows->places[row], in->positions)) * hidden, h + row * hidden, 1, hidden);
    product_by_transposed(rows->rows, hidden, 2 * in->dim, rows->pairs, 2 * in->dim, in->lift, 2 * in->dim, h, hidden, ADD);
}

/* Divide scratch: 2 dim + 2 values per row, and the places. Return what is left of it. */
static float *divide_scratch(const AttentionInput *in, float *scratch, int64_t *places, int64_t part, int64_t per_row,
                             AttentionRows *rows) {
    const int64_t most = in->block * (in->positions + 1);
    float *own = scratch + part * most * (2 * in->dim + 2 + per_row);
    *rows = (AttentionRows){0, places + part * most, own, own + most};
    return own + most * (1 + 2 * in->dim);
}

typedef struct {
    AttentionInput in;
    float *hidden_rows;
    double *moments; /* (part, 2, hidden): mean of h and sum of squared distances from it */
    float *scratch;  /* 2 dim + 3 + 2 hidden values for each position of a block and one more, for each part */
    int64_t *places;
} AttentionStatisticsForward;

void attention_statistics_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const AttentionStatisticsForward a = *(const AttentionStatisticsForward *)arguments;
    const int64_t hidden = a.in.hidden;
    double *restrict mean = a.moments + part * 2 * hidden, *restrict squares = mean + hidden;
    AttentionRows rows;
    float *local = divide_scratch(&a.in, a.scratch, a.places, part, 1 + 2 * hidden, &rows);
    float *restrict block_mean = local, *restrict block_squares = local + hidden;
    for (int64_t example = first; example < last; example += a.in.block) {
        const int64_t count = minimum(a.in.block, last - example);
        float *h = a.hidden_rows + example * (a.in.positions + 1) * hidden;
        collect(&a.in, example, count, &rows);
        lift_pairs(&a.in, example, &rows, h);
        const double before = (double)((example - first) * a.in.positions), here = (double)(count * a.in.positions);
        for (int64_t j = 0; j < hidden; j++) block_mean[j] = block_squares[j] = 0;
        for (int64_t row = 0; row < rows.rows; row++)
#pragma GCC ivdep
            for (int64_t j = 0; j < hidden; j++) block_mean[j] += rows.times[row] * h[row * hidden + j];
        for (int64_t j = 0; j < hidden; j++) block_mean[j] /= (float)here;
        for (int64_t row = 0; row < rows.rows; row++)
#pragma GCC ivdep
            for (int64_t j = 0; j < hidden; j++) {
                const float apart = h[row * hidden + j] - block_mean[j];
                block_squares[j] += rows.times[row] * apart * apart;
            }
        for (int64_t j = 0; j < hidden; j++) {
            const double apart = block_mean[j] - mean[j];
            mean[j] += apart * here / (before + here);
            squares[j] += block_squares[j] + apart * apart * before * here / (before + here);
        }
    }
}

/* Compute y = activation(h). */
static void activate_row(const float *restrict h, const float *restrict alpha, const float *restrict mean,
                         const float *restrict inverse, float *restrict y, int64_t hidden) {
    if (mean)
#pragma GCC ivdep
        for (int64_t j = 0; j < hidden; j++) {
            const float share = sigmoid_of((h[j] - mean[j]) * inverse[j]);
            y[j] = h[j] * (share + alpha[j] * (1.0f - share));
        }
    else
#pragma GCC ivdep
        for (int64_t j = 0; j < hidden; j++) y[j] = h[j] > 0 ? h[j] : alpha[j] * h[j];
}

/* Turn the scores of an example's positions into weights that sum to 1. */
static void soften(float *scores, const uint8_t *mask, int64_t positions) {
    float most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < positions; i++)
        if (mask[i]) most = scores[i] <= most ? most : scores[i]; /* in this form, so that NaN passes */
    for (int64_t i = 0; i < positions; i++)
        if (mask[i]) sum += scores[i] = exp_of(scores[i] - most);
    for (int64_t i = 0; i < positions; i++)
        if (mask[i]) scores[i] /= sum;
}

typedef struct {
    AttentionInput in;
    const float *hidden_rows, *alpha, *mean, *inverse, *v;
    double v0;
    int64_t softmax;
    float *weights, *out;
    float *scratch; /* 2 dim + 3 + 2 hidden values for each position of a block and one more, for each part */
    int64_t *places;
} AttentionForward;

void attention_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const AttentionForward a = *(const AttentionForward *)arguments;
    const int64_t hidden = a.in.hidden, positions = a.in.positions, dim = a.in.dim, most = a.in.block * (positions + 1);
    AttentionRows rows;
    float *scores = divide_scratch(&a.in, a.scratch, a.places, part, 1 + 2 * hidden, &rows), *made = scores + most;
    float *y = made + most * hidden;
    for (int64_t example = first; example < last; example += a.in.block) {
        const int64_t count = minimum(a.in.block, last - example);
        const float *h = a.hidden_rows ? a.hidden_rows + example * (positions + 1) * hidden : made;
        float *weights = a.weights + example * positions;
        const uint8_t *mask = a.in.mask + example * positions;
        collect(&a.in, example, count, &rows);
        for (int64_t i = 0; i < count * positions; i++) weights[i] = 0;
        if (rows.rows && !a.hidden_rows) lift_pairs(&a.in, example, &rows, made);
        for (int64_t row = 0; row < rows.rows; row++)
            activate_row(h + row * hidden, a.alpha, a.mean, a.inverse, y + row * hidden, hidden);
        if (rows.rows) product_by_transposed(rows.rows, 1, hidden, y, hidden, a.v, hidden, scores, 1, REPLACE);
        for (int64_t row = 0; row < rows.rows; row++) {
            const int64_t place = rows.places[row];
            if (place >= 0 && mask[place]) weights[place] = scores[row] + (float)a.v0;
        }
        if (a.softmax)
            for (int64_t i = 0; i < count; i++) soften(weights + i * positions, mask + i * positions, positions);
        for (int64_t place = 0; place < count * positions; place++) {
            const float *restrict e = element(&a.in, example + place / positions, place % positions);
            float *restrict out = a.out + (example * positions + place) * dim;
            for (int64_t i = 0; i < dim; i++) out[i] = weights[place] * e[i];
        }
    }
}

typedef struct {
    AttentionInput in;
    const float *gradient;
    int64_t gradient_example, gradient_position;
    const float *hidden_rows, *alpha, *mean, *inverse, *v, *weights;
    int64_t softmax;
} AttentionGradient;

/* Compute the gradients of the scores of the rows from that of out. */
static void score_gradients(const AttentionGradient *of, int64_t first, const AttentionRows *rows, float *dscores) {
    const AttentionInput *in = &of->in;
    const int64_t positions = in->positions;
    const float *weights = of->weights + first * positions;
    for (int64_t row = 0; row < rows->rows; row++) {
        const int64_t place = rows->places[row];
        dscores[row] = 0;
        if (place < 0 || !in->mask[first * positions + place]) continue;
        const float *g = of->gradient + (first + place / positions) * of->gradient_example + place % positions * of->gradient_position;
        const float *e = rows->pairs + row * 2 * in->dim;
        for (int64_t i = 0; i < in->dim; i++) dscores[row] += g[i] * e[i];
    }
    for (int64_t row = 0; of->softmax && row < rows->rows;) {
        const int64_t example = example_of(rows->places[row], positions);
        int64_t end = row;
        float sum = 0;
        for (; end < rows->rows && example_of(rows->places[end], positions) == example; end++)
            if (rows->places[end] >= 0) sum += weights[rows->places[end]] * dscores[end];
        for (; row < end; row++)
            dscores[row] = rows->places[row] < 0 ? 0 : weights[rows->places[row]] * (dscores[row] - sum);
    }
}

typedef struct {
    AttentionGradient of;
    float *dnormed; /* one accumulator per part: (2, hidden), sums of the gradient of (h - mean) inverse, and of its product with it */
    float *scratch; /* 2 dim + 3 + 2 hidden values for each position of a block and one more, for each part */
    int64_t *places;
} AttentionStatisticsBackward;

void attention_statistics_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const AttentionStatisticsBackward a = *(const AttentionStatisticsBackward *)arguments;
    const int64_t hidden = a.of.in.hidden, positions = a.of.in.positions, most = a.of.in.block * (positions + 1);
    AttentionRows rows;
    float *dscores = divide_scratch(&a.of.in, a.scratch, a.places, part, 1 + 2 * hidden, &rows);
    float *restrict sums = dscores + most, *restrict along = sums + hidden;
    const float *restrict alpha = a.of.alpha, *restrict mean = a.of.mean, *restrict inverse = a.of.inverse, *restrict v = a.of.v;
    for (int64_t example = first; example < last; example += a.of.in.block) {
        const float *h = a.of.hidden_rows + example * (positions + 1) * hidden;
        collect(&a.of.in, example, minimum(a.of.in.block, last - example), &rows);
        score_gradients(&a.of, example, &rows, dscores);
        for (int64_t j = 0; j < 2 * hidden; j++) sums[j] = 0;
        for (int64_t row = 0; row < rows.rows; row++) {
            const float *restrict x = h + row * hidden, dscore = dscores[row];
#pragma GCC ivdep
            for (int64_t j = 0; j < hidden; j++) {
                const float normed = (x[j] - mean[j]) * inverse[j], share = sigmoid_of(normed);
                const float dnormed = dscore * v[j] * x[j] * (1.0f - alpha[j]) * share * (1.0f - share);
                sums[j] += dnormed;
                along[j] += dnormed * normed;
            }
        }
        add_row(sums, a.dnormed + part * padded_size(2 * hidden), 1, 2 * hidden);
    }
}

typedef struct {
    AttentionGradient of;
    const float *means; /* (2, hidden): the sums of attention_statistics_backward over the number of positions; NULL where mean is no sum */
    float *delements, *dtarget, *dconstant;
    /* One accumulator per part, in the layouts of lift, alpha and v with v0 behind it; all but dlift are added to. */
    float *dlift, *dalpha, *dv;
    float *scratch; /* 4 dim + 3 + 4 hidden values for each position of a block and one more, for each part */
    int64_t *places;
} AttentionBackward;

/* Compute y, the gradient of h from that of its score, and the terms of the gradient of alpha. */
static void activate_row_backward(const AttentionBackward *a, const float *restrict h, float dscore, float *restrict y,
                                  float *restrict dh, float *restrict dalpha) {
    const float *restrict alpha = a->of.alpha, *restrict mean = a->of.mean, *restrict inverse = a->of.inverse, *restrict v = a->of.v;
    const int64_t hidden = a->of.in.hidden;
    if (!mean)
#pragma GCC ivdep
        for (int64_t j = 0; j < hidden; j++) {
            const float share = h[j] > 0 ? 1.0f : 0.0f, open = share + alpha[j] * (1.0f - share);
            y[j] = h[j] * open;
            dh[j] = dscore * v[j] * open;
            dalpha[j] += dscore * v[j] * (1.0f - share) * h[j];
        }
    else
#pragma GCC ivdep
        for (int64_t j = 0; j < hidden; j++) {
            const float share = sigmoid_of((h[j] - mean[j]) * inverse[j]), open = share + alpha[j] * (1.0f - share);
            const float dshare = dscore * v[j] * h[j] * (1.0f - alpha[j]);
            y[j] = h[j] * open;
            dh[j] = dscore * v[j] * open + inverse[j] * dshare * share * (1.0f - share);
            dalpha[j] += dscore * v[j] * (1.0f - share) * h[j];
        }
    if (a->means) {
        const float *restrict sums = a->means, *restrict along = a->means + hidden;
#pragma GCC ivdep
        for (int64_t j = 0; j < hidden; j++) dh[j] -= inverse[j] * (sums[j] + (h[j] - mean[j]) * inverse[j] * along[j]);
    }
}

void attention_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const AttentionBackward a = *(const AttentionBackward *)arguments;
    const int64_t hidden = a.of.in.hidden, positions = a.of.in.positions, dim = a.of.in.dim, most = a.of.in.block * (positions + 1);
    AttentionRows rows;
    float *dscores = divide_scratch(&a.of.in, a.scratch, a.places, part, 1 + 2 * dim + 4 * hidden, &rows);
    float *dpairs = dscores + most, *made = dpairs + most * 2 * dim, *y = made + most * hidden, *dh = y + most * hidden;
    float *dalpha = dh + most * hidden;
    float *dv = a.dv + part * padded_size(hidden + 1), *dlift = a.dlift + part * padded_size(hidden * 2 * dim);
    for (int64_t example = first; example < last; example += a.of.in.block) {
        const int64_t count = minimum(a.of.in.block, last - example);
        const float *h = a.of.hidden_rows ? a.of.hidden_rows + example * (positions + 1) * hidden : made;
        const float *weights = a.of.weights + example * positions;
        const float *gradient = a.of.gradient + example * a.of.gradient_example;
        collect(&a.of.in, example, count, &rows);
        if (rows.rows && !a.of.hidden_rows) lift_pairs(&a.of.in, example, &rows, made);
        score_gradients(&a.of, example, &rows, dscores);
        for (int64_t j = 0; j < hidden; j++) dalpha[j] = 0;
        float dv0 = 0;
        for (int64_t row = 0; row < rows.rows; row++) {
            activate_row_backward(&a, h + row * hidden, dscores[row], y + row * hidden, dh + row * hidden, dalpha);
            dv0 += dscores[row];
        }
        if (!a.of.softmax) dv[hidden] += dv0; /* a softmax does not change with v0 */
        add_row(dalpha, a.dalpha + part * padded_size(hidden), 1, hidden);
        for (int64_t i = 0; i < count * hidden; i++) a.dconstant[example * hidden + i] = 0;
        if (rows.rows) {
            product_of_transposed(1, hidden, rows.rows, dscores, 1, y, hidden, dv, hidden, ADD);
            product_of_transposed(hidden, 2 * dim, rows.rows, dh, hidden, rows.pairs, 2 * dim, dlift, 2 * dim, ADD);
            product(rows.rows, 2 * dim, hidden, dh, hidden, a.of.in.lift, 2 * dim, dpairs, 2 * dim, REPLACE);
        }
        for (int64_t row = 0; row < rows.rows; row++) {
            float *restrict dconstant = a.dconstant + (example + example_of(rows.places[row], positions)) * hidden;
            for (int64_t j = 0; j < hidden; j++) dconstant[j] += rows.times[row] * dh[row * hidden + j];
        }
        for (int64_t i = 0, row = 0; i < count; i++) {
            const float *restrict q = a.of.in.target + (example + i) * a.of.in.target_example;
            float *restrict dq = a.dtarget + (example + i) * dim;
            const float *restrict of_padding = a.of.in.counts_padding ? dpairs + row++ * 2 * dim : NULL;
            for (int64_t j = 0; j < dim; j++) dq[j] = 0;
            for (int64_t position = 0; position < positions; position++) {
                const int64_t place = i * positions + position;
                float *restrict de = a.delements + (example * positions + place) * dim;
                const float *restrict g = gradient + i * a.of.gradient_example + position * a.of.gradient_position;
                if (row < rows.rows && rows.places[row] == place) {
                    const float *restrict dpair = dpairs + row * 2 * dim, *restrict e = rows.pairs + row * 2 * dim;
                    for (int64_t j = 0; j < dim; j++) {
                        de[j] = dpair[j] + q[j] * dpair[dim + j] + weights[place] * g[j];
                        dq[j] += e[j] * dpair[dim + j];
                    }
                    row++;
                } else {
                    for (int64_t j = 0; j < dim; j++) de[j] = of_padding ? of_padding[j] + q[j] * of_padding[dim + j] : 0;
                }
            }
        }
    }
}
