/* A helper thread that takes parts of kernels from one caller, for work of milliseconds that is cut into parts of microseconds.
 *
 * OpenMP's threads wait for one another after each kernel: beside other processes a caller then waits for a thread that has no
 * core. Here nobody waits for a thread that has not begun. The caller publishes the parts of a kernel and computes them itself, one
 * after the other; a helper that is awake takes some of them. The caller waits only for parts that the helper has taken, and the
 * helper holds one part at a time. If the helper sleeps or has no core, the caller computes everything.
 *
 * The helper is started with the first work, sleeps between works, and spins only between begin_crew and end_crew, at most
 * IDLE nanoseconds without a part. What remains is a helper that loses its core while it holds a part. A caller that waits long
 * goes to sleep, so that the helper may have its core. And when the helper was late, or took no part of several works,
 * it is left asleep for a while, four times as long each time: on a busy machine there soon is one core.
 *
 * One caller has the helper at a time; others compute alone. After a fork the child has no helper, and starts its own when it
 * needs one. Results do not depend on who computes a part.
 */
#if defined(__linux__)
#define _GNU_SOURCE
#endif

#include "crew.h"

#if !defined(_WIN32) && !defined(__STDC_NO_ATOMICS__)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

/* Nanoseconds. */
#define IDLE 2000000  /* without a part, after which the helper sleeps */
#define PATIENCE 100000 /* of waiting for the helper, after which the caller sleeps */
#define LATE 1000000    /* of waiting for the helper, after which it is late */
#ifndef FIRST_PAUSE
#define FIRST_PAUSE 5000000 /* without the helper after it was late or absent */
#endif
#define LONGEST_PAUSE 4000000000 /* the same after that has happened again and again */

#define MOST_ABSENCES 3    /* works in a row of which the helper took no part, after which there is a pause */
#define CALM_TURNS 10      /* works with a helper in time, after which the next pause is a first one */
#define SPINS_PER_LOOK 256 /* between two looks at the clock */
#define CACHE_LINE __attribute__((aligned(64)))

#define PART_BITS 16
#define MOST_PARTS ((1 << PART_BITS) - 1)

/* What the caller and the helper write stands on cache lines of its own. */
static struct {
    CACHE_LINE _Atomic uint64_t next; /* number of the work, how many parts it has, and the next part: 32, 16 and 16 bits */
    _Atomic(compute_part *) compute;
    _Atomic(const void *) work;
    CACHE_LINE _Atomic uint64_t num_computed; /* parts that the helper has computed in its life */
    CACHE_LINE _Atomic uint64_t turn;         /* odd: a caller is between begin and end */
    _Atomic int caller_cpu;
    atomic_int caller_sleeps;
    /* What follows belongs to the caller that has the helper. */
    CACHE_LINE atomic_int is_taken;
    int is_started, is_late, absences, calm_turns;
    uint64_t num_taken, num_taken_before; /* parts that the helper has taken in its life, and before the present work */
    int64_t pause, paused_until;
    pthread_t helper;
    int kept_from; /* the core that the helper is kept from; -1: none */
} crew = {.kept_from = -1};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_begins = PTHREAD_COND_INITIALIZER, part_is_computed = PTHREAD_COND_INITIALIZER;
static _Thread_local int is_between = 0, has_helper = 0;

int in_crew(void) { return is_between; }
int crew_has_helper(void) { return has_helper; }

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void spin(void) {
#if defined(__SSE2__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* The calling thread's core; -1 where that is not known. */
static int core(void) {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Keep the helper from the calling thread's core, where it would wait for the caller: Linux may wake a thread where it last ran although
 * another core is idle, and does so again and again. Return 0 if no other core is allowed. */
static int keep_apart(void) {
#if defined(__linux__)
    cpu_set_t allowed;
    const int own = core();
    if (own < 0 || own == crew.kept_from || sched_getaffinity(0, sizeof allowed, &allowed)) return 1;
    CPU_CLR(own, &allowed);
    if (CPU_COUNT(&allowed) == 0) return 0;
    if (pthread_setaffinity_np(crew.helper, sizeof allowed, &allowed) == 0) crew.kept_from = own;
#endif
    return 1;
}

/* Compute the next part, if there is one. What is read between the two looks at next belongs to the same work, or next has
 * changed: the caller publishes other work when all parts are taken and computed. */
static int compute_next(void) {
    uint64_t next = atomic_load_explicit(&crew.next, memory_order_acquire);
    for (;;) {
        const uint64_t part = next & MOST_PARTS, parts = next >> PART_BITS & MOST_PARTS;
        if (part == parts) return 0;
        compute_part *compute = atomic_load_explicit(&crew.compute, memory_order_relaxed);
        const void *work = atomic_load_explicit(&crew.work, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&crew.next, &next, next + 1, memory_order_acq_rel, memory_order_acquire)) {
            compute(work, (int64_t)part);
            return 1;
        }
    }
}

/* Tell the caller that a part is computed. */
static void count_computed(void) {
    atomic_fetch_add(&crew.num_computed, 1);
    if (atomic_load(&crew.caller_sleeps)) {
        pthread_mutex_lock(&mutex);
        pthread_cond_signal(&part_is_computed);
        pthread_mutex_unlock(&mutex);
    }
}

/* Compute parts until the turn ends. */
static void help(uint64_t turn) {
    int64_t last = nanoseconds();
    while (atomic_load_explicit(&crew.turn, memory_order_acquire) == turn) {
        if (core() >= 0 && core() == atomic_load_explicit(&crew.caller_cpu, memory_order_relaxed))
            return; /* no other core is free, and the caller waits for this one */
        int computed = 0;
        for (int64_t i = 0; i < SPINS_PER_LOOK; i++) {
            if (compute_next()) computed = 1, count_computed();
            else spin();
        }
        const int64_t now = nanoseconds();
        if (computed) last = now;
        else if (now - last > IDLE) return;
    }
}

static void *live(void *unused) {
    uint64_t turn = 0, last = 0;
    (void)unused;
    for (;; last = turn) {
        pthread_mutex_lock(&mutex);
        while ((turn = atomic_load(&crew.turn)) == last || turn % 2 == 0) pthread_cond_wait(&turn_begins, &mutex);
        pthread_mutex_unlock(&mutex);
        help(turn);
    }
    return NULL;
}

/* In the child of a fork: forget the helper, which exists in the parent alone. */
static void forget(void) {
    static const pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t nobody_waits = PTHREAD_COND_INITIALIZER;
    mutex = free_mutex;
    turn_begins = part_is_computed = nobody_waits;
    has_helper = 0;
    crew.is_started = 0;
    crew.kept_from = -1;
    atomic_store(&crew.is_taken, 0);
    atomic_store(&crew.next, 0);
    atomic_store(&crew.turn, 0);
    atomic_store(&crew.caller_sleeps, 0);
    crew.num_taken = atomic_load(&crew.num_computed);
}

static int start(void) {
    static atomic_int is_watched = 0;
    sigset_t all, before;
    if (!atomic_exchange(&is_watched, 1) && pthread_atfork(NULL, NULL, forget)) return 0;
    sigfillset(&all); /* signals are for the threads of the program */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&crew.helper, NULL, live, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) return 0;
    pthread_detach(crew.helper);
    return 1;
}

