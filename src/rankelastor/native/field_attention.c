/* Compute self-attention between the fields of an example, relu(concat over heads of softmax(factor Q K^T) V + residual), in blocks of
 * examples whose maps fit into the caches of one core.
 *
 * x, dx: (example, field, in). weight: (maps * width, in), the maps Q | K | V of x and, if maps is 4, that of the residual, one above
 * the other. residual: whether x itself is added, for maps of 3 and a width of in. out, gradient: (example, field, width).
 */
#include <math.h>
#include <stddef.h>

#include "elementwise.h"
#include "parallel.h"
#include "products.h"
#include "rows.h"

typedef struct {
    const float *x, *weight;
    int64_t fields, in, width, heads, maps, residual, block;
    double factor;
} FieldMaps;

/* Values of a row of scores that a loop computes at a time. Rows are padded to whole steps, so that no loop has a remainder. */
#define STEP 8
/* The score of padding, whose weight is as good as 0. */
#define NO_SCORE (-INFINITY)

static int64_t padded(int64_t fields) { return (fields + STEP - 1) / STEP * STEP; }

static float largest_of(const float *restrict row, int64_t width) {
    float best[STEP], largest;
    for (int64_t i = 0; i < STEP; i++) best[i] = row[i];
    for (int64_t at = STEP; at < width; at += STEP)
        for (int64_t i = 0; i < STEP; i++) best[i] = row[at + i] > best[i] ? row[at + i] : best[i];
    largest = best[0];
    for (int64_t i = 1; i < STEP; i++) largest = best[i] > largest ? best[i] : largest;
    return largest;
}

/* Compute the softmax of factor * scores, row by row and in place; factor is positive. */
static void soften(float *scores, int64_t fields, float factor) {
    const int64_t width = padded(fields);
    for (int64_t row = 0; row < fields; row++, scores += width) {
        float sums[STEP] = {0}, sum = 0;
        for (int64_t i = fields; i < width; i++) scores[i] = NO_SCORE;
        const float largest = largest_of(scores, width);
        for (int64_t at = 0; at < width; at += STEP)
            for (int64_t i = 0; i < STEP; i++) {
                scores[at + i] = exp_of((scores[at + i] - largest) * factor);
                sums[i] += scores[at + i];
            }
        for (int64_t i = 0; i < STEP; i++) sum += sums[i];
        const float share = 1.0f / sum;
        for (int64_t at = 0; at < width; at += STEP)
            for (int64_t i = 0; i < STEP; i++) scores[at + i] *= share;
    }
}

/* Turn the gradient of the softmax, in place, into that of the scores before their factor. */
static void soften_backward(const float *restrict weights, float *restrict gradient, int64_t fields, float factor) {
    const int64_t width = padded(fields);
    for (int64_t row = 0; row < fields; row++, weights += width, gradient += width) {
        float sums[STEP] = {0}, along = 0;
        for (int64_t i = fields; i < width; i++) gradient[i] = 0;
        for (int64_t at = 0; at < width; at += STEP)
            for (int64_t i = 0; i < STEP; i++) sums[i] += weights[at + i] * gradient[at + i];
        for (int64_t i = 0; i < STEP; i++) along += sums[i];
        for (int64_t at = 0; at < width; at += STEP)
            for (int64_t i = 0; i < STEP; i++)
                gradient[at + i] = factor * weights[at + i] * (gradient[at + i] - along);
    }
}

/* Compute the attention weights of a head of one example, whose maps are all_maps apart. */
static void weigh(const FieldMaps *of, const float *maps, int64_t head, float *weights) {
    const int64_t depth = of->width / of->heads, all = of->maps * of->width, at = head * depth;
    product_by_transposed(of->fields, of->fields, depth, maps + at, all, maps + of->width + at, all, weights,
                          padded(of->fields), REPLACE);
    soften(weights, of->fields, (float)of->factor);
}

static void map_fields(const FieldMaps *of, const float *x, int64_t count, float *maps) {
    const int64_t all = of->maps * of->width;
    product_by_transposed(count * of->fields, all, of->in, x, of->in, of->weight, of->in, maps, all, REPLACE);
}

typedef struct {
    FieldMaps of;
    float *out, *scratch; /* scratch: fields * (maps * width + padded fields) values per example of a block, for each part */
} FieldAttentionForward;

