/* Tensors as text. That the text is PyTorch's is tested in tests/parity; here are samples that need
 * no PyTorch, locales, and failures. */
#include "test.h"

#include <math.h>
#include <stdio.h>

#include "base/number.h"

static void check(const graft_tensor *t, const char *expected)
{
    char *text = graft_tensor_text(t);
    assert_non_null(text);
    assert_string_equal(text, expected);
    graft_text_free(graft_tensor_ctx(t), text);
}

static void samples(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    check(graft_scalar(g, 3, GRAFT_F32), "tensor(3.)");
    check(graft_scalar(g, 3.5, GRAFT_F64), "tensor(3.5000, dtype=torch.float64)");
    check(graft_scalar(g, 1, GRAFT_BOOL), "tensor(True)");
    check(graft_zeros(g, graft_shape1(0), GRAFT_F32), "tensor([])");
    check(graft_zeros(g, graft_shape2(0, 3), GRAFT_I64),
          "tensor([], size=(0, 3), dtype=torch.int64)");
    check(graft_from_data(g, (const float[]){NAN, INFINITY, -1}, graft_shape1(3), GRAFT_F32),
          "tensor([nan, inf, -1.])");
    check(graft_from_data(g, (const float[]){-NAN, 1.5F}, graft_shape1(2), GRAFT_F32),
          "tensor([   nan, 1.5000])");
    check(graft_from_data(g, (const float[]){1e-5F, 1}, graft_shape2(1, 2), GRAFT_F32),
          "tensor([[1.0000e-05, 1.0000e+00]])");
    check(graft_arange(g, 0, 2000, 1, GRAFT_I64),
          "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])");
    check(graft_view(graft_arange(g, -2, 6, 1, GRAFT_I8), graft_shape3(2, 2, 2)),
          "tensor([[[-2, -1],\n"
          "         [ 0,  1]],\n"
          "\n"
          "        [[ 2,  3],\n"
          "         [ 4,  5]]], dtype=torch.int8)");
    check(graft_full(g, graft_shape2(300, 4), 0.25, GRAFT_F16),
          "tensor([[0.2500, 0.2500, 0.2500, 0.2500],\n"
          "        [0.2500, 0.2500, 0.2500, 0.2500],\n"
          "        [0.2500, 0.2500, 0.2500, 0.2500],\n"
          "        ...,\n"
          "        [0.2500, 0.2500, 0.2500, 0.2500],\n"
          "        [0.2500, 0.2500, 0.2500, 0.2500],\n"
          "        [0.2500, 0.2500, 0.2500, 0.2500]], dtype=torch.float16)");
    graft_close(g);
}

static void the_graph_shows(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_set_requires_grad(graft_ones(g, graft_shape1(2), GRAFT_F32), true);
    check(x, "tensor([1., 1.], requires_grad=True)");
    check(graft_mul(x, x), "tensor([1., 1.], grad_fn=<MulBackward0>)");
    check(graft_detach(x), "tensor([1., 1.])");
    graft_close(g);
}

static void the_locale_does_not(void **state)
{
    (void)state;
    static const char *const number[][2] = {{"-1234,5000", "-1234.5000"}, {"1.5", "1.5"},
                                            {"0\331\2535", "0.5"},        {"-7", "-7"},
                                            {"1,0000e-07", "1.0000e-07"}, {"1e+30", "1e+30"}};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        char text[16];
        strcpy(text, number[i][0]);
        graft__use_point(text);
        assert_string_equal(text, number[i][1]);
    }
}

static void print_writes_a_line(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(graft_print(graft_ones(g, graft_shape1(2), GRAFT_F32), file), GRAFT_OK);
    rewind(file);
    char line[64] = {0};
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "tensor([1., 1.])\n");
    fclose(file);

    assert_int_equal(graft_print(graft_ones(g, graft_shape1(2), GRAFT_F32), NULL),
                     GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "print: the stream is NULL");
    assert_int_equal(graft_print(NULL, stdout), GRAFT_ERR_ARGUMENT);
    FILE *closed = fopen("/dev/full", "w");
    if (closed) {
        setvbuf(closed, NULL, _IONBF, 0);
        assert_int_equal(graft_print(graft_ones(g, graft_shape1(2), GRAFT_F32), closed),
                         GRAFT_ERR_IO);
        assert_error(g, GRAFT_ERR_IO, "print: the stream does not take the tensor's text");
        fclose(closed);
    }
    assert_null(graft_tensor_text(NULL));
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples),
        cmocka_unit_test(the_graph_shows),
        cmocka_unit_test(the_locale_does_not),
        cmocka_unit_test(print_writes_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
