/* Adam on some rows of a table, and what they missed since they were last touched: see training/rows/lazy.py.
 *
 * table, first, second: (row, dim), weights and moments. complete: (row), the step up to which a row is complete.
 * constants: beta1, beta2, epsilon, lambda of the penalty, learning rate.
 * By step, from 1 on: scale, by which clipping scaled its gradient; scale_sum, the sum of these; left1 and left2,
 * 1 - beta ** step.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    double beta1, beta2, epsilon, l2, rate;
} Constants;

/* rows: (lookup), of a table of num_rows. touched gets each row once, in the order of first lookup; place leads from lookups to it. seat: (row),
 * all -1, now and afterwards. num_touched: how many rows there are,
 * or -1 where a lookup is outside the table. */
void find_rows(const int64_t *restrict rows, int64_t num_lookups, int64_t num_rows, int32_t *restrict seat,
               int64_t *restrict touched, int64_t *restrict place, int64_t *num_touched) {
    int64_t count = 0;
    *num_touched = -1;
    for (int64_t i = 0; i < num_lookups; i++)
        if (rows[i] < 0 || rows[i] >= num_rows) return;
    for (int64_t i = 0; i < num_lookups; i++) {
        const int64_t row = rows[i];
        if (seat[row] < 0) {
            seat[row] = (int32_t)count;
            touched[count++] = row;
        }
        place[i] = seat[row];
    }
    for (int64_t i = 0; i < count; i++) seat[touched[i]] = -1;
    *num_touched = count;
}

/* gradient (of zeros; one row for each touched): the sum over its lookups and the penalty; none for row 0, the padding.
 * squares: those of the gradient, and those of the rows' weights. */
void gradient_of_rows(const float *restrict of_lookups, const int64_t *restrict place, int64_t num_lookups,
                      const float *restrict table, const int64_t *restrict rows, int64_t num_rows, int64_t dim,
                      const Constants *constants, float *restrict gradient, double *restrict squares) {
    const float l2 = (float)constants->l2;
    for (int64_t i = 0; i < num_lookups; i++) {
        float *restrict row = gradient + place[i] * dim;
        for (int64_t j = 0; j < dim; j++) row[j] += of_lookups[i * dim + j];
    }
    double of_gradient = 0, of_weights = 0;
    for (int64_t i = 0; i < num_rows; i++) {
        const float *w = table + rows[i] * dim;
        float *g = gradient + i * dim, g_squares = 0, w_squares = 0;
        for (int64_t j = 0; j < dim; j++) {
            g[j] = rows[i] ? g[j] + l2 * w[j] : 0.0f;
            g_squares += g[j] * g[j];
            w_squares += w[j] * w[j];
        }
        of_gradient += g_squares;
        of_weights += w_squares;
    }
    squares[0] = of_gradient;
    squares[1] = of_weights;
}

/* One step of Adam for a row; the gradient is given, or, where that is NULL, penalty * w. */
static void one_step(float *restrict w, float *restrict m, float *restrict v, const float *gradient, float penalty,
                     const Constants *c, double left1, double left2, int64_t dim) {
    const float beta1 = (float)c->beta1, beta2 = (float)c->beta2, epsilon = (float)c->epsilon;
    const float new1 = (float)(1 - c->beta1), new2 = (float)(1 - c->beta2);
    const float rate = (float)(c->rate / left1), root_scale = (float)(1 / left2);
    for (int64_t j = 0; j < dim; j++) {
        const float g = gradient ? gradient[j] : penalty * w[j];
        m[j] = beta1 * m[j] + new1 * g;
        v[j] = beta2 * v[j] + new2 * g * g;
        w[j] -= rate * m[j] / (sqrtf(v[j] * root_scale) + epsilon);
    }
}

