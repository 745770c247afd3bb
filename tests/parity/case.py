"""What a row of the table of operations says (cases.py), and the numbers that it is run on."""

import dataclasses
import typing
import zlib

import torch

F16, BF16, F32, F64 = torch.float16, torch.bfloat16, torch.float32, torch.float64
FLOATS = (F32, F64, F16, BF16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
ALL = (*FLOATS, *INTEGERS, torch.bool)


@dataclasses.dataclass(frozen=True)
class Input:
    """A tensor: uniform in [low, high), or `values` repeated, or integers of that range (so that
    equal ones are many) if `ties`."""

    shape: tuple = ()
    layout: str = "contiguous"
    low: float = -2.0
    high: float = 2.0
    dtype: typing.Optional[torch.dtype] = None  # None: the one that the test is run in
    values: tuple = ()
    ties: bool = False
    grad: bool = True  # whether its gradient is compared, if it is floating

    def make(self, dtype, generator):
        return LAYOUTS[self.layout](
            lambda shape: self._draw(shape, self.dtype or dtype, generator), tuple(self.shape))

    def _draw(self, shape, dtype, generator):
        if self.values:
            numel = torch.Size(shape).numel()
            repeated = torch.tensor(self.values, dtype=F64).repeat(numel // len(self.values) + 1)
            return repeated[:numel].reshape(shape).to(dtype)
        drawn = torch.rand(shape, dtype=F64, generator=generator)
        drawn = self.low + (self.high - self.low) * drawn
        if self.ties or not dtype.is_floating_point:
            drawn = drawn.floor()
        return drawn.to(dtype)


# Each gets what makes a contiguous tensor of a shape, and the shape that is wanted.
LAYOUTS = {
    "contiguous": lambda make, shape: make(shape),
    "transposed": lambda make, shape: make(shape[::-1]).permute(*reversed(range(len(shape)))),
    "sliced": lambda make, shape: make((*shape[:-1], shape[-1] + 3))[..., 2 : shape[-1] + 2],
    "stepped": lambda make, shape: make((*shape[:-1], 2 * shape[-1]))[..., ::2],
    "expanded": lambda make, shape: make((1, *shape[1:])).expand(shape),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of an operation in graft and in PyTorch, on inputs made for it.

    In f64 both must agree to 1e-10, in f32 to rtol and atol, in f16 and bf16 to a rounding of what
    PyTorch computes in f32. Gradients, for a random gradient of the result, to a little more.
    """

    name: str  # names the test and seeds the numbers; the part before a space is the operation's
    graft: typing.Callable  # of the graft.Context and the inputs
    torch: typing.Callable  # of the inputs
    inputs: tuple
    dtypes: tuple = FLOATS
    rtol: float = 1e-6
    atol: float = 1e-6
    gradient: bool = True
    gradcheck: bool = True  # also by finite differences: not where the function has kinks
    native: bool = False  # PyTorch's own halves are right: nothing is computed
    bench: bool = False  # whether bench/ measures it, on these inputs

    def make(self, dtype):
        generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()))
        return [i.make(dtype, generator) for i in self.inputs]

    def tolerance(self, dtype):
        rtol, atol = {F32: (self.rtol, self.atol), F64: (1e-10, 1e-10), F16: (2**-10, 2**-20),
                      BF16: (2**-7, 2**-20)}.get(dtype, (0, 0))
        return {"rtol": rtol, "atol": atol}

    def gradient_tolerance(self, dtypes):
        """Given the inputs' dtypes. Sums over what was broadcast come on top, in another order than
        PyTorch's; where dtypes are mixed, PyTorch computes some factors in the narrowest."""
        if set(dtypes) == {F64}:
            return {"rtol": 1e-10, "atol": 1e-10}
        bounds = {F16: (2**-8, 2**-12), BF16: (2**-5, 2**-10)}
        rtol, atol = max(bounds.get(dtype, (1e-5, 1e-6)) for dtype in dtypes)
        return {"rtol": max(rtol, 10 * self.rtol), "atol": max(atol, 10 * self.atol)}
