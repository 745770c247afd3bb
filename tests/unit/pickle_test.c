/* The pickle interpreter on pickles made by hand: every opcode, every fault, and what is made to
 * take more than there is. */
#include "test.h"

#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "failing_allocator.h"
#include "file/audit.h"
#include "file/pickle.h"
#include "tensor/dict.h"

#define P(text) text, sizeof text - 1

static graft__reading reading_of(graft_ctx *g, size_t size)
{
    return (graft__reading){
        .g = g,
        .op = "load",
        .path = "a.pt",
        .member = "data.pkl",
        .options = graft_read_defaults(),
        .memory_left = ((uint64_t)64 << 20) + 256 * size,
    };
}

/* A persistent id becomes itself in a list, so that the tests see what came. */
static graft_status persistent(graft__pickle *p, void *user, const graft__value *id,
                               graft__value *out)
{
    (void)p;
    graft_ctx *g = user;
    graft__value copy;
    graft_dict *list = graft__container_new(g, GRAFT_VALUE_LIST);
    if (!list)
        return GRAFT_ERR_MEMORY;
    if (!graft__value_copy(g, "test", id, &copy) ||
        graft__list_append(list, "test", copy) != GRAFT_OK) {
        graft__dict_unref(list);
        return GRAFT_ERR_MEMORY;
    }
    *out = graft__dict_value(list);
    return GRAFT_OK;
}

static graft_status read_pickle(graft_ctx *g, const char *bytes, size_t size, graft__value *out)
{
    graft__reading r = reading_of(g, size);
    const graft__pickle_host host = {.user = g, .persistent = persistent};
    size_t at = 0;
    return graft__pickle_read(&r, &host, (const unsigned char *)bytes, size, &at, out);
}

/* ---- Values ---- */

typedef struct good {
    const char *bytes;
    size_t size;
    const char *repr;
} good;

