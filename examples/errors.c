/* What goes wrong is said once, in words, and nothing is lost: a model fed with rows of the wrong
 * length. Exits with 0 if that was refused and the context worked on. */
#include <graft/graft.h>

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_module *model = graft_sequential(g);
    graft_sequential_add(model, graft_linear(g, 8, 4, true));
    graft_sequential_add(model, graft_relu_layer(g));
    graft_sequential_add(model, graft_linear(g, 4, 2, true));
    graft_tensor *y = graft_zeros(g, graft_shape1(5), GRAFT_I64);

    graft_tensor *x = graft_rand(g, graft_shape2(5, 7), GRAFT_F32); /* 7 where the model wants 8 */
    graft_tensor *loss = graft_cross_entropy(graft_forward(model, x), y);
    if (!loss) {
        printf("%s\n", graft_error(g));
        graft_clear_error(g);
    }
    bool refused = !loss;

    /* The context works on. */
    x = graft_rand(g, graft_shape2(5, 8), GRAFT_F32);
    loss = graft_cross_entropy(graft_forward(model, x), y);
    bool recovered = loss && !graft_error(g);
    graft_close(g);
    return refused && recovered ? 0 : 1;
}
