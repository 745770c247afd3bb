"""The instructions of random programs: each picks what it works on and runs it in both."""

import torch
import torch.nn.functional as F

from graft import GraftError, options
from programs import BACKWARD_MAY_FAIL, TORCH_ERRORS, Mismatch, Stop

INSTRUCTIONS, WEIGHTS = [], []


def instruction(weight):
    def register(function):
        INSTRUCTIONS.append(function)
        WEIGHTS.append(weight)
        return function
    return register


def run_one(machine):
    machine.random.choices(INSTRUCTIONS, WEIGHTS)[0](machine)


# ---- Leaves and modes


@instruction(2)
def new_leaf(m):
    shape = [m.random.choice([1, 2, 2, 3, 3, 4, 0 if m.random.random() < 0.1 else 2])
             for _ in range(m.random.choice([0, 1, 1, 2, 2, 2, 3]))]
    m.new_leaf(shape, m.random.random() < 0.6)


@instruction(3)
def no_grad(m):
    if m.no_grad:
        m.no_grad -= 1
        m.g.no_grad_end()
    else:
        m.no_grad += 1
        m.g.no_grad_begin()
    torch.set_grad_enabled(m.no_grad == 0)
    m.log.append(f"no_grad {m.no_grad}")


@instruction(1)
def requires_grad(m):
    pair, value = m.pick(), m.random.random() < 0.6
    if not pair.theirs.is_leaf and value:
        return  # PyTorch lets that pass as it changes nothing
    if any(m.share(pair, other) for other in m.pairs if other is not pair):
        return  # in PyTorch views come to require grad, too
    m.change(f"{pair}.requires_grad = {value}", pair,
             lambda: m.g.set_requires_grad(pair.ours, value),
             lambda: pair.theirs.requires_grad_(value))


@instruction(3)
def scope(m):
    if not m.scopes or m.random.random() < 0.3:
        m.log.append("scope_begin")
        m.g.scope_begin()
        m.scopes.append([])
        return
    m.log.append("scope_end")
    for pair in list(m.scopes[-1]):
        if m.random.random() < 0.8:
            m.keep(pair)
        else:
            m.pairs.remove(pair)
    m.scopes.pop()
    m.g.scope_end()


@instruction(2)
def drop(m):
    pair = m.pick(lambda p: not p.fixed)
    if pair:
        m.log.append(f"drop {pair}")
        m.drop(pair)


# ---- Elementwise


@instruction(8)
def unary(m):
    name, x = m.random.choice(["neg", "abs", "relu", "tanh", "sigmoid", "exp", "log", "sqrt"]), m.pick()
    if name in ("abs", "relu") and m.near_kink(x.theirs.detach(), x):
        return
    if name in ("log", "sqrt"):
        x = positive(m, x)
    if x:
        m.make(f"{name}({x})", lambda: getattr(m.g, name)(x.ours),
               lambda: getattr(torch, name)(x.theirs))


def positive(m, x):
    """x * x + 0.5"""
    x = m.make(f"mul({x}, {x})", lambda: m.g.mul(x.ours, x.ours), lambda: x.theirs * x.theirs)
    if x not in m.pairs:
        return None
    return m.make(f"add_scalar({x}, 0.5)", lambda: m.g.add_scalar(x.ours, 0.5),
                  lambda: x.theirs + 0.5)


@instruction(12)
def binary(m):
    name, a, b = m.random.choice(["add", "sub", "mul", "div", "maximum", "minimum", "pow"]), m.pick(), m.pick()
    if name in ("maximum", "minimum"):
        if a.theirs.dtype != b.theirs.dtype:
            return
        try:
            if m.near_kink(a.theirs.detach() - b.theirs.detach(), a, b):
                return
        except RuntimeError:
            pass  # they do not broadcast
    if name == "div":
        b = positive(m, b)
    if name == "pow":
        a = positive(m, a)
    if a in m.pairs and b in m.pairs:
        m.make(f"{name}({a}, {b})", lambda: getattr(m.g, name)(a.ours, b.ours),
               lambda: getattr(torch, name)(a.theirs, b.theirs))


@instruction(4)
def scalar(m):
    name, x, value = m.random.choice(["add", "sub", "mul", "div"]), m.pick(), m.random.choice([-2, -0.5, 0.25, 1, 3])
    m.make(f"{name}_scalar({x}, {value})",
           lambda: getattr(m.g, f"{name}_scalar")(x.ours, value),
           lambda: getattr(torch, name)(x.theirs, value))