#define ESCAPED "(S'a\\n\\x41\\101\\q\\'\"\\\\'\nS\"it's\"\nt."
static const good values[] = {
    /* protocol 0 */
    {P("I42\n."), "42"},
    {P("I-7\n."), "-7"},
    {P("I01\n."), "True"},
    {P("I00\n."), "False"},
    {P("L5L\n."), "5"},
    {P("L-9223372036854775808L\n."), "-9223372036854775808"},
    {P("L9223372036854775808\n."), "9223372036854775808"},
    {P("L-123456789012345678901234567890L\n."), "-123456789012345678901234567890"},
    {P("F1.5\n."), "1.5"},
    {P("F-1e-3\n."), "-0.001"},
    {P("Fnan\n."), "nan"},
    {P("F-inf\n."), "-inf"},
    {P("N."), "None"},
    {P(ESCAPED), "('a\\nAA\\\\q\\'\"\\\\', 'it\\'s')"},
    {P("S'\\xe9'\n."), "b'\\xe9'"},
    {P("S'\\xc3\\xa9'\n."), "'\303\251'"},
    {P("V\351\\u20ac\\U0001f600\\\\u0041\\q\n."),
     "'\303\251\342\202\254\360\237\230\200\\\\\\\\u0041\\\\q'"},
    {P("(I1\nI2\nl."), "[1, 2]"},
    {P("(I1\nNt."), "(1, None)"},
    {P("(S'a'\nI1\nI2\nI3\nd."), "{'a': 1, 2: 3}"},
    {P("(lp0\nI1\nag0\n."), "[1]"},
    {P("(lp1\nI1\na0g1\n."), "[1]"},
    {P("(dp0\nS'k'\nI1\ns."), "{'k': 1}"},
    {P("(I1\nI2\n1N."), "None"},
    {P("(I1\n00N."), "None"}, /* the second POP takes the mark */
    {P("I1\n2t."), NULL},
    {P("(I1\n2t."), "(1, 1)"},
    {P("Pid\n."), "['id']"},
    {P("(I3\nI4\ntQ."), "[(3, 4)]"},
    {P("(lI5\na."), "[5]"},
    /* protocol 1 */
    {P("J\xff\xff\xff\xff."), "-1"},
    {P("J\x00\x00\x00\x80."), "-2147483648"},
    {P("K\xff."), "255"},
    {P("M\x34\x12."), "4660"},
    {P("G\x3f\xf8\0\0\0\0\0\0."), "1.5"},
    {P("T\3\0\0\0abc."), "'abc'"},
    {P("U\3abc."), "'abc'"},
    {P("U\1\xff."), "b'\\xff'"},
    {P("X\2\0\0\0\xc3\xa9."), "'\303\251'"},
    {P("]."), "[]"},
    {P("}."), "{}"},
    {P(")."), "()"},
    {P("](K\1K\2e."), "[1, 2]"},
    {P("](e."), "[]"},
    {P("]K\1a."), "[1]"},
    {P("}(K\1NK\2K\3u."), "{1: None, 2: 3}"},
    {P("}K\1Ns."), "{1: None}"},
    {P("}(K\1NK\1K\3u."), "{1: 3}"}, /* the later wins */
    {P("}(K\1G\0\0\0\0\0\0\0\0K\1K\3u."), "{1: 3}"},
    {P("]q\7K\1ah\7."), "[1]"},
    {P("]r\1\0\0\0K\1aj\1\0\0\0."), "[1]"},
    {P("(]q\0h\0t."), "([], [])"},
    {P("}(K\1)u."), "{1: ()}"},
    {P("}(N)\x88K\1\x89K\2G\x3f\xf0\0\0\0\0\0\0Nu."), "{None: (), True: 1, False: 2, 1.0: None}"},
    {P("})Ns."), "{(): None}"},
    /* protocol 2 */
    {P("\x80\2N."), "None"},
    {P("K\1\x85."), "(1,)"},
    {P("K\1K\2\x86."), "(1, 2)"},
    {P("K\1K\2K\3\x87."), "(1, 2, 3)"},
    {P("\x88."), "True"},
    {P("\x89."), "False"},
    {P("\x8a\0."), "0"},
    {P("\x8a\1\xff."), "-1"},
    {P("\x8a\2\xff\0."), "255"},
    {P("\x8a\x08\0\0\0\0\0\0\0\x80."), "-9223372036854775808"},
    {P("\x8a\x09\0\0\0\0\0\0\0\x80\0."), "9223372036854775808"},
    {P("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff."), "-9223372036854775809"},
    {P("\x8a\x0a\1\0\0\0\0\0\0\0\0\0."), "1"}, /* longer than it need be */
    {P("\x8a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff."), "-1"},
    {P("\x8a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\0."), "4722366482869645213695"},
    {P("\x8a\x09\0\0\0\0\0\0\0\0\x80."), "-2361183241434822606848"},
    {P("\x8b\1\0\0\0\x80."), "-128"},
    /* protocols 3 to 5 */
    {P("C\2a\xff."), "b'a\\xff'"},
    {P("B\1\0\0\0z."), "b'z'"},
    {P("\x8e\1\0\0\0\0\0\0\0z."), "b'z'"},
    {P("\x96\1\0\0\0\0\0\0\0z."), "b'z'"},
    {P("\x8c\1z."), "'z'"},
    {P("\x8d\1\0\0\0\0\0\0\0z."), "'z'"},
    {P("\x8f(K\1K\2\x90."), "{1, 2}"},
    {P("(K\1K\2\x91."), "builtins.frozenset{1, 2}"},
    {P("\x80\4\x95\2\0\0\0\0\0\0\0N."), "None"},
    {P("]\x94K\1ah\0."), "[1]"},
    {P("(]\x94]\x94K\2ah\1h\0t."), "([], [2], [2], [])"},
    {P("(]q\1]\x94K\2ah\1t."), "([], [2], [2])"}, /* the memo had one entry: MEMOIZE is 1 */
    {P("(]q\0]\x94K\2ah\1h\0t."), "([], [2], [2], [])"},
    /* calls that are known */
    {P("ccollections\nOrderedDict\n)R."), "collections.OrderedDict{}"},
    {P("ccollections\nOrderedDict\n)R(K\1K\2u."), "collections.OrderedDict{1: 2}"},
    {P("ccollections\nOrderedDict\n(]](K\1K\2eatR."), "collections.OrderedDict{1: 2}"},
    {P("ccollections\nOrderedDict\n)\x81."), "collections.OrderedDict{}"},
    {P("(icollections\nOrderedDict\n."), "collections.OrderedDict{}"},
    {P("(ccollections\nOrderedDict\no."), "collections.OrderedDict{}"},
    {P("\x8c\x0b"
       "collections\x8c\x07"
       "Counter\x93}K\1K\2s\x85R."),
     "collections.Counter{1: 2}"},
    {P("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\1]s."),
     "collections.defaultdict{1: []}"},
    {P("c__builtin__\nset\n](K\1K\2e\x85R."), "{1, 2}"},
    {P("cbuiltins\nfrozenset\n](K\1e\x85R."), "builtins.frozenset{1}"},
    {P("cbuiltins\nlist\n(K\1K\2t\x85R."), "[1, 2]"},
    {P("cbuiltins\nlist\n)R."), "[]"},
    {P("cbuiltins\ntuple\n](K\1e\x85R."), "(1,)"},
    {P("cbuiltins\ndict\n}K\1K\2s\x85R."), "{1: 2}"},
    {P("cbuiltins\nbytearray\nC\1a\x85R."), "b'a'"},
    {P("cbuiltins\nbytearray\nX\2\0\0\0\xc3\xa9X\7\0\0\0latin-1\x86R."), "b'\\xe9'"},
    {P("c__builtin__\nbytes\n)R."), "b''"},
    {P("c__builtin__\nbytes\n](K\1K\xff"
       "e\x85R."),
     "b'\\x01\\xff'"},
    {P("c_codecs\nencode\nX\3\0\0\0a\xc3\xbfX\6\0\0\0latin1\x86R."), "b'a\\xff'"},
    {P("c_codecs\nencode\nX\3\0\0\0a\xc3\xbfX\5\0\0\0utf-8\x86R."), "b'a\\xc3\\xbf'"},
    {P("c__builtin__\ncomplex\nG\x3f\xf8\0\0\0\0\0\0K\2\x86R."), "(1.5+2.0j)"},
    {P("cbuiltins\nint\nX\2\0\0\000"
       "42\x85R."),
     "42"},
    {P("cbuiltins\nfloat\nX\3\0\0\000"
       "1.5\x85R."),
     "1.5"},
    {P("cbuiltins\nbool\nK\2\x85R."), "True"},
    {P("cbuiltins\nstr\n)R."), "''"},
    {P("cbuiltins\nobject\n)R."), "builtins.object()"},
    /* calls that are not */
    {P("cos\nsystem\nX\2\0\0\0id\x85R."), "os.system('id',)"},
    {P("cos\nsystem\n."), "os.system"},
    {P("ca.b\nC\n)\x81}X\1\0\0\0xK\1sb."), "a.b.C()"},
    {P("ca\nC\n)}X\1\0\0\0xK\1s\x92."), "a.C((), {'x': 1})"},
    {P("ca\nC\n)}\x92."), "a.C()"},
    {P("\x82\5."), "copyreg.extension(5,)"},
    {P("\x83\5\1."), "copyreg.extension(261,)"},
    {P("\x84\5\1\0\0."), "copyreg.extension(261,)"},
    {P("(K\1ia\nC\n."), "a.C(1,)"},
    {P("(ca\nC\nK\1o."), "a.C(1,)"},
    {P("cbuiltins\ngetattr\ncos\nsystem\nX\1\0\0\0x\x86RK\1\x85R."),
     "operator.call(builtins.getattr(os.system, 'x'), 1)"},
    {P("ccopy_reg\n_reconstructor\n(ca\nC\nc__builtin__\nobject\nNtR."), "a.C()"},
    {P("ccopy_reg\n_reconstructor\n(ccollections\nOrderedDict\nc__builtin__\ndict\n}K\1K\2stR."),
     "collections.OrderedDict{1: 2}"},
    {P("ccopyreg\n_reconstructor\n(ca\nI\ncbuiltins\nint\nK\5tR."), "a.I(5,)"},
};

