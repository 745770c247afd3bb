"""Training checkpoints of torch carried through rules, optimizer and all: what torch then does with them
is what it does from the same weights and moments carried by hand."""

import copy
import itertools

import pytest
import torch
from torch import nn

import graft
from graft import GraftError, ffi, lib, text

# ---- Models


class Conv(nn.Module):
    """Buffers of BatchNorm between the parameters."""

    def __init__(self, classes=4, extra=False):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        if extra:
            self.more = nn.Conv2d(3, 3, 1)
        self.norm2 = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, classes)

    def forward(self, x):
        x = self.norm(self.conv(x))
        if hasattr(self, "more"):
            x = self.more(x)
        return self.fc(self.norm2(torch.relu(x)).mean((2, 3)))

    @staticmethod
    def example():
        return torch.randn(6, 2, 5, 5)


class Wrapped(nn.Module):
    def __init__(self, make=Conv, **arguments):
        super().__init__()
        self.net = make(**arguments)

    def forward(self, x):
        return self.net(x)

    @staticmethod
    def example():
        return Conv.example()


class Language(nn.Module):
    """Tied embeddings."""

    def __init__(self, words=10, tied=True):
        super().__init__()
        self.embed = nn.Embedding(words, 4)
        self.middle = nn.Linear(4, 4)
        self.head = nn.Linear(4, words, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(torch.tanh(self.middle(self.embed(x))))

    @staticmethod
    def example():
        return torch.randint(0, 10, (3, 5))


class Fused(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]

    @staticmethod
    def example():
        return torch.randn(2, 3, 4)


class Separate(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x):
        q, k, v = (f(x).reshape(2, 3, 2, 2).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(2, 3) / 2 ** 0.5, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(2, 3, 4))

    @staticmethod
    def example():
        return torch.randn(2, 3, 4)


class Layers(nn.Module):
    def __init__(self, layers=3, width=4, dtype=torch.float32):
        super().__init__()
        self.h = nn.ModuleList(nn.Linear(width, width, dtype=dtype) for _ in range(layers))

    def forward(self, x):
        x = nn.functional.pad(x, (0, self.h[0].in_features - 4)).to(self.h[0].weight.dtype)
        for layer in self.h:
            x = torch.tanh(layer(x))
        return x

    @staticmethod
    def example():
        return torch.randn(5, 4)


class Turned(nn.Module):
    """Linear layers whose weights are [in, out]."""

    def __init__(self):
        super().__init__()
        self.h = nn.ModuleList(nn.ParameterDict({"weight": nn.Parameter(torch.randn(4, 4)),
                                                 "bias": nn.Parameter(torch.randn(4))})
                               for _ in range(3))

    def forward(self, x):
        for layer in self.h:
            x = torch.tanh(x @ layer["weight"] + layer["bias"])
        return x

    example = Layers.example


# ---- What becomes of what: rules, the model before and after, and for each parameter of the model after
# the names that it is made of and how; None: it is new


def same(name):
    return [name], lambda t: t


def padded(rows):
    return lambda t: torch.cat([t, t.new_zeros(rows, *t.shape[1:])])


def joined(kind):
    return [f"{part}.{kind}" for part in "qkv"], lambda *t: torch.cat(t)


def part(kind, i):
    return [f"attention.in_proj_{kind}"], lambda t: t.chunk(3)[i]


CONV = ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm2.weight", "norm2.bias"]
LAYERS = [f"h.{i}.{kind}" for i in range(3) for kind in ("weight", "bias")]

CASES = {
    "unchanged": ("", Conv, Conv, {n: same(n) for n in CONV + ["fc.weight", "fc.bias"]}),
    "renamed": ("add net.", Conv, Wrapped,
                {f"net.{n}": same(n) for n in CONV + ["fc.weight", "fc.bias"]}),
    "new layers": ("skip fc.*", Conv, lambda: Conv(classes=7, extra=True),
                   {**{n: same(n) for n in CONV}, "more.weight": None, "more.bias": None,
                    "fc.weight": None, "fc.bias": None}),
    "fewer rows": ("slice fc.* 0 1 3", Conv, lambda: Conv(classes=2),
                   {**{n: same(n) for n in CONV}, "fc.weight": (["fc.weight"], lambda t: t[1:3]),
                    "fc.bias": (["fc.bias"], lambda t: t[1:3])}),
    "grown": ("resize *embed.weight dim=0 size=13\nresize head.weight dim=0 size=13", Language,
              lambda: Language(13),
              {"embed.weight": (["embed.weight"], padded(3)), "middle.weight": same("middle.weight"),
               "middle.bias": same("middle.bias")}),
    "no longer tied": ("ties break", Language, lambda: Language(tied=False),
                       {"embed.weight": same("embed.weight"), "middle.weight": same("middle.weight"),
                        "middle.bias": same("middle.bias"), "head.weight": same("embed.weight")}),
    "fused": ("fuse attention.in_proj_weight 0 q.weight k.weight v.weight\n"
              "fuse attention.in_proj_bias 0 q.bias k.bias v.bias\nmap out.* attention.out_proj.*",
              Separate, Fused,
              {"attention.in_proj_weight": joined("weight"), "attention.in_proj_bias": joined("bias"),
               "attention.out_proj.weight": same("out.weight"),
               "attention.out_proj.bias": same("out.bias")}),
    "split": ("split attention.in_proj_weight 0 q.weight k.weight v.weight\n"
              "split attention.in_proj_bias 0 q.bias k.bias v.bias\nmap attention.out_proj.* out.*",
              Fused, Separate,
              {**{f"{n}.{kind}": part(kind, i) for i, n in enumerate("qkv")
                  for kind in ("weight", "bias")},
               "out.weight": same("attention.out_proj.weight"),
               "out.bias": same("attention.out_proj.bias")}),
    "turned": ("transpose *.weight", Layers, Turned,
               {n: ([n], lambda t: t.T.contiguous() if t.dim() == 2 else t) for n in LAYERS}),
    "stacked": ("stack h. 0-1 1-2", Layers, lambda: Layers(4),
                {f"h.{to}.{kind}": same(f"h.{of}.{kind}") for to, of in enumerate([0, 1, 1, 2])
                 for kind in ("weight", "bias")}),
    "wider": ("pad *.weight 1 0 2\npad * 0 0 2", Layers, lambda: Layers(width=6),
              {n: ([n], lambda t: nn.functional.pad(t, (0, 2) * t.dim())) for n in LAYERS}),
    "cast": ("cast * float64", Layers, lambda: Layers(dtype=torch.float64),
             {n: ([n], lambda t: t.double()) for n in LAYERS}),
}
# Without a target the order is that of what the rules make, which here is not the model's.
NEEDS_TARGET = {"new layers", "split", "turned", "cast"}

OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, foreach=False),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, foreach=False),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=False),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.01, foreach=False),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, foreach=False),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True, foreach=False),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, initial_accumulator_value=0.25,
                                             foreach=False),
    "Adadelta": lambda p: torch.optim.Adadelta(p, foreach=False),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.01, foreach=False),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01, foreach=False),
}


