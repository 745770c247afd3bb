#if !defined(_GNU_SOURCE) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Not OpenMP: its barrier waits for a worker that the system has taken off its core, and a busy
 * neighbour then costs tenfold. Here a worker that comes late finds nothing left, and the caller
 * waits only for parts that a worker has begun. */

enum { THREADS_MAX = 64, LINE = 64 };

/* One word says what is left to take: a number of the run (40 bits), the first chunk that nobody
 * has taken and the end of those that nobody has taken (12 bits each). Taking is one compare and
 * swap, and a worker that slept through a run cannot take from the next by mistake. */
enum { CHUNK_BITS = 12, CHUNKS_MAX = (1 << CHUNK_BITS) - 1 };

/* Nanoseconds. A worker that finds nothing looks again for at most SPIN_WORKER before it sleeps,
 * for the next operation of a training step comes within that and waking takes some 20000. The
 * caller looks for SPIN_CALLER, or as long as a chunk takes; a worker that has not finished by then
 * has been taken off its core, and gets the caller's if the caller sleeps. */
static const int64_t SPIN_WORKER = 100000;
static const int64_t SPIN_CALLER = 20000;
static const int64_t SPIN_CALLER_MAX = 1000000;

/* Nanoseconds. The account of what help brought is kept below ACCOUNT_MAX: so much may be lost of
 * what was gained before. Below ACCOUNT_MIN the caller works alone: ALONE_RATIO times what was
 * lost, and twice as long as the last time, so that trying costs a few percent. */
static const int64_t ACCOUNT_MAX = 10000000;
static const int64_t ACCOUNT_GOOD = 1000000;
static const int64_t ACCOUNT_MIN = -200000;
static const int64_t ALONE_RATIO = 24;
static const int64_t ALONE_MIN = 5000000;
static const int64_t ALONE_AGAIN_MAX = 50000000;
static const int64_t ALONE_MAX = 250000000;

typedef struct worker {
    _Alignas(LINE) graft__pool *pool;
    pthread_t thread;
    sem_t wake;
    atomic_int asleep;
} worker;

struct graft__pool {
    graft_allocator allocator;
    size_t size;
    int threads;
    int workers; /* those that run */
    bool started;
    pid_t pid;

    int64_t account;
    int64_t alone_until;
    int64_t alone_for;

    void *scratch;
    size_t scratch_size;

    /* The run: written by the caller while nothing is left to take, read after taking. */
    void (*work)(void *arg, int part, int thread);
    void *arg;
    int parts, chunks;

    _Alignas(LINE) atomic_uint_least64_t ticket;
    _Alignas(LINE) atomic_int done; /* chunks that workers finished */
    atomic_int caller_asleep;
    sem_t caller_wake;
    _Alignas(LINE) atomic_int stop;
    worker worker[];
};

static void *system_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    void *ptr = NULL;
    return posix_memalign(&ptr, align, size) == 0 ? ptr : NULL;
}