static void check_value(graft_ctx *g, const good *c, size_t i)
{
    graft__value v;
    const graft_status status = read_pickle(g, c->bytes, c->size, &v);
    if (!c->repr) {
        assert_int_equal(status, GRAFT_ERR_FORMAT);
        graft_clear_error(g);
        return;
    }
    if (status)
        fail_msg("%zu: %s: %s", i, c->repr, graft_error(g));
    graft__text text;
    graft__text_init(&text, g);
    graft__value_repr(&text, &v, 1000);
    assert_string_equal(text.data, c->repr);
    graft__text_free(&text);
    graft__value_drop(g, &v);
}

static void test_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        check_value(g, &values[i], i);
    graft_close(g);
}

/* ---- Faults ---- */

typedef struct bad {
    const char *bytes;
    size_t size;
    graft_fault fault;
    int64_t offset;
    const char *words; /* a part of the message */
} bad;

#define OPCODE GRAFT_FAULT_PICKLE_OPCODE
#define STACK GRAFT_FAULT_PICKLE_STACK
#define MEMO GRAFT_FAULT_PICKLE_MEMO
#define VALUE GRAFT_FAULT_PICKLE_VALUE
#define CUT GRAFT_FAULT_TRUNCATED
#define CIRCLE GRAFT_FAULT_PICKLE_RECURSIVE
static const bad faults[] = {
    {P(""), CUT, 0, "ends without its STOP"},
    {P("N"), CUT, 1, "ends without its STOP"},
    {P("N\xff."), OPCODE, 1, "0xff is no opcode"},
    {P("N\x97."), OPCODE, 1, "NEXT_BUFFER wants a buffer"},
    {P("N\x98."), OPCODE, 1, "READONLY_BUFFER wants a buffer"},
    {P("\x80\6."), GRAFT_FAULT_UNSUPPORTED, 0, "protocol 6"},
    {P("\x95\4\0\0\0\0\0\0\0N."), CUT, 0, "FRAME is of 4 bytes, of which 2 are there"},
    {P("\x95\xff\xff\xff\xff\xff\xff\xff\xffN."), CUT, 0, "FRAME is of 18446744073709551615"},
    {P("."), STACK, 0, "STOP wants 1 value on the stack: there are 0"},
    {P("N(."), STACK, 2, "above the last MARK"},
    {P("0"), STACK, 0, "POP wants"},
    {P("1"), STACK, 0, "POP_MARK wants a MARK"},
    {P("2"), STACK, 0, "DUP wants"},
    {P("t"), STACK, 0, "TUPLE wants a MARK"},
    {P("N\x86"), STACK, 1, "TUPLE2 wants 2 values on the stack: there is 1"},
    {P("]a"), STACK, 1, "APPEND wants 2 values"},
    {P("(e"), STACK, 1, "APPENDS wants a list below the values: there is none"},
    {P("((e"), STACK, 2, "APPENDS wants a list"},
    {P("](N(e"), STACK, 4, NULL},
    {P("(K\1d"), STACK, 3, "DICT wants keys and values"},
    {P("}(K\1u"), STACK, 4, "SETITEMS wants keys and values"},
    {P("}NNNs"), VALUE, 4, "SETITEM wants a dict below the values, not None"},
    {P(")Na"), VALUE, 2, "APPEND wants a list below the values, not a tuple"},
    {P("](N\x90"), VALUE, 3, "ADDITEMS wants a set"},
    {P("}]Ns"), VALUE, 3, "SETITEM has a list or dict as a key"},
    {P("}]\x85Ns"), VALUE, 4, "SETITEM has a list or dict as a key"},
    {P("\x8f(]\x90"), VALUE, 3, "ADDITEMS has a list or dict as a key"},
    {P("(}\x91"), VALUE, 2, "FROZENSET has a list or dict as a key"},
    {P("Nh\0"), MEMO, 1, "BINGET wants memo entry 0, which was never put"},
    {P("Nq\1h\0"), MEMO, 3, "BINGET wants memo entry 0"},
    {P("Nj\xff\xff\xff\xff"), MEMO, 1, "4294967295"},
    {P("g7\n"), MEMO, 0, "GET wants memo entry 7"},
    {P("gx\n"), VALUE, 0, "GET has a memo entry that is no number"},
    {P("Np\n"), VALUE, 1, "PUT has a memo entry"},
    {P("Np-1\n"), VALUE, 1, "PUT has a memo entry"},
    {P("q\0"), STACK, 0, "BINPUT wants 1 value"},
    {P("I\n"), VALUE, 0, "INT has a text that is no decimal integer"},
    {P("I012\n"), VALUE, 0, "INT has a text"},
    {P("I0x10\n"), VALUE, 0, "INT has a text"},
    {P("I1 \n"), VALUE, 0, "INT has a text"},
    {P("I-\n"), VALUE, 0, "INT has a text"},
    {P("L1LL\n"), VALUE, 0, "LONG has a text"},
    {P("L\n"), VALUE, 0, "LONG has a text"},
    {P("F\n"), VALUE, 0, "FLOAT has a text that is no number"},
    {P("F1e\n"), VALUE, 0, "FLOAT has a text"},
    {P("F0x1p3\n"), VALUE, 0, "FLOAT has a text"},
    {P("F1 \n"), VALUE, 0, "FLOAT has a text"},
    {P("F.\n"), VALUE, 0, "FLOAT has a text"},
    {P("F1\0\n"), VALUE, 0, "FLOAT has a text"},
    {P("I1"), CUT, 0, "INT is cut off"},
    {P("K"), CUT, 0, "BININT1 is cut off"},
    {P("Sabc\n"), VALUE, 0, "STRING has a text without quotes"},
    {P("S'\n"), VALUE, 0, "STRING has a text without quotes"},
    {P("S'a\"\n"), VALUE, 0, "STRING has a text without quotes"},
    {P("S'\\'\n"), VALUE, 0, "STRING has a backslash that begins nothing"},
    {P("S'\\x1'\n"), VALUE, 0, "STRING has a backslash"},
    {P("V\\u12\n"), VALUE, 0, "UNICODE has an escape that is no character"},
    {P("V\\U00110000\n"), VALUE, 0, "UNICODE has an escape"},
    {P("X\1\0\0\0\xff."), VALUE, 0, "BINUNICODE has a text that is not UTF-8"},
    {P("X\2\0\0\0\xc0\x80."), VALUE, 0, "not UTF-8"},
    {P("X\3\0\0\0\xe0\x80\x80."), VALUE, 0, "not UTF-8"},
    {P("X\4\0\0\0\xf4\x90\x80\x80."), VALUE, 0, "not UTF-8"},
    {P("X\1\0\0\0\xc3."), VALUE, 0, "not UTF-8"},
    {P("X\xff\xff\xff\xff"
       "abc"),
     CUT, 0, "BINUNICODE has a text of 4294967295 bytes, of which 3"},
    {P("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
       "abc"),
     CUT, 0, "18446744073709551615 bytes"},
    {P("B\xff\xff\xff\x7f"
       "abc"),
     CUT, 0, "BINBYTES has a text of 2147483647"},
    {P("T\xff\xff\xff\xff"
       "abc"),
     CUT, 0, "BINSTRING"},
    {P("\x8b\xff\xff\xff\x3f"
       "abc"),
     CUT, 0, "LONG4 has a text of 1073741823 bytes"},
    {P("cos\n\n."), VALUE, 0, "GLOBAL names a class by a text that is empty"},
    {P("c\nsystem\n."), VALUE, 0, "GLOBAL names a class"},
    {P("co\x1bs\nsystem\n."), VALUE, 0, "GLOBAL names a class"},
    {P("cos\nsys\xfftem\n."), VALUE, 0, "GLOBAL names a class"},
    {P("cos"), CUT, 0, "GLOBAL is cut off"},
    {P("NN\x93"), VALUE, 2, "STACK_GLOBAL wants two strings"},
    {P("NNR"), VALUE, 2, "REDUCE wants a tuple of arguments"},
    {P("N)R"), VALUE, 2, "REDUCE calls something that is no class or function"},
    {P("]])\x81"), VALUE, 3, "NEWOBJ calls something that is no class"},
    {P("N)N\x92"), VALUE, 3, "NEWOBJ_EX wants"},
    {P("(o"), STACK, 1, "OBJ wants a class above its MARK"},
    {P("(K\1)o"), VALUE, 4, "OBJ calls something"},
    {P("KK\1b"), VALUE, 3, NULL},
    {P("N)b"), VALUE, 2, "BUILD gives None a state"},
    {P("]}b"), VALUE, 2, "BUILD gives a list a state"},
    {P("}}b"), VALUE, 2, "BUILD gives a dict a state"},
    {P("ca\nC\nNbNb"), VALUE, 8, "BUILD gives one object two states"},
    {P("ca\nC\nNb}b"), VALUE, 8, "BUILD gives fields to an object whose state is no dict"},
    {P("cbuiltins\nset\n]]a\x85R"), VALUE, 18, "a list or dict as a key"},
    {P("c_codecs\nencode\nX\3\0\0\0\xe2\x82\xacX\6\0\0\0latin1\x86R"), VALUE, 36, "Latin-1"},
    {P("]q\0h\0a."), CIRCLE, 1, "contains itself"},
    {P("](2e0]2ea."), CIRCLE, 0, NULL},
    {P("]2a."), CIRCLE, 1, "contains itself"},
    {P("}q\0K\1h\0s."), CIRCLE, 1, "contains itself"},
    {P("]q\0h\0\x85"
       "a."),
     CIRCLE, 1, "contains itself"},
    {P("]q\0]h\0aa."), CIRCLE, 1, "contains itself"},
    {P("]q\0h\0a0N."), CIRCLE, 1, "contains itself"}, /* which nobody holds at the end */
    {P("ca\nC\n)\x81q\0}X\1\0\0\0xh\0sb."), CIRCLE, 7, "contains itself"},
    {P("ca\nC\n)\x81q\0h\0b."), CIRCLE, 7, "contains itself"},
    {P("}q\0h\0\x85Ns."), VALUE, 7, NULL},
};

