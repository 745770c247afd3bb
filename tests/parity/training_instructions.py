"""The instructions of random programs that train: optimizers, snapshots, models and their clones."""

import copy

import torch

from graft import ffi, options
from instructions import instruction
from programs import Pair

KINDS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class Optimizer:
    def __init__(self, name, kind, ours, theirs, pairs):
        self.name, self.kind = name, kind
        self.ours, self.theirs = ours, theirs
        self.pairs = pairs


def random_settings(m, kind):
    """Options by PyTorch's names."""
    chosen = {"lr": m.random.choice([0.01, 0.1]), "weight_decay": m.random.choice([0, 0, 0.1]),
              "maximize": m.random.random() < 0.2}
    if kind == "sgd":
        chosen["momentum"] = m.random.choice([0, 0, 0.5])
        chosen["nesterov"] = chosen["momentum"] > 0 and m.random.random() < 0.3
        chosen["dampening"] = 0 if chosen["nesterov"] else m.random.choice([0, 0, 0.25])
    else:
        chosen["amsgrad"] = m.random.random() < 0.3
        chosen["betas"] = m.random.choice([(0.9, 0.999), (0.5, 0.75)])
    return chosen


def our_options(kind, settings):
    fields = dict(settings)
    if "betas" in fields:
        fields["beta1"], fields["beta2"] = fields.pop("betas")
    return options(kind, **fields)


def named(m, names, tensors):
    """A dict of graft."""
    made = m.g.dict_new()
    for name, tensor in zip(names, tensors):
        m.g.dict_set_tensor(made, name, tensor)
    return made


@instruction(2)
def new_optimizer(m):
    leaves = [p for p in m.pairs if p.theirs.is_leaf and p.theirs.requires_grad]
    if not leaves or len(m.optimizers) > 2:
        return
    pairs = m.random.sample(leaves, m.random.randint(1, min(3, len(leaves))))
    kind = m.random.choice(list(KINDS))
    settings = random_settings(m, kind)
    name = f"optimizer{len(m.optimizers)}"
    m.log.append(f"{name} = {kind}({pairs}, {settings})")
    parameters = named(m, map(str, pairs), [p.ours for p in pairs])
    ours = getattr(m.g, kind)(parameters, our_options(kind, settings))
    m.g.dict_free(parameters)
    for pair in pairs:
        pair.fixed = True
        m.keep(pair)
    theirs = KINDS[kind]([p.theirs for p in pairs], **settings)
    m.optimizers.append(Optimizer(name, kind, ours, theirs, pairs))


@instruction(4)
def step(m):
    if m.optimizers:
        o = m.random.choice(m.optimizers)
        m.change(f"step({o.name})", None, lambda: m.g.step(o.ours), o.theirs.step)


@instruction(1)
def zero_grad(m):
    if m.optimizers:
        o = m.random.choice(m.optimizers)
        m.log.append(f"zero_grad({o.name})")
        m.g.zero_grad(o.ours)
        o.theirs.zero_grad(set_to_none=True)


@instruction(1)
def reload_optimizer(m):
    """Another optimizer of the kind takes over the state."""
    if not m.optimizers:
        return
    o = m.random.choice(m.optimizers)
    m.log.append(f"reload({o.name})")
    parameters = named(m, map(str, o.pairs), [p.ours for p in o.pairs])
    fresh = getattr(m.g, o.kind)(parameters, None)
    m.g.scope_begin()
    state = m.g.optimizer_state_dict(o.ours)
    if m.random.random() < 0.5:
        state = m.g.dict_clone(state, None)
    m.g.optimizer_load_state_dict(fresh, state)
    m.g.scope_end()
    m.g.dict_free(parameters)
    m.g.optimizer_free(o.ours)
    o.ours = fresh
    theirs = KINDS[o.kind]([p.theirs for p in o.pairs], lr=0.5)
    theirs.load_state_dict(copy.deepcopy(o.theirs.state_dict()))
    o.theirs = theirs


@instruction(2)
def snapshot(m):
    pair = m.pick()
    alias = m.g.detach(pair.ours)
    held = named(m, ["t"], [alias])
    m.log.append(f"snapshot of {pair}")
    m.snapshots.append((pair, m.g.dict_clone(held, None), pair.theirs.detach().clone()))
    m.g.dict_free(held)
    m.g.tensor_free(alias)