def train(model, optimizer, x, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) ** 2).sum().backward()
        optimizer.step()


def carry(g, path, rules, into, names=None):
    """What graft makes of {"model": ..., "optimizer": ...}, as torch loads it again; and the report."""
    root = g.checkpoint_root(g.checkpoint_open(path, None))
    model, optimizer = (lib.graft_dict_dict(root, name.encode()) for name in ("model", "optimizer"))
    target = None
    if into is not None:
        torch.save(into, f"{path}.target.pt")
        target = g.checkpoint_root(g.checkpoint_open(f"{path}.target.pt", None))
    plan = g.plan_into_dict(target, model, g.rules_parse(rules), None)
    report = ffi.new("graft_moment_report **")
    state = g.transplant_optimizer_dict(optimizer, plan, names, report)
    out = g.dict_new()
    g.dict_set_dict(out, "model", g.plan_result(plan))
    g.dict_set_dict(out, "optimizer", state)
    g.save_as(f"{path}.out.pt", out, None, None)
    return torch.load(f"{path}.out.pt"), g.moment_report_text(report[0])


def by_hand(model, optimizer, into, make, origin):
    """A model like `into` with its weights, and an optimizer over it."""
    other = copy.deepcopy(into)
    other_optimizer = make(other.parameters())
    sources, parameters = dict(model.named_parameters()), dict(other.named_parameters())
    assert set(parameters) == set(origin)
    for name, of in origin.items():
        if of is None:
            continue
        names, change = of
        parts = [optimizer.state[sources[n]] for n in names]
        if not parts[0]:
            continue
        p = parameters[name]
        state = {}
        for key, value in parts[0].items():
            is_moment = isinstance(value, torch.Tensor) and value.shape == sources[names[0]].shape
            value = change(*[s[key] for s in parts]) if is_moment else value
            converts = isinstance(value, torch.Tensor) and key != "step"  # as load_state_dict does
            state[key] = value.to(p.dtype, copy=True) if converts else copy.deepcopy(value)
        other_optimizer.state[p] = state
    return other, other_optimizer


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("case", CASES)
def test_as_by_hand(case, kind, tmp_path):
    rules, before, after, origin = CASES[case]
    torch.manual_seed(5)
    model, x = before(), before().example()
    optimizer = OPTIMIZERS[kind](model.parameters())
    train(model, optimizer, x, 3)
    path = str(tmp_path / "a.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    got = after()
    with graft.Context() as g:
        saved, report = carry(g, path, rules,
                              got.state_dict() if case in NEEDS_TARGET else None)
    got.load_state_dict(saved["model"])
    want, want_optimizer = by_hand(model, optimizer, got, OPTIMIZERS[kind], origin)
    got_optimizer = OPTIMIZERS[kind](got.parameters())
    got_optimizer.load_state_dict(saved["optimizer"])
    assert saved["optimizer"]["param_groups"][0]["param_names"] == [
        n for n, _ in got.named_parameters()]
    if kind != "SGD":
        new = sum(of is None for of in origin.values())
        assert f"of {new} dropped" in report
    train(want, want_optimizer, x, 2)
    train(got, got_optimizer, x, 2)
    for name, p in want.named_parameters():
        assert torch.equal(p, got.get_parameter(name)), name
        for key, value in want_optimizer.state[p].items():
            other = got_optimizer.state[got.get_parameter(name)][key]
            assert (value is other is None
                    or torch.equal(torch.as_tensor(value), torch.as_tensor(other))), (name, key)


# ---- Groups


def decay_groups(model):
    named = list(model.named_parameters())
    return [[(n, p) for n, p in named if (p.dim() > 1) == large] for large in (True, False)]


def two_groups(model):
    weights, others = ([p for _, p in g] for g in decay_groups(model))
    return torch.optim.AdamW([{"params": weights, "weight_decay": 0.3}, {"params": others, "lr": 0.02}],
                             lr=0.01, weight_decay=0, foreach=False)


def test_groups(tmp_path):
    model, x = Conv(), Conv.example()
    optimizer = two_groups(model)
    train(model, optimizer, x, 3)
    path = str(tmp_path / "a.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    got = Wrapped(classes=6)
    with graft.Context() as g:
        # The order of the model is not that of the groups, and that shows.
        with pytest.raises(GraftError, match="is the order of the names the optimizer's?"):
            carry(g, path, "add net.\nresize net.fc.*", got.state_dict())
        names = g.list_new()
        for n, _ in itertools.chain(*decay_groups(model)):
            g.list_push_string(names, n)
        saved, _ = carry(g, path, "add net.\nresize net.fc.*", got.state_dict(), names)
    groups = saved["optimizer"]["param_groups"]
    assert [group["weight_decay"] for group in groups] == [0.3, 0]
    assert [group["lr"] for group in groups] == [0.01, 0.02]
    assert [group["param_names"] for group in groups] == [
        [n for n, _ in group] for group in decay_groups(got)]
    got.load_state_dict(saved["model"])
    again = two_groups(got)
    again.load_state_dict(saved["optimizer"])
    sources = dict(model.named_parameters())
    for name, p in got.named_parameters():
        moment = optimizer.state[sources[name.removeprefix("net.")]]["exp_avg"]
        assert torch.equal(again.state[p]["exp_avg"][:len(moment)], moment)
        assert not again.state[p]["exp_avg"][len(moment):].any()
    train(got, again, x, 1)


def test_some_parameters(tmp_path):
    """A frozen trunk: positions are of the head alone, and their names must be told."""
    model, x = Conv(), Conv.example()
    optimizer = torch.optim.Adam(model.fc.parameters())
    train(model, optimizer, x, 2)
    path = str(tmp_path / "a.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    with graft.Context() as g:
        with pytest.raises(GraftError, match="has 2 parameters, the source 8 that look like"):
            carry(g, path, "", None)
        names = g.list_new()
        g.list_push_string(names, "fc.weight")
        g.list_push_string(names, "fc.bias")
        saved, report = carry(g, path, "", None, names)
    assert saved["optimizer"]["param_groups"][0]["params"] == [0, 1]
    again = torch.optim.Adam(model.fc.parameters())
    again.load_state_dict(saved["optimizer"])
    assert torch.equal(again.state[model.fc.bias]["exp_avg"], optimizer.state[model.fc.bias]["exp_avg"])


# ---- graft's own optimizers take torch's state


def test_into_an_optimizer(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model.eval()
    optimizer, x = torch.optim.Adam(model.parameters(), lr=0.01, foreach=False), torch.randn(5, 4)
    train(model, optimizer, x, 3)
    path = str(tmp_path / "a.pt")
    torch.save({"model": {f"module.{n}": t for n, t in model.state_dict().items()},
                "optimizer": optimizer.state_dict()}, path)
    with graft.Context() as g:
        root = g.checkpoint_root(g.checkpoint_open(path, None))
        mine = g.sequential()
        g.sequential_add(mine, g.linear(4, 3, True))
        g.sequential_add(mine, g.linear(3, 5, True))
        mine_optimizer = g.adam(g.parameters(mine), None)
        plan = g.plan_into_module(
            mine, lib.graft_dict_dict(root, b"model"),
            g.rules_parse("strip module.\nskip 1.*\nmap 2.* 1.*\nresize 1.*"), None)
        report = ffi.new("graft_moment_report **")
        g.transplant_optimizer(mine_optimizer, lib.graft_dict_dict(root, b"optimizer"), plan, None,
                               report)
        g.plan_commit(plan)
        state = g.optimizer_state_dict(mine_optimizer)
        for position, source, rows in ((0, model[0].weight, 3), (3, model[2].bias, 2)):
            moment = g.torch(g.dict_tensor(state, f"state.{position}.exp_avg_sq"))
            assert torch.equal(moment[:rows], optimizer.state[source]["exp_avg_sq"])
            assert not moment[rows:].any()
            assert g.item(g.dict_tensor(state, f"state.{position}.step")) == 3
        assert g.moment_report_text(report[0]).startswith(
            "optimizer: of 4 parameters the state of 2 is copied, of 2 changed with them, of 0 dropped\n"
            "  1.weight: changed: ")


# ---- Damage


def damaged(path, needle):
    data = bytearray(open(path, "rb").read())
    at = data.index(needle)
    data[at] ^= 1
    open(path, "wb").write(data)


@pytest.mark.parametrize("rules", ["", "transpose h.1.weight"])
def test_a_damaged_moment(rules, tmp_path):
    """A wrong checksum in one moment is found where it is read, and told with its name."""
    model = Layers()
    optimizer = torch.optim.Adam(model.parameters(), foreach=False)
    train(model, optimizer, Layers.example(), 2)
    path = str(tmp_path / "a.pt")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    damaged(path, optimizer.state[model.h[1].weight]["exp_avg"].numpy().tobytes())
    with graft.Context() as g:
        with pytest.raises(GraftError, match="CRC|checksum"):
            carry(g, path, rules, None)
        root = g.checkpoint_root(g.checkpoint_open(path, None))
        mine = g.sequential()
        for _ in range(3):
            g.sequential_add(mine, g.linear(4, 4, True))
        mine_optimizer = g.adam(g.parameters(mine), None)
        plan = g.plan_into_module(mine, lib.graft_dict_dict(root, b"model"),
                                  g.rules_parse(f"{rules}\nstrip h."), None)
        with pytest.raises(GraftError, match=r"exp_avg of .(h\.)?1\.weight"):
            g.transplant_optimizer(mine_optimizer, lib.graft_dict_dict(root, b"optimizer"), plan, None,
                                   None)
        assert lib.graft_dict_len(lib.graft_dict_dict(g.optimizer_state_dict(mine_optimizer),
                                                      b"state")) == 0
