/* Step some rows of a table with Adam, and make up for the steps that they missed: see optimisers/lazy_rows/lazy.py.
 *
 * table, first, second: (row, dim), weights and moments. complete: (row), the step up to which a row is complete.
 * Per step t, from 1 on: scale[t], the clipping factor; scale_sum[t], its running sum; bias_correction1[t] and
 * bias_correction2[t], 1 - beta ** t.
 */
#include <math.h>
#include <stddef.h>

#include "parallel.h"

typedef struct {
    double beta1, beta2, epsilon, l2, rate; /* lambda of the penalty, learning rate */
} Constants;

typedef struct {
    const int64_t *lookups;
    int64_t num_rows;     /* of the table */
    int32_t *position_of_row;        /* (row), all -1 before and after the call */
    int64_t *touched;     /* each row once, in the order of first lookup */
    int64_t *position;       /* (lookup), where its row stands in touched */
    int64_t *num_touched; /* -1 where a lookup is outside the table */
} FindRows;

/* Find the rows of all look-ups; runs in one part. */
void find_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const FindRows f = *(const FindRows *)arguments;
    int64_t count = 0;
    (void)part;
    *f.num_touched = -1;
    for (int64_t i = first; i < last; i++)
        if (f.lookups[i] < 0 || f.lookups[i] >= f.num_rows) return;
    for (int64_t i = first; i < last; i++) {
        const int64_t row = f.lookups[i];
        if (f.position_of_row[row] < 0) {
            f.position_of_row[row] = (int32_t)count;
            f.touched[count++] = row;
        }
        f.position[i] = f.position_of_row[row];
    }
    for (int64_t i = 0; i < count; i++) f.position_of_row[f.touched[i]] = -1;
    *f.num_touched = count;
}

typedef struct {
    const float *lookup_gradients;
    const int64_t *position;
    int64_t num_lookups;
    const float *table;
    const int64_t *rows;
    int64_t dim;
    const Constants *constants;
    float *gradient; /* zeros, one for each of rows; becomes the sum over its look-ups plus the penalty; stays zero for row 0 */
    double *squares; /* of the gradient, and of the rows' weights */
} GradientOfRows;

/* Sum the gradient of each row; runs in one part. */
void gradient_of_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const GradientOfRows g = *(const GradientOfRows *)arguments;
    const float l2 = (float)g.constants->l2;
    double of_gradient = 0, of_weights = 0;
    (void)part;
    for (int64_t i = 0; i < g.num_lookups; i++) {
        const float *restrict found = g.lookup_gradients + i * g.dim;
        float *restrict row = g.gradient + g.position[i] * g.dim;
        for (int64_t j = 0; j < g.dim; j++) row[j] += found[j];
    }
    for (int64_t i = first; i < last; i++) {
        const float *restrict w = g.table + g.rows[i] * g.dim;
        float *restrict row = g.gradient + i * g.dim, g_squares = 0, w_squares = 0;
        for (int64_t j = 0; j < g.dim; j++) {
            row[j] = g.rows[i] ? row[j] + l2 * w[j] : 0.0f;
            g_squares += row[j] * row[j];
            w_squares += w[j] * w[j];
        }
        of_gradient += g_squares;
        of_weights += w_squares;
    }
    g.squares[0] = of_gradient;
    g.squares[1] = of_weights;
}

/* Take one step of Adam for a row; without a gradient (NULL) it is penalty * w. */
static void one_step(float *restrict w, float *restrict m, float *restrict v, const float *gradient, float penalty,
                     const Constants *c, double bias_correction1, double bias_correction2, int64_t dim) {
    const float beta1 = (float)c->beta1, beta2 = (float)c->beta2, epsilon = (float)c->epsilon;
    const float new1 = (float)(1 - c->beta1), new2 = (float)(1 - c->beta2);
    const float rate = (float)(c->rate / bias_correction1), root_scale = (float)(1 / bias_correction2);
    for (int64_t j = 0; j < dim; j++) {
        const float g = gradient ? gradient[j] : penalty * w[j];
        m[j] = beta1 * m[j] + new1 * g;
        v[j] = beta2 * v[j] + new2 * g * g;
        w[j] -= rate * m[j] / (sqrtf(v[j] * root_scale) + epsilon);
    }
}

