/* ONNX: a ModelProto, its metadata, and the graphs in it. */
#include "file/onnx.h"

#include <string.h>

enum {
    IR_VERSION = 1,
    PRODUCER_NAME,
    PRODUCER_VERSION,
    DOMAIN,
    MODEL_VERSION,
    DOC_STRING,
    GRAPH,
    OPSET_IMPORT,
    METADATA_PROPS = 14,
    TRAINING_INFO = 20,
    FUNCTIONS = 25,
    CONFIGURATION = 26
};

/* The wire type of a ModelProto's field; false if it has no such field. */
static bool wire_of(uint32_t field, graft__pb_wire *wire)
{
    *wire = field == IR_VERSION || field == MODEL_VERSION ? GRAFT__PB_VARINT : GRAFT__PB_BYTES;
    return (field >= IR_VERSION && field <= OPSET_IMPORT) || field == METADATA_PROPS ||
           field == TRAINING_INFO || field == FUNCTIONS || field == CONFIGURATION;
}

/* Protocol buffers have no mark of their own. So: a version first, as every writer has it, then
 * fields of a model and nothing else, up to the graph or to where the file was cut off. */
static bool matches(const graft__source *s)
{
    graft__pb m = graft__pb_open(s->bytes, s->size);
    graft__pb_field f;
    for (int i = 0; i < 64 && graft__pb_next(&m, &f); i++) {
        graft__pb_wire wire;
        if (!wire_of(f.number, &wire) || f.wire != wire)
            return false;
        if (i == 0 && (f.number != IR_VERSION || f.value == 0 || f.value > 255))
            return false;
        if (f.number == GRAPH)
            return true;
    }
    /* Cut off in the graph: its tag is there. */
    return m.cut && m.at != s->bytes && m.at < m.end && *m.at == (GRAPH << 3 | GRAFT__PB_BYTES);
}

graft_status graft__onnx_end(graft__onnx *o, const graft__pb *m)
{
    if (!m->error)
        return GRAFT_OK;
    bool cut = m->cut && m->end == o->model->bytes + o->model->size;
    return graft__fault(o->r, cut ? GRAFT_FAULT_TRUNCATED : GRAFT_FAULT_PROTOBUF,
                        graft__onnx_offset(o, m->at), "%s", m->error);
}

graft_status graft__onnx_expect(graft__onnx *o, const graft__pb_field *f, graft__pb_wire wire)
{
    if (f->wire == wire)
        return GRAFT_OK;
    return graft__fault(o->r, GRAFT_FAULT_PROTOBUF, graft__onnx_offset(o, f->where),
                        "field %u with wire type %d: expected %d", f->number, (int)f->wire,
                        (int)wire);
}

/* ---- Metadata ---- */

/* Protocol buffers let the last one count of a field that comes twice. */
static graft_status put_last(graft__onnx *o, const char *name, graft__value v)
{
    graft__reading *r = o->r;
    if (v.kind == GRAFT_VALUE_NONE)
        return graft_error_status(r->g);
    if (!graft__charge(r, sizeof(graft__entry) + strlen(name))) {
        graft__value_drop(r->g, &v);
        return graft_error_status(r->g);
    }
    graft__value key = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, name, strlen(name));
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(r->g, &v);
        return graft_error_status(r->g);
    }
    return graft__dict_put(r->metadata, r->op, key, v);
}

/* The dict of that name in the metadata, made if it is not there; NULL with the error set. */
static graft_dict *nested(graft__onnx *o, const char *name)
{
    graft_dict *parent = o->r->metadata;
    int64_t at = graft_dict_find(parent, name);
    if (at >= 0)
        return graft_dict_dict_at(parent, at);
    graft_dict *d = graft__dict_new(o->r->g);
    if (!d || put_last(o, name, graft__dict_value(d)) != GRAFT_OK)
        return NULL;
    return graft_dict_dict_at(parent, graft_dict_find(parent, name));
}

