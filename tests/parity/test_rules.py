"""Rules on names beside what re says of them, whatever comes; and rules that lead back."""

import random
import re

import pytest
import torch

import graft
from graft import lib, text


def to_dict(g, tensors):
    d = g.dict_new()
    for name, tensor in tensors.items():
        g.dict_set_tensor(d, name, tensor)
    return d


def from_dict(g, d):
    return {text(lib.graft_dict_key(d, i)): g.torch(g.dict_tensor_at(d, i)).clone()
            for i in range(lib.graft_dict_len(d))}


def parsed(g, lines):
    return g.rules_parse("\n".join(lines))


def applied(g, tensors, rules):
    """What the rules make of the tensors."""
    plan = g.plan_into_dict(None, to_dict(g, tensors), rules, None)
    return from_dict(g, g.plan_result(plan))


def named(names):
    """A tensor for each name, which tells where it came from."""
    return {name: torch.tensor([float(i)]) for i, name in enumerate(names)}


def result_names(g, names, lines):
    """The old and new names of what is left, in order."""
    origin = list(names)
    return [(origin[int(t[0])], name)
            for name, t in applied(g, named(names), parsed(g, lines)).items()]


def quoted(word):
    """A word as a rule may have it: at times quoted without need."""
    if word == "" or re.search(r"\s|'", word) or word[0] == "#" or '"' in word:
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"'{word}'" if len(word) % 3 == 0 else word


def random_names(r, count):
    alphabet = r.choice(["ab", "ab.", "a.01", "qkv.01h"])
    names = {"".join(r.choice(alphabet) for _ in range(r.randint(1, 9))) for _ in range(count)}
    return sorted(names, key=lambda _: r.random())


# ---- Globs and patterns, made together with a regex that means the same

def random_glob(r, depth=2):
    pieces = []
    for _ in range(r.randint(1, 4)):
        kind = r.choice(["text", "text", "*", "?", "set", "not", "braces"])
        if kind == "text":
            literal = "".join(r.choice("ab.01qkvh") for _ in range(r.randint(0, 2)))
            pieces.append((literal, re.escape(literal)))
        elif kind == "*":
            pieces.append(("*", ".*"))
        elif kind == "?":
            pieces.append(("?", "."))
        elif kind in ("set", "not"):
            inner = r.choice(["ab", "a-h", "0-1", ".", "]a", "*", "{,"])
            mark = "!" if kind == "not" else ""
            escaped = inner.replace("]", r"\]")
            pieces.append((f"[{mark}{inner}]", f"[{'^' if mark else ''}{escaped}]"))
        elif depth > 0:
            inner = [random_glob(r, depth - 1) for _ in range(r.randint(1, 3))]
            pieces.append(("{" + ",".join(i[0] for i in inner) + "}",
                           "(?:" + "|".join(i[1] for i in inner) + ")"))
    return "".join(p[0] for p in pieces), "".join(p[1] for p in pieces)


@pytest.mark.parametrize("seed", range(60))
def test_globs(seed):
    r = random.Random(seed)
    names = random_names(r, 30)
    with graft.Context() as g:
        for _ in range(10):
            globs = [pair for pair in (random_glob(r) for _ in range(r.randint(1, 2))) if pair[0]]
            if not globs:
                continue
            matches = [n for n in names
                       if any(re.fullmatch(regex, n, re.DOTALL) for _, regex in globs)]
            words = " ".join(quoted(pattern) for pattern, _ in globs)
            assert result_names(g, names, [f"take {words}"]) == [(n, n) for n in matches], words
            left = [n for n in names if n not in matches]
            assert result_names(g, names, [f"skip {words}"]) == [(n, n) for n in left], words


def star_pattern(r, stars=None):
    pieces = [r.choice(["", "a", "b", ".", "a.", "0"]) for _ in range((stars or r.randint(0, 3)) + 1)]
    return "*".join(pieces) or "a"


def mapped(pattern, to, name):
    """The name that the second pattern makes of one like the first; None: it is not."""
    match = re.fullmatch(re.escape(pattern).replace(r"\*", "(.*?)"), name, re.DOTALL)
    stars = iter(match.groups() if match else ())
    return "".join(next(stars) if c == "*" else c for c in to) if match else None


# ---- Sequences of rules on names: each is a line and what it does, or raises Refused

class Refused(Exception):
    pass


