/* Callers at once and works of many sizes: every part is computed once, by whoever takes it, and before the work returns.
 *
 * Built with the kernels' crew.c, also with -fsanitize=thread: see test_crew.py. Prints how many parts a helper computed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"

void begin_crew(void);
void end_crew(void);

#define MOST_PARTS 9
#define MOST_WORKS 2000 /* in a turn, so that helpers wake before it ends */

typedef struct {
    pthread_t caller;
    int64_t times[MOST_PARTS]; /* not atomic: the crew orders what a part writes before what its caller reads */
    int64_t by_helper[MOST_PARTS];
} Counts;

static void count(const void *work, int64_t part) {
    Counts *counts = *(Counts *const *)work;
    counts->times[part]++;
    counts->by_helper[part] += !pthread_equal(pthread_self(), counts->caller);
    for (volatile int i = 0; i < 200; i++) continue;
}

static long num_turns;

static void *call(void *given) {
    Counts counts = {pthread_self(), {0}, {0}}, *work = &counts;
    int64_t expected[MOST_PARTS] = {0}, by_helper = 0;
    unsigned seed = (unsigned)(size_t)given;
    for (long turn = 0; turn < num_turns; turn++) {
        begin_crew();
        for (int works = rand_r(&seed) % MOST_WORKS; works > 0; works--) {
            const int64_t parts = rand_r(&seed) % (MOST_PARTS + 1);
            if (crew_has_helper()) share_with_crew(count, &work, parts);
            else
                for (int64_t part = 0; part < parts; part++) count(&work, part);
            for (int64_t part = 0; part < MOST_PARTS; part++) {
                expected[part] += part < parts;
                if (counts.times[part] != expected[part]) abort();
            }
        }
        end_crew();
    }
    for (int64_t part = 0; part < MOST_PARTS; part++) by_helper += counts.by_helper[part];
    return (void *)(size_t)by_helper;
}

int main(int num_arguments, char **arguments) {
    const int num_callers = 2;
    pthread_t callers[2];
    size_t by_helper = 0;
    num_turns = num_arguments > 1 ? atol(arguments[1]) : 100;
    for (int i = 0; i < num_callers; i++) pthread_create(&callers[i], NULL, call, (void *)(size_t)(i + 1));
    for (int i = 0; i < num_callers; i++) {
        void *found;
        pthread_join(callers[i], &found);
        by_helper += (size_t)found;
    }
    begin_crew();
    const pid_t child = fork(); /* in the middle of a turn */
    if (child == 0) {
        end_crew();
        call((void *)3);
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    end_crew();
    call((void *)4);
    printf("%zu\n", by_helper);
    return status != 0;
}