/* An OperatorSetIdProto (domain, version as a number) or a StringStringEntryProto. */
static graft_status read_pair(graft__onnx *o, const graft__pb_field *f, const char *into,
                              graft__pb_wire second)
{
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    graft__name key = {.text = "", .offset = graft__onnx_offset(o, f->where)}, text = key;
    uint64_t number = 0;
    while (graft__pb_next(&m, &g)) {
        if (g.number != 1 && g.number != 2)
            continue;
        graft_status status = graft__onnx_expect(o, &g, g.number == 1 ? GRAFT__PB_BYTES : second);
        if (status != GRAFT_OK)
            return status;
        if (g.number == 1)
            key = graft__onnx_name(o, &g);
        else if (second == GRAFT__PB_BYTES)
            text = graft__onnx_name(o, &g);
        else
            number = g.value;
    }
    graft_status status = graft__onnx_end(o, &m);
    graft_dict *d = status == GRAFT_OK ? nested(o, into) : NULL;
    if (!d)
        return status == GRAFT_OK ? graft_error_status(o->r->g) : status;
    if (second == GRAFT__PB_VARINT && key.length == 0)
        key = (graft__name){.text = "ai.onnx", .length = 7, .offset = key.offset};
    graft__value v = second == GRAFT__PB_VARINT ? graft__int_value((int64_t)number)
                                                : graft__file_text(o->r, text.text, text.length);
    if (v.kind == GRAFT_VALUE_NONE)
        return graft_error_status(o->r->g);
    return graft__put_named(o->r, d, into, &key, v);
}

/* ---- The model ---- */

static graft_status read_training(graft__onnx *o, const graft__pb_field *f)
{
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft__pb_next(&m, &g))
        if (g.number == 1 || g.number == 2) { /* initialization, algorithm */
            status = graft__onnx_expect(o, &g, GRAFT__PB_BYTES);
            if (status == GRAFT_OK)
                status = graft__onnx_graph(o, &g, g.number == 1 ? "initialization." : "algorithm.");
        }
    return status == GRAFT_OK ? graft__onnx_end(o, &m) : status;
}

static graft_status read_field(graft__onnx *o, const graft__pb_field *f)
{
    static const char *const texts[] = {[PRODUCER_NAME] = "producer_name",
                                        [PRODUCER_VERSION] = "producer_version",
                                        [DOMAIN] = "domain",
                                        [DOC_STRING] = "doc_string"};
    switch (f->number) {
    case IR_VERSION:
        return put_last(o, "ir_version", graft__int_value((int64_t)f->value));
    case MODEL_VERSION:
        return put_last(o, "model_version", graft__int_value((int64_t)f->value));
    case PRODUCER_NAME:
    case PRODUCER_VERSION:
    case DOMAIN:
    case DOC_STRING:
        return put_last(o, texts[f->number], graft__file_text(o->r, f->bytes, f->size));
    case OPSET_IMPORT:
        return read_pair(o, f, "opset_import", GRAFT__PB_VARINT);
    case METADATA_PROPS:
        return read_pair(o, f, "metadata_props", GRAFT__PB_BYTES);
    case GRAPH:
        return graft__onnx_graph(o, f, "");
    case TRAINING_INFO:
        return read_training(o, f);
    case FUNCTIONS:
        return graft__onnx_function(o, f);
    default:
        return GRAFT_OK;
    }
}

static graft_status read_model(graft__onnx *o)
{
    graft__pb m = graft__pb_open(o->model->bytes, o->model->size);
    graft__pb_field f;
    bool graph = false;
    while (graft__pb_next(&m, &f)) {
        graft__pb_wire wire;
        if (!wire_of(f.number, &wire))
            continue; /* of a later version */
        graft_status status = graft__onnx_expect(o, &f, wire);
        if (status == GRAFT_OK && f.number == GRAPH && graph)
            status = graft__fault(o->r, GRAFT_FAULT_PROTOBUF, graft__onnx_offset(o, f.where),
                                  "a second graph");
        graph |= f.number == GRAPH;
        if (status == GRAFT_OK)
            status = read_field(o, &f);
        if (status != GRAFT_OK)
            return status;
    }
    if (m.error || graph)
        return graft__onnx_end(o, &m);
    return graft__fault(o->r, GRAFT_FAULT_PROTOBUF, (int64_t)o->model->size,
                        "a model without a graph");
}

static graft_dict *read_onnx(graft__reading *r)
{
    graft__onnx o = {.r = r, .model = r->source, .root = graft__dict_new(r->g)};
    if (!o.root)
        return NULL;
    graft_status status = read_model(&o);
    graft__onnx_close_files(&o);
    if (status == GRAFT_OK)
        return o.root;
    graft__dict_unref(o.root);
    return NULL;
}

const graft__format graft__format_onnx = {GRAFT_FORMAT_ONNX, matches, read_onnx};