@instruction(1)
def pow_scalar(m):
    x, value = m.pick(), m.random.choice([0, 1, 2, 3])
    m.make(f"pow_scalar({x}, {value})", lambda: m.g.pow_scalar(x.ours, value),
           lambda: x.theirs ** value)


@instruction(2)
def compare(m):
    name, a, b = m.random.choice(["eq", "ne", "lt", "le", "gt", "ge"]), m.pick(), m.pick()
    result = m.run(f"{name}({a}, {b})", lambda: getattr(m.g, name)(a.ours, b.ours),
                   lambda: getattr(torch, name)(a.theirs, b.theirs))
    if result and m.has_same_bits(a, b):
        m.same(m.log[-1], m.g.torch(result[0]).tolist(), result[1].tolist())


@instruction(2)
def copies(m):
    x = m.pick()
    kind = m.random.choice(["copy", "contiguous", "to", "detach"])
    if kind == "to":
        to_dtype(m, x)
    elif kind == "detach":
        m.make(f"detach({x})", lambda: m.g.detach(x.ours), x.theirs.detach, "view")
    elif kind == "contiguous":
        m.make(f"contiguous({x})", lambda: m.g.contiguous(x.ours), x.theirs.contiguous)
    else:
        m.make(f"copy({x})", lambda: m.g.copy(x.ours),
               lambda: x.theirs.clone(memory_format=torch.contiguous_format))


def to_dtype(m, x):
    if m.single:
        dtype = m.random.choice([torch.float32, torch.float64])
        m.make(f"to({x}, {dtype})", lambda: m.g.to(x.ours, dtype), lambda: x.theirs.to(dtype),
               "view" if x.theirs.dtype == dtype else "result")


# ---- Views


def random_dim(m, x, extra=0):
    """Mostly one that x has."""
    n = x.theirs.dim() + extra
    if n == 0 or m.random.random() < 0.05:
        return m.random.randint(-n - 2, n + 2)
    return m.random.randrange(-n, n)


def view_of(m, words, x, ours, theirs):
    m.make(f"{words}", lambda: ours(x.ours), lambda: theirs(x.theirs), "view")


@instruction(3)
def reshape(m):
    x, shape = m.pick(), []
    rest = x.theirs.numel()
    while rest > 1 and m.random.random() < 0.8:
        divisors = [d for d in range(1, rest + 1) if rest % d == 0]
        shape.append(m.random.choice(divisors))
        rest //= shape[-1]
    shape.append(rest)
    if m.random.random() < 0.2:
        shape.insert(m.random.randint(0, len(shape)), 1)
    if m.random.random() < 0.3:
        shape[m.random.randrange(len(shape))] = -1
    shape = shape[:7]
    if m.random.random() < 0.05:
        shape.append(2)
    name = m.random.choice(["view", "reshape"])
    before = x.theirs.storage().data_ptr()
    try:
        is_view = getattr(x.theirs.detach(), name)(shape).storage().data_ptr() == before
    except TORCH_ERRORS:
        is_view = True
    m.make(f"{name}({x}, {shape})", lambda: getattr(m.g, name)(x.ours, shape),
           lambda: getattr(x.theirs, name)(shape), "view" if is_view else "result")


@instruction(3)
def permute(m):
    x = m.pick()
    dims = list(range(x.theirs.dim()))
    m.random.shuffle(dims)
    dims = [d - len(dims) if m.random.random() < 0.2 else d for d in dims]
    if dims and m.random.random() < 0.05:
        dims[0] = dims[-1]
    view_of(m, f"permute({x}, {dims})", x, lambda t: m.g.permute(t, dims),
            lambda t: t.permute(dims))


@instruction(3)
def transpose(m):
    x = m.pick()
    a, b = random_dim(m, x), random_dim(m, x)
    view_of(m, f"transpose({x}, {a}, {b})", x, lambda t: m.g.transpose(t, a, b),
            lambda t: t.transpose(a, b))


@instruction(4)
def narrow(m):
    x = m.pick(lambda p: p.theirs.dim() > 0)
    if x:
        dim = random_dim(m, x)
        size = x.theirs.shape[dim] if -x.theirs.dim() <= dim < x.theirs.dim() else 2
        start, length = m.random.randint(-size, size), m.random.randint(0, size)
        if start < 0 and start + size < 0 or m.random.random() < 0.9:
            start = m.random.randint(0, size)
            length = m.random.randint(0, size - start)
        view_of(m, f"narrow({x}, {dim}, {start}, {length})", x,
                lambda t: m.g.narrow(t, dim, start, length),
                lambda t: t.narrow(dim, start, length))


