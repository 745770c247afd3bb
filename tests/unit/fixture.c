#include "fixture.h"

#include "folder.h"
#include "test.h"

int fixture_open(void **state)
{
    fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    f->g = test_open();
    f->folder = folder_make();
    f->path = folder_path(f->folder, "model.pt");
    *state = f;
    return 0;
}

static void free_fixture(fixture *f)
{
    free(f->path);
    folder_remove(f->folder);
    free(f);
}

int fixture_close(void **state)
{
    fixture *f = *state;
    graft_close(f->g);
    free_fixture(f);
    return 0;
}

int fixture_check(void **state)
{
    fixture *f = *state;
    assert_no_error(f->g);
    graft_close(f->g);
    assert_int_equal(folder_count(f->folder, ".tmp"), 0);
    free_fixture(f);
    return 0;
}
