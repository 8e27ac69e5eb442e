"""Places and errors as people read them."""

from __future__ import annotations

from inbond.locks.lock import InvalidLock, Place


def test_a_place_is_printable_whatever_the_file_is_called() -> None:
    assert str(Place("uv.lock")) == "uv.lock"
    assert str(Place("d/é.txt", 3)) == "d/é.txt:3"
    assert str(Place("x\x1b[31m\u202e\x9b\udce9.txt", 3)) == "x\\x1b[31m\\u202e\\x9b\\udce9.txt:3"


def test_an_error_is_printable() -> None:
    error = InvalidLock(Place("a\n.lock", 2), "bad \x1b[2J\u2066", remedy="mend \x07it")
    assert str(error) == error.message == "a\\n.lock:2: bad \\x1b[2J\\u2066"
    assert error.problem == "bad \\x1b[2J\\u2066"
    assert error.remedy == "mend \\x07it"
    assert error.place == Place("a\n.lock", 2)
    assert InvalidLock(Place("a"), "b").remedy is None
