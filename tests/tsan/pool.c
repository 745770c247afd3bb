/* Work in pools, for the thread sanitizer: what the caller wrote before a run is seen by its parts,
 * what the parts wrote is seen by the caller and by the parts of the next run, and two pools in two
 * threads never meet. */
#include <pthread.h>

#include "base/pool.h"

enum { PARTS = 67, RUNS = 200 };

typedef struct job {
    int threads;
    int added, numbers[PARTS];
    int wrong;
} job;

static void add(void *arg, int part)
{
    job *j = arg;
    j->numbers[part] += j->added;
}

/* Each part reads what another part wrote in the run before. */
static void reverse(void *arg, int part)
{
    job *j = arg;
    if (part < PARTS / 2) {
        const int kept = j->numbers[part];
        j->numbers[part] = j->numbers[PARTS - 1 - part];
        j->numbers[PARTS - 1 - part] = kept;
    }
}

static void *runs(void *arg)
{
    job *j = arg;
    graft__pool *pool = graft__pool_new(NULL, j->threads);
    int expected = 0;
    if (pool == NULL)
        j->wrong++;
    for (int i = 0; i < RUNS; i++) {
        j->added = i;
        expected += i;
        graft__pool_run(pool, PARTS, add, j);
        graft__pool_run(pool, PARTS, reverse, j);
        for (int part = 0; part < PARTS; part++)
            j->wrong += j->numbers[part] != expected;
    }
    graft__pool_free(pool);
    return NULL;
}

int main(void)
{
    static job jobs[] = {{.threads = 4}, {.threads = 3}, {.threads = 1}};
    enum { JOBS = sizeof jobs / sizeof jobs[0] };
    pthread_t threads[JOBS];
    int wrong = 0;
    for (int i = 0; i < JOBS; i++)
        if (pthread_create(&threads[i], NULL, runs, &jobs[i]) != 0)
            return 2;
    for (int i = 0; i < JOBS; i++) {
        pthread_join(threads[i], NULL);
        wrong += jobs[i].wrong;
    }
    return wrong != 0;
}
