"""graft called as no friend would call it: what there is to call, worlds of arguments to call it
with, and processes in which it may crash."""

import collections
import json
import mmap
import os
import re
import signal
import tempfile

import cffi
import torch

import graft
from graft import CDEF, ffi, lib

_libc = cffi.FFI()
_libc.cdef("""void *aligned_alloc(size_t align, size_t size); void free(void *block);
              void *fopen(const char *path, const char *mode);""")
libc = _libc.dlopen(None)

# ---- What there is to call

Parameter = collections.namedtuple("Parameter", "name type")


class Function:
    """A public function; call it with a dict of arguments by name."""

    def __init__(self, name, parameters):
        self.name = name
        self.operation = name.removeprefix("graft_")
        self.pointer = getattr(lib, name)
        signature = ffi.typeof(self.pointer)
        self.result = signature.result
        names = [_parameter_name(text) for text in _split(parameters) if text != "void"]
        assert len(names) == len(signature.args), name
        self.parameters = [Parameter(*pair) for pair in zip(names, signature.args)]
        self.pointers = [p for p in self.parameters if p.type.kind == "pointer"]

    def __call__(self, arguments):
        return self.pointer(*[arguments[p.name] for p in self.parameters])

    def takes(self, ctype):
        return any(p.type is ctype for p in self.parameters)

    def __repr__(self):
        return self.name


def _split(parameters):
    """The texts between the commas that are in no bracket."""
    begin = depth = 0
    for at, char in enumerate(parameters + ","):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            yield parameters[begin:at].strip()
            begin = at + 1


def _parameter_name(text):
    return (re.search(r"\(\*(\w+)\)", text) or re.search(r"(\w+)(?:\[\w+\])?$", text))[1]


FUNCTIONS = [Function(*found) for found in re.findall(
    r"^(?!typedef\b|struct\b|enum\b).*?\b(graft_\w+)\((.*)\);$", CDEF, re.MULTILINE)]

# ---- A world: a context and something of everything

TENSOR, CONTEXT = ffi.typeof("graft_tensor *"), ffi.typeof("graft_ctx *")
MODULE, DICT = ffi.typeof("graft_module *"), ffi.typeof("graft_dict *")
SHAPE, STATUS = ffi.typeof("graft_shape"), ffi.typeof("graft_status")
LARGEST_BLOCK = 1 << 24
LIVE = collections.Counter()  # what the worlds have of the machine's memory
BUFFER = ffi.new("char[]", 1 << 16)


def _ours(pointer):
    """A pointer of libc's ffi in graft's."""
    return ffi.cast("void *", int(_libc.cast("uintptr_t", pointer)))