@instruction(3)
def select(m):
    x = m.pick(lambda p: p.theirs.dim() > 0)
    if x:
        dim = random_dim(m, x)
        size = x.theirs.shape[dim] if -x.theirs.dim() <= dim < x.theirs.dim() else 2
        index = m.random.randint(-size - 1, size)
        view_of(m, f"select({x}, {dim}, {index})", x, lambda t: m.g.select(t, dim, index),
                lambda t: t.select(dim, index))


@instruction(3)
def expand(m):
    x = m.pick()
    shape = [m.random.choice([2, 3, -1]) if n == 1 else m.random.choice([n, -1])
             for n in x.theirs.shape]
    if m.random.random() < 0.4:
        shape.insert(0, m.random.choice([1, 2, 3]))
    view_of(m, f"expand({x}, {shape})", x, lambda t: m.g.expand(t, shape),
            lambda t: t.expand(shape))


@instruction(3)
def squeeze(m):
    x = m.pick()
    dim = random_dim(m, x)
    view_of(m, f"squeeze({x}, {dim})", x, lambda t: m.g.squeeze(t, dim), lambda t: t.squeeze(dim))


@instruction(1)
def squeeze_all(m):
    x = m.pick()
    view_of(m, f"squeeze_all({x})", x, m.g.squeeze_all, torch.squeeze)


@instruction(3)
def unsqueeze(m):
    x = m.pick(lambda p: p.theirs.dim() < 6)
    if x:
        dim = random_dim(m, x, 1)
        view_of(m, f"unsqueeze({x}, {dim})", x, lambda t: m.g.unsqueeze(t, dim),
                lambda t: t.unsqueeze(dim))


@instruction(2)
def flatten(m):
    x = m.pick()
    start, end = random_dim(m, x), random_dim(m, x)
    before, n = x.theirs.storage().data_ptr(), x.theirs.dim()
    if n and start % n == end % n:
        return  # PyTorch returns the tensor itself
    try:
        is_view = x.theirs.detach().flatten(start, end).storage().data_ptr() == before
    except TORCH_ERRORS:
        is_view = True
    m.make(f"flatten({x}, {start}, {end})", lambda: m.g.flatten(x.ours, start, end),
           lambda: x.theirs.flatten(start, end), "view" if is_view else "result")


# ---- Products, reductions, losses


@instruction(8)
def matmul(m):
    a = m.pick()
    b = m.pick(lambda p: p.theirs.dtype == a.theirs.dtype)
    if m.random.random() < 0.8:  # such that they fit
        inner = a.theirs.shape[-1] if a.theirs.dim() else None
        b = m.pick(lambda p: p.theirs.dtype == a.theirs.dtype and p.theirs.dim() > 0
                   and p.theirs.shape[-2 if p.theirs.dim() > 1 else 0] == inner)
    if b:
        m.make(f"matmul({a}, {b})", lambda: m.g.matmul(a.ours, b.ours),
               lambda: torch.matmul(a.theirs, b.theirs))


@instruction(3)
def linear(m):
    x = m.pick(lambda p: p.theirs.dim() > 0)
    if not x:
        return
    weight = m.pick(lambda p: p.theirs.dtype == x.theirs.dtype and p.theirs.dim() == 2
                    and p.theirs.shape[1] == x.theirs.shape[-1])
    if not weight:
        return
    bias = m.pick(lambda p: p.theirs.dtype == x.theirs.dtype
                  and p.theirs.shape == weight.theirs.shape[:1])
    if m.random.random() < 0.3:
        bias = None
    m.make(f"f_linear({x}, {weight}, {bias})",
           lambda: m.g.f_linear(x.ours, weight.ours, bias and bias.ours),
           lambda: F.linear(x.theirs, weight.theirs, bias and bias.theirs))


def random_dims(m, x):
    n = x.theirs.dim()
    dims = m.random.sample(range(n), m.random.randint(0, n)) if n else []
    dims = [d - n if m.random.random() < 0.3 else d for d in dims]
    if dims and m.random.random() < 0.05:
        dims.append(dims[0])
    return dims


@instruction(6)
def reduce(m):
    name, x = m.random.choice(["sum", "mean", "max"]), m.pick()
    dims, keepdim = random_dims(m, x), m.random.random() < 0.5
    if name == "max" and not m.has_same_bits(x):
        return
    theirs = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}[name]
    m.make(f"{name}_dims({x}, {dims}, {keepdim})",
           lambda: getattr(m.g, f"{name}_dims")(x.ours, dims, keepdim),
           lambda: theirs(x.theirs, dims or list(range(x.theirs.dim())), keepdim))


