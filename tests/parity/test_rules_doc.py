"""docs/rules.md: every kind of rule has a section, and what its example shows comes about."""

import re

import pytest
import torch

import graft
from graft import lib, sizes, text

DOCUMENT = (graft.ROOT / "docs/rules.md").read_text()
BLOCK = re.compile(r"```text\n(.*?)```\n\n(\|.*?)(?:\n\n|\Z)", re.DOTALL)
CELL = re.compile(r"`([^`]+)`(?: \[([0-9, ]*)\])?(?: (\w+))?")


def sections():
    """(heading, rules, columns) of each example; a column is a list of (name, shape, dtype)."""
    for part in re.split(r"^#{1,2} (?!Hugging)", DOCUMENT, flags=re.MULTILINE)[1:]:
        heading, body = part.split("\n", 1)
        example = BLOCK.search(body)
        if example:
            rows = [[cell.strip() for cell in row.strip("|").split(" |")]
                    for row in example[2].splitlines()]
            columns = [[CELL.fullmatch(cell.strip("| ")) for cell in column if cell.strip("| ")]
                       for column in zip(*rows[2:])]
            assert all(all(column) for column in columns), heading
            yield heading, example[1], [
                [(c[1], tuple(int(n) for n in (c[2] or "").split(",") if n), c[3] or "float32")
                 for c in column] for column in columns]


EXAMPLES = list(sections())
DTYPES = {text(lib.graft_dtype_name(i)): i for i in range(lib.GRAFT_DTYPES)}


def made(g, tensors):
    d = g.dict_new()
    for name, size, dtype in tensors:
        numel = int(torch.tensor(size).prod()) if size else 1
        data = graft.ffi.new("char[]", 8 * numel)
        g.dict_set_tensor(d, name, g.from_data(data, size, DTYPES[dtype]))
    return d


def told(g, d):
    result = []
    for i in range(lib.graft_dict_len(d)):
        t = g.dict_tensor_at(d, i)
        result.append((text(lib.graft_dict_key(d, i)), sizes(lib.graft_tensor_shape(t)),
                       text(lib.graft_dtype_name(lib.graft_tensor_dtype(t)))))
    return result


@pytest.mark.parametrize("heading, lines, columns", EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_example(heading, lines, columns):
    with graft.Context() as g:
        rules = g.rules_parse(lines)
        source, target = made(g, columns[0]), made(g, columns[1]) if len(columns) == 3 else None
        plan = g.plan_into_dict(target, source, rules, None)
        g.plan_check(plan)
        assert told(g, g.plan_result(plan)) == columns[-1]
        if not lines.startswith("#"):  # of the file of rules only some have a tensor
            for i in range(lib.graft_rules_len(rules)):
                assert lib.graft_plan_rule_matches(plan, i) > 0, text(lib.graft_rules_line(rules, i))


def test_every_kind_has_a_section():
    kinds = []
    while lib.graft_rule_verb(len(kinds)):
        i = len(kinds)
        kinds.append(f"`{text(lib.graft_rule_verb(i))} {text(lib.graft_rule_arguments(i))}`")
    assert [heading for heading, _, _ in EXAMPLES[1:]] == kinds


def test_the_file_is_the_one_shown():
    assert EXAMPLES[0][1] == (graft.ROOT / "examples/gpt2.rules").read_text()
