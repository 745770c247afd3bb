"""Random programs that graft and PyTorch run side by side.

A Machine holds pairs of tensors, one of each, that must stay equal whatever is done to both. Each
instruction runs in graft first. Where graft refuses what it says it refuses (REFUSED), PyTorch is
left out; where it fails in another way PyTorch must fail, and where it does not PyTorch must not.
"""

import random

import torch

from graft import GraftError

TORCH_ERRORS = (RuntimeError, IndexError, ValueError, TypeError)
LARGEST = 1e3  # what grows beyond is let go of: differences would grow with it
MOST_ELEMENTS = 200

# What graft refuses and PyTorch does, or does in part, by what graft says.
REFUSED = (
    "the change must be recorded, but",  # of a tensor whose storage has other tensors
    "share memory: change a contiguous copy",  # fill_ and zero_ of an expanded tensor
)
# Why a backward of graft may fail where PyTorch's does not: graft frees every operation that it has
# been through, and saves the logits rather than their softmax.
BACKWARD_MAY_FAIL = ("was freed by an earlier backward", "was changed in place after the forward")


class Mismatch(Exception):
    """graft and PyTorch disagree."""


class Stop(Exception):
    """The program can't go on: the two do not hold the same any more, and need not."""


class Pair:
    def __init__(self, name, ours, theirs, fixed=False):
        self.name = name
        self.ours = ours
        self.theirs = theirs
        self.fixed = fixed  # never let go of

    def __repr__(self):
        return self.name

    @property
    def is_double(self):
        return self.theirs.dtype == torch.float64


