"""The one table of operations: what parity, the gradient check and the bench run on. Each family
has a file cases_*.py with a list CASES."""

import importlib
import pathlib

CASES = [case for file in sorted(pathlib.Path(__file__).parent.glob("cases_*.py"))
         for case in importlib.import_module(file.stem).CASES]

_names = [case.name for case in CASES]
assert len(set(_names)) == len(_names), {name for name in _names if _names.count(name) > 1}