static void check_fault(graft_ctx *g, const bad *c, size_t i)
{
    graft__value v;
    const graft_status status = read_pickle(g, c->bytes, c->size, &v);
    if (status != GRAFT_ERR_FORMAT)
        fail_msg("%zu (%s): status %d", i, c->words ? c->words : "", status);
    assert_int_equal(v.kind, GRAFT_VALUE_NONE);
    if (!c->words) { /* that it fails, and how, is enough */
        graft_clear_error(g);
        return;
    }
    if (graft_error_fault(g) != c->fault || graft_error_offset(g) != c->offset)
        fail_msg("%zu: %s: at %lld, expected %s at %lld", i, graft_error(g),
                 (long long)graft_error_offset(g), graft_fault_name(c->fault),
                 (long long)c->offset);
    assert_error_has(g, GRAFT_ERR_FORMAT, c->words);
}

static void test_faults(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        check_fault(g, &faults[i], i);
    graft_close(g);
}

static void test_message(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__value v;
    read_pickle(g, P("]0N)s."), &v);
    assert_error(g, GRAFT_ERR_FORMAT,
                 "load: a.pt: data.pkl: byte 4: SETITEM wants 3 values on the stack: there are 2 "
                 "(PickleStack)");
    graft__reading r = reading_of(g, 1);
    size_t at = 0;
    assert_int_equal(graft__pickle_read(&r, NULL, (const unsigned char *)"Pa\n.", 4, &at, &v),
                     GRAFT_ERR_FORMAT);
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_PICKLE_OPCODE);
    graft_close(g);
}

