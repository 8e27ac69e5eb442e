"""docs/threat-model.md names the test that holds each claim: each of them is there, and every threat has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
TEXT = (TOP / "docs" / "threat-model.md").read_text()
ROWS = [row for row in TEXT.splitlines() if re.match(r"\| [A-Z]+-\d+ \|", row)]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def functions(path: Path) -> set[str]:
    found = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_threat_has_an_id_of_its_own_a_mitigation_and_a_test() -> None:
    assert len(ROWS) > 40
    ids = [cells(row)[0] for row in ROWS]
    assert len(set(ids)) == len(ids)
    for row in ROWS:
        _, threat, mitigation, held = cells(row)
        assert threat, row
        assert mitigation, row
        assert re.search(r"`tests/", held), row


@pytest.mark.parametrize("named", NAMED)
def test_the_test_that_is_named_is_there(named: str) -> None:
    file, _, test = named.partition("::")
    path = TOP / file
    assert path.is_file(), named
    if test:
        assert test in functions(path), named
