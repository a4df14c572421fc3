/* Elementwise parts of the layers, each in one pass over memory. Plain C: no header but the standard ones.
 *
 * Rows are contiguous unless a stride (in elements) is given. All arrays are float32. Callers hold no lock and pass rows
 * of their own: every function is safe to call from several threads at once.
 */
#include <math.h>
#include <stdint.h>

#define EPSILON 1e-12f

/* erf by a rational approximation in x on [-4, 4], beyond which it is +-1 in float32; error below 1e-6. */
static inline float erf_of(float x) {
    x = x > 4.0f ? 4.0f : x;
    x = x < -4.0f ? -4.0f : x;
    const float s = x * x;
    float p = -2.72614225801306e-10f;
    p = p * s + 2.77068142495902e-08f;
    p = p * s + -2.10102402082508e-06f;
    p = p * s + -5.69250639462346e-05f;
    p = p * s + -7.34990630326855e-04f;
    p = p * s + -2.95459980854025e-03f;
    p = p * s + -1.60960333262415e-02f;
    float q = -1.45660718464996e-05f;
    q = q * s + -2.13374055278905e-04f;
    q = q * s + -1.68282697438203e-03f;
    q = q * s + -7.37332916720468e-03f;
    q = q * s + -1.42647390514189e-02f;
    return x * p / q;
}

/* exp for arguments in [-87, 0], relative error below 2e-7. */
static inline float exp_of(float x) {
    x = x < -87.0f ? -87.0f : x;
    const float n = __builtin_rintf(x * 1.44269504088896341f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t i; float f; } scale;
    scale.i = ((int32_t)n + 127) << 23;
    return p * scale.f;
}

/* out = relu(x * gain) * kept / rms(x); inverse = 1 / rms(x). noise may be NULL: all are kept. */
void norm_relu_dropout(const float *restrict x, const float *restrict gain, const uint8_t *restrict noise,
                       int64_t threshold, float *restrict out, float *restrict inverse, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
        const float *xs = x + row * width;
        float *outs = out + row * width;
        float squares = 0;
        for (int64_t i = 0; i < width; i++) squares += xs[i] * xs[i];
        const float scale = 1.0f / sqrtf(squares / (float)width + EPSILON);
        inverse[row] = scale;
        if (noise) {
            const uint8_t *bytes = noise + row * width;
            for (int64_t i = 0; i < width; i++) {
                const float value = xs[i] * gain[i] * scale;
                outs[i] = (value <= 0 || bytes[i] < threshold) ? 0.0f : value; /* so that NaN passes */
            }
        } else {
            for (int64_t i = 0; i < width; i++) {
                const float value = xs[i] * gain[i] * scale;
                outs[i] = value <= 0 ? 0.0f : value;
            }
        }
    }
}

/* Gradients of norm_relu_dropout: dx, and dgain added to what is there. */
void norm_relu_dropout_backward(const float *restrict gradient, const float *restrict x, const float *restrict gain,
                                const float *restrict out, const float *restrict inverse, float *restrict dx,
                                float *restrict dgain, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
        const float *gs = gradient + row * width, *xs = x + row * width, *outs = out + row * width;
        float *dxs = dx + row * width;
        const float scale = inverse[row];
        float along = 0;
        for (int64_t i = 0; i < width; i++) {
            const float g = outs[i] > 0 ? gs[i] : 0.0f;
            const float product = g * xs[i];
            along += product * gain[i];
            dgain[i] += product * scale;
        }
        const float pull = along * scale * scale * scale / (float)width;
        for (int64_t i = 0; i < width; i++) {
            const float g = outs[i] > 0 ? gs[i] : 0.0f;
            dxs[i] = g * gain[i] * scale - xs[i] * pull;
        }
    }
}

/* Each row of lifted holds gate | value | skip | residual. Adds the bias, then opened = gelu(gate) + skip,
 * product = opened * value. The residual part only gets its bias. Rows of one token share a bias. */
void gate(float *restrict lifted, const float *restrict bias, float *restrict opened, float *restrict product,
          int64_t tokens, int64_t rows, int64_t inner, int64_t dim) {
    const int64_t width = 3 * inner + dim;
    for (int64_t token = 0; token < tokens; token++) {
        const float *b = bias + token * width;
        for (int64_t row = token * rows; row < (token + 1) * rows; row++) {
            float *l = lifted + row * width, *o = opened + row * inner, *p = product + row * inner;
            for (int64_t i = 0; i < inner; i++) {
                const float g = l[i] + b[i], v = l[inner + i] + b[inner + i], s = l[2 * inner + i] + b[2 * inner + i];
                l[i] = g;
                l[inner + i] = v;
                const float open = 0.5f * g * (1.0f + erf_of(g * 0.70710678118654752f)) + s;
                o[i] = open;
                p[i] = open * v;
            }
            for (int64_t i = 3 * inner; i < width; i++) l[i] += b[i];
        }
    }
}

/* Gradients of gate: dlifted in the layout of lifted; its residual part is the gradient that came in, and dbias, the sum
 * over the rows of each token, is added to what is there. */
void gate_backward(const float *restrict dproduct, const float *restrict dresidual, const float *restrict lifted,
                   const float *restrict opened, float *restrict dlifted, float *restrict dbias, int64_t tokens,
                   int64_t rows, int64_t inner, int64_t dim) {
    const int64_t width = 3 * inner + dim;
    for (int64_t token = 0; token < tokens; token++) {
        float *db = dbias + token * width;
        for (int64_t row = token * rows; row < (token + 1) * rows; row++) {
            const float *l = lifted + row * width, *o = opened + row * inner, *dp = dproduct + row * inner;
            float *d = dlifted + row * width;
            for (int64_t i = 0; i < inner; i++) {
                const float g = l[i], dopen = dp[i] * l[inner + i], dvalue = dp[i] * o[i];
                const float below = 0.5f * (1.0f + erf_of(g * 0.70710678118654752f));
                const float density = 0.39894228040143268f * exp_of(-0.5f * g * g);
                const float dgate = dopen * (below + g * density);
                d[i] = dgate;
                d[inner + i] = dvalue;
                d[2 * inner + i] = dopen;
                db[i] += dgate;
                db[inner + i] += dvalue;
                db[2 * inner + i] += dopen;
            }
            const float *r = dresidual + row * dim;
            for (int64_t i = 0; i < dim; i++) {
                d[3 * inner + i] = r[i];
                db[3 * inner + i] += r[i];
            }
        }
    }
}
