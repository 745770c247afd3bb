/* Checkpoint files: a training is saved, looked into, resumed; a damaged file is refused and what
 * is whole in it is saved; what Python would have run is listed. Exits with 0 only if all of it
 * came out as promised. */
#include <graft/graft.h>
#include <string.h>

static int failures;

static void check(const char *claim, bool holds)
{
    printf("%-58s %s\n", claim, holds ? "yes" : "NO");
    failures += !holds;
}

static graft_module *new_model(graft_ctx *g)
{
    graft_module *m = graft_sequential(g);
    graft_sequential_add(m, graft_linear(g, 64, 32, true));
    graft_sequential_add(m, graft_relu_layer(g));
    graft_sequential_add(m, graft_linear(g, 32, 10, true));
    return m;
}

static void train(graft_ctx *g, graft_module *model, graft_optimizer *adam, int steps)
{
    graft_manual_seed(g, 7);
    for (int i = 0; i < steps; i++) {
        graft_scope_begin(g);
        graft_tensor *x = graft_randn(g, graft_shape2(16, 64), GRAFT_F32);
        graft_tensor *y = graft_randint(g, 0, 10, graft_shape1(16), GRAFT_I64);
        graft_zero_grad(adam);
        graft_backward(graft_cross_entropy(graft_forward(model, x), y));
        graft_step(adam);
        graft_scope_end(g);
    }
}

static bool same_tensors(const graft_dict *a, const graft_dict *b)
{
    bool same = graft_dict_len(a) > 0 && graft_dict_len(a) == graft_dict_len(b);
    for (int64_t i = 0; same && i < graft_dict_len(a); i++)
        same = graft_equal(graft_dict_tensor_at(a, i), graft_dict_tensor_at(b, i));
    return same;
}

/* What torch.save({"model": ..., "optimizer": ..., "epoch": ...}, path) writes. */
static graft_status save_training(graft_ctx *g, const char *path, graft_module *model,
                                  graft_optimizer *adam, int64_t epoch)
{
    graft_dict *c = graft_dict_new(g);
    graft_dict_set_dict(c, "model", graft_state_dict(model));
    graft_dict_set_dict(c, "optimizer", graft_optimizer_state_dict(adam));
    graft_dict_set_int(c, "epoch", epoch);
    graft_status status = graft_error(g) ? graft_error_status(g) : graft_save(g, path, c);
    graft_dict_free(c);
    return status;
}

/* The epoch that was saved; -1 on failure. */
static int64_t resume(graft_ctx *g, const char *path, graft_module *model, graft_optimizer *adam)
{
    graft_dict *c = graft_load(g, path, NULL);
    graft_load_state_dict(model, graft_dict_dict(c, "model"), NULL, NULL);
    graft_optimizer_load_state_dict(adam, graft_dict_dict(c, "optimizer"));
    int64_t epoch = graft_error(g) ? -1 : graft_dict_int_at(c, graft_dict_find(c, "epoch"));
    graft_dict_free(c); /* what the model took lives on */
    return epoch;
}

/* Lists the tensors of any checkpoint; their bytes are not read. Returns how many there are. */
static int64_t list(graft_ctx *g, const char *path)
{
    graft_checkpoint *c = graft_checkpoint_open(g, path, NULL);
    printf("%s: %s\n", path, graft_format_name(graft_checkpoint_format(c)));
    graft_dict *all = graft_dict_flatten(graft_checkpoint_root(c));
    graft_tensor_info info;
    for (int64_t i = 0; graft_dict_tensor_info(all, i, &info); i++)
        printf("  %-36s %-8s %d dimensions, %llu bytes\n", graft_dict_key(all, i),
               graft_dtype_name(info.dtype), info.shape.ndim, (unsigned long long)info.bytes);
    graft_checkpoint_free(c);
    return graft_dict_len(all);
}

/* Writes the first `size` bytes of a file to another, one bit of byte `flip` turned over if there
 * is such a byte. Returns the size of the file; -1 on failure. */
