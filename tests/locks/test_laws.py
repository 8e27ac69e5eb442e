"""Whatever the bytes: a lock in TOML is read, or refused as `InvalidLock`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbond.locks.lock import InvalidLock, Lock
from inbond.locks.pdm_lock import read_pdm_lock
from inbond.locks.poetry_lock import read_poetry_lock
from inbond.locks.pylock import read_pylock
from inbond.locks.relock import relocked
from inbond.locks.relock_prefixes import Prefixes
from inbond.locks.uv_lock import read_uv_lock
from locks.toml_locks import PDM, POETRY, PYLOCK, UV

Reader = Callable[[str, bytes], Lock]
READERS = [(read_uv_lock, UV), (read_poetry_lock, POETRY), (read_pdm_lock, PDM), (read_pylock, PYLOCK)]
PAIRS = [
    Prefixes(upstream="https://files.example/packages/", inbond="http://127.0.0.1:8642/packages/"),
    Prefixes(upstream="https://index.example/simple", inbond="http://127.0.0.1:8642/simple", index=True),
]
all_readers = pytest.mark.parametrize(("read", "text"), READERS, ids=["uv", "poetry", "pdm", "pylock"])
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def take(read: Reader, raw: bytes) -> None:
    lock, refused = None, ""
    try:
        lock = read("a.lock", raw)
    except InvalidLock as error:
        refused = str(error)
    if lock is None:
        assert refused.startswith("a.lock")
        assert refused.isprintable()
        return
    there = relocked(lock, raw, PAIRS)
    if there.raw != raw:
        assert relocked(read("a.lock", there.raw), there.raw, PAIRS, back=True).raw == raw


@all_readers
@given(raw=st.binary(max_size=200))
@patient
def test_any_bytes(read: Reader, text: str, raw: bytes) -> None:
    take(read, raw)


TOKENS = st.sampled_from(
    ["", "\n", "[[package]]", "[[packages]]", "[metadata]", "=", '"', "'", '"""', "'''", "[", "]", "{", "}", ",", "\\",
     "1", "true", "-1", "1979-05-27", "[]", "{}", '"x"', "nan", "#", "\r", "\ufeff", "<<<<<<< a\n", "é", "\x00"]
)  # fmt: skip


@all_readers
@given(data=st.data())
@patient
def test_a_mutated_lock(read: Reader, text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text = text[:start] + data.draw(TOKENS) + text[end:]
    take(read, text.encode())


VALUES = ["1", "-1", "true", '"x"', '""', "[]", "[1]", '["x"]', "{}", "{ a = 1 }", "[{}]", "1.5", "1979-05-27", '"-"',
          '"1.0"', '"https://[x/"', '"sha256:00"', '"a\\nb"', '"(("', f'"{"(" * 2000}"', f'"{"9" * 5000}"']  # fmt: skip


@all_readers
@given(data=st.data())
@patient
def test_a_value_of_another_kind(read: Reader, text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    at = data.draw(st.sampled_from([n for n, line in enumerate(lines) if " = " in line and line[0] not in " {"]))
    key = lines[at].split(" = ")[0]
    end = at + 1
    if lines[at].endswith("["):
        end = lines.index("]", at) + 1
    lines[at:end] = [f"{key} = {data.draw(st.sampled_from(VALUES))}"]
    take(read, "\n".join(lines).encode())


@all_readers
@given(data=st.data())
@patient
def test_a_text_within_replaced(read: Reader, text: str, data: st.DataObject) -> None:
    pieces = text.split('"')
    at = data.draw(st.integers(0, (len(pieces) - 2) // 2)) * 2 + 1
    pieces[at] = data.draw(
        st.one_of(st.sampled_from([value[1:-1] for value in VALUES if value[0] == '"']), st.text(max_size=20))
    ).replace('"', "")
    take(read, '"'.join(pieces).encode("utf-8", "replace"))
