"""Random dicts and random rules: what a plan says of every tensor, and what it makes of it, beside a
slow reference in Python."""

import random
import re

import pytest
import torch

import graft
from graft import ffi, lib, text

ACTIONS = ["copied", "cast", "changed", "fused", "split", "tied", "kept", "initial", "conflict"]
USES = ["used", "skipped", "left"]


class Item:
    """A named value, what it is made of, and how: "", "cast" or the verbs of steps."""

    def __init__(self, name, value, sources, steps=()):
        self.name, self.value, self.sources, self.steps = name, value, sources, tuple(steps)

    def renamed(self, name):
        return Item(name, self.value, self.sources, self.steps)

    def changed(self, value, verb):
        return Item(self.name, value, self.sources, self.steps + (verb,))

    def action(self):
        if not self.steps:
            return "copied"
        if self.steps == ("cast",):
            return "cast"
        return "fused" if "fuse" in self.steps else "split" if "split" in self.steps else "changed"


def glob(pattern):
    """A glob as a regular expression: * and ? only."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") + r"\Z", re.DOTALL)


def random_source(r):
    """Names of a few layers, some parts nested, a few ties."""
    tensors = {}
    for layer in range(r.randint(1, 3)):
        for part in r.sample(["q", "k", "v", "fc", "conv"], r.randint(1, 5)):
            rows, columns = (2, 3) if part in "qkv" else (r.randint(1, 4), r.randint(1, 4))
            dtype = r.choice([torch.float32, torch.float32, torch.float64, torch.float16])
            tensors[f"l.{layer}.{part}.weight"] = torch.randn(rows, columns).to(dtype)
            if r.random() < 0.5:
                tensors[f"l.{layer}.{part}.bias"] = torch.randn(rows).to(dtype)
    if r.random() < 0.3:
        tensors["seen"] = torch.tensor(r.randint(0, 99))
    return tensors


# ---- Rules: each makes a line and what it does to a list of items, or None if there is nothing to do

def some_glob(r, items):
    name = r.choice(items).name
    return r.choice([name, "*", "*.weight", "*.bias", "l.0.*", "*" + name[-6:], "nothing.*"])


def rule_take(r, items):
    patterns = [some_glob(r, items) for _ in range(2)]
    return ("take " + " ".join(patterns),
            [i for i in items if any(glob(p).match(i.name) for p in patterns)])


def rule_skip(r, items):
    pattern = some_glob(r, items)
    return f"skip {pattern}", [i for i in items if not glob(pattern).match(i.name)]


def rule_strip(r, items):
    prefix = r.choice(["l.", "l.0.", "x."])
    return (f"strip {prefix}",
            [i.renamed(i.name.removeprefix(prefix)) for i in items])


def rule_add(r, items):
    pattern = some_glob(r, items)
    return (f"add new. {pattern}",
            [i.renamed("new." + i.name) if glob(pattern).match(i.name) else i for i in items])


def rule_map(r, items):
    def name(n):
        match = re.match(r"(.*?)\.weight\Z", n, re.DOTALL)
        return f"w.{match[1]}" if match else n
    return "map *.weight w.*", [i.renamed(name(i.name)) for i in items]


def rule_rename(r, items):
    return (r"rename 'l\.([0-9]+)\.' 'h.\1.layer.'",
            [i.renamed(re.sub(r"l\.([0-9]+)\.", r"h.\1.layer.", i.name, count=1)) for i in items])


def on_matches(r, items, wanted, line, verb, change, idle=lambda t: False):
    """idle: there is nothing to do, and no step is made."""
    pattern = some_glob(r, items)
    matched = [i for i in items if glob(pattern).match(i.name)]
    if not all(wanted(i.value) for i in matched):
        return None
    return (line.format(pattern),
            [i.changed(change(i.value), verb) if i in matched and not idle(i.value) else i
             for i in items])


def rule_transpose(r, items):
    return on_matches(r, items, lambda t: t.ndim == 2, "transpose {}", "transpose",
                      lambda t: t.transpose(0, 1))


def rule_slice(r, items):
    start, end = r.choice([(0, 1), (1, 2)])
    return on_matches(r, items, lambda t: t.ndim > 0 and t.shape[0] >= 2,
                      f"slice {{}} 0 {start} {end}", "slice", lambda t: t[start:end])


def rule_pad(r, items):
    before, after = r.randint(0, 2), r.randint(1, 2)
    def pad(t):
        return torch.cat([t.new_full((before, *t.shape[1:]), 0.5), t,
                          t.new_full((after, *t.shape[1:]), 0.5)])
    return on_matches(r, items, lambda t: t.ndim > 0 and t.is_floating_point(),
                      f"pad {{}} 0 {before} {after} 0.5", "pad", pad)


def rule_repeat(r, items):
    return on_matches(r, items, lambda t: t.ndim > 0, "repeat {} 0 2", "repeat",
                      lambda t: torch.cat([t, t]))


def rule_permute(r, items):
    return on_matches(r, items, lambda t: t.ndim == 2, "permute {} 1 0", "permute",
                      lambda t: t.permute(1, 0))


def rule_reshape(r, items):
    return on_matches(r, items, lambda t: t.ndim > 0 and t.numel() > 0, "reshape {} 1,-1",
                      "reshape", lambda t: t.reshape(1, -1))


def rule_inflate(r, items):
    return on_matches(r, items, lambda t: 0 < t.ndim < 4, "inflate {} 1 2", "inflate",
                      lambda t: torch.stack([t, t], 1))


def rule_resize(r, items):
    size = r.randint(1, 5)
    def resize(t):
        new = t.new_zeros(size, *t.shape[1:])
        new[:min(size, t.shape[0])] = t[:size]
        return new
    return on_matches(r, items, lambda t: t.ndim > 0 and t.is_floating_point(),
                      f"resize {{}} size={size}", "resize", resize, lambda t: t.shape[0] == size)


def rule_cast(r, items):
    pattern = some_glob(r, items)
    if not all(i.value.is_floating_point() for i in items if glob(pattern).match(i.name)):
        return None
    def cast(i):
        if not glob(pattern).match(i.name) or i.value.dtype == torch.bfloat16:
            return i
        return i.changed(i.value.to(torch.bfloat16), "cast")
    return f"cast {pattern} bfloat16", [cast(i) for i in items]


def rule_fuse(r, items):
    """q, k and v of every layer that has them all, where the first of them stood."""
    by_name, result = {i.name: i for i in items}, []
    parts = lambda head: [f"{head}.{p}.weight" for p in "qkv"]
    done = set()
    for i in items:
        match = re.match(r"(.*)\.[qkv]\.weight\Z", i.name, re.DOTALL)
        if not match:
            result.append(i)
            continue
        three = [by_name.get(n) for n in parts(match[1])]
        if None in three or len({(t.value.shape[1:], t.value.dtype) for t in three}) > 1 or \
                any(t.value.ndim == 0 for t in three):
            return None
        if match[1] not in done:
            done.add(match[1])
            result.append(Item(f"{match[1]}.qkv", torch.cat([t.value for t in three]),
                               set().union(*(t.sources for t in three)),
                               sum((t.steps for t in three), ()) + ("fuse",)))
    return "fuse *.qkv 0 *.q.weight *.k.weight *.v.weight", result


def rule_split(r, items):
    result = []
    for i in items:
        if not i.name.endswith(".weight"):
            result.append(i)
            continue
        if i.value.ndim == 0 or i.value.shape[0] % 2:
            return None
        half, head = i.value.shape[0] // 2, i.name.removesuffix(".weight")
        for k, part in enumerate("ab"):
            result.append(i.changed(i.value[k * half:(k + 1) * half], "split")
                          .renamed(f"{head}.{part}"))
    return "split *.weight 0 *.a *.b", result


RULES = [rule_take, rule_skip, rule_strip, rule_add, rule_map, rule_rename, rule_transpose,
         rule_slice, rule_pad, rule_repeat, rule_permute, rule_reshape, rule_inflate, rule_resize,
         rule_cast, rule_fuse, rule_split]


def random_rules(r, items):
    lines = []
    for _ in range(r.randint(0, 5)):
        made = items and r.choice(RULES)(r, items)
        if made and len({i.name for i in made[1]}) == len(made[1]) and \
                all(i.name for i in made[1]):
            lines.append(made[0])
            items = made[1]
    return lines, items


# ---- The library


def to_dict(g, tensors, nested=False):
    d = g.dict_new()
    inner = g.dict_new() if nested else d
    for name, tensor in tensors.items():
        g.dict_set_tensor(inner, name, tensor)
    if nested:
        g.dict_set_dict(d, "nested", inner)
    return d


def from_dict(g, d):
    return {text(lib.graft_dict_key(d, i)): g.torch(g.dict_tensor_at(d, i)).clone()
            for i in range(lib.graft_dict_len(d))}


def parsed(g, lines):
    rules = g.rules_new()
    for line in lines:
        g.rules_add(rules, line)
    return rules


def actions(plan):
    return [(text(lib.graft_plan_name(plan, i)), ACTIONS[lib.graft_plan_action_of(plan, i)])
            for i in range(lib.graft_plan_len(plan))]


def uses(plan):
    return {text(lib.graft_plan_source_name(plan, i)): USES[lib.graft_plan_source_use(plan, i)]
            for i in range(lib.graft_plan_source_len(plan))}


def assert_same_values(got, want):
    assert list(got) == list(want)
    for name, value in want.items():
        assert got[name].dtype == value.dtype and got[name].shape == value.shape, name
        assert torch.equal(got[name], value), name


def random_case(seed):
    r = random.Random(seed)
    torch.manual_seed(seed)
    source = random_source(r)
    lines, items = random_rules(r, [Item(n, t, {n}) for n, t in source.items()])
    return r, source, lines, items


@pytest.mark.parametrize("seed", range(150))
def test_a_new_dict(seed):
    _, source, lines, items = random_case(seed)
    with graft.Context() as g:
        plan = g.plan_into_dict(None, to_dict(g, source), parsed(g, lines), None)
        assert actions(plan) == [(i.name, i.action()) for i in items], lines
        used = set().union(*(i.sources for i in items)) if items else set()
        assert uses(plan) == {n: "used" if n in used else "skipped" for n in source}, lines
        result = g.plan_result(plan)
        assert_same_values(from_dict(g, result), {i.name: i.value for i in items})


def random_target(r, items):
    """A target for what the rules make, and what becomes of each of its tensors."""
    target, expected = {}, {}
    for i in r.sample(items, len(items)):
        name, value = i.name, i.value
        kind = r.choice(["same", "same", "same", "dtype", "shape", "other", "none"])
        if kind == "none":
            continue
        if kind == "other":
            target[name + ".x"], expected[name + ".x"] = torch.randn(3), ("initial", None)
        elif kind == "shape":
            target[name], expected[name] = torch.randn(*value.shape, 2), ("conflict", None)
        elif kind == "dtype" and value.is_floating_point() and value.dtype != torch.float64:
            wide = i.changed(value.to(torch.float64), "cast")
            target[name] = torch.zeros_like(wide.value)
            expected[name] = (wide.action(), wide.value)
        else:
            target[name] = torch.zeros_like(value)
            expected[name] = (i.action(), value)
    return target, expected


@pytest.mark.parametrize("seed", range(150))
def test_into_a_dict(seed):
    r, source, lines, items = random_case(seed)
    target, expected = random_target(r, items)
    kept = [n for n in target if r.random() < 0.1]
    for name in kept:
        expected[name] = ("kept", None)
    lines = lines + [f"keep {n}" for n in kept]
    met = {n for i in items if expected.get(i.name, ("initial",))[0] not in ("initial", "kept")
           for n in i.sources}
    held = {n for i in items if i.name in kept for n in i.sources}
    there = set().union(*(i.sources for i in items)) if items else set()
    with graft.Context() as g:
        into = to_dict(g, target)
        plan = g.plan_into_dict(into, to_dict(g, source), parsed(g, lines), None)
        assert actions(plan) == [(n, expected[n][0]) for n in target], lines
        for name, use in uses(plan).items():
            want = "used" if name in met else \
                "skipped" if name in held or name not in there else "left"
            assert use == want, (name, lines)
        if any(action == "conflict" for action, _ in expected.values()):
            with pytest.raises(graft.GraftError):
                g.plan_commit(plan)
            assert_same_values(from_dict(g, into), target)
            return
        want = {n: target[n] if value is None else value for n, (_, value) in expected.items()}
        want = {n: want[n] for n in target}
        assert_same_values(from_dict(g, g.plan_result(plan)), want)
        assert_same_values(from_dict(g, into), target)
        g.plan_commit(plan)
        assert_same_values(from_dict(g, into), want)


@pytest.mark.parametrize("seed", range(40))
def test_into_a_model(seed):
    """A torch model's state under changed names goes into graft's model of the same shape."""
    r = random.Random(seed)
    torch.manual_seed(seed)
    sizes = [r.randint(1, 5) for _ in range(r.randint(2, 5))]
    layers = list(zip(sizes, sizes[1:]))
    theirs = torch.nn.Sequential(*(torch.nn.Linear(a, b) for a, b in layers))
    prefix = r.choice(["", "module.", "module._orig_mod.model."])
    state = {prefix + n: t.detach() for n, t in theirs.state_dict().items()}
    with graft.Context() as g:
        ours = g.sequential()
        for a, b in layers:
            g.sequential_add(ours, g.linear(a, b, True))
        source = to_dict(g, state)
        plan = g.plan_into_module(ours, source, None, None)
        lines = [text(lib.graft_plan_suggestion(plan, i))
                 for i in range(lib.graft_plan_suggestions(plan))]
        assert lines == ([f"strip {prefix}"] if prefix else [])
        options = graft.options("plan", max_initial=0, max_left=0, max_unmatched=0)
        words = ffi.new("char **")
        g.transplant(ours, source, parsed(g, lines), options, words)
        lib.graft_text_free(g.ptr, words[0])
        x = torch.randn(4, sizes[0])
        torch.testing.assert_close(g.torch(g.forward(ours, x)), theirs(x).detach())


def random_dict(g, r, names, values):
    """A dict in which some names share one tensor or lie on the same elements of one; which group
    each is of, and what each holds."""
    d, groups, held = g.dict_new(), {}, {}
    tensors = []
    for name in names:
        if tensors and r.random() < 0.4:
            k = r.randrange(len(tensors))
        else:
            k = len(tensors)
            value = r.choice(values)
            tensors.append((g.tensor(value), value))
        tensor, value = tensors[k]
        if r.random() < 0.5:
            tensor = g.view(tensor, tuple(value.shape))
        g.dict_set_tensor(d, name, tensor)
        groups[name], held[name] = k, value
    return d, groups, held


def groups_of(names, groups):
    return {n: next(m for m in names if groups[m] == groups[n]) for n in names}


def expected_ties(names, groups, held, mode, source_groups):
    """What becomes of each name of the target; held: what the source has."""
    met = [n for n in names if n in held]
    if mode == "check":
        there, here = groups_of(met, source_groups), groups_of(met, groups)
    expected = {}
    for n in names:
        group = [m for m in names if groups[m] == groups[n]] if mode != "break" else [n]
        leader = next((m for m in group if m in held), group[0])
        if mode == "check" and n in held and there[n] != here[n]:
            expected[n] = "conflict"
        elif n == leader:
            expected[n] = "copied" if n in held else "initial"
        elif n not in held:
            expected[n] = "tied" if leader in held else "initial"
        else:
            expected[n] = "tied" if torch.equal(held[n], held[leader]) else "conflict"
    if mode == "check":  # a leader in conflict takes along those that have nothing of their own
        for n in names:
            group = [m for m in names if groups[m] == groups[n]]
            leader = next((m for m in group if m in held), group[0])
            if n != leader and n not in held and expected[leader] == "conflict":
                expected[n] = "conflict"
            if n != leader and n in held and expected[leader] == "conflict" and \
                    there[n] == here[n]:
                expected[n] = "copied"
    return expected


@pytest.mark.parametrize("seed", range(200))
def test_ties(seed):
    r = random.Random(seed)
    torch.manual_seed(seed)
    values = [torch.randn(2, 2) for _ in range(r.randint(1, 3))]
    names = [f"n{i}" for i in r.sample(range(20), r.randint(1, 8))]
    mode = r.choice(["keep", "keep", "break", "check"])
    with graft.Context() as g:
        target, groups, before = random_dict(g, r, names, values)
        there = [n for n in names if r.random() < 0.7]
        source, source_groups, held = random_dict(g, r, r.sample(there, len(there)), values)
        plan = g.plan_into_dict(target, source, parsed(g, [f"ties {mode}"]), None)
        expected = expected_ties(names, groups, held, mode, source_groups)
        assert dict(actions(plan)) == expected, mode
        if "conflict" in expected.values():
            with pytest.raises(graft.GraftError):
                g.plan_commit(plan)
            assert_same_values(from_dict(g, target), before)
            return
        want, group_value = {}, {}
        for n in names:
            key = n if mode == "break" else groups[n]
            if expected[n] == "copied":
                group_value[key] = held[n]
        for n in names:
            want[n] = group_value.get(n if mode == "break" else groups[n], before[n])
        result = g.plan_result(plan)
        assert_same_values(from_dict(g, result), want)
        for a in names:
            for b in names:
                shares = lib.graft_shares_storage(g.dict_tensor(result, a), g.dict_tensor(result, b))
                assert shares == (a == b if mode == "break" else groups[a] == groups[b])
        together = {}
        for n in names:
            together.setdefault(groups[n], []).append(n)
        fits = all(len({held[n].numpy().tobytes() for n in members if n in held}) <= 1
                   for members in together.values())
        if not fits:  # broken ties would have to hold two values in one memory
            with pytest.raises(graft.GraftError):
                g.plan_commit(plan)
            assert_same_values(from_dict(g, target), before)
            return
        g.plan_commit(plan)
        after = from_dict(g, target)
        for n in names:
            value = next((held[m] for m in together[groups[n]] if m in held), before[n])
            assert torch.equal(after[n], value)


@pytest.mark.parametrize("seed", range(50))
def test_ties_of_a_new_dict(seed):
    r = random.Random(seed)
    torch.manual_seed(seed)
    names = [f"n{i}" for i in r.sample(range(20), r.randint(1, 8))]
    with graft.Context() as g:
        source, groups, held = random_dict(g, r, names, [torch.randn(2, 2), torch.randn(2, 2)])
        plan = g.plan_into_dict(None, source, None, None)
        first = groups_of(names, groups)
        assert actions(plan) == [(n, "copied" if first[n] == n else "tied") for n in names]
        result = g.plan_result(plan)
        assert_same_values(from_dict(g, result), held)
        for a in names:
            for b in names:
                shares = lib.graft_shares_storage(g.dict_tensor(result, a), g.dict_tensor(result, b))
                assert shares == (groups[a] == groups[b])


def test_quantized_tensors(tmp_path):
    values = torch.randn(4, 3)
    quantized = torch.quantize_per_tensor(values, 0.05, 3, torch.quint8)
    torch.save({"w": quantized, "b": torch.ones(2)}, tmp_path / "q.pt")
    with graft.Context() as g:
        source = g.checkpoint_root(g.checkpoint_open(tmp_path / "q.pt", None))
        target = to_dict(g, {"w": torch.zeros(4, 3), "b": torch.zeros(2)})
        plan = g.plan_into_dict(target, source, None, None)
        assert actions(plan) == [("w", "conflict"), ("b", "copied")]
        assert "dequantise" in text(lib.graft_plan_how(plan, 0))
        line = text(lib.graft_plan_suggestion(plan, 0))
        assert line == "dequantise w"
        plan = g.plan_into_dict(target, source, parsed(g, [line]), None)
        assert actions(plan) == [("w", "changed"), ("b", "copied")]
        g.plan_commit(plan)
        assert torch.equal(g.torch(g.dict_tensor(target, "w")), quantized.dequantize())
        # Without a target it stays what it is, under a new name too.
        plan = g.plan_into_dict(None, source, parsed(g, ["map w v"]), None)
        g.save(tmp_path / "r.pt", g.plan_result(plan))
        read = torch.load(tmp_path / "r.pt")
        assert list(read) == ["v", "b"] and torch.equal(read["v"].int_repr(), quantized.int_repr())
        with pytest.raises(graft.GraftError, match='"w" of the target is quantized'):
            g.plan_into_dict(source, target, None, None)
