#include "cli/diff.h"
#include "cli/dtype.h"
#include "cli/json.h"

static void put_form(json *j, const char *key, bool there, const graft_tensor_info *t)
{
    char dtype[DTYPE_TEXT];
    if (!there) {
        json_key(j, key);
        json_null(j);
        return;
    }
    json_key_object(j, key);
    json_key_text(j, "dtype", dtype_short(t->dtype, dtype));
    json_key_array(j, "shape");
    for (int i = 0; i < t->shape.ndim; i++)
        json_int(j, t->shape.size[i]);
    json_close_array(j);
    json_key_uint(j, "bytes", t->bytes);
    json_close_object(j);
}

static void put_numbers(json *j, const graft_diff_report *d, int64_t i)
{
    graft_diff_numbers n;
    if (!graft_diff_numbers_of(d, i, &n)) {
        json_key(j, "numbers");
        json_null(j);
        return;
    }
    json_key_object(j, "numbers");
    json_key_int(j, "elements", n.elements);
    json_key_int(j, "changed", n.changed);
    json_key_int(j, "not_finite", n.not_finite);
    json_key_real(j, "max_abs", n.max_abs);
    json_key_real(j, "max_rel", n.max_rel);
    json_key_int(j, "max_ulps", n.max_ulps);
    json_key_real(j, "mean_abs", n.mean_abs);
    json_key_real(j, "rms", n.rms);
    json_key_real(j, "cosine", n.cosine);
    json_key_real(j, "norm_a", n.norm_a);
    json_key_real(j, "norm_b", n.norm_b);
    json_key_int(j, "rows_changed", n.rows_changed);
    json_key_int(j, "first_changed", n.first_changed);
    json_close_object(j);
}

static void put_entry(json *j, const graft_diff_report *d, int64_t i)
{
    graft_tensor_info a, b;
    const bool in_a = graft_diff_info_a(d, i, &a), in_b = graft_diff_info_b(d, i, &b);
    json_open_object(j);
    json_key_text(j, "name", graft_diff_name(d, i));
    json_key_text(j, "kind", graft_diff_kind_name(graft_diff_kind_of(d, i)));
    put_form(j, "a", in_a, &a);
    put_form(j, "b", in_b, &b);
    put_numbers(j, d, i);
    json_key_array(j, "rows");
    for (int64_t k = 0; k < graft_diff_rows(d, i); k++)
        json_int(j, graft_diff_row(d, i, k));
    json_close_array(j);
    json_key_text(j, "note", graft_diff_note(d, i));
    json_close_object(j);
}

void diff_json(const cli_call *call, const graft_diff_report *d)
{
    const diff_options *const o = call->options;
    json j = json_to(stdout, true);
    json_open_object(&j);
    json_key_text(&j, "a", call->operands[0]);
    json_key_text(&j, "b", call->operands[1]);
    json_key_bool(&j, "equal", graft_diff_is_equal(d));
    json_key_object(&j, "counts");
    for (int k = GRAFT_DIFF_EQUAL; k <= GRAFT_DIFF_TIES; k++)
        json_key_int(&j, graft_diff_kind_name((graft_diff_kind)k),
                     graft_diff_count(d, (graft_diff_kind)k));
    json_close_object(&j);
    json_key_array(&j, "entries");
    for (int64_t i = 0; i < graft_diff_len(d); i++)
        if (o->all || graft_diff_kind_of(d, i) != GRAFT_DIFF_EQUAL)
            put_entry(&j, d, i);
    json_close_array(&j);
    json_close_object(&j);
}