/* length steps at once, the last of them step number last, with the gradient penalty * w: see LazyRows. */
static void stride(float *restrict w, float *restrict m, float *restrict v, float penalty, const Constants *c,
                   double length, double last, int64_t dim) {
    const double present = last - (length - 1) / 2, kept = pow(c->beta1, length);
    const float kept1 = (float)kept, kept2 = (float)pow(c->beta2, length);
    const float kept_half = (float)pow(c->beta2, (length + 1) / 2);
    const float transient = (float)(c->beta1 * (1 - kept) / (1 - c->beta1)), steps = (float)length;
    const float rate = (float)(c->rate / (1 - pow(c->beta1, present)));
    const float root_scale = (float)(1 / (1 - pow(c->beta2, present))), epsilon = (float)c->epsilon;
    const int may_jump = c->l2 != 0;
    for (int64_t j = 0; j < dim; j++) {
        const float g = penalty * w[j], middle = v[j] * kept_half + g * g * (1 - kept_half);
        const float moved = g * (steps - transient) + m[j] * transient;
        const float change = rate * moved / (sqrtf(middle * root_scale) + epsilon);
        const int jumps = may_jump && fabsf(change) > fabsf(w[j]) && change * w[j] > 0;
        m[j] = jumps ? 0.0f : m[j] * kept1 + g * (1 - kept1);
        v[j] = v[j] * kept2 + g * g * (1 - kept2);
        w[j] = jumps ? 0.0f : w[j] - change;
    }
}

static double squares_of(const float *w, int64_t dim) {
    float sum = 0;
    for (int64_t j = 0; j < dim; j++) sum += w[j] * w[j];
    return sum;
}

/* Bring rows to step now: exact_steps one by one, then strides that grow by a stride_share of what is covered. change:
 * of the sum of squares of the table. */
void catch_up_rows(float *table, float *first, float *second, int32_t *complete, const int64_t *rows, int64_t num_rows,
                   int64_t dim, int64_t now, int64_t exact_steps, int64_t stride_share, const Constants *constants,
                   const double *scale, const double *scale_sum, const double *left1, const double *left2,
                   double *change) {
    double sum = 0;
    for (int64_t i = 0; i < num_rows; i++) {
        const int64_t row = rows[i], start = complete[row], missed = now - start;
        float *w = table + row * dim, *m = first + row * dim, *v = second + row * dim;
        if (missed <= 0) continue;
        const double before = squares_of(w, dim);
        int64_t done = 0;
        for (; done < missed && done < exact_steps; done++) {
            const int64_t step = start + done + 1;
            one_step(w, m, v, NULL, (float)(constants->l2 * scale[step]), constants, left1[step], left2[step], dim);
        }
        for (int64_t covered = done; done < missed;) {
            const int64_t whole = covered / stride_share, length = whole < missed - done ? whole : missed - done;
            const int64_t last = start + done + length;
            const double mean = length == 1 ? scale[last] : (scale_sum[last] - scale_sum[last - length]) / (double)length;
            if (length == 1)
                one_step(w, m, v, NULL, (float)(constants->l2 * mean), constants, left1[last], left2[last], dim);
            else
                stride(w, m, v, (float)(constants->l2 * mean), constants, (double)length, (double)last, dim);
            done += length;
            covered += whole;
        }
        complete[row] = (int32_t)now;
        sum += squares_of(w, dim) - before;
    }
    *change = sum;
}

/* Step number now for rows, with a gradient each. change: of the sum of squares of the table. */
void step_rows(float *table, float *first, float *second, int32_t *complete, const int64_t *rows, int64_t num_rows,
               int64_t dim, int64_t now, const Constants *constants, const double *left1, const double *left2,
               const float *gradient, double *change) {
    double sum = 0;
    for (int64_t i = 0; i < num_rows; i++) {
        const int64_t row = rows[i];
        float *w = table + row * dim;
        const double before = squares_of(w, dim);
        one_step(w, first + row * dim, second + row * dim, gradient + i * dim, 0, constants, left1[now], left2[now], dim);
        complete[row] = (int32_t)now;
        sum += squares_of(w, dim) - before;
    }
    *change = sum;
}
