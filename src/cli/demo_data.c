#include "cli/demo_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static bool exists(const char *directory, const char *file, char path[PATH_SIZE])
{
    int n = snprintf(path, PATH_SIZE, "%s/%s", directory, file);
    return n > 0 && n < PATH_SIZE && access(path, R_OK) == 0;
}

/* Whether directory holds the file, gzipped or not; path is the one that is there. */
static bool find(const char *directory, const char *file, char path[PATH_SIZE])
{
    char gzipped[64];
    snprintf(gzipped, sizeof gzipped, "%s.gz", file);
    return exists(directory, file, path) || exists(directory, gzipped, path);
}

/* Where the subset lies: in the source tree (from its root, or beside the build that this command
 * is), or where it was installed. */
static bool default_directory(char out[PATH_SIZE])
{
    char own[PATH_SIZE / 2] = ".", path[PATH_SIZE];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    own[n > 0 ? n : 1] = 0;
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = 0;
    static const char *const from_command[] = {"../../data", "../share/graft"};
    snprintf(out, PATH_SIZE, "data/fashion-mnist");
    if (find(out, "train-images-idx3-ubyte", path))
        return true;
    for (int i = 0; i < 2; i++) {
        snprintf(path, PATH_SIZE, "%s/%s/fashion-mnist", own, from_command[i]);
        char *directory = realpath(path, NULL);
        bool fits = directory && strlen(directory) < PATH_SIZE;
        if (fits)
            strcpy(out, directory);
        free(directory);
        if (fits && find(out, "train-images-idx3-ubyte", path))
            return true;
    }
    fprintf(stderr, "graft demo: the Fashion-MNIST subset that comes with graft was not found: "
                    "name a directory with --data\n");
    return false;
}

static graft_tensor *load(graft_ctx *g, const char *directory, const char *file)
{
    char path[PATH_SIZE];
    if (!find(directory, file, path)) {
        fprintf(stderr, "graft demo: %s: no %s or %s.gz there\n", directory, file, file);
        return NULL;
    }
    return graft_load_idx(g, path); /* the caller says what is wrong with it */
}

static bool load_pair(graft_ctx *g, const char *directory, const char *name, graft_tensor **x,
                      graft_tensor **y)
{
    char images_file[64], labels_file[64];
    snprintf(images_file, sizeof images_file, "%s-images-idx3-ubyte", name);
    snprintf(labels_file, sizeof labels_file, "%s-labels-idx1-ubyte", name);
    graft_tensor *images = load(g, directory, images_file);
    graft_tensor *labels = images ? load(g, directory, labels_file) : NULL;
    if (!labels)
        return false;
    if (graft_ndim(images) != 3 || graft_ndim(labels) != 1 ||
        graft_size(images, 0) != graft_size(labels, 0) || graft_numel(images) == 0 ||
        graft_tensor_dtype(images) != GRAFT_U8 || graft_tensor_dtype(labels) != GRAFT_U8) {
        fprintf(
            stderr,
            "graft demo: %s: the %s set: expected N images of H x W bytes and N labels of one\n",
            directory, name);
        return false;
    }
    *x = graft_keep(graft_div_scalar(graft_to(images, GRAFT_F32), 255));
    *y = graft_keep(graft_to(labels, GRAFT_I64));
    return *x && *y;
}

static bool load_all(graft_ctx *g, const char *directory, demo_data *out)
{
    if (!load_pair(g, directory, "train", &out->train_x, &out->train_y) ||
        !load_pair(g, directory, "t10k", &out->test_x, &out->test_y))
        return false;
    out->features = graft_size(out->train_x, 1) * graft_size(out->train_x, 2);
    if (graft_size(out->test_x, 1) * graft_size(out->test_x, 2) != out->features) {
        fprintf(stderr, "graft demo: %s: train and test images differ in size\n", directory);
        return false;
    }
    int64_t a = graft_item_i64(graft_max(graft_to(out->train_y, GRAFT_F64)));
    int64_t b = graft_item_i64(graft_max(graft_to(out->test_y, GRAFT_F64)));
    out->classes = (a > b ? a : b) + 1;
    return graft_error(g) == NULL;
}

bool demo_data_load(graft_ctx *g, const char *directory, demo_data *out)
{
    char found[PATH_SIZE];
    if (!directory) {
        if (!default_directory(found))
            return false;
        directory = found;
    }
    if (graft_scope_begin(g) != GRAFT_OK)
        return false;
    bool ok = load_all(g, directory, out);
    graft_scope_end(g);
    if (ok)
        printf("data: %s: %lld training and %lld test images of %lld x %lld, %lld classes\n",
               directory, (long long)graft_size(out->train_x, 0),
               (long long)graft_size(out->test_x, 0), (long long)graft_size(out->train_x, 1),
               (long long)graft_size(out->train_x, 2), (long long)out->classes);
    else if (graft_error(g))
        fprintf(stderr, "graft demo: %s\n", graft_error(g));
    return ok;
}