@instruction(3)
def reduce_all(m):
    name, x = m.random.choice(["sum", "mean"]), m.pick()
    m.make(f"{name}({x})", lambda: getattr(m.g, name)(x.ours), lambda: getattr(torch, name)(x.theirs))


@instruction(1)
def argmax(m):
    x = m.pick()
    dim, keepdim = random_dim(m, x), m.random.random() < 0.5
    if m.has_same_bits(x):
        result = m.run(f"argmax({x}, {dim}, {keepdim})", lambda: m.g.argmax(x.ours, dim, keepdim),
                       lambda: torch.argmax(x.theirs, dim, keepdim))
        if result:
            m.same(m.log[-1], m.g.torch(result[0]).tolist(), result[1].tolist())


@instruction(4)
def softmax(m):
    name, x = m.random.choice(["softmax", "log_softmax"]), m.pick()
    dim = random_dim(m, x)
    m.make(f"{name}({x}, {dim})", lambda: getattr(m.g, name)(x.ours, dim),
           lambda: getattr(F, name)(x.theirs, dim))


@instruction(3)
def class_loss(m):
    x = m.pick(lambda p: p.theirs.dim() in (1, 2, 3) and p.theirs.numel() > 0)
    if not x:
        return
    shape = list(x.theirs.shape)
    classes = shape.pop(0 if len(shape) == 1 else 1)
    target = torch.randint(0, classes, shape, generator=m.torch_random)
    if m.random.random() < 0.1:
        target[...] = m.random.choice([-1, classes])
    name, reduction = m.random.choice(["cross_entropy", "nll_loss"]), m.random.randrange(3)
    call = m.g.cross_entropy_with if name == "cross_entropy" else m.g.nll_loss
    m.make(f"{name}({x}, {target.tolist()}, {REDUCTIONS[reduction]})",
           lambda: call(x.ours, target, options("loss", reduction=reduction)),
           lambda: getattr(F, name)(x.theirs, target, reduction=REDUCTIONS[reduction]))


REDUCTIONS = ("mean", "sum", "none")


@instruction(2)
def mse_loss(m):
    x, reduction = m.pick(), m.random.randrange(3)
    y = m.pick(lambda p: p.theirs.shape == x.theirs.shape and p.theirs.dtype == x.theirs.dtype)
    m.make(f"mse_loss({x}, {y}, {REDUCTIONS[reduction]})",
           lambda: m.g.mse_loss(x.ours, y.ours, reduction),
           lambda: F.mse_loss(x.theirs, y.theirs, reduction=REDUCTIONS[reduction]))


# ---- In place


def recorded(m, *pairs):
    return m.no_grad == 0 and any(pair.theirs.requires_grad for pair in pairs)


def change(m, words, t, ours, method, function, *operands):
    """method in place in PyTorch; but where graft records the change, PyTorch gets a new tensor by
    function, as graft does what it does to a tensor that shares its storage with no other. So
    PyTorch has the right gradient even where something that was saved has changed, and graft must
    come to the same or refuse."""

    if t.fixed and recorded(m, *operands):
        return  # it would be no leaf any more, under its optimizer

    def theirs():
        is_leaf = t.theirs.is_leaf and t.theirs.requires_grad
        if not recorded(m, t, *operands) or is_leaf:
            method(t.theirs)
            return
        new = function(t.theirs)
        if new.shape != t.theirs.shape:
            raise RuntimeError("it does not broadcast")
        t.theirs = new.to(t.theirs.dtype).contiguous()

    m.change(words, t, ours, theirs)


@instruction(10)
def in_place(m):
    name, t, other = m.random.choice(["add", "sub", "mul", "div"]), m.pick(), m.pick()
    if m.random.random() < 0.7:  # such that it fits
        other = m.pick(lambda p: fits(p.theirs, t.theirs))
    if name == "div":
        other = positive(m, other)
    if other not in m.pairs or t not in m.pairs:
        return
    # Where they overlap, graft computes with what t was; PyTorch refuses or does not say.
    operand = other.theirs.clone() if m.share(t, other) else other.theirs
    change(m, f"{name}_({t}, {other})", t, lambda: getattr(m.g, f"{name}_")(t.ours, other.ours),
           lambda x: getattr(x, f"{name}_")(operand), lambda x: getattr(x, name)(operand), other)


