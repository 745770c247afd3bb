/* Checkpoint files: files ACTION KIND PATH [SYNC] prints its figures as one JSON object. KIND is
 * what the state dict is: few (16 tensors of 64 MB), many (4,096 of 256 kB) or tiny (100,000 of 64
 * bytes). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads.h"

enum { REPEATS = 5 };

typedef struct kind {
    const char *name;
    int64_t tensors, elements;
} kind;

static const kind kinds[] = {
    {"few", 16, (int64_t)16 << 20},
    {"many", 4096, (int64_t)64 << 10},
    {"tiny", 100000, 16},
};

typedef struct job {
    graft_ctx *g;
    const kind *kind;
    const char *path;
    bool sync;
} job;

static double peak_mb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return (double)kb * 1024 / 1e6;
}

/* Makes the peak begin anew at what is there now. */
static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f)
        return;
    fputs("5\n", f);
    fclose(f);
}

static void print(const job *j, const char *action, double ms, double mb)
{
    bench_check(j->g);
    printf("{\"workload\": \"%s_%s\", \"ms\": %.4f, \"mb\": %.3f}\n", action, j->kind->name, ms,
           mb);
}

static graft_dict *make_dict(const job *j)
{
    graft_dict *d = graft_dict_new(j->g);
    for (int64_t i = 0; i < j->kind->tensors; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%lld", (long long)i);
        graft_scope_begin(j->g);
        graft_dict_set_tensor(
            d, name, graft_full(j->g, graft_shape1(j->kind->elements), (double)i + 0.5, GRAFT_F32));
        graft_scope_end(j->g);
    }
    bench_check(j->g);
    return d;
}

/* ---- Opening and listing ---- */

static void list(const job *j)
{
    double best = 1e30;
    for (int i = 0; i < REPEATS; i++) {
        const double start = bench_seconds();
        graft_checkpoint *c = graft_checkpoint_open(j->g, j->path, NULL);
        const graft_dict *d = graft_checkpoint_root(c);
        int64_t seen = 0;
        for (int64_t k = 0; k < graft_dict_len(d); k++) {
            graft_tensor_info info;
            seen += graft_dict_key(d, k) && graft_dict_tensor_info(d, k, &info);
        }
        const double ms = 1e3 * (bench_seconds() - start);
        best = ms < best ? ms : best;
        bench_check(j->g);
        if (seen != j->kind->tensors)
            exit(1);
        graft_checkpoint_free(c);
    }
    print(j, "list", best, peak_mb());
}

static void verify(const job *j)
{
    graft_read_options o = graft_read_defaults();
    o.verify = GRAFT_VERIFY_OPEN;
    double best = 1e30;
    for (int i = 0; i < REPEATS; i++) {
        const double start = bench_seconds();
        graft_checkpoint *c = graft_checkpoint_open(j->g, j->path, &o);
        const double ms = 1e3 * (bench_seconds() - start);
        best = ms < best ? ms : best;
        bench_check(j->g);
        graft_checkpoint_free(c);
    }
    print(j, "verify", best, peak_mb());
}

/* ---- Loading into a model ---- */

static graft_module *make_model(const job *j)
{
    static const graft_module_class type = {.name = "Model", .size = sizeof(graft_module)};
    graft_module *m = graft_module_new(j->g, &type);
    for (int64_t i = 0; i < j->kind->tensors; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%lld", (long long)i);
        graft_scope_begin(j->g);
        graft_parameter(m, name, NULL,
                        graft_zeros(j->g, graft_shape1(j->kind->elements), GRAFT_F32));
        graft_scope_end(j->g);
    }
    bench_check(j->g);
    return m;
}

/* One read of each page of every parameter, so that nothing is left for later. */
static double touch(graft_module *m)
{
    double sum = 0;
    graft_ctx *g = m->ctx;
    graft_scope_begin(g);
    const graft_dict *p = graft_parameters(m);
    for (int64_t i = 0; i < graft_dict_len(p); i++) {
        const graft_tensor *t = graft_dict_tensor_at(p, i);
        const float *x = graft_data(t);
        for (int64_t k = 0; k < graft_numel(t); k += 1024)
            sum += x[k];
    }
    graft_scope_end(g);
    return sum;
}

static void load(const job *j, bool map)
{
    graft_read_options o = graft_read_defaults();
    o.map = map;
    graft_module *m = make_model(j);
    double best = 1e30, sum = 0;
    for (int i = 0; i < REPEATS; i++) {
        const double start = bench_seconds();
        graft_dict *d = graft_load(j->g, j->path, &o);
        graft_load_state_dict(m, d, NULL, NULL);
        sum += touch(m);
        const double ms = 1e3 * (bench_seconds() - start);
        best = ms < best ? ms : best;
        bench_check(j->g);
        graft_dict_free(d);
    }
    if (!(sum > 0))
        exit(1);
    print(j, map ? "load" : "read", best, peak_mb());
}

/* ---- Saving ---- */

static void save(const job *j)
{
    graft_dict *d = make_dict(j);
    graft_write_options o = graft_write_defaults();
    o.sync = j->sync;
    double ms[REPEATS], best = 1e30;
    reset_peak();
    const double before = peak_mb();
    for (int i = 0; i < REPEATS; i++) {
        const double start = bench_seconds();
        graft_save_as(j->g, j->path, d, &o, NULL);
        ms[i] = 1e3 * (bench_seconds() - start);
        best = ms[i] < best ? ms[i] : best;
        bench_check(j->g);
    }
    print(j, j->sync ? "save_sync" : "save", best, peak_mb() - before);
}

int main(int argc, char **argv)
{
    job j = {.path = argc > 3 ? argv[3] : "", .sync = argc > 4};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (argc > 3 && strcmp(argv[2], kinds[i].name) == 0)
            j.kind = &kinds[i];
    if (!j.kind) {
        fprintf(stderr, "files list|verify|load|read|save few|many|tiny PATH [sync]\n");
        return 2;
    }
    j.g = graft_open(NULL);
    graft_set_num_threads(j.g, 1);
    if (strcmp(argv[1], "list") == 0)
        list(&j);
    else if (strcmp(argv[1], "verify") == 0)
        verify(&j);
    else if (strcmp(argv[1], "load") == 0)
        load(&j, true);
    else if (strcmp(argv[1], "read") == 0)
        load(&j, false);
    else if (strcmp(argv[1], "save") == 0)
        save(&j);
    else
        return 2;
    graft_close(j.g);
    return 0;
}
