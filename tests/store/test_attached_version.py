"""The version of what is attached: another one after every change, and never that of another state."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from inbond.model.imports import Attached
from inbond.store import attached
from inbond.store.ledger_file import open_file

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
State = frozenset[tuple[str, bytes, int]]


def row(number: int, provenance: bytes) -> Attached:
    sha256 = f"{number}" * 64
    return Attached(
        upstream="pypi", sha256=sha256, filename="w-1.0.tar.gz", provenance=provenance, reason="", by="ada", at=AT
    )  # fmt: skip


def state(connection: sqlite3.Connection) -> State:
    return frozenset(connection.execute("SELECT sha256, provenance, number FROM attached").fetchall())


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([b"a", b"b", None])), max_size=12))
def test_equal_versions_are_equal_states(steps: list[tuple[int, bytes | None]]) -> None:
    with TemporaryDirectory() as place:
        connection = open_file(Path(place) / "ledger" / "ledger.sqlite3")
        try:
            seen: dict[tuple[int, int], State] = {attached.version(connection): state(connection)}
            assert list(seen) == [(0, 0)]
            for number, provenance in steps:
                if provenance is None:
                    attached.detach(connection, "pypi", f"{number}" * 64)
                else:
                    attached.attach(connection, row(number, provenance))
                now = state(connection)
                assert seen.setdefault(attached.version(connection), now) == now
        finally:
            connection.close()


def test_what_was_attached_here_stays_when_others_is_adopted(tmp_path: Path) -> None:
    connection = open_file(tmp_path / "ledger" / "ledger.sqlite3")
    try:
        attached.attach(connection, row(1, b"here"))
        attached.adopt(connection, [row(1, b"there"), row(2, b"there")], "default")
        assert [one.provenance for one in attached.all_attached(connection)] == [b"there", b"here"]
    finally:
        connection.close()