@instruction(3)
def copy_in_place(m):
    t, other = m.pick(), m.pick()
    if m.random.random() < 0.7:
        other = m.pick(lambda p: fits(p.theirs, t.theirs))
    operand = other.theirs.clone() if m.share(t, other) else other.theirs
    change(m, f"copy_({t}, {other})", t, lambda: m.g.copy_(t.ours, other.ours),
           lambda x: x.copy_(operand), lambda x: operand.expand(x.shape).clone(), other)


def fits(other, t):
    return (other.dim() <= t.dim()
            and all(a in (1, b) for a, b in zip(reversed(other.shape), reversed(t.shape))))


@instruction(4)
def in_place_scalar(m):
    name, t, value = m.random.choice(["add", "mul"]), m.pick(), m.random.choice([-1, 0.5, 2])
    change(m, f"{name}_scalar_({t}, {value})", t,
           lambda: getattr(m.g, f"{name}_scalar_")(t.ours, value),
           lambda x: getattr(x, f"{name}_")(value), lambda x: getattr(x, name)(value))


@instruction(2)
def renew(m):
    t, value = m.pick(), m.random.choice([0, 0.75])
    change(m, f"fill_({t}, {value})", t,
           lambda: m.g.zero_(t.ours) if value == 0 else m.g.fill_(t.ours, value),
           lambda x: x.fill_(value), lambda x: torch.full_like(x, value))


# ---- Backward


@instruction(9)
def backward(m):
    loss = m.pick(lambda p: p.theirs.requires_grad)
    if not loss or m.random.random() < 0.05:
        loss = m.pick()
    retain = m.random.random() < 0.7
    grad = None
    if loss.theirs.numel() != 1 or m.random.random() < 0.3:
        grad = m.values(list(loss.theirs.shape)).to(loss.theirs.dtype)
        if m.random.random() < 0.05:
            grad = None
    m.log.append(f"backward({loss}, {'given' if grad is not None else 'one'}, retain={retain})")
    try:
        m.g.backward_with(loss.ours, grad, retain)
    except GraftError as error:
        m.log[-1] += f"  # {error}"
        fails_too(loss, grad, retain, error)
        raise Stop from None  # some gradients were there before it failed
    try:
        loss.theirs.backward(grad, retain_graph=retain)
    except TORCH_ERRORS as error:
        if "modified by an inplace operation" in str(error):
            raise Stop from None  # it saves more than graft does
        raise Mismatch(f"PyTorch fails, graft does not: {error}") from error
    m.compare_gradients()
    if any(p.theirs.grad is not None and not bool((p.theirs.grad.abs() < 1e4).all())
           for p in m.pairs if p.theirs.is_leaf):
        raise Stop


def fails_too(loss, grad, retain, error):
    try:
        loss.theirs.backward(grad, retain_graph=retain)
    except TORCH_ERRORS:
        return
    if not any(reason in str(error) for reason in BACKWARD_MAY_FAIL):
        raise Mismatch(f"graft fails, PyTorch does not: {error}")


@instruction(3)
def drop_gradient(m):
    pair = m.pick(lambda p: p.theirs.is_leaf)
    if pair:
        m.log.append(f"set_grad({pair}, NULL)")
        m.g.set_grad(pair.ours, None)
        pair.theirs.grad = None


@instruction(1)
def give_gradient(m):
    pair = m.pick(lambda p: p.theirs.is_leaf)
    if pair:
        grad = m.values(list(pair.theirs.shape)).to(pair.theirs.dtype)
        m.log.append(f"set_grad({pair}, given)")
        m.g.set_grad(pair.ours, grad)
        pair.theirs.grad = grad.clone()
        m.compare_gradients()


@instruction(1)
def clone(m):
    """A deep copy, with requires_grad and the gradient."""
    x = m.pick()

    def theirs():
        if not x.theirs.is_leaf:
            raise RuntimeError("PyTorch's deepcopy refuses it too")
        copy = x.theirs.detach().clone(memory_format=torch.contiguous_format)
        copy.requires_grad_(x.theirs.requires_grad)
        copy.grad = None if x.theirs.grad is None else x.theirs.grad.clone()
        return copy

    pair = m.make(f"tensor_clone({x})", lambda: m.g.tensor_clone(x.ours, None), theirs, "leaf")
    if pair in m.pairs:
        m.forget_scope(pair)  # it belongs to the context
        m.compare_gradients()