/* ---- Several pickles in a row ---- */

static void test_row(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static const char bytes[] = "K\1.]K\2a.K\3.";
    graft__reading r = reading_of(g, sizeof bytes);
    graft__value v;
    size_t at = 0;
    assert_int_equal(graft__pickle_read(&r, NULL, (const unsigned char *)bytes, 10, &at, &v), 0);
    assert_int_equal(v.integer, 1);
    assert_int_equal(at, 3);
    assert_int_equal(graft__pickle_read(&r, NULL, (const unsigned char *)bytes, 10, &at, &v), 0);
    assert_int_equal(v.kind, GRAFT_VALUE_LIST);
    assert_int_equal(at, 8);
    graft__value_drop(g, &v);
    assert_int_equal(graft__pickle_read(&r, NULL, (const unsigned char *)bytes, 10, &at, &v),
                     GRAFT_ERR_FORMAT);
    assert_int_equal(graft_error_offset(g), 10);
    graft_close(g);
}

/* ---- Shapes of what was read ---- */

static graft_dict *read_dict(graft_ctx *g, const char *bytes, size_t size)
{
    graft__value v;
    if (read_pickle(g, bytes, size, &v))
        fail_msg("%s", graft_error(g));
    assert_true(graft__is_nested(v.kind));
    return v.dict;
}

static void test_shared_stays_shared(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = read_dict(g, P("(]q\0h\0K\5q\1h\1t."));
    assert_int_equal(d->count, 4);
    assert_ptr_equal(d->entry[0].value.dict, d->entry[1].value.dict);
    assert_int_equal(d->entry[3].value.integer, 5);
    graft__dict_unref(d);
    graft_close(g);
}

static void test_record(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = read_dict(g, P("ca.b\nC\nK\1\x85\x81}X\1\0\0\0xK\2sb(K\7K\7e}X\1\0\0\0yK\3sb"
                                   "X\1\0\0\0kK\4s."));
    assert_int_equal(graft_dict_container(d), GRAFT_VALUE_RECORD);
    assert_string_equal(graft_dict_class(d), "a.b.C");
    assert_int_equal(d->module_length, 3);
    assert_int_equal(d->making, GRAFT__MADE_BY_NEW);
    assert_int_equal(graft_dict_int_at(graft_dict_args(d), 0), 1);
    const graft_dict *fields = graft_dict_attributes(d);
    assert_int_equal(graft_dict_len(fields), 2); /* of both states */
    assert_int_equal(graft_dict_int_at(fields, graft_dict_find(fields, "x")), 2);
    assert_int_equal(graft_dict_int_at(fields, graft_dict_find(fields, "y")), 3);
    assert_int_equal(graft_dict_len(d), 3); /* what was appended and set */
    assert_int_equal(graft_dict_int_at(d, graft_dict_find(d, "k")), 4);
    graft__dict_unref(d);

    d = read_dict(g, P("ca\nC\n)\x81}X\1\0\0\0xK\2s}X\1\0\0\0yK\3s\x86"
                       "b."));
    fields = graft_dict_attributes(d);
    assert_int_equal(graft_dict_len(fields), 2); /* __dict__ and __slots__ */
    graft__dict_unref(d);

    d = read_dict(g, P("ca\nC\n)\x81N}X\1\0\0\0yK\3s\x86"
                       "b."));
    assert_int_equal(graft_dict_len(graft_dict_attributes(d)), 1);
    graft__dict_unref(d);

    d = read_dict(g, P("ca\nC\n)\x81K\5b."));
    fields = graft_dict_attributes(d);
    assert_int_equal(graft_dict_container(fields), GRAFT_VALUE_TUPLE);
    assert_int_equal(graft_dict_int_at(fields, 0), 5);
    graft__dict_unref(d);

    d = read_dict(g, P("ccollections\nOrderedDict\n)R}X\t\0\0\0_metadataK\1sb."));
    assert_int_equal(graft_dict_container(d), GRAFT_VALUE_DICT);
    assert_int_equal(graft_dict_find(graft_dict_attributes(d), "_metadata"), 0);
    graft__dict_unref(d);

    d = read_dict(g, P("ccollections\ndefaultdict\ncos\nsystem\n\x85R."));
    assert_string_equal(graft_dict_class(graft_dict_args(d)->entry[0].value.dict), "os.system");
    graft__dict_unref(d);
    graft_close(g);
}