static void system_free(void *user, void *ptr, size_t size)
{
    (void)user;
    (void)size;
    free(ptr);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void sleep_on(sem_t *sem)
{
    while (sem_wait(sem) != 0 && errno == EINTR) {
    }
}

static int ticket_begin(uint64_t ticket)
{
    return (int)(ticket >> CHUNK_BITS & CHUNKS_MAX);
}

static int ticket_end(uint64_t ticket)
{
    return (int)(ticket & CHUNKS_MAX);
}

static bool something_left(graft__pool *pool)
{
    const uint64_t t = atomic_load(&pool->ticket);
    return ticket_begin(t) < ticket_end(t);
}

/* Takes a chunk from the front or the back; -1 if none is left. */
static int take(graft__pool *pool, bool front)
{
    uint64_t t = atomic_load(&pool->ticket);
    while (ticket_begin(t) < ticket_end(t)) {
        const uint64_t left = front ? t + (1 << CHUNK_BITS) : t - 1;
        if (atomic_compare_exchange_weak(&pool->ticket, &t, left))
            return front ? ticket_begin(t) : ticket_end(t) - 1;
    }
    return -1;
}

static void run_chunk(const graft__pool *pool, int chunk, int thread)
{
    const int64_t parts = pool->parts;
    const int begin = (int)(parts * chunk / pool->chunks);
    const int end = (int)(parts * (chunk + 1) / pool->chunks);
    for (int part = begin; part < end; part++)
        pool->work(pool->arg, part, thread);
}

/* Looks for work for at most `limit`; says whether there is some (or the end has come). */
static bool spin_for_work(graft__pool *pool, int64_t limit)
{
    if (limit <= 0)
        return something_left(pool) || atomic_load(&pool->stop);
    const int64_t begin = now();
    do {
        for (int i = 0; i < 32; i++) {
            if (something_left(pool) || atomic_load(&pool->stop))
                return true;
            relax();
        }
    } while (now() - begin < limit);
    return false;
}

static void wake_worker(worker *w)
{
    if (atomic_load(&w->asleep) && atomic_exchange(&w->asleep, 0))
        sem_post(&w->wake);
}

static void worker_sleep(worker *w)
{
    atomic_store(&w->asleep, 1);
    /* The other order than the caller's, who leaves work first and then looks for sleepers: one
     * of the two sees the other. A sleeper that somebody is about to wake takes the call. */
    if ((something_left(w->pool) || atomic_load(&w->pool->stop)) && atomic_exchange(&w->asleep, 0))
        return;
    sleep_on(&w->wake);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    graft__pool *pool = w->pool;
    const int thread = (int)(w - pool->worker) + 1;
    int64_t limit = SPIN_WORKER;
    while (!atomic_load(&pool->stop)) {
        for (int chunk; (chunk = take(pool, false)) >= 0;) {
            run_chunk(pool, chunk, thread);
            atomic_fetch_add(&pool->done, 1);
            if (atomic_load(&pool->caller_asleep) && atomic_exchange(&pool->caller_asleep, 0))
                sem_post(&pool->caller_wake);
        }
        if (spin_for_work(pool, limit))
            continue;
        /* Looking for work pays where the next call is near. */
        const int64_t begin = now();
        worker_sleep(w);
        limit = now() - begin < SPIN_WORKER ? SPIN_WORKER : limit / 2;
    }
    return NULL;
}

static void start_workers(graft__pool *pool)
{
    pool->started = true;
    pool->pid = getpid();
    /* Signals are the program's: its handlers must not run on a thread that it does not know. */
    sigset_t all, old;
    sigfillset(&all);
    const bool masked = pthread_sigmask(SIG_SETMASK, &all, &old) == 0;
    while (pool->workers < pool->threads - 1) {
        worker *w = &pool->worker[pool->workers];
        w->pool = pool;
        atomic_init(&w->asleep, 0);
        if (sem_init(&w->wake, 0, 0) != 0)
            break;
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
            sem_destroy(&w->wake);
            break;
        }
        pool->workers++;
    }
    if (masked)
        pthread_sigmask(SIG_SETMASK, &old, NULL);
}

graft__pool *graft__pool_new(const graft_allocator *allocator, int threads)
{
    if (threads < 1 || threads > THREADS_MAX)
        return NULL;
    const graft_allocator system = {.alloc = system_alloc, .free = system_free};
    const graft_allocator own = allocator && allocator->alloc ? *allocator : system;
    const size_t size = sizeof(graft__pool) + (size_t)(threads - 1) * sizeof(worker);
    graft__pool *pool = own.alloc(own.user, size, LINE);
    if (!pool)
        return NULL;
    memset(pool, 0, size);
    pool->allocator = own;
    pool->size = size;
    pool->threads = threads;
    pool->alone_for = ALONE_MIN;
    atomic_init(&pool->ticket, 0);
    atomic_init(&pool->done, 0);
    atomic_init(&pool->caller_asleep, 0);
    atomic_init(&pool->stop, 0);
    if (sem_init(&pool->caller_wake, 0, 0) != 0) {
        own.free(own.user, pool, size);
        return NULL;
    }
    return pool;
}

void graft__pool_free(graft__pool *pool)
{
    if (!pool)
        return;
    /* The child of a fork has nobody to join, and nobody it could wake. */
    if (pool->workers && pool->pid == getpid()) {
        atomic_store(&pool->stop, 1);
        for (int i = 0; i < pool->workers; i++)
            wake_worker(&pool->worker[i]);
        for (int i = 0; i < pool->workers; i++) {
            pthread_join(pool->worker[i].thread, NULL);
            sem_destroy(&pool->worker[i].wake);
        }
        sem_destroy(&pool->caller_wake);
    }
    const graft_allocator own = pool->allocator;
    if (pool->scratch)
        own.free(own.user, pool->scratch, pool->scratch_size);
    own.free(own.user, pool, pool->size);
}

int graft__pool_threads(const graft__pool *pool)
{
    return pool ? pool->threads : 1;
}

