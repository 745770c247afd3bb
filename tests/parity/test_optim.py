"""Optimizers beside torch.optim: every option over many steps, groups, state dicts."""

import copy
import itertools

import pytest
import torch

import graft
from graft import GraftError, assert_close, ffi, lib

STEPS = 25
SHAPES = [(), (1,), (7,), (3, 5), (64, 33), (2, 0), (20000,)]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}

SGD = [dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize)
       for lr, (momentum, dampening, nesterov), weight_decay, maximize in itertools.product(
           [0.1], [(0, 0, False), (0.9, 0, False), (0.9, 0.3, False), (0.5, 0, True)], [0, 0.05],
           [False, True])]
ADAM = [dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
             maximize=maximize)
        for (lr, betas, eps), weight_decay, amsgrad, maximize in itertools.product(
            [(1e-3, (0.9, 0.999), 1e-8), (0.05, (0.5, 0.9), 1e-3)], [0, 0.1], [False, True],
            [False, True])]
CASES = ([("SGD", o) for o in SGD] + [("Adam", o) for o in ADAM] + [("AdamW", o) for o in ADAM])


def label(case):
    kind, options = case
    return kind + " " + " ".join(f"{k}={v}" for k, v in options.items() if v)


def c_options(kind, fields):
    fields = dict(fields)
    if "betas" in fields:
        fields["beta1"], fields["beta2"] = fields.pop("betas")
    return graft.options(kind.lower(), **fields)


def torch_options(fields):
    return dict(fields, foreach=False)


def c_dict(g, tensors):
    d = g.dict_new()
    for name, tensor in tensors.items():
        g.dict_set_tensor(d, name, tensor)
    return d


class Pair:
    """Parameters in torch and in graft, and an optimizer over each."""

    def __init__(self, g, kind, groups, dtype, shapes=SHAPES):
        self.g = g
        self.kind = kind
        self.params, self.made = {}, {}
        torch_groups = []
        self.opt = None
        for i, fields in enumerate(groups):
            names = [f"{i}.{k}" for k in range(len(shapes))]
            for name, shape in zip(names, shapes):
                self.params[name] = torch.randn(shape, dtype=dtype).requires_grad_()
                self.made[name] = g.keep(g.tensor(self.params[name]))
            torch_groups.append(dict(torch_options(fields),
                                     params=[self.params[name] for name in names]))
            d = c_dict(g, {name: self.made[name] for name in names})
            options = c_options(kind, fields)
            if self.opt is None:
                self.opt = getattr(g, kind.lower())(d, options)
            else:
                getattr(g, f"{kind.lower().replace('adamw', 'adam')}_add_group")(
                    self.opt, d, options)
        first = torch_groups[0]
        self.torch_opt = getattr(torch.optim, kind)(first.pop("params"), **first)
        for group in torch_groups[1:]:
            self.torch_opt.add_param_group(group)

    def step(self, scale=1.0, skip=()):
        for name, param in self.params.items():
            param.grad = None
            if name not in skip:
                param.grad = torch.randn(param.shape, dtype=param.dtype) * scale
            self.g.set_grad(self.made[name], param.grad)
        self.torch_opt.step()
        self.g.step(self.opt)

    def check(self, tolerance):
        for name, param in self.params.items():
            assert_close(self.g.torch(self.made[name]), param.detach(), tolerance, tolerance)


# ---- dicts as Python has them


def to_python(g, d, kind=lib.GRAFT_VALUE_DICT):
    values, keys = [], []
    for i in range(g.dict_len(d)):
        number = ffi.new("int64_t *")
        keys.append(number[0] if g.dict_key_is_int(d, i, number) else g.dict_key(d, i))
        what = g.dict_kind(d, i)
        if what == lib.GRAFT_VALUE_NONE:
            values.append(None)
        elif what == lib.GRAFT_VALUE_BOOL:
            values.append(bool(g.dict_bool_at(d, i)))
        elif what == lib.GRAFT_VALUE_INT:
            values.append(g.dict_int_at(d, i))
        elif what == lib.GRAFT_VALUE_FLOAT:
            values.append(g.dict_float_at(d, i))
        elif what == lib.GRAFT_VALUE_STRING:
            values.append(g.dict_string_at(d, i))
        elif what == lib.GRAFT_VALUE_TENSOR:
            values.append(g.torch(g.dict_tensor_at(d, i)))
        else:
            values.append(to_python(g, g.dict_dict_at(d, i), what))
    if kind == lib.GRAFT_VALUE_LIST:
        return values
    if kind == lib.GRAFT_VALUE_TUPLE:
        return tuple(values)
    return dict(zip(keys, values))


