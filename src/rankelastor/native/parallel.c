#include "parallel.h"

#include <stddef.h>

/* Functions of the OpenMP library that PyTorch brings: its threads exist already, and a second set would compete with
 * them for the cores. */
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

/* The thread's floating-point mode: rounding, and whether denormals count as zero. */
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
    uint64_t float_mode; /* of the calling thread; the others use it while they work for it */
} Work;

static void work_on(const Work *work, int64_t part) {
    const int64_t first = work->rows * part / work->parts, last = work->rows * (part + 1) / work->parts;
    work->kernel(work->arguments, first, last, part);
}

static void share_of_thread(void *data) {
    const Work *work = data;
    const uint64_t own = float_mode();
    set_float_mode(work->float_mode);
    /* the team may be smaller than asked for */
    for (int64_t part = thread_number(); part < work->parts; part += team_size()) work_on(work, part);
    set_float_mode(own);
}

/* Run a kernel on all rows, in parts of nearly equal size. */
void run(row_kernel *kernel, const void *arguments, int64_t rows, int64_t parts) {
    Work work = {kernel, arguments, rows, parts, float_mode()};
    if (parts > 1 && parallel) parallel(share_of_thread, &work, (unsigned)parts, 0);
    else
        for (int64_t part = 0; part < parts; part++) work_on(&work, part);
}