@ffi.callback("void *(void *, size_t, size_t)")
def _alloc(_, size, align):
    """What is too large is refused: a random size must not take the machine's memory."""
    if size > LARGEST_BLOCK:
        return ffi.NULL
    LIVE.update(blocks=1, bytes=size)
    return _ours(libc.aligned_alloc(align, -(-size // align) * align))


@ffi.callback("void (void *, void *, size_t)")
def _free(_, block, size):
    LIVE.subtract(blocks=1, bytes=size)
    libc.free(_libc.cast("void *", int(ffi.cast("uintptr_t", block))))


COUNTING_ALLOCATOR = {"alloc": _alloc, "free": _free}


@ffi.callback("graft_tensor *(void *, graft_tensor **, int)")
def _function(_, inputs, n):
    return lib.graft_sum(inputs[0])


@ffi.callback("graft_status(void *, const char *, graft_module *)")
def _visit(*_):
    return lib.GRAFT_OK


@ffi.callback("void(void *, void *)")
def _release(*_):
    pass


@ffi.callback("_Bool(void *, uint64_t, uint64_t)")
def _progress(*_):
    return True


FOLDER = tempfile.TemporaryDirectory()  # where calls may write
FILE = os.fsencode(os.path.join(FOLDER.name, "a.pt"))


def _write_file():
    with graft.Context() as g:
        d, meta = g.dict_new(), g.dict_new()
        g.dict_set_tensor(d, b"weight", g.ones((2, 3), lib.GRAFT_F32))
        g.dict_set_dict(d, b"meta", meta)
        g.save(FILE, d)


_write_file()
with open(FILE, "rb") as file:
    FILE_BYTES = file.read()
MODULE_FILE = FILE + b".module"
RULES_FILE = FILE + b".rules"
with open(RULES_FILE, "w") as file:
    file.write("strip module.\n")
torch.save(torch.nn.Linear(3, 2), os.fsdecode(MODULE_FILE))


CLASS_NAME = ffi.new("char[]", b"Hostile")
CLASS = ffi.new("graft_module_class *", {"name": CLASS_NAME, "size": ffi.sizeof("graft_module")})
NULL_DEVICE = ffi.cast("FILE *", _ours(libc.fopen(b"/dev/null", b"w")))


class World:
    """A context and something of each kind that belongs to it. What may be freed by some calls is
    held by a dict that no call gets."""

    def __init__(self):
        self.g = graft.Context(allocator=COUNTING_ALLOCATOR)
        self.module = self._module()
        self.tensors = self._tensors()
        self.dict = self.g.dict_new()
        for key in ("weight", "bias", "a", "b"):
            self.g.dict_set_tensor(self.dict, key, self.g.ones((2, 3), lib.GRAFT_F32))
        parameters = self.g.parameters(self.module)
        self.optimizers = [getattr(self.g, kind)(parameters, None)
                           for kind in ("sgd", "adam", "adamw")]
        self.map = self._made("graft_copy_map **", self.g.clone, self.module, None)
        self.report = self._made("graft_load_report **", self.g.load_state_dict, self.module,
                                 self.g.state_dict(self.module), None)
        self.plan = self.g.plan_into_module(self.module, self.g.state_dict(self.module), None, None)
        self.moments = self._made(
            "graft_moment_report **", self.g.transplant_optimizer, self.optimizers[1],
            self.g.optimizer_state_dict(self.optimizers[1]), self.plan, None)
        self.held = self.g.dict_new()
        for name, tensor in self.tensors.items():
            self.add(name, tensor)
        self.ones = {  # one of each type
            "graft_ctx *": self.g.ptr, "graft_module *": self.module, "graft_dict *": self.dict,
            "graft_copy_map *": self.map, "graft_load_report *": self.report,
            "graft_plan *": self.plan, "graft_moment_report *": self.moments,
            "graft_optimizer *": self.optimizers[1],
            "graft_checkpoint *": self.g.checkpoint_open(FILE, None),
            "graft_audit_report *": self.g.audit(FILE, None),
            "graft_salvage_report *": self.g.salvage(FILE, None),
            "graft_rules *": self.g.rules_parse("strip module.\nfuse *.qkv 0 *.q *.k *.v\n"),
            "graft_diff_report *": self.g.diff(self.dict, self.held, None),
            "graft_dict * *": ffi.new("graft_dict *[]", [self.dict]),
            "char *": ffi.new("char[]", b"weight"), "void *": ffi.cast("void *", BUFFER),
            "int64_t *": ffi.new("int64_t[8]"), "FILE *": NULL_DEVICE,
            "graft_module_class *": CLASS,
            "graft_tensor * *": ffi.new("graft_tensor *[]", [self.tensors["f64"]]),
            "graft_tensor *(*)(void *, graft_tensor * *, int)": _function,
            "graft_status(*)(void *, char *, graft_module *)": _visit,
            "_Bool(*)(void *, uint64_t, uint64_t)": _progress,
            "void(*)(void *, void *)": _release,
        }

    @staticmethod
    def _made(ctype, method, *arguments):
        place = ffi.new(ctype)
        method(*arguments, place)
        return place[0]

    def _module(self):
        g, module = self.g, self.g.sequential()
        g.sequential_add(module, g.linear(3, 2, True))
        g.sequential_add(module, g.relu_layer())
        g.sequential_add(module, g.sequential())
        return module

    def _tensors(self):
        g, ones = self.g, lambda *size, dtype=lib.GRAFT_F32: self.g.ones(size, dtype)
        leaf = g.set_requires_grad(ones(2, 3), True)
        carried = lambda dtype, *size: g.from_data(BUFFER, size, dtype)  # only moved, never computed in
        weight = g.get_parameter(self.module, "0.weight")
        g.backward(g.sum(g.f_linear(ones(4, 3), weight, None)))
        return {
            "matrix": ones(2, 3), "tall": ones(3, 2), "scalar": ones(), "vector": ones(3), "one": ones(1),
            "empty": ones(0, 3), "many": ones(2, 1, 3, 1, 2, 1, 1, 2), 
            "f64": g.set_requires_grad(ones(2, 3, dtype=lib.GRAFT_F64), True),
            "transposed": g.transpose(ones(3, 2), 0, 1),
            "sliced": g.narrow(ones(2, 5), 1, 1, 3),
            "expanded": g.expand(ones(1, 3), (2, 3)),
            "f16": ones(2, 3, dtype=lib.GRAFT_F16), "bf16": ones(3, dtype=lib.GRAFT_BF16),
            "i64": ones(2, dtype=lib.GRAFT_I64), "i32": ones(dtype=lib.GRAFT_I32),
            "u8": ones(2, 3, dtype=lib.GRAFT_U8), "bool": ones(2, 3, dtype=lib.GRAFT_BOOL),
            "leaf": leaf, "result": g.mul_scalar(leaf, 2), "view": g.view(leaf, (3, 2)),
            "parameter": weight, "gradient": g.grad(weight),
            "f8": carried(lib.GRAFT_F8_E4M3FN, 2, 3), "c128": carried(lib.GRAFT_C128, 3),
            "u16": carried(lib.GRAFT_U16), "f4": carried(lib.GRAFT_F4, 2, 4),
            "q8": carried(lib.GRAFT_Q8_0, 2, 32), "turned": g.transpose(
                carried(lib.GRAFT_C128, 2, 3), 0, 1),
        }

    def add(self, name, tensor):
        """Gives the world one more tensor; keeps it alive, whoever else lets go of it."""
        lib.graft_dict_set_tensor(self.held, ffi.new("char[]", name.encode()), tensor)
        self.tensors[name] = tensor

    def of(self, function, parameter):
        """A valid argument."""
        special = SPECIAL.get(f"{function.operation}.{parameter.name}")
        if special:
            return special(self)
        ctype, name = parameter.type, parameter.name
        if ctype.kind == "enum" or ctype.cname in INTEGERS:
            return int(name in ("ndim", "n", "threads", "high"))
        if ctype.cname in ("double", "_Bool"):
            return 1
        if ctype is SHAPE:
            return graft.shape((0, 1) if name == "dims" else (2, 3))
        if ctype is TENSOR:
            return self.tensors["i64" if name in ("target", "index") else "matrix"]
        if ctype.cname in self.ones:
            return self.ones[ctype.cname]
        assert ctype.kind == "pointer", f"{function}: {name}: {ctype}"
        if is_options(ctype):
            return default_options(ctype)
        return ffi.new(ctype)  # where something is to be put

    def works(self):
        """Whether the context, its error forgotten, computes as it should."""
        ptr = self.g.ptr
        lib.graft_clear_error(ptr)
        lib.graft_scope_begin(ptr)
        total = lib.graft_item(lib.graft_sum(lib.graft_ones(ptr, graft.shape((3,)), lib.GRAFT_F32)))
        lib.graft_scope_end(ptr)
        return total == 3 and lib.graft_error(ptr) == ffi.NULL


INTEGERS = ("int", "int64_t", "size_t", "uint64_t")


def is_options(ctype):
    return ctype.kind == "pointer" and ctype.item.cname.endswith("_options")


def default_options(ctype):
    name = ctype.item.cname.removeprefix("graft_").removesuffix("_options")
    return ffi.new(ctype, getattr(lib, f"graft_{name}_defaults")())


def _other_parameters(world):
    return world.g.parameters(world.g.linear(2, 2, True))


def _delta(world):
    """Of the world's dict to itself."""
    path = FILE + b".3.safetensors"
    world.g.save_delta(path, world.dict, world.dict, b"itself", None, None)
    return world.g.checkpoint_open(path, None)


# Where what is valid depends on the function.
SPECIAL = {
    "content_hash.out": lambda w: ffi.new("char[]", 65), "tensor_hash.out": lambda w: ffi.new("char[]", 65),
    "set_num_threads.threads": lambda w: 2,
    "copy_out.out_bytes": lambda w: 6 * 4,
    "item.t": lambda w: w.tensors["scalar"], "item_i64.t": lambda w: w.tensors["scalar"],
    "matmul.b": lambda w: w.tensors["tall"],
    "f_linear.bias": lambda w: w.g.ones((2,), lib.GRAFT_F32),
    "mse_loss.target": lambda w: w.tensors["matrix"],
    "backward.loss": lambda w: w.g.sum(w.tensors["leaf"]),
    "backward_with.t": lambda w: w.tensors["result"],
    "parameter.name": lambda w: ffi.new("char[]", b"new"),
    "get_parameter.path": lambda w: ffi.new("char[]", b"0.weight"),
    "set_parameter.path": lambda w: ffi.new("char[]", b"0.weight"),
    "copy_map_drop.path": lambda w: ffi.new("char[]", b"0.weight"),
    "get_module.path": lambda w: ffi.new("char[]", b"0"),
    "child.child": lambda w: w.g.identity(), "sequential_add.child": lambda w: w.g.identity(),
    "child.field": lambda w: ffi.NULL, "parameter.field": lambda w: ffi.NULL,
    "buffer.field": lambda w: ffi.NULL,
    "dict_set_dict.value": lambda w: w.g.dict_new(),
    "dict_set_int_key_dict.value": lambda w: w.g.dict_new(),
    "dict_rename.to": lambda w: ffi.new("char[]", b"height"),
    "sgd_add_group.opt": lambda w: w.optimizers[0], "sgd_group.opt": lambda w: w.optimizers[0],
    "sgd_add_group.params": _other_parameters, "adam_add_group.params": _other_parameters,
    "optimizer_load_state_dict.state": lambda w: w.g.optimizer_state_dict(w.optimizers[1]),
    **{f"{name}.state": lambda w: w.g.optimizer_state_dict(w.optimizers[1])
       for name in ("transplant_optimizer", "transplant_optimizer_dict")},
    "load_state_dict.state": lambda w: w.g.state_dict(w.module),
    "text_free.text": lambda w: lib.graft_tensor_text(w.tensors["matrix"]),
    **{f"{name}.size": lambda w: len(FILE_BYTES) for name in ("checkpoint_open_memory", "audit_memory")},
    **{f"{name}.bytes": lambda w: ffi.from_buffer(FILE_BYTES)
       for name in ("checkpoint_open_memory", "audit_memory")},
    "pickled_state_dict.d": lambda w: w.g.checkpoint_root(w.g.checkpoint_open(MODULE_FILE, None)),
    "dict_set_attributes.attributes": lambda w: w.g.dict_new(),
    "list_push_dict.value": lambda w: w.g.dict_new(),
    **{f"list_push_{kind}.list": lambda w: w.g.list_new() for kind in (
        "none", "bool", "int", "float", "string", "tensor", "dict")},
    **{f"{name}.path": lambda w: ffi.new("char[]", FILE) for name in (
        "checkpoint_open", "load", "load_tensor", "load_rows", "audit", "salvage")},
    "rules_read.path": lambda w: ffi.new("char[]", RULES_FILE),
    **{name: lambda w: ffi.new("char[]", b"strip model.") for name in (
        "rules_add.line", "rules_parse.text")},
    **{f"{name}.path": lambda w: ffi.new("char[]", FILE + b".2.pt") for name in ("save", "save_as")},
    "save_delta.path": lambda w: ffi.new("char[]", FILE + b".delta"),
    "load_delta.delta": _delta, "delta_base.c": _delta,
    "load_idx.path": lambda w: ffi.new("char[]", os.fsencode(
        graft.ROOT / "data/fashion-mnist/t10k-labels-idx1-ubyte.gz")),
}

# ---- Processes to crash in


_noted = mmap.mmap(-1, 4096)  # shared with the processes below


def note(words):
    """Says what a job is about to do, for the case that it crashes."""
    _noted.seek(0)
    _noted.write(words.encode()[:4095] + b"\0")


def survive(jobs):
    """Runs each job, a pair of a name and a function without arguments, in a process of its own or
    of several. The complaints that they return, each behind its name; a crash and output are
    complaints too."""
    jobs, complaints, first = list(jobs), [], 0
    while first < len(jobs):
        first += _run(jobs[first:], complaints)
    return complaints


def _run(jobs, complaints):
    """Runs jobs up to the first that crashes; how many were run."""
    with tempfile.TemporaryFile() as output:
        note("")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            _be_the_child(jobs, write, output.fileno())
        os.close(write)
        with os.fdopen(read) as lines:
            said = [json.loads(line) for line in lines]
        status = os.waitpid(child, 0)[1]
        output.seek(0)
        text = output.read().decode(errors="replace")
    complaints += [f"{name}: {complaint}" for (name, _), complaint in zip(jobs, said) if complaint]
    if text:
        complaints.append(f"{jobs[0][0]} or what follows: output:\n{text}")
    if len(said) == len(jobs) and status == 0:
        return len(jobs)
    name = jobs[len(said)][0] if len(said) < len(jobs) else "the end"
    how = (signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status)
           else f"exit {os.WEXITSTATUS(status)}")
    about = _noted[:_noted.find(b"\0")].decode(errors="replace")
    complaints.append(f"{name}: {how}{f' in {about}' if about else ''}")
    return len(said) + 1


def _be_the_child(jobs, write, output):
    code = 1
    try:
        os.chdir(FOLDER.name)  # a random path may be written to
        os.dup2(output, 1)
        os.dup2(output, 2)
        with os.fdopen(write, "w") as lines:
            for _, job in jobs:
                lines.write(json.dumps(job()) + "\n")
                lines.flush()
        code = 0
    except BaseException as error:  # nothing may leave this process but by its end
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)