def from_python(g, source):
    """Lists and tuples as dicts with the keys "0", "1", ..."""
    d = g.dict_new()
    pairs = source.items() if isinstance(source, dict) else enumerate(source)
    for key, value in pairs:
        if isinstance(key, int) and isinstance(value, (dict, list, tuple)):
            g.dict_set_int_key_dict(d, key, from_python(g, value))
            continue
        key = str(key)
        if value is None:
            g.dict_set_none(d, key)
        elif isinstance(value, bool):
            g.dict_set_bool(d, key, value)
        elif isinstance(value, int):
            g.dict_set_int(d, key, value)
        elif isinstance(value, float):
            g.dict_set_float(d, key, value)
        elif isinstance(value, str):
            g.dict_set_string(d, key, value)
        elif isinstance(value, torch.Tensor):
            g.dict_set_tensor(d, key, value)
        else:
            g.dict_set_dict(d, key, from_python(g, value))
    return d


def assert_same_dict(got, want, tolerance, path=""):
    if isinstance(want, dict):
        assert list(got) == list(want), path
        for key in want:
            assert_same_dict(got[key], want[key], tolerance, f"{path}.{key}")
    elif isinstance(want, (list, tuple)):
        assert type(got) is type(want) and len(got) == len(want), path
        for i, value in enumerate(want):
            assert_same_dict(got[i], value, tolerance, f"{path}.{i}")
    elif isinstance(want, torch.Tensor):
        assert_close(got, want, tolerance, tolerance)
    else:
        assert got == want, path


def torch_state(opt):
    """torch's state dict, without the None that 1.13 keeps for a momentum
    buffer that is not there (2.0 does not)."""
    state = opt.state_dict()
    for key in list(state["state"]):
        if state["state"][key].get("momentum_buffer", 0) is None:
            del state["state"][key]
    return state


# ---- tests


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES, ids=label)
def test_steps(g, case, dtype):
    torch.manual_seed(0)
    kind, options = case
    pair = Pair(g, kind, [options], dtype)
    for i in range(STEPS):
        pair.step()
        if i in (0, 1, 2, STEPS - 1):
            pair.check(TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES, ids=label)
def test_state_dict(g, case, dtype):
    torch.manual_seed(1)
    kind, options = case
    pair = Pair(g, kind, [options], dtype, shapes=[(3,), (2, 2)])
    for steps in (0, 1, 4):
        for _ in range(steps):
            pair.step()
        got = to_python(g, g.optimizer_state_dict(pair.opt))
        want = torch_state(pair.torch_opt)
        names = [group.pop("param_names") for group in got["param_groups"]]
        assert names == [list(pair.params)]
        for group in want["param_groups"]:
            group["foreach"] = None
        assert_same_dict(got, want, TOLERANCE[dtype])


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_groups_and_skipped_gradients(g, kind):
    torch.manual_seed(2)
    groups = ([dict(lr=0.1), dict(lr=0.01, momentum=0.9), dict(lr=0.2, nesterov=True, momentum=0.5)]
              if kind == "SGD" else
              [dict(lr=0.1, betas=(0.8, 0.9)), dict(lr=0.01, amsgrad=True), dict(lr=0.2, eps=0.1)])
    groups[0]["weight_decay"] = groups[2]["weight_decay"] = 0.02
    for group in groups[1:]:  # what is not said there is as in the first group for torch
        for key, value in (dict(momentum=0, weight_decay=0) if kind == "SGD" else
                           dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)).items():
            group.setdefault(key, value)
    pair = Pair(g, kind, groups, torch.float64, shapes=[(3,), (4, 5)])
    for i in range(STEPS):
        pair.step(skip={"0.1", "2.0"} if i % 3 == 0 else {"1.0"} if i % 3 == 1 else ())
        pair.check(1e-12)
        if i == 10:
            pair.torch_opt.param_groups[1]["lr"] = 0.5
            group = (g.sgd_group if kind == "SGD" else g.adam_group)(pair.opt, 1)
            group.lr = 0.5
    got = to_python(g, g.optimizer_state_dict(pair.opt))
    for group in got["param_groups"]:
        del group["param_names"]
    want = torch_state(pair.torch_opt)
    assert [sorted(group) for group in got["param_groups"]] == [
        sorted(group) for group in want["param_groups"]]
    assert [group["params"] for group in got["param_groups"]] == [
        group["params"] for group in want["param_groups"]]
    # torch lists states in the order of their first steps
    assert_same_dict(got["state"], dict(sorted(want["state"].items())), 1e-12)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES[::3], ids=label)