@instruction(3)
def restore(m):
    found = [s for s in m.snapshots if s[0] in m.pairs]
    if not found:
        return
    pair, ours, theirs = m.random.choice(found)
    m.close(f"the snapshot of {pair}", m.g.torch(m.g.dict_tensor(ours, "t")), theirs)

    def copy_theirs():
        with torch.no_grad():
            pair.theirs.copy_(theirs)

    def copy_ours():
        with m.g.no_grad():
            m.g.copy_(pair.ours, m.g.dict_tensor(ours, "t"))

    m.change(f"restore {pair}", pair, copy_ours, copy_theirs)


# ---- Models


class Model:
    def __init__(self, name, ours, theirs, pairs):
        self.name, self.ours, self.theirs = name, ours, theirs
        self.pairs = pairs


def model_of(m, name, ours, theirs):
    """The parameters of both become pairs."""
    pairs = []
    for path, parameter in theirs.named_parameters():
        pair = Pair(f"{name}.{path}", m.g.get_parameter(ours, path), parameter, fixed=True)
        pairs.append(pair)
        m.pairs.append(pair)
        m.compare(pair)
    m.compare_gradients()
    model = Model(name, ours, theirs, pairs)
    m.models.append(model)
    return model


@instruction(2)
def new_model(m):
    if m.models:
        return
    widths = [m.random.choice([1, 2, 3]) for _ in range(3)]
    bias, activation = m.random.random() < 0.7, m.random.choice(["Tanh", "Sigmoid"])
    theirs = torch.nn.Sequential(torch.nn.Linear(widths[0], widths[1], bias),
                                 getattr(torch.nn, activation)(),
                                 torch.nn.Linear(widths[1], widths[2], bias)).double()
    ours = m.g.sequential()
    for at, layer in enumerate(theirs):
        m.g.sequential_add(ours, getattr(m.g, f"{activation.lower()}_layer")() if at == 1
                           else m.g.linear_dtype(layer.in_features, layer.out_features, bias,
                                                 torch.float64))
    for parameter in theirs.parameters():
        with torch.no_grad():
            parameter.copy_(m.values(list(parameter.shape)))
    state = theirs.state_dict()
    m.log.append(f"model = Linear {widths} {bias} {activation}")
    m.g.scope_begin()
    tensors = [m.g.tensor(tensor) for tensor in state.values()]
    m.g.load_state_dict(ours, named(m, state, tensors), None, None)
    m.g.scope_end()
    model_of(m, "model", ours, theirs)


@instruction(4)
def forward(m):
    if not m.models:
        return
    model = m.random.choice(m.models)
    x = m.pick(lambda p: p.is_double and p.theirs.dim() > 0
               and p.theirs.shape[-1] == model.theirs[0].in_features)
    if x:
        m.make(f"forward({model.name}, {x})", lambda: m.g.forward(model.ours, x.ours),
               lambda: model.theirs(x.theirs))


@instruction(1)
def clone_model(m):
    """A copy, which an optimizer of the source follows."""
    if not m.models or len(m.models) > 2:
        return
    source = m.random.choice(m.models)
    name = f"clone{len(m.models)}"
    m.log.append(f"{name} = clone({source.name})")
    map_ = ffi.new("graft_copy_map **")
    ours = m.g.clone(source.ours, None, map_)
    theirs = copy.deepcopy(source.theirs)
    for to, parameter in zip(theirs.parameters(), source.theirs.parameters()):
        to.grad = copy.deepcopy(parameter.grad)  # which a copied Parameter has lost
    clone = model_of(m, name, ours, theirs)
    for o in list(m.optimizers):
        if all(pair in source.pairs for pair in o.pairs):
            m.log.append(f"the clone of {o.name} follows")
            pairs = [clone.pairs[source.pairs.index(pair)] for pair in o.pairs]
            theirs = KINDS[o.kind]([p.theirs for p in pairs], lr=0.5)
            theirs.load_state_dict(copy.deepcopy(o.theirs.state_dict()))
            m.optimizers.append(Optimizer(f"optimizer{len(m.optimizers)}", o.kind,
                                          m.g.follow(o.ours, map_[0]), theirs, pairs))
    m.g.copy_map_free(map_[0])
