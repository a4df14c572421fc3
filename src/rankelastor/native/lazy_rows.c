/* Apply Adam to some rows of a table, and catch up on the steps that they missed: see optimisers/lazy_rows/lazy.py.
 *
 * table, first, second: (row, dim), weights and moments. complete: (row), the step up to which a row is complete.
 * Per step t, from 1 on: scale[t], the clipping factor; scale_sum[t], its running sum; bias_correction1[t] and
 * bias_correction2[t], 1 - beta ** t.
 */
#include <math.h>
#include <stddef.h>

#include "parallel.h"

typedef struct {
    double beta1, beta2, epsilon, l2, rate; /* l2: lambda of the penalty; rate: learning rate */
} Constants;

typedef struct {
    const int64_t *lookups;
    int64_t num_rows;         /* number of rows of the table */
    int32_t *position_of_row; /* (row), all -1 before and after the call */
    int64_t *touched;         /* each row once, in the order of its first look-up */
    int64_t *position;        /* (lookup), the index of its row in touched */
    int64_t *num_touched;     /* -1 if a look-up is outside the table */
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
    const int64_t *lookups;
    const float *lookup_gradients; /* (lookup, dim) */
    int64_t num_lookups, dim;
    float *sums; /* (row, dim), zero on entry; row 0 stays zero */
    int64_t *is_outside; /* 1 if a look-up is outside the table */
} SumRows;

/* Sum the gradients of look-ups by row of the whole table, in the order of the look-ups; runs in one part. */
void sum_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const SumRows s = *(const SumRows *)arguments;
    (void)first, (void)part;
    for (int64_t i = 0; i < s.num_lookups; i++)
        if (s.lookups[i] < 0 || s.lookups[i] >= last) *s.is_outside = 1;
    if (*s.is_outside) return;
    for (int64_t i = 0; i < s.num_lookups; i++) {
        const float *restrict found = s.lookup_gradients + i * s.dim;
        float *restrict row = s.sums + s.lookups[i] * s.dim;
        if (s.lookups[i])
            for (int64_t j = 0; j < s.dim; j++) row[j] += found[j];
    }
}

typedef struct {
    const float *lookup_gradients;
    const int64_t *position;
    int64_t num_lookups;
    const float *table;
    const int64_t *rows;
    int64_t dim;
    const Constants *constants;
    float *gradient; /* (row, dim), zero on entry; the sum over the look-ups plus the penalty; zero for row 0 */
    double *squares; /* squared norms of the gradient and of the rows' weights */
} GradientOfRows;

/* Sum the gradient of each row; runs in one part. */
void gradient_of_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const GradientOfRows g = *(const GradientOfRows *)arguments;
    const float l2 = (float)g.constants->l2;
    double gradient_squares = 0, weight_squares = 0;
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
        gradient_squares += g_squares;
        weight_squares += w_squares;
    }
    g.squares[0] = gradient_squares;
    g.squares[1] = weight_squares;
}

/* Take one step of Adam for a row; if gradient is NULL, the gradient is penalty * w. */
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

/* Take length steps at once, the last of them step number last, with the gradient penalty * w: see LazyRows. */
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

/* Rows to update, and the step to bring them to. */
typedef struct {
    float *table, *first, *second;
    int32_t *complete;
    const int64_t *rows;
    int64_t dim, now;
    const Constants *constants;
    const double *bias_correction1, *bias_correction2;
} Rows;

typedef struct {
    Rows rows;
    const double *scale, *scale_sum;
    int64_t exact_steps, stride_share;
    double *change; /* change of the table's sum of squares, one per part */
} CatchUpRows;

/* Bring rows to step now: exact_steps single steps, then strides of 1 / stride_share of the steps covered so far. */
void catch_up_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const CatchUpRows u = *(const CatchUpRows *)arguments;
    const Rows r = u.rows;
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
            const double stride_scale = u.scale_sum[end] - u.scale_sum[end - length];
            const double mean = length == 1 ? u.scale[end] : stride_scale / (double)length;
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
    Rows rows;
    const float *gradient; /* (row, dim) */
    double *change;        /* change of the table's sum of squares, one per part */
} StepRows;

/* Take step number now. */
void step_rows(const void *arguments, int64_t first, int64_t last, int64_t part) {
    const StepRows s = *(const StepRows *)arguments;
    const Rows r = s.rows;
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
