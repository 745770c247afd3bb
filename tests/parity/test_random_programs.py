"""Random programs side by side with PyTorch: values, shapes, strides, who requires grad, gradients
and failures must be the same at every step, and nothing may be left at the end."""

import pytest
import torch

import training_instructions  # which register themselves
from graft import Context
from hostile import COUNTING_ALLOCATOR, LIVE
from instructions import run_one
from programs import Machine, Mismatch, Stop

SEEDS_PER_TEST = 10


def run_instructions(machine):
    for _ in range(machine.random.randint(2, 4)):
        ndim = machine.random.choice([1, 2, 2, 3])
        machine.new_leaf([machine.random.choice([1, 2, 3]) for _ in range(ndim)],
                         machine.random.random() < 0.7)
    for _ in range(machine.random.randint(5, 25)):
        if machine.pairs:
            run_one(machine)
    machine.compare_all()


def run_program(seed):
    """Runs the program of a seed. A Mismatch carries the program."""
    LIVE.clear()
    with Context(allocator=COUNTING_ALLOCATOR) as g:
        machine = Machine(g, seed)
        try:
            run_instructions(machine)
        except Stop:
            pass
        except Exception as error:
            program = "\n".join(f"    {line}" for line in machine.log)
            raise Mismatch(f"seed {seed}:\n{program}\n{type(error).__name__}: {error}") from error
        finally:
            torch.set_grad_enabled(True)
    if any(LIVE.values()):
        program = "\n".join(f"    {line}" for line in machine.log)
        raise Mismatch(f"seed {seed}:\n{program}\nleft when the context was closed: {LIVE}")


@pytest.mark.parametrize("tens", range(30))
def test_random_programs(tens):
    for seed in range(SEEDS_PER_TEST * tens, SEEDS_PER_TEST * (tens + 1)):
        run_program(seed)