/* ---- NumPy ---- */

#define ARRAY                                                                                      \
    "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85"                              \
    "C\1btR"
#define DTYPE(code, order)                                                                         \
    "cnumpy\ndtype\nX\2\0\0\0" code "\x89\x88\x87R(K\3X\1\0\0\0" order "NNNJ\xff\xff\xff\xffJ\xff" \
    "\xff\xff\xffK\0tb"

static void test_numpy(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    /* in the memo it is the tensor too; big-endian, Fortran order */
    graft_dict *d = read_dict(g, P("(" ARRAY "q\1(K\1K\2K\3\x86" DTYPE(
                                     "i2", ">") "\x88"
                                                "C\x0c\0\1\0\2\0\3\0\4\0\5\0\6tbh\1t."));
    assert_int_equal(d->count, 2);
    assert_int_equal(d->entry[0].value.kind, GRAFT_VALUE_TENSOR);
    assert_ptr_equal(d->entry[0].value.tensor, d->entry[1].value.tensor);
    const graft_tensor *t = d->entry[0].value.tensor;
    assert_int_equal(t->dtype, GRAFT_I16);
    assert_elements(t, (double[]){1, 3, 5, 2, 4, 6}, 6);
    graft__dict_unref(d);

    d = read_dict(g, P(ARRAY "(K\1)" DTYPE("b1", "|") "\x89"
                                                      "C\1\2tb\x85."));
    assert_elements(d->entry[0].value.tensor, (double[]){1}, 1);
    graft__dict_unref(d);

    /* objects stay a record with its state */
    d = read_dict(g, P(ARRAY "(K\1K\1\x85" DTYPE("O8", "|") "\x89]K\7atb."));
    assert_int_equal(graft_dict_container(d), GRAFT_VALUE_RECORD);
    assert_int_equal(graft_dict_len(graft_dict_attributes(d)), 1);
    graft__dict_unref(d);

    d = read_dict(
        g,
        P("(cnumpy.core.multiarray\nscalar\nq\1" DTYPE("f4", "<") "C\4\0\0\xc0\x3f\x86Rh\1" DTYPE(
            "u8", ">") "C\x08\xff\xff\xff\xff\xff\xff\xff\xff"
                       "\x86Rh\1" DTYPE("f2", "<") "C\2\0\x3e\x86Rt."));
    assert_true(d->entry[0].value.real == 1.5);
    assert_int_equal(d->entry[1].value.kind, GRAFT_VALUE_BIG_INT);
    assert_string_equal(graft_dict_string_at(d, 1), "18446744073709551615");
    assert_true(d->entry[2].value.real == 1.5);
    graft__dict_unref(d);

    graft__value v;
    assert_int_equal(read_pickle(g,
                                 P(ARRAY "(K\1K\2\x85" DTYPE("f4", "<") "\x89"
                                                                        "C\1\2tb."),
                                 &v),
                     GRAFT_ERR_FORMAT);
    assert_error_has(g, GRAFT_ERR_FORMAT, "of shape [2] and 4 bytes an element, with 1 bytes");
    assert_int_equal(read_pickle(g,
                                 P(ARRAY "(K\1J\xff\xff\xff\xff\x85" DTYPE("f4", "<") "\x89"
                                                                                      "C\1\2tb."),
                                 &v),
                     GRAFT_ERR_FORMAT);
    assert_error_has(g, GRAFT_ERR_FORMAT, "with a shape that is none");
    graft_close(g);
}

/* ---- Damage ---- */

/* Much of what there is in one pickle. */
static const char all[] =
    "\x80\2}q\0(X\1\0\0\0ccollections\nOrderedDict\nq\1)Rq\2(X\1\0\0\0wK\1u}"
    "X\1\0\0\0mNsbX\1\0\0\0a" ARRAY
    "q\7(K\1K\2\x85" DTYPE("f4", "<") "\x89"
                                      "C\x08\0\0\xc0\x3f\0\0\xc0\x3ftb"
                                      "K\5h\7K\6h\1)\x81K\7ca\nC\n)\x81}X\1\0\0\0x]q\3("
                                      "K\1G\x3f\xf8\0\0\0\0\0\0h\2esbK\x08h\3"
                                      "K\x09\x8a\x09\0\0\0\0\0\0\0\x80\0K\x0a(K\1K\2\x91K\x0b("
                                      "I5\nV\\u20ac\nS'a'\nL7L\nF1.5\ntQ"
                                      "K\x0c(K\1ios\nsystem\nK\x0d\x82\1u.";