/* Take length steps at once, the last of them number last, with the gradient penalty * w: see LazyRows. */
static void stride(float *restrict w, float *restrict m, float *restrict v, float penalty, const Constants *c,
                   double length, double last, int64_t dim) {
    const double present = last - (length - 1) / 2, decay = pow(c->beta1, length);
    const float decay1 = (float)decay, decay2 = (float)pow(c->beta2, length);
    const float decay_half = (float)pow(c->beta2, (length + 1) / 2);
    const float transient = (float)(c->beta1 * (1 - decay) / (1 - c->beta1)), steps = (float)length;
    const float rate = (float)(c->rate / (1 - pow(c->beta1, present)));
    const float root_scale = (float)(1 / (1 - pow(c->beta2, present))), epsilon = (float)c->epsilon;
    const int may_jump = c->l2 != 0;
    for (int64_t j = 0; j < dim; j++) {
        const float g = penalty * w[j], middle = v[j] * decay_half + g * g * (1 - decay_half);
        const float moved = g * (steps - transient) + m[j] * transient;
        const float change = rate * moved / (sqrtf(middle * root_scale) + epsilon);
        const int jumps = may_jump && fabsf(change) > fabsf(w[j]) && change * w[j] > 0;
        m[j] = jumps ? 0.0f : m[j] * decay1 + g * (1 - decay1);
        v[j] = v[j] * decay2 + g * g * (1 - decay2);
        w[j] = jumps ? 0.0f : w[j] - change;
    }
}

static double squares_of(const float *w, int64_t dim) {
    float sum = 0;
    for (int64_t j = 0; j < dim; j++) sum += w[j] * w[j];
    return sum;
}

/* Rows to work on, and the step to bring them to. */
typedef struct {
    float *table, *first, *second;
    int32_t *complete;
    const int64_t *rows;
    int64_t dim, now;
    const Constants *constants;
    const double *bias_correction1, *bias_correction2;
} Rows;

typedef struct {
    Rows of;
    const double *scale, *scale_sum;
    int64_t exact_steps, stride_share;
    double *change; /* change of the table's sum of squares, one per part */
} CatchUpRows;

/* Bring rows to step now: exact_steps one by one, then strides that grow by a stride_share of what is covered. */
void catch_up_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const CatchUpRows u = *(const CatchUpRows *)arguments;
    const Rows r = u.of;
    const double l2 = r.constants->l2;
    double sum = 0;
    for (int64_t i = first; i < last; i++) {
        const int64_t row = r.rows[i], start = r.complete[row], missed = r.now - start;
        float *w = r.table + row * r.dim, *m = r.first + row * r.dim, *v = r.second + row * r.dim;
        if (missed <= 0) continue;
        const double before = squares_of(w, r.dim);
        int64_t done = 0;
        for (; done < missed && done < u.exact_steps; done++) {
            const int64_t step = start + done + 1;
            one_step(w, m, v, NULL, (float)(l2 * u.scale[step]), r.constants, r.bias_correction1[step], r.bias_correction2[step], r.dim);
        }
        for (int64_t covered = done; done < missed;) {
            const int64_t whole = covered / u.stride_share, length = whole < missed - done ? whole : missed - done;
            const int64_t end = start + done + length;
            const double of_stride = u.scale_sum[end] - u.scale_sum[end - length];
            const double mean = length == 1 ? u.scale[end] : of_stride / (double)length;
            if (length == 1)
                one_step(w, m, v, NULL, (float)(l2 * mean), r.constants, r.bias_correction1[end], r.bias_correction2[end], r.dim);
            else
                stride(w, m, v, (float)(l2 * mean), r.constants, (double)length, (double)end, r.dim);
            done += length;
            covered += whole;
        }
        r.complete[row] = (int32_t)r.now;
        sum += squares_of(w, r.dim) - before;
    }
    u.change[part] = sum;
}

typedef struct {
    Rows of;
    const float *gradient; /* one for each of rows */
    double *change;        /* change of the table's sum of squares, one per part */
} StepRows;

/* Take the step that is number now. */
void step_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const StepRows s = *(const StepRows *)arguments;
    const Rows r = s.of;
    double sum = 0;
    for (int64_t i = first; i < last; i++) {
        const int64_t row = r.rows[i];
        float *w = r.table + row * r.dim;
        const double before = squares_of(w, r.dim);
        one_step(w, r.first + row * r.dim, r.second + row * r.dim, s.gradient + i * r.dim, 0, r.constants,
                 r.bias_correction1[r.now], r.bias_correction2[r.now], r.dim);
        r.complete[row] = (int32_t)r.now;
        sum += squares_of(w, r.dim) - before;
    }
    s.change[part] = sum;
}