/* Begin work of the calling thread; wake the helper, unless another thread has it or it is in a pause. */
void begin_crew(void) {
    is_between = 1;
    if (atomic_exchange(&crew.is_taken, 1)) return;
    if (nanoseconds() < crew.paused_until || !(crew.is_started = crew.is_started || start()) || !keep_apart()) {
        atomic_store(&crew.is_taken, 0);
        return;
    }
    has_helper = 1;
    crew.num_taken_before = crew.num_taken;
    atomic_store(&crew.caller_cpu, core());
    pthread_mutex_lock(&mutex);
    atomic_fetch_add(&crew.turn, 1);
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&turn_begins);
}

/* End work of the calling thread: the helper goes to sleep. */
void end_crew(void) {
    is_between = 0;
    if (!has_helper) return;
    has_helper = 0;
    atomic_fetch_add(&crew.turn, 1);
    crew.absences = crew.num_taken == crew.num_taken_before ? crew.absences + 1 : 0;
    if (crew.is_late || crew.absences == MOST_ABSENCES) {
        crew.pause = crew.pause == 0 ? FIRST_PAUSE : crew.pause < LONGEST_PAUSE / 4 ? 4 * crew.pause : LONGEST_PAUSE;
        crew.paused_until = nanoseconds() + crew.pause;
        crew.is_late = crew.absences = crew.calm_turns = 0;
    } else if (crew.absences == 0 && ++crew.calm_turns >= CALM_TURNS) crew.pause = 0;
    atomic_store(&crew.is_taken, 0);
}

/* Wait for the parts that the helper has taken, of which one takes about as long as usual. A caller that sleeps leaves its core to
 * a helper that has none. */
static void wait_for_helper(int64_t usual) {
    const int64_t began = nanoseconds();
    for (int64_t i = 1; atomic_load(&crew.num_computed) != crew.num_taken; i++) {
        spin();
        if (i % SPINS_PER_LOOK || nanoseconds() - began < usual + PATIENCE) continue;
        pthread_mutex_lock(&mutex);
        atomic_store(&crew.caller_sleeps, 1);
        while (atomic_load(&crew.num_computed) != crew.num_taken) pthread_cond_wait(&part_is_computed, &mutex);
        atomic_store(&crew.caller_sleeps, 0);
        pthread_mutex_unlock(&mutex);
        crew.is_late |= nanoseconds() - began > usual + LATE;
    }
}

void share_with_crew(compute_part *compute, const void *work, int64_t parts) {
    const uint64_t number = (atomic_load_explicit(&crew.next, memory_order_relaxed) >> 2 * PART_BITS) + 1;
    atomic_store_explicit(&crew.compute, compute, memory_order_relaxed);
    atomic_store_explicit(&crew.work, work, memory_order_relaxed);
    atomic_store_explicit(&crew.next, number << 2 * PART_BITS | (uint64_t)parts << PART_BITS, memory_order_release);
    const int64_t began = nanoseconds();
    int64_t own = 0;
    while (compute_next()) own++;
    if (own == parts) return;
    crew.num_taken += (uint64_t)(parts - own);
    wait_for_helper((nanoseconds() - began) / (own ? own : 1));
}

#else /* without threads or atomics every caller is alone */

static _Thread_local int is_between = 0;

int in_crew(void) { return is_between; }
int crew_has_helper(void) { return 0; }
void begin_crew(void) { is_between = 1; }
void end_crew(void) { is_between = 0; }

void share_with_crew(compute_part *compute, const void *work, int64_t parts) {
    for (int64_t part = 0; part < parts; part++) compute(work, part);
}

#endif
