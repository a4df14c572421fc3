#include "parallel.h"

#include <stddef.h>

/* OpenMP's, of the library that PyTorch brings: its threads are there already, and two sets of them would be in each
 * other's way. */
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

typedef struct {
    row_kernel *kernel;
    const void *arguments;
    int64_t rows, parts;
} Work;

static void work_on(const Work *work, int64_t part) {
    const int64_t first = work->rows * part / work->parts, last = work->rows * (part + 1) / work->parts;
    work->kernel(work->arguments, first, last, part);
}

static void share_of_thread(void *data) {
    const Work *work = data;
    /* the team may be smaller than asked for */
    for (int64_t part = thread_number(); part < work->parts; part += team_size()) work_on(work, part);
}

/* A kernel on all rows, in so many parts of nearly equal size. */
void run(row_kernel *kernel, const void *arguments, int64_t rows, int64_t parts) {
    Work work = {kernel, arguments, rows, parts};
    if (parts > 1 && parallel) parallel(share_of_thread, &work, (unsigned)parts, 0);
    else
        for (int64_t part = 0; part < parts; part++) work_on(&work, part);
}
