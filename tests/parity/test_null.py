"""NULL, and what makes no sense, into every public function: nothing crashes, nothing is printed,
failure is told, and the context works on."""

import math

import pytest

from graft import ffi, lib, text
from hostile import FUNCTIONS, SHAPE, STATUS, World, survive

# The pointers that may be NULL, as "parameter" or "function.parameter".
OPTIONAL = {"options", "into", "user", "release", "count", "field", "bias",
            "graft_set_grad.grad", "graft_parameter.tensor",
            "graft_plan_into_module.rules", "graft_plan_into_dict.rules", "graft_transplant.rules",
            "graft_plan_into_dict.target", "graft_transplant.text",
            "graft_transplant_optimizer.names", "graft_transplant_optimizer.report",
            "graft_transplant_optimizer_dict.names", "graft_transplant_optimizer_dict.report",
            "graft_buffer.tensor", "graft_clone.map", "graft_load_state_dict.report",
            "graft_dict_key_is_int.key", "graft_dtype_block.elements", "graft_dtype_block.bytes",
            "graft_dict_find_path.i", "graft_dict_bytes_at.size", "graft_dict_set_bytes.bytes",
            "graft_dict_complex_at.real", "graft_dict_complex_at.imag",
            "graft_dict_set_attributes.attributes", "graft_save_as.report",
            "graft_save_delta.report"}

# What these say of NULL is no failure.
TRUE_OF_NULL = {"graft_open", "graft_is_leaf", "graft_tensor_free"}


def has_failed(function, result):
    """Whether a result is one that failure has."""
    kind = function.result
    if kind.kind == "void":
        return True
    if kind.kind == "pointer":
        return result == ffi.NULL
    if kind is STATUS:
        return result != lib.GRAFT_OK
    if kind is SHAPE:
        return result.ndim == -1
    if kind.cname == "double":
        return math.isnan(result) or result == 0
    return kind.kind == "enum" or result in (0, -1)


def is_optional(function, parameter):
    return not OPTIONAL.isdisjoint((parameter.name, f"{function}.{parameter.name}"))


def call(function, nulls):
    """Whether a call of function with NULL for these parameters fails, and the context works on."""
    world = World()
    arguments = {p.name: world.of(function, p) for p in function.parameters}
    arguments.update((p.name, ffi.NULL) for p in nulls)
    failed = has_failed(function, function(arguments))
    return failed, function.name == "graft_close" or world.works()


def complaint_of(function, nulls):
    """What is wrong with a call of function with NULL for these parameters, if anything is."""
    failed, works = call(function, nulls)
    if not works:
        return "the context does not work any more"
    if function.name in TRUE_OF_NULL:
        return "failed" if failed else None
    if not all(is_optional(function, p) for p in nulls):
        return None if failed else "did not fail"
    return "failed, but not without NULL" if failed and not call(function, [])[0] else None


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.pointers], ids=str)
def test_null(function):
    each = [[p] for p in function.pointers]
    everything = [function.pointers] if len(each) > 1 else []
    jobs = [(", ".join(f"{p.name}=NULL" for p in nulls),
             lambda nulls=nulls: complaint_of(function, nulls)) for nulls in each + everything]
    assert survive(jobs) == []


def complaint_of_valid(function):
    world = World()
    if function.name in ("graft_scope_end", "graft_no_grad_end"):
        getattr(world.g, function.operation.replace("end", "begin"))()
    function({p.name: world.of(function, p) for p in function.parameters})
    return None if function.name == "graft_close" else text(lib.graft_error(world.g.ptr))


def test_valid_calls_succeed():
    """Without this, a function that always fails would pass."""
    jobs = [(f.name, lambda f=f: complaint_of_valid(f)) for f in FUNCTIONS]
    assert survive(jobs) == []