static void test_cut_off(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__value v;
    assert_int_equal(read_pickle(g, all, sizeof all - 1, &v), GRAFT_OK);
    graft__value_drop(g, &v);
    for (size_t size = 0; size < sizeof all - 1; size++) {
        char *exact = malloc(size ? size : 1); /* so that the sanitizer sees one byte too many */
        assert_non_null(exact);
        memcpy(exact, all, size);
        assert_int_equal(read_pickle(g, exact, size, &v), GRAFT_ERR_FORMAT);
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_TRUNCATED);
        graft_clear_error(g);
        free(exact);
    }
    graft_close(g);
}

/* Whatever it is then, it is read or refused, and nothing is left. */
static void read_changed(graft_ctx *g, const char *bytes, size_t size, size_t *good_ones)
{
    graft_memory before, after;
    graft__value v;
    graft_memory_stats(g, &before);
    char *exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    const graft_status status = read_pickle(g, exact, size, &v);
    free(exact);
    if (status)
        assert_int_equal(status, GRAFT_ERR_FORMAT);
    graft_clear_error(g);
    *good_ones += status == GRAFT_OK;
    graft__value_drop(g, &v);
    graft_memory_stats(g, &after);
    assert_int_equal(after.in_use, before.in_use);
}

static void test_bits(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char bytes[sizeof all - 1];
    size_t good_ones = 0;
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        memcpy(bytes, all, sizeof bytes);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        read_changed(g, bytes, sizeof bytes, &good_ones);
    }
    assert_in_range(good_ones, 100, 8 * sizeof bytes - 100);
    graft_close(g);
}

/* Pickles of opcodes put together by chance, which make circles and odd calls. */
static void test_chance(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } parts[] = {
        {P("(")},
        {P("]")},
        {P("}")},
        {P(")")},
        {P("\x8f")},
        {P("N")},
        {P("K\1")},
        {P("X\1\0\0\0a")},
        {P("a")},
        {P("e")},
        {P("s")},
        {P("u")},
        {P("t")},
        {P("l")},
        {P("d")},
        {P("\x85")},
        {P("\x86")},
        {P("\x87")},
        {P("\x90")},
        {P("\x91")},
        {P("2")},
        {P("0")},
        {P("1")},
        {P("q\0")},
        {P("h\0")},
        {P("q\1")},
        {P("h\1")},
        {P("\x94")},
        {P("h\2")},
        {P("R")},
        {P("\x81")},
        {P("b")},
        {P("o")},
        {P("\x92")},
        {P("\x93")},
        {P("ca\nC\n")},
        {P("ccollections\nOrderedDict\n")},
        {P("cbuiltins\nlist\n")},
        {P("cbuiltins\ntuple\n")},
        {P("cbuiltins\nset\n")},
        {P("ccopyreg\n_reconstructor\n")},
        {P("cbuiltins\ndict\n")},
        {P("ccollections\ndefaultdict\n")},
        {P("Q")},
        {P("cnumpy.core.multiarray\n_reconstruct\n)R")},
    };
    graft_ctx *g = test_open();
    uint64_t random = 1;
    size_t good_ones = 0;
    const int runs = test_quick() ? 500 : 60000;
    for (int run = 0; run < runs; run++) {
        char bytes[1024];
        size_t size = 0;
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        for (unsigned left = 2 + (unsigned)(random >> 60); left > 0; left--) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            const size_t part = (size_t)(random >> 33) % (sizeof parts / sizeof *parts);
            memcpy(bytes + size, parts[part].bytes, parts[part].size);
            size += parts[part].size;
        }
        bytes[size++] = '.';
        read_changed(g, bytes, size, &good_ones);
    }
    assert_true(good_ones > (size_t)runs / 50);
    graft_close(g);
}

/* ---- Memory ---- */

static void read_all(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft__value v;
    if (read_pickle(g, all, sizeof all - 1, &v))
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft__value_drop(g, &v);
    graft_close(g);
}

static void read_circle(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft__value v;
    assert_true(read_pickle(g, P("]q\0(h\0}q\1K\1h\1s(h\0h\1tca\nC\n)\x81q\2h\2be."), &v));
    assert_int_equal(v.kind, GRAFT_VALUE_NONE);
    graft_close(g);
}

static void test_no_memory(void **state)
{
    (void)state;
    failing_allocator_sweep(read_all, NULL);
    failing_allocator_sweep(read_circle, NULL);
}

/* ---- Bombs ---- */

typedef struct bytes {
    char *data;
    size_t size, capacity;
} bytes;