def each(change):
    def do(items):
        result = [(origin, change(name)) for origin, name in items]
        if len({n for _, n in result}) < len(result) or any(n == "" for _, n in result):
            raise Refused
        return result
    return do


def rule_strip(r):
    prefix = r.choice(["a", "a.", "b", "h.", "ab"])
    return f"strip {prefix}", each(lambda n: n.removeprefix(prefix))


def rule_add(r):
    pattern, regex = random_glob(r)
    prefix = r.choice(["a", "x.", "h."])
    if not pattern:
        return f"add {prefix}", each(lambda n: prefix + n)
    return (f"add {prefix} {quoted(pattern)}",
            each(lambda n: prefix + n if re.fullmatch(regex, n, re.DOTALL) else n))


def rule_map(r):
    pattern = star_pattern(r)
    to = star_pattern(r, r.randint(0, pattern.count("*")) or None)
    if to.count("*") > pattern.count("*"):
        to = to.replace("*", "")or "z"
    return (f"map {quoted(pattern)} {quoted(to)}",
            each(lambda n: n if mapped(pattern, to, n) is None else mapped(pattern, to, n)))


def rule_rename(r):
    pieces, groups = [], 0
    for _ in range(r.randint(1, 3)):
        body = r.choice(["a", "b", r"\.", "[0-9]+", "[a-k]+", "[ab]*", "a{1,2}", "."])
        if r.random() < 0.5:
            body, groups = f"({body})", groups + 1
        pieces.append(body)
    regex = r.choice(["", "", "^"]) + "".join(pieces) + r.choice(["", "", "$"])
    to = "".join(r.choice(["a", ".", r"\\", r"\0", *(rf"\{k + 1}" for k in range(groups))])
                 for _ in range(r.randint(0, 3)))

    def change(name):
        def new(match):
            return re.sub(r"\\(.)", lambda m: "\\" if m[1] == "\\" else match[int(m[1])] or "", to)
        return re.sub(regex, new, name, count=1, flags=re.DOTALL)
    return f"rename {quoted(regex)} {quoted(to)}", each(change)


def rule_stack(r):
    ranges = [(f, f + r.randint(0, 1)) for f in (r.randint(0, 1) for _ in range(r.randint(1, 3)))]
    prefix = r.choice(["h.", "a.", "a", "q"])
    numbered = re.compile(re.escape(prefix) + (r"\.?" if prefix[-1] != "." else "") +
                          r"(0|[1-9][0-9]{0,4})(?=\.|\Z)")

    def do(items):
        layers, place = {}, None
        rest = []
        for item in items:
            match = numbered.match(item[1])
            if match:
                place = len(rest) if place is None else place
                layers.setdefault(int(match[1]), []).append((item, match))
            else:
                rest.append(item)
        if place is None:
            return items
        made = []
        for new, old in enumerate(k for f, last in ranges for k in range(f, last + 1)):
            if old not in layers:
                raise Refused
            made += [(origin, name[:m.start(1)] + str(new) + name[m.end(1):])
                     for (origin, name), m in layers[old]]
        return each(lambda n: n)(rest[:place] + made + rest[place:])
    return f"stack {prefix} " + " ".join(f"{f}-{last}" for f, last in ranges), do


def rule_take(r):
    pattern, regex = random_glob(r)
    if not pattern:
        return "take *", lambda items: items
    return (f"take * {quoted(pattern)}" if r.random() < 0.3 else f"skip {quoted(pattern)}",
            None, regex)


NAMING = [rule_strip, rule_add, rule_map, rule_rename, rule_stack, rule_take]


def random_naming(r):
    made = r.choice(NAMING)(r)
    if len(made) == 2:
        return made
    line, _, regex = made
    if line.startswith("take"):
        return line, lambda items: items
    return line, lambda items: [i for i in items if not re.fullmatch(regex, i[1], re.DOTALL)]


@pytest.mark.parametrize("seed", range(400))
def test_sequences(seed):
    r = random.Random(seed)
    names = random_names(r, r.randint(1, 12))
    items, lines = [(n, n) for n in names], []
    with graft.Context() as g:
        for _ in range(r.randint(1, 6)):
            line, do = random_naming(r)
            lines.append(line)
            try:
                items = do(items)
            except Refused:
                with pytest.raises(graft.GraftError, match=re.escape("(by the rule: ")) as error:
                    result_names(g, names, lines)
                assert error.value.status == "GRAFT_ERR_NAME", lines
                return
            assert result_names(g, names, lines) == items, lines