def test_a_state_of_pytorchs_goes_on_here(g, case, dtype):
    torch.manual_seed(3)
    kind, options = case
    pair = Pair(g, kind, [options], dtype, shapes=[(3,), (5, 4)])
    params = [p.detach().clone().requires_grad_() for p in pair.params.values()]
    trained = getattr(torch.optim, kind)(params, **torch_options(options))
    for _ in range(5):
        for param in params:
            param.grad = torch.randn(param.shape, dtype=dtype)
        trained.step()
    state = trained.state_dict()
    with torch.no_grad():
        for (name, param), source in zip(pair.params.items(), params):
            param.copy_(source)
            g.copy_(g.detach(pair.made[name]), source.detach())
    pair.torch_opt.load_state_dict(copy.deepcopy(state))
    g.optimizer_load_state_dict(pair.opt, from_python(g, state))
    for _ in range(STEPS):
        pair.step()
    pair.check(TOLERANCE[dtype])


@pytest.mark.parametrize("case", CASES[::3], ids=label)
def test_a_state_of_grafts_goes_on_there(g, case):
    torch.manual_seed(4)
    kind, options = case
    pair = Pair(g, kind, [options], torch.float64, shapes=[(3,), (5, 4)])
    for _ in range(5):
        pair.step()
    state = to_python(g, g.optimizer_state_dict(pair.opt))
    fresh = getattr(torch.optim, kind)(list(pair.params.values()), lr=1)
    fresh.load_state_dict(state)
    pair.torch_opt = fresh
    for _ in range(5):
        pair.step()
    pair.check(1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_16_bits_are_computed_in_float32(g, kind, dtype):
    """One step from a state that is not empty, against float32 rounded once."""
    torch.manual_seed(5)
    options = dict(lr=0.1, momentum=0.9) if kind == "SGD" else dict(lr=0.1, betas=(0.8, 0.9),
                                                                     eps=1e-3, weight_decay=0.1)
    pair = Pair(g, kind, [options], dtype, shapes=[(700,), (3,)])
    params = [p.detach().float().requires_grad_() for p in pair.params.values()]
    opt = getattr(torch.optim, kind)(params, **torch_options(options))
    for _ in range(2):
        for (name, _), param in zip(pair.params.items(), params):
            param.grad = torch.randn(param.shape).to(dtype).float()
            g.set_grad(pair.made[name], param.grad.to(dtype))
        opt.step()
        g.step(pair.opt)
        for name, param in zip(pair.made, params):
            got = g.torch(pair.made[name])
            assert_close(got, param.detach().to(dtype), 2**-7 if dtype == torch.bfloat16 else
                         2**-10, 1e-4)
            with torch.no_grad():  # as rounded as graft's
                param.copy_(got)
        for state, made in zip(opt.state.values(), range(len(params))):
            entry = to_python(g, g.optimizer_state_dict(pair.opt))["state"][made]
            for key in entry:
                if key != "step":
                    state[key].copy_(entry[key])


def test_errors_come_with_names(g):
    w = g.keep(g.tensor(torch.ones(2), requires_grad=True))
    opt = g.adam(c_dict(g, {"w": w}), None)
    with pytest.raises(GraftError, match="'w' is in a group already") as caught:
        g.adam_add_group(opt, c_dict(g, {"w": w}), None)
    assert caught.value.status == "GRAFT_ERR_NAME"