static void add(bytes *b, const char *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->data = realloc(b->data, b->capacity);
        assert_non_null(b->data);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void add_times(bytes *b, const char *data, size_t size, size_t times)
{
    while (times-- > 0)
        add(b, data, size);
}

/* Reads it, expecting the fault (or success), and that it took no more than so much memory for each
 * byte. Frees it. */
static void bomb(bytes *b, graft_fault fault, size_t times_size)
{
    graft_ctx *g = test_open();
    graft_memory before, after;
    graft_memory_stats(g, &before);
    graft__value v;
    const graft_status status = read_pickle(g, b->data, b->size, &v);
    graft_memory_stats(g, &after);
    if (graft_error_fault(g) != fault)
        fail_msg("%s", graft_error(g) ? graft_error(g) : "it was read");
    assert_int_equal(status == GRAFT_OK, fault == GRAFT_FAULT_NONE);
    const size_t limit = ((size_t)1 << 20) + times_size * b->size;
    if (after.peak - before.in_use > limit)
        fail_msg("%zu bytes for %zu", after.peak - before.in_use, b->size);
    graft__value_drop(g, &v);
    graft_memory_stats(g, &after);
    assert_int_equal(after.in_use, before.in_use);
    graft_close(g);
    free(b->data);
}

static size_t many(void)
{
    return test_quick() ? 2000 : 1000000;
}

static void test_deep(void **state)
{
    (void)state;
    bytes lists = {NULL, 0, 0}, tuples = lists, fits = lists, marks = lists, keys = lists;
    add_times(&lists, P("]"), many());
    add_times(&lists, P("a"), many() - 1);
    add(&lists, P("."));
    bomb(&lists, GRAFT_FAULT_LIMIT, 700);
    add(&tuples, P("N"));
    add_times(&tuples, P("\x85"), many());
    add(&tuples, P("."));
    bomb(&tuples, GRAFT_FAULT_LIMIT, 700);
    add_times(&fits, P("]"), 1000);
    add_times(&fits, P("a"), 999);
    add(&fits, P("."));
    bomb(&fits, GRAFT_FAULT_NONE, 2000);
    add_times(&marks, P("("), many());
    add(&marks, P("N."));
    bomb(&marks, GRAFT_FAULT_NONE, 64);
    add(&keys, P("}N"));
    add_times(&keys, P("\x85"), many());
    add(&keys, P("Ns."));
    bomb(&keys, GRAFT_FAULT_PICKLE_VALUE, 700);
}

/* Lists of the list before, twice: 2^n of them if one counts each way to them. */
static void test_laughs(void **state)
{
    (void)state;
    bytes b = {NULL, 0, 0}, keys = b;
    add(&b, P("]"));
    for (int i = 0; i < 200; i++) {
        const char put[] = {'q', (char)i, '0', ']', 'h', (char)i, 'a', 'h', (char)i, 'a'};
        add(&b, put, sizeof put);
    }
    add(&b, P("."));
    bomb(&b, GRAFT_FAULT_NONE, 2000);
    add(&keys, P("}K\1"));
    for (int i = 0; i < 100; i++)
        add(&keys, P("2\x86"));
    add(&keys, P("Ns."));
    bomb(&keys, GRAFT_FAULT_PICKLE_VALUE, 3000);
}

/* Objects, tuples that begin alike, NaN, (NaN,), complex numbers, tuples with tuples inside. */
static void add_key(bytes *b, int kind, size_t i)
{
    const char number[] = {'M', (char)(i & 0xff), (char)(i >> 8)};
    static const char *const before[] = {"h\1)\x81", "N", "h\2", "h\2\x85", "h\3", "N)", "N"};
    static const char *const behind[] = {"", "\x86", "", "", "K\1\x86R", "\x87", "\x85\x86"};
    add(b, before[kind], strlen(before[kind]));
    if (behind[kind][0])
        add(b, number, sizeof number);
    add(b, behind[kind], strlen(behind[kind]));
}

/* Keys that a poor hash would take for one: each would be compared with all before. */
static void test_keys_alike(void **state)
{
    (void)state;
    for (int kind = 0; kind < 7; kind++) {
        bytes b = {NULL, 0, 0};
        const size_t count = test_quick() ? 1000 : 60000;
        add(&b, P("ca\nC\nq\1G\x7f\xf8\0\0\0\0\0\0q\2cbuiltins\ncomplex\nq\3}("));
        for (size_t i = 0; i < count; i++) {
            add_key(&b, kind, i);
            add(&b, P("N"));
        }
        add(&b, P("u."));
        bomb(&b, GRAFT_FAULT_NONE, 1000);
    }
}

/* A long text, or a large list, in many copies. */
static void test_copies(void **state)
{
    (void)state;
    bytes b = {NULL, 0, 0}, calls = b;
    const uint32_t length = 1 << 20;
    const char head[] = {'X', (char)length, (char)(length >> 8), (char)(length >> 16),
                         (char)(length >> 24)};
    add(&b, P("]("));
    add(&b, head, sizeof head);
    add_times(&b, P("a"), length);
    add(&b, P("q\0"));
    add_times(&b, P("h\0"), 10000);
    add(&b, P("e."));
    bomb(&b, GRAFT_FAULT_LIMIT, 500);
    add(&calls, P("]("));
    add_times(&calls, P("N"), many());
    add(&calls, P("eq\0cbuiltins\nlist\nq\1]("));
    add_times(&calls, P("h\1h\0\x85R"), 1000);
    add(&calls, P("e."));
    bomb(&calls, GRAFT_FAULT_LIMIT, 20000);
}

static void test_numbers_far_out(void **state)
{
    (void)state;
    bytes memo = {NULL, 0, 0}, longs = memo, too_long = memo, digits = memo;
    add(&memo, P("Nr\xff\xff\xff\xffj\xff\xff\xff\xffr\xfe\xff\xff\xfej\xfe\xff\xff\xfe"
                 "p18446744073709551615\ng18446744073709551615\n."));
    bomb(&memo, GRAFT_FAULT_NONE, 100);
    add(&longs, P("\x8b\0\4\0\0"));
    add_times(&longs, P("\x7f"), 1024);
    add(&longs, P("."));
    bomb(&longs, GRAFT_FAULT_NONE, 100);
    add(&too_long, P("\x8b\0\0\0\1"));
    add_times(&too_long, P("\x7f"), 1 << 24);
    add(&too_long, P("."));
    bomb(&too_long, GRAFT_FAULT_LIMIT, 100);
    add(&digits, P("L"));
    add_times(&digits, P("9"), 1000000);
    add(&digits, P("\n."));
    bomb(&digits, GRAFT_FAULT_LIMIT, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_shared_stays_shared),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_numpy),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_laughs),
        cmocka_unit_test(test_keys_alike),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_numbers_far_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
