#include "parallel.h"

#include <stddef.h>
#include <string.h>

#include "crew.h"

#define WORTH_SHARING (1 << 14) /* values from which several cores add up accumulators faster than one */

/* Functions of the OpenMP library of PyTorch: its threads exist already, and a second set would compete with them for the
 * cores. */
typedef void openmp_parallel(void (*work)(void *), void *data, unsigned num_threads, unsigned flags);

static openmp_parallel *parallel = NULL;
static int (*thread_number)(void) = NULL;
static int (*team_size)(void) = NULL;

void use_openmp(void *region, void *number, void *size) {
    parallel = (openmp_parallel *)region;
    thread_number = (int (*)(void))number;
    team_size = (int (*)(void))size;
}

int has_openmp(void) { return parallel != NULL; }

/* The thread's floating-point mode: rounding, and whether denormals are flushed to zero. */
#if defined(__SSE__)
#include <xmmintrin.h>
static uint64_t float_mode(void) { return _mm_getcsr(); }
static void set_float_mode(uint64_t mode) { _mm_setcsr((unsigned)mode); }
#elif defined(__aarch64__)
static uint64_t float_mode(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static void set_float_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
static uint64_t float_mode(void) { return 0; }
static void set_float_mode(uint64_t mode) { (void)mode; }
#endif

typedef struct {
    row_kernel *kernel;
    const void *arguments;
    int64_t rows, parts;
    uint64_t float_mode; /* mode of the calling thread, which the other threads use during the call */
    const Accumulator *accumulators;
    int64_t num_accumulators;
} Work;

static void work_on(const Work *work, int64_t part) {
    for (int64_t i = 0; i < work->num_accumulators; i++) {
        const Accumulator a = work->accumulators[i];
        memset(a.values + part * padded_size(a.size), 0, sizeof(float) * (size_t)a.size);
    }
    const int64_t first = work->rows * part / work->parts, last = work->rows * (part + 1) / work->parts;
    work->kernel(work->arguments, first, last, part);
}

static void part_in_crew(const void *given, int64_t part) {
    const Work *work = given;
    const uint64_t own = float_mode();
    set_float_mode(work->float_mode);
    work_on(work, part);
    set_float_mode(own);
}

static void share_of_thread(void *data) {
    const Work *work = data;
    const uint64_t own = float_mode();
    set_float_mode(work->float_mode);
    /* The team may be smaller than requested. */
    for (int64_t part = thread_number(); part < work->parts; part += team_size()) work_on(work, part);
    set_float_mode(own);
}

/* Add the other parts' values to those of the first, a share of each accumulator. */
static void add_up(const void *given, int64_t first, int64_t last, int64_t part) {
    const Work *work = given;
    (void)part;
    for (int64_t i = 0; i < work->num_accumulators; i++) {
        const Accumulator a = work->accumulators[i];
        const int64_t begin = a.size * first / work->parts, end = a.size * last / work->parts;
        for (int64_t other = 1; other < work->parts; other++) {
            const float *restrict values = a.values + other * padded_size(a.size);
            float *restrict sums = a.values;
            for (int64_t j = begin; j < end; j++) sums[j] += values[j];
        }
    }
}

static void add_up_parts(const Work *work) {
    int64_t num_values = 0;
    for (int64_t i = 0; i < work->num_accumulators; i++) num_values += work->accumulators[i].size;
    const Work adding = {.kernel = add_up, .arguments = work, .rows = work->parts, .parts = work->parts, .float_mode = float_mode()};
    if (num_values >= WORTH_SHARING && parallel && !in_crew()) parallel(share_of_thread, (void *)&adding, (unsigned)work->parts, 0);
    else add_up(work, 0, work->parts, 0);
}

/* Run a kernel on all rows, in parts of nearly equal size, in parallel with a helper or where OpenMP is available. */
void run(row_kernel *kernel, const void *arguments, int64_t rows, int64_t parts, const Accumulator *accumulators,
         int64_t num_accumulators) {
    if (in_crew() && !crew_has_helper()) parts = 1; /* in a crew, the scratch of a part is enough for all rows */
    Work work = {kernel, arguments, rows, parts, float_mode(), accumulators, num_accumulators};
    if (parts > 1 && in_crew()) share_with_crew(part_in_crew, &work, parts);
    else if (parts > 1 && parallel) parallel(share_of_thread, &work, (unsigned)parts, 0);
    else
        for (int64_t part = 0; part < parts; part++) work_on(&work, part);
    if (parts > 1) add_up_parts(&work);
}