# ---- There and back

def random_model(r):
    tensors = {"embed": torch.randn(4, 2)}
    for layer in range(r.randint(1, 3)):
        for part in "qkv":
            tensors[f"h.{layer}.{part}.w"] = torch.randn(4, 6)
        tensors[f"h.{layer}.qkv.b"] = torch.randn(12)
        tensors[f"h.{layer}.mlp"] = torch.randn(2, 3, 4)
    return tensors


def invertible(r, fresh):
    """Lines on the names that random_model makes, and what becomes of the prefix h. there."""
    other = f"n{fresh}"
    divide = r.choice(["", " divide"])
    groups = r.choice(["", " groups=2"])
    return r.choice([
        [f"add {other}.", f"strip {other}."],
        [f"add {other}. embed"],
        [f"map *.mlp *.{other}", f"map *.{other} *.mlp"],
        [f"map embed {other}"],
        [rf"rename '^(.*)h\.([0-9]+)\.' '\1{other}[\2]h.'", rf"rename '{other}[[]([0-9]+)\]h\.' 'h.\1.'"],
        [rf"rename '\.b$' '.{other}\\'", rf"rename '\.{other}\\$' .b"],
        [f"permute *.mlp {r.choice(['1 2 0', '2 0 1', '-1 0 1', '0 2 1'])}"],
        ["transpose *.w", "transpose *.w"],
        ["transpose *.mlp 0 -1"],
        [f"pad *.w {r.randint(-2, 1)} {r.randint(0, 2)} {r.randint(0, 2)} 0.5"],
        [f"repeat *.mlp {r.randint(-3, 2)} 4{divide}"],
        [f"inflate *.w {r.randint(-3, 2)} 2{divide}", f"inflate *.b 1 2{divide}"],
        [f"fuse *.qkv.w 0 *.q.w *.k.w *.v.w{groups}"],
        [f"split *.qkv.b 0 *.q.b *.k.b *.v.b{groups}"],
        ["split *.qkv.b 0 *.x.b *.y.b sizes=4,8"],
        ["ties check", "keep nothing"],
    ])


def meets_something(g, tensors, lines):
    """Whether the rules can be applied, and the last of them meets a tensor: the inverse of one that
    meets none may meet some. (Of a shape that another rule has changed, or parts that are gone.)"""
    try:
        plan = g.plan_into_dict(None, to_dict(g, tensors), parsed(g, lines), None)
    except graft.GraftError:
        return False
    return lines[-1].startswith("keep") or lib.graft_plan_rule_matches(plan, len(lines) - 1) > 0


def assert_same(got, want, about):
    assert got.keys() == want.keys(), about
    for name, value in want.items():
        assert got[name].dtype == value.dtype and torch.equal(got[name], value), (name, about)


@pytest.mark.parametrize("seed", range(200))
def test_there_and_back(seed):
    r = random.Random(seed)
    torch.manual_seed(seed)
    tensors = random_model(r)
    lines = []
    with graft.Context() as g:
        for fresh in range(r.randint(1, 8)):
            for line in invertible(r, fresh):
                if meets_something(g, tensors, lines + [line]):
                    lines.append(line)
        there = applied(g, tensors, parsed(g, lines))
        inverse = g.rules_invert(parsed(g, lines))
        back = applied(g, there, inverse)
        assert_same(back, tensors, lines)
        # The way back leads there again, where it has an inverse itself. (That of an `add` to some
        # names alone does not say to which.)
        if not any(re.match(r"pad|repeat|inflate|add \S+ ", line) for line in lines):
            assert_same(applied(g, back, g.rules_invert(inverse)), there, lines)


# ---- Quantized tensors

def test_quantized_tensors_are_whole(tmp_path):
    q = torch.quantize_per_tensor(torch.randn(3, 4), 0.1, 2, torch.qint8)
    torch.save({"m": {"w": q, "b": torch.ones(2)}}, tmp_path / "q.pt")
    with graft.Context() as g:
        root = g.checkpoint_root(g.checkpoint_open(str(tmp_path / "q.pt"), None))
        plan = g.plan_into_dict(None, root, parsed(g, ["strip m.", "map w v", "dequantise v"]), None)
        got = from_dict(g, g.plan_result(plan))
        assert list(got) == ["v", "b"]
        assert torch.equal(got["v"], q.dequantize()) and torch.equal(got["b"], torch.ones(2))
