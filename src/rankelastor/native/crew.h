/* A helper thread for kernels with few rows: see crew.c. */
#ifndef CREW_H
#define CREW_H

#include <stdint.h>

/* Compute one part of some work. */
typedef void compute_part(const void *work, int64_t part);

/* Tell whether the calling thread is between begin_crew and end_crew, and whether it has the helper there. */
int in_crew(void);
int crew_has_helper(void);

/* Compute every part of some work once, at most 65,535 of them, in the calling thread and the helper that it has. */
void share_with_crew(compute_part *compute, const void *work, int64_t parts);

#endif