class Machine:
    """A context of graft, pairs of tensors, and a log of what was done to them."""

    def __init__(self, g, seed):
        self.g = g
        self.random = random.Random(seed)
        self.torch_random = torch.Generator().manual_seed(seed)
        self.single = self.random.random() < 0.3  # whether there is float32 in the program
        self.pairs, self.log, self.scopes = [], [], []
        self.optimizers, self.models, self.snapshots = [], [], []
        self.no_grad = 0
        self.names = 0

    # ---- Pairs

    def new_name(self):
        self.names += 1
        return f"t{self.names}"

    def values(self, shape):
        """Multiples of a quarter: their sums and products are exact, so that there are ties."""
        dtype = torch.float32 if self.single and self.random.random() < 0.5 else torch.float64
        return torch.randint(-6, 7, shape, generator=self.torch_random).to(dtype) / 4

    def new_leaf(self, shape, requires_grad):
        theirs = self.values(shape).requires_grad_(requires_grad)
        pair = Pair(self.new_name(), self.g.keep(self.g.tensor(theirs)), theirs)
        self.log.append(f"{pair} = leaf {list(shape)} {theirs.dtype} {requires_grad}")
        self.pairs.append(pair)
        return pair

    def pick(self, wanted=lambda pair: True):
        """A pair at random, the later ones rather; None if there is none of the wanted ones."""
        found = [pair for pair in self.pairs if wanted(pair)]
        if not found:
            return None
        return found[max(self.random.randrange(len(found)), self.random.randrange(len(found)))]

    def keep(self, pair):
        """Takes graft's tensor out of its scope."""
        self.g.keep(pair.ours)
        self.forget_scope(pair)

    def forget_scope(self, pair):
        for scope in self.scopes:
            if pair in scope:
                scope.remove(pair)

    def drop(self, pair):
        self.pairs.remove(pair)
        self.forget_scope(pair)
        self.g.tensor_free(pair.ours)

    # ---- Instructions

    def run(self, words, ours, theirs):
        """What both make of an instruction; None if both fail or if graft refuses."""
        self.log.append(words)
        try:
            made = ours()
        except GraftError as error:
            self.log[-1] += f"  # {error}"
            if not any(refused in str(error) for refused in REFUSED):
                self.must_fail(theirs, error)
            return None
        try:
            return made, theirs()
        except TORCH_ERRORS as error:
            raise Mismatch(f"PyTorch fails, graft does not: {error}") from error

    @staticmethod
    def must_fail(theirs, error):
        if error.status not in ("GRAFT_ERR_ARGUMENT", "GRAFT_ERR_SHAPE", "GRAFT_ERR_STATE"):
            raise Mismatch(f"graft fails with {error.status}: {error}")
        try:
            theirs()
        except TORCH_ERRORS:
            return
        raise Mismatch(f"graft fails, PyTorch does not: {error}")

    def make(self, words, ours, theirs, kind="result"):
        """An instruction that makes a "view", a "result", or a "leaf". Results of graft are
        contiguous, so PyTorch's become so."""
        result = self.run(words, ours, theirs)
        if result is None:
            return None
        made, wanted = result
        if kind == "result":
            wanted = wanted.contiguous()
        elif kind == "view" and self.no_grad and not any(pair.theirs is wanted for pair in self.pairs):
            wanted = wanted.detach()  # Debian's PyTorch says of such views that they require grad
        for pair in self.pairs:
            if pair.ours == made:
                if pair.theirs is not wanted:
                    raise Mismatch(f"graft gives {pair} itself, PyTorch another tensor")
                return pair
        pair = Pair(self.new_name(), made, wanted)
        self.log[-1] = f"{pair} = {self.log[-1]}"
        self.pairs.append(pair)
        if self.scopes:
            self.scopes[-1].append(pair)
        self.compare(pair)
        self.compare_storage(pair)
        self.let_go_of_large(pair)
        return pair

    def change(self, words, pair, ours, theirs):
        """An instruction that changes tensors in place."""
        result = self.run(words, ours, theirs)
        if result is not None:
            self.compare_all()
            largest = max(float(p.theirs.detach().abs().max()) for p in self.pairs
                          if p.theirs.numel())
            if not largest < LARGEST:
                raise Stop

    def let_go_of_large(self, pair):
        value = pair.theirs.detach()
        if value.numel() > MOST_ELEMENTS or not bool((value.abs() < LARGEST).all()):
            self.drop(pair)

    # ---- Comparing

    def tolerance(self):
        return 3e-3 if self.single else 1e-8

    def compare(self, pair):
        g, theirs = self.g, pair.theirs
        self.same(f"the shape of {pair}", tuple(g.torch(pair.ours).shape), tuple(theirs.shape))
        self.same(f"requires_grad of {pair}", g.requires_grad(pair.ours), theirs.requires_grad)
        self.same(f"is_leaf of {pair}", g.is_leaf(pair.ours), theirs.is_leaf)
        if theirs.numel() > 0:
            strides = [s for s, n in zip(theirs.stride(), theirs.shape) if n != 1]
            ours = [s for s, n in zip(g.strides(pair.ours), theirs.shape) if n != 1]
            self.same(f"the strides of {pair}", ours, strides)
        self.close(f"{pair}", g.torch(pair.ours), theirs.detach())

    @staticmethod
    def share(a, b):
        """Whether two are views of one storage, as PyTorch has it."""
        return a.theirs.storage().data_ptr() == b.theirs.storage().data_ptr()

    def compare_storage(self, pair):
        """That it shares its storage with the same of the others."""
        for other in self.pairs:
            if pair.theirs.numel() and other.theirs.numel():
                self.same(f"{pair} shares the storage of {other}",
                          self.g.shares_storage(pair.ours, other.ours), self.share(pair, other))

    def compare_gradients(self):
        for pair in self.pairs:
            if not pair.theirs.is_leaf:
                continue
            ours, theirs = self.g.grad(pair.ours), pair.theirs.grad
            self.same(f"whether {pair} has a gradient", ours is not None, theirs is not None)
            if theirs is not None:
                self.close(f"the gradient of {pair}", self.g.torch(ours), theirs)

    def compare_all(self):
        for pair in self.pairs:
            self.compare(pair)
        self.compare_gradients()

    @staticmethod
    def same(what, ours, theirs):
        if ours != theirs:
            raise Mismatch(f"{what}: {ours}, PyTorch's: {theirs}")

    def close(self, what, ours, theirs):
        if ours.dtype != theirs.dtype:
            raise Mismatch(f"{what}: {ours.dtype}, PyTorch's: {theirs.dtype}")
        limit = self.tolerance()
        if not torch.allclose(ours, theirs, rtol=limit, atol=limit, equal_nan=True):
            raise Mismatch(f"{what}:\n{ours}\nPyTorch's:\n{theirs}")

    def has_same_bits(self, *pairs):
        """Whether both hold the very same numbers, so that they take the same sides at kinks."""
        return all(torch.equal(self.g.torch(pair.ours), pair.theirs.detach()) for pair in pairs)

    def near_kink(self, distances, *pairs):
        """Whether an operation whose gradient jumps at 0 is so near to it that the two may differ.
        """
        return bool((distances.abs() < 1e-3).any()) and not self.has_same_bits(*pairs)