void *graft__pool_scratch(graft__pool *pool, size_t size)
{
    if (!pool)
        return NULL;
    if (pool->scratch && pool->scratch_size >= size)
        return pool->scratch;
    const graft_allocator *own = &pool->allocator;
    if (pool->scratch)
        own->free(own->user, pool->scratch, pool->scratch_size);
    pool->scratch = own->alloc(own->user, size ? size : 1, LINE);
    pool->scratch_size = size ? size : 1;
    return pool->scratch;
}

/* Waits until workers have finished `chunks` chunks; looks for `limit` before it sleeps. */
static void wait_for_workers(graft__pool *pool, int chunks, int64_t limit)
{
    const int64_t begin = now();
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load(&pool->done) == chunks)
                return;
            relax();
        }
    } while (now() - begin < limit);
    for (;;) {
        atomic_store(&pool->caller_asleep, 1);
        if (atomic_load(&pool->done) == chunks)
            break;
        sleep_on(&pool->caller_wake);
    }
    atomic_store(&pool->caller_asleep, 0);
}

/* Books what a run brought: the time that the caller alone would have taken, less what the run
 * took. */
static void book(graft__pool *pool, int64_t alone, int64_t took)
{
    pool->account += alone - took;
    if (pool->account > ACCOUNT_MAX)
        pool->account = ACCOUNT_MAX;
    if (pool->account > ACCOUNT_GOOD)
        pool->alone_for = ALONE_MIN;
    if (pool->account >= ACCOUNT_MIN)
        return;
    int64_t pause = -pool->account * ALONE_RATIO;
    if (pause < pool->alone_for)
        pause = pool->alone_for;
    if (pause > ALONE_MAX)
        pause = ALONE_MAX;
    pool->alone_until = now() + pause;
    pool->alone_for *= pool->alone_for < ALONE_AGAIN_MAX ? 2 : 1;
    pool->account = 0;
}

/* Leaves the run to whoever takes a chunk of it. */
static void publish(graft__pool *pool, int parts, void (*work)(void *arg, int part, int thread),
                    void *arg)
{
    pool->work = work;
    pool->arg = arg;
    pool->parts = parts;
    pool->chunks = parts < CHUNKS_MAX ? parts : CHUNKS_MAX;
    atomic_store(&pool->done, 0);
    const uint64_t number = (atomic_load(&pool->ticket) >> 2 * CHUNK_BITS) + 1;
    atomic_store(&pool->ticket, number << 2 * CHUNK_BITS | (uint64_t)pool->chunks);
    for (int i = 0; i < pool->workers && i < pool->chunks - 1; i++)
        wake_worker(&pool->worker[i]);
}

static void run_shared(graft__pool *pool, int64_t begin, int parts,
                       void (*work)(void *arg, int part, int thread), void *arg)
{
    publish(pool, parts, work, arg);
    int64_t busy = 0, longest = 0, last = now();
    int64_t own = 0;
    for (int chunk; (chunk = take(pool, true)) >= 0; own++) {
        run_chunk(pool, chunk, 0);
        const int64_t time = now();
        busy += time - last;
        longest = time - last > longest ? time - last : longest;
        last = time;
    }
    int64_t limit = longest < SPIN_CALLER_MAX ? longest : SPIN_CALLER_MAX;
    limit = limit > SPIN_CALLER ? limit : SPIN_CALLER;
    wait_for_workers(pool, pool->chunks - (int)own, limit);
    /* During the longest chunk the caller may have been off its core, so the others say how long
     * it would have worked alone; where there are none, nothing was gained. */
    const int64_t took = now() - begin;
    if (own > 1)
        book(pool, (busy - longest) / (own - 1) * pool->chunks, took);
    else if (own == 1)
        book(pool, longest * pool->chunks < took ? longest * pool->chunks : took, took);
}

void graft__pool_run_indexed(graft__pool *pool, int parts,
                             void (*work)(void *arg, int part, int thread), void *arg)
{
    if (pool && parts > 1 && pool->threads > 1) {
        const int64_t begin = now();
        if (begin >= pool->alone_until) {
            if (!pool->started)
                start_workers(pool);
            if (pool->workers && pool->pid == getpid()) {
                run_shared(pool, begin, parts, work, arg);
                return;
            }
        }
    }
    for (int part = 0; part < parts; part++)
        work(arg, part, 0);
}

typedef struct plain {
    void (*work)(void *arg, int part);
    void *arg;
} plain;

static void run_plain(void *arg, int part, int thread)
{
    (void)thread;
    const plain *p = arg;
    p->work(p->arg, part);
}

void graft__pool_run(graft__pool *pool, int parts, void (*work)(void *arg, int part), void *arg)
{
    plain p = {work, arg};
    graft__pool_run_indexed(pool, parts, run_plain, &p);
}
