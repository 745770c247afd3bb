"""Tensors of every kind into every operation, and random arguments into every function: nothing
crashes, nothing is printed, what fails says so in its own name, and the context works on."""

import itertools
import random

import pytest

import graft
from graft import ffi, lib, text
from hostile import (BUFFER, FUNCTIONS, INTEGERS, LIVE, SHAPE, STATUS, TENSOR, World,
                     default_options, is_options, note, survive)

# ---- Tensors of every kind

# Functions that look, or that have nothing to say about a tensor.
QUIET = {"graft_grad", "graft_copy_map_tensor"}
# What an operation is called in its errors, where that is not its name.
CALLED = {"f_linear": "linear", "cross_entropy_with": "cross_entropy", "backward_with": "backward",
          "max_dims": "max", "sum_dims": "sum", "mean_dims": "mean", "squeeze_all": "squeeze",
          "set_parameter": "parameter", "forward": "as '0' of Sequential"}


def scalars(function, generator):
    """Arguments that are no tensors: sane ones, and a few that are not."""
    chosen = {}
    for p in function.parameters:
        if p.type is SHAPE:
            chosen[p.name] = graft.shape(generator.choice(
                [(), (0,), (1,), (0, 1), (1, 0), (2, 3), (3, 2), (6,), (-1,), (2, -1), (1, 2, 3)]))
        elif p.type.kind == "enum":
            chosen[p.name] = generator.choice([0, 1, 2, 4, 8])
        elif p.type.cname in INTEGERS:
            chosen[p.name] = generator.choice([0, 0, 1, 1, 2, 5] + [-1] * (p.type.cname != "size_t"))
        elif p.type.cname == "double":
            chosen[p.name] = generator.choice([0.0, 0.5, 1.0, -1.0, 2.0])
        elif p.type.cname == "_Bool":
            chosen[p.name] = generator.random() < 0.5
    return chosen


def backward(world, result):
    """Runs backward from a result; it may fail, and must say so."""
    if not lib.graft_requires_grad(result):
        return None
    grad = lib.graft_ones(world.g.ptr, lib.graft_tensor_shape(result), lib.graft_tensor_dtype(result))
    failed = lib.graft_backward_with(result, grad, False) != lib.GRAFT_OK
    if failed != (lib.graft_error(world.g.ptr) != ffi.NULL):
        return "backward and its error disagree"
    return None


def complaint_of(world, function, arguments):
    result = function(arguments)
    error = text(lib.graft_error(world.g.ptr))
    complaint = None
    if function.result.kind == "pointer" and function.name not in QUIET:
        if (result == ffi.NULL) != (error is not None):
            complaint = f"{'NULL' if result == ffi.NULL else 'a result'}, but the error is {error}"
    elif function.result is STATUS and (result != lib.GRAFT_OK) != (error is not None):
        complaint = f"status {result}, but the error is {error}"
    called = CALLED.get(function.operation, function.operation)
    if error and called not in error:
        complaint = f"the error does not name the operation: {error}"
    if function.operation in graft.OWNED_TEXTS:
        lib.graft_text_free(world.g.ptr, result)
    if not complaint and function.result is TENSOR and result != ffi.NULL:
        lib.graft_clear_error(world.g.ptr)
        complaint = backward(world, result)
    works = world.works()
    return complaint or (None if works else "the context does not work any more")


def every_kind(function):
    """What is wrong with calls of a function with each pair of kinds of tensors."""
    LIVE.clear()
    generator = random.Random(function.name)
    tensors = [p for p in function.parameters if p.type is TENSOR]
    complaints, world = [], World()
    kinds = list(world.tensors)
    for count, names in enumerate(itertools.product(kinds, repeat=min(len(tensors), 2))):
        if count % 20 == 19:
            world.g.close()
            if any(LIVE.values()):
                return f"{', '.join(names)} or up to 20 before: these are left: {LIVE}"
            world = World()
        arguments = {p.name: world.of(function, p) for p in function.parameters}
        arguments.update(scalars(function, generator))
        arguments.update((p.name, world.tensors[name]) for p, name in zip(tensors, names))
        complaint = complaint_of(world, function, arguments)
        if complaint:
            complaints.append(f"{', '.join(names)}: {complaint}")
    return "\n".join(complaints[:10]) or None


FREES = {"graft_tensor_free"}


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.takes(TENSOR)
                                      and f.name not in FREES], ids=str)
def test_tensors_of_every_kind(function):
    assert survive([(function.name, lambda: every_kind(function))]) == []

# ---- Random arguments

# What would free the world, or a part of it.
FREES_ALL = {"graft_close", "graft_text_free", "graft_module_free", "graft_dict_free",
             "graft_optimizer_free", "graft_copy_map_free", "graft_load_report_free",
             "graft_checkpoint_free", "graft_audit_free", "graft_salvage_free", "graft_rules_free",
             "graft_diff_free",
             "graft_plan_free", "graft_moment_report_free",
             *FREES}
LARGE = (2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -2**31, -2**63, -2**63 + 1)
DOUBLES = (0.0, 1.0, -1.0, 0.5, 2.0, 1e-3, 1e300, -1e300, 5e-324, 1e19, float("inf"),
           float("-inf"), float("nan"))
