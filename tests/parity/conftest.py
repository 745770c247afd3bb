"""Fixtures. PyTorch's threads must sleep when they wait: spinning, they starve whatever else the machine does."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the runtime is loaded

import pytest

try:
    import graft
except OSError as error:
    pytest.exit(f"tests/parity: {error}", returncode=1)


@pytest.fixture
def g():
    """A context of its own for each test, on one thread."""
    with graft.Context() as context:
        yield context