static long spoil(const char *from, const char *to, long size, long flip)
{
    static char bytes[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    long n = in ? (long)fread(bytes, 1, sizeof bytes, in) : -1;
    if (flip >= 0 && flip < n)
        bytes[flip] ^= 1;
    size_t length = n < 0 ? 0 : (size_t)(n < size ? n : size);
    if (!out || fwrite(bytes, 1, length, out) != length)
        n = -1;
    if (in)
        fclose(in);
    if (out && fclose(out) != 0)
        n = -1;
    return n;
}

static void damaged(graft_ctx *g, graft_module *model)
{
    long size = spoil("training.pt", "flipped.pt", 1 << 20, 6000);
    graft_dict *before = graft_dict_clone(graft_state_dict(model), NULL);
    graft_dict *c = graft_load(g, "flipped.pt", NULL);
    graft_load_state_dict(model, graft_dict_dict(c, "model"), NULL, NULL);
    printf("%s\n", graft_error(g) ? graft_error(g) : "no error");
    check("one flipped bit is found", graft_error_fault(g) == GRAFT_FAULT_CHECKSUM);
    graft_clear_error(g);
    check("... and nothing of the model was changed",
          same_tensors(before, graft_state_dict(model)));
    graft_dict_free(c);
    graft_dict_free(before);

    spoil("training.pt", "cut.pt", size - size / 4, -1);
    check("a cut-off file is refused", graft_load(g, "cut.pt", NULL) == NULL);
    graft_clear_error(g);
    graft_salvage_report *s = graft_salvage(g, "cut.pt", NULL);
    printf("%s", s ? graft_salvage_text(s) : "no report\n");
    check("... and the tensors before the cut are salvaged",
          graft_dict_len(graft_salvage_dict(s)) > 0 && graft_salvage_lost(s) > 0);
    graft_salvage_free(s);
}

/* A stream of pickles as torch.save wrote it before 1.6: magic, version, system, the object, the
 * keys of storages. Loading it with Python calls os.system("id"). */
static const char hostile[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
                              "\x80\x02M\xe9\x03."
                              "\x80\x02}."
                              "\x80\x02"
                              "cos\nsystem\n"
                              "X\x02\0\0\0id\x85R."
                              "\x80\x02].";

static void audit(graft_ctx *g)
{
    graft_audit_report *a = graft_audit_memory(g, hostile, sizeof hostile - 1, NULL);
    printf("%s", a ? graft_audit_text(a) : "no report\n");
    check("the audit names what Python would have run",
          graft_audit_len(a) == 1 && graft_audit_is_call(a, 0) &&
              strcmp(graft_audit_args(a, 0), "('id',)") == 0);
    graft_audit_free(a);
    a = graft_audit(g, "training.pt", NULL);
    check("... and a state dict runs nothing", a && graft_audit_len(a) == 0);
    graft_audit_free(a);
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_manual_seed(g, 0);
    graft_module *a = new_model(g), *b = new_model(g);
    graft_optimizer *adam_a = graft_adam(graft_parameters(a), NULL);
    graft_optimizer *adam_b = graft_adam(graft_parameters(b), NULL);
    train(g, a, adam_a, 10);

    check("saved", save_training(g, "training.pt", a, adam_a, 3) == GRAFT_OK);
    check("listed", list(g, "training.pt") > 4);
    check("resumed", resume(g, "training.pt", b, adam_b) == 3);
    train(g, a, adam_a, 10);
    train(g, b, adam_b, 10);
    check("... and it goes on bit for bit", same_tensors(graft_state_dict(a), graft_state_dict(b)));

    graft_write_options o = graft_write_defaults();
    o.max_shard_bytes = 8192;
    graft_write_report report = {0};
    graft_status st = graft_save_as(g, "model.safetensors", graft_state_dict(a), &o, &report);
    graft_dict *set = graft_load(g, "model.safetensors.index.json", NULL);
    check("a set of shards: all tensors come back",
          st == GRAFT_OK && report.files > 2 && graft_dict_len(set) == report.tensors);
    graft_tensor *rows = graft_load_rows(g, "model.safetensors.index.json", "0.weight", 4, 2, NULL);
    check("two rows of one tensor", graft_size(rows, 0) == 2 && graft_size(rows, 1) == 64);
    graft_dict_free(set);

    damaged(g, b);
    audit(g);
    if (graft_error(g))
        printf("error: %s\n", graft_error(g));
    failures += graft_error(g) != NULL;
    graft_close(g);
    return failures ? 1 : 0;
}