STRINGS = ("weight", "0.weight", "0", "bias", "a", "", ".", "..", "0.", ".0", "0.0.0", "%s%n",
           "\u00e9", "x" * 2000, "/", "no/such/file", "text", "2", "-1", "9223372036854775808")


def random_integer(generator, ctype):
    value = generator.choice([generator.randint(-3, 9), generator.randint(-3, 9),
                              generator.choice(LARGE)])
    bits = 8 * ffi.sizeof(ctype)
    value &= (1 << bits) - 1
    signed = ctype.cname in ("int", "int64_t")
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def random_shape(generator):
    ndim = generator.choice([0, 1, 1, 2, 2, 2, 3, 4, 8, -1, 9, 2**31 - 1, -2**31])
    sizes = [generator.choice([0, 1, 2, 3, 3, -1, generator.choice(LARGE)]) for _ in range(8)]
    return ffi.new("graft_shape *", {"ndim": ndim, "size": sizes})[0]


def random_options(generator, ctype):
    """The defaults with one field changed, or NULL."""
    options = default_options(ctype)
    name, field = generator.choice([f for f in ctype.item.fields if f[1].type.kind != "struct"])
    if field.type.kind == "enum":
        setattr(options, name, generator.randint(0, 5))
    elif field.type.cname == "double":
        setattr(options, name, generator.choice(DOUBLES))
    elif field.type.cname == "_Bool":
        setattr(options, name, True)
    elif field.type.cname in INTEGERS and name != "threads":
        setattr(options, name, random_integer(generator, field.type))
    return generator.choice([options, options, ffi.NULL])


def random_argument(generator, world, function, parameter):
    ctype = parameter.type
    if ctype.kind == "pointer" and generator.random() < 0.03:
        return ffi.NULL
    if ctype is TENSOR:
        return generator.choice(list(world.tensors.values()))
    if ctype is SHAPE:
        return random_shape(generator)
    if ctype.kind == "enum":
        return generator.choice([0, 0, 1, 2, 4, 8, 9, 10, 255, 2**31 - 1])
    if ctype.cname in INTEGERS:
        return random_integer(generator, ctype)
    if ctype.cname == "double":
        return generator.choice(DOUBLES)
    if ctype.cname == "_Bool":
        return generator.random() < 0.5
    if ctype.cname == "char *" and parameter.name != "out":  # that is written to
        return ffi.new("char[]", generator.choice(STRINGS).encode())
    if ctype.cname == "graft_optimizer *":
        return generator.choice(world.optimizers)
    if is_options(ctype):
        return random_options(generator, ctype)
    return world.of(function, parameter)


def reads_too_much(function, arguments):
    """Whether a call would read behind the buffer that it gets."""
    if function.name == "graft_shape_of":
        return arguments["ndim"] > 8
    if function.name in ("graft_from_data", "graft_from_borrowed"):
        shape = arguments["shape"]
        sizes = [shape.size[i] for i in range(max(0, min(shape.ndim, 8)))]
        product = 1
        for size in sizes:
            product *= size
        return all(size >= 0 for size in sizes) and len(BUFFER) < 8 * product < 2**25
    return function.name in ("graft_gradcheck", "graft_merge") and arguments["n"] != 1


def describe(function, arguments):
    return f"{function}({', '.join(str(value) for value in arguments.values())})"


def random_calls(seed, count):
    """What is wrong with some calls of a world, if anything is."""
    LIVE.clear()
    generator = random.Random(seed)
    callable_ = [f for f in FUNCTIONS if f.parameters and f.name not in FREES_ALL]
    world = World()
    for _ in range(count):
        function = generator.choice(callable_)
        arguments = {p.name: random_argument(generator, world, function, p)
                     for p in function.parameters}
        if reads_too_much(function, arguments):
            continue
        note(describe(function, arguments))
        result = function(arguments)
        if function.operation in graft.OWNED_TEXTS:
            lib.graft_text_free(world.g.ptr, result)
        for p in function.parameters:
            if p.type.cname == "char * *" and arguments[p.name] != ffi.NULL:
                lib.graft_text_free(world.g.ptr, arguments[p.name][0])
        if function.result is TENSOR and 0 <= lib.graft_numel(result) < 1000:
            world.add(f"result {generator.randint(0, 9)}", result)
        error = text(lib.graft_error(world.g.ptr))
        if function.result is STATUS and result != lib.GRAFT_OK and not error and not any(
                arguments[p.name] == ffi.NULL for p in function.pointers):
            return f"{describe(function, arguments)}: status {result} without an error"
        if not world.works():
            return f"{describe(function, arguments)}: the context does not work any more"
    note("graft_close")
    world.g.close()
    return f"these are left: {LIVE}" if any(LIVE.values()) else None


@pytest.mark.parametrize("hundred", range(10))
def test_random_arguments(hundred):
    assert survive([(f"seed {seed}", lambda seed=seed: random_calls(seed, 50))
                    for seed in range(100 * hundred, 100 * hundred + 100)]) == []