void field_attention_forward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const FieldAttentionForward a = *(const FieldAttentionForward *)arguments;
    const FieldMaps *of = &a.of;
    const int64_t fields = of->fields, wide = padded(fields), width = of->width, depth = width / of->heads, all = of->maps * width;
    float *local = a.scratch + part * of->block * fields * (all + wide), *weights = local + of->block * fields * all;
    for (int64_t start = first; start < last; start += of->block) {
        const int64_t count = minimum(of->block, last - start);
        const float *x = of->x + start * fields * of->in;
        map_fields(of, x, count, local);
        for (int64_t example = 0; example < count; example++) {
            const float *maps = local + example * fields * all, *added = of->maps == 4 ? maps + 3 * width : x + example * fields * of->in;
            float *out = a.out + (start + example) * fields * width;
            const int64_t added_row = of->maps == 4 ? all : of->in;
            for (int64_t head = 0; head < of->heads; head++) {
                weigh(of, maps, head, weights);
                product(fields, depth, fields, weights, wide, maps + 2 * width + head * depth, all, out + head * depth, width, REPLACE);
            }
            for (int64_t field = 0; field < fields; field++, out += width, added += added_row)
                for (int64_t i = 0; i < width; i++) {
                    const float sum = of->residual ? out[i] + added[i] : out[i];
                    out[i] = sum < 0 ? 0.0f : sum; /* NaN stays */
                }
        }
    }
}

typedef struct {
    FieldMaps of;
    const float *gradient, *out;
    float *dx;
    float *dweight; /* one accumulator per part, in the layout of weight */
    float *scratch; /* fields * (2 maps * width + width + 2 padded fields) values per example of a block, for each part */
} FieldAttentionBackward;

void field_attention_backward(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const FieldAttentionBackward a = *(const FieldAttentionBackward *)arguments;
    const FieldMaps *of = &a.of;
    const int64_t fields = of->fields, wide = padded(fields), in = of->in, width = of->width, depth = width / of->heads;
    const int64_t all = of->maps * width;
    float *local = a.scratch + part * of->block * fields * (2 * all + width + 2 * wide), *dlocal = local + of->block * fields * all;
    float *dsum = dlocal + of->block * fields * all, *weights = dsum + of->block * fields * width;
    float *dweights = weights + of->block * fields * wide, *sum = buffer(a.dweight, part, 0, 1, all * in);
    for (int64_t start = first; start < last; start += of->block) {
        const int64_t count = minimum(of->block, last - start), rows = count * fields, place = start * fields;
        const float *x = of->x + place * in;
        float *dx = a.dx + place * in;
        map_fields(of, x, count, local);
        for (int64_t i = 0; i < rows * width; i++)
            dsum[i] = a.out[place * width + i] > 0 ? a.gradient[place * width + i] : 0.0f;
        for (int64_t example = 0; example < count; example++) {
            const float *maps = local + example * fields * all, *d = dsum + example * fields * width;
            float *dmaps = dlocal + example * fields * all;
            for (int64_t head = 0; head < of->heads; head++) {
                const int64_t query = head * depth, key = width + query, value = width + key;
                weigh(of, maps, head, weights);
                product_of_transposed(fields, depth, fields, weights, wide, d + query, width, dmaps + value, all, REPLACE);
                product_by_transposed(fields, fields, depth, d + query, width, maps + value, all, dweights, wide, REPLACE);
                soften_backward(weights, dweights, fields, (float)of->factor);
                product(fields, depth, fields, dweights, wide, maps + key, all, dmaps + query, all, REPLACE);
                product_of_transposed(fields, depth, fields, dweights, wide, maps + query, all, dmaps + key, all, REPLACE);
            }
            for (int64_t field = 0; of->maps == 4 && field < fields; field++)
                for (int64_t i = 0; i < width; i++) dmaps[field * all + 3 * width + i] = d[field * width + i];
        }
        product_of_transposed(all, in, rows, dlocal, all, x, in, sum, in, start > first ? ADD : REPLACE);
        product(rows, in, all, dlocal, all, of->weight, in, dx, in, REPLACE);
        for (int64_t i = 0; of->residual && of->maps == 3 && i < rows * in; i++) dx[i] += dsum[i];
    }
}
