#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

char *folder_make(void)
{
    const char *below = getenv("TMPDIR");
    char *folder = folder_path(below && *below ? below : "/tmp", "graft-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void folder_remove(char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

char *folder_path(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    assert_non_null(path);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

int folder_count(const char *folder, const char *part)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int count = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            (!part || strstr(e->d_name, part)))
            count++;
    closedir(d);
    return count;
}

char *folder_find(const char *folder, const char *part)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    const struct dirent *e = readdir(d);
    while (e && !strstr(e->d_name, part))
        e = readdir(d);
    char *path = e ? folder_path(folder, e->d_name) : NULL;
    closedir(d);
    return path;
}

void folder_age(const char *folder, const char *part, int seconds)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    const struct timespec then = {.tv_sec = time(NULL) - seconds};
    const struct timespec times[2] = {then, then};
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (strstr(e->d_name, part) &&
            utimensat(dirfd(d), e->d_name, times, AT_SYMLINK_NOFOLLOW) != 0)
            assert_int_equal(errno, ENOENT); /* its writer is done meanwhile */
    closedir(d);
}

void file_put(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

unsigned char *file_get(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    unsigned char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

bool file_is(const char *path, const void *bytes, size_t size)
{
    size_t got_size = 0;
    unsigned char *got = file_get(path, &got_size);
    bool same = got && got_size == size && memcmp(got, bytes, size) == 0;
    free(got);
    return same;
}
