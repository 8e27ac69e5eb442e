"""docs/events.md: the check that receivers are shown is right, and every kind is explained."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inbond.model.occurrence import OccurrenceKind
from inbond.webhooks.message import Message
from inbond.webhooks.settings import SECRET_PREFIX, new_secret, parse_keys
from store.samples import HAPPENED

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
CONFIGURATION = (Path(__file__).parents[2] / "config" / "inbond.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def is_genuine() -> Any:
    """The function that the page shows."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(code, shown)  # noqa: S102 (this repository's own text)
    return shown["is_genuine"]


def test_the_check_that_is_shown_takes_what_was_signed_and_nothing_else(is_genuine: Any) -> None:
    old, new = new_secret(), new_secret()
    message, now = Message.of(HAPPENED), datetime.now(UTC)
    headers = message.headers(parse_keys(f"{old} {new}"), now)
    assert is_genuine(headers, message.body, old)
    assert is_genuine(headers, message.body, new)
    assert not is_genuine(headers, message.body, new_secret())
    assert not is_genuine(headers, message.body + b" ", old)
    assert not is_genuine({**headers, "webhook-id": "msg_2"}, message.body, old)
    late = message.headers(parse_keys(old), datetime.fromtimestamp(time.time() - 301, UTC))
    assert not is_genuine(late, message.body, old)


def test_the_check_that_is_shown_is_ten_lines_of_code() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip() and '"""' not in line]) <= 10


@pytest.mark.parametrize("kind", OccurrenceKind)
def test_every_kind_is_explained_where_it_is_chosen(kind: OccurrenceKind) -> None:
    assert f"`{kind}`" in TEXT
    assert str(kind) in CONFIGURATION


def test_a_secret_is_written_as_the_page_says() -> None:
    assert len(base64.b64decode(new_secret().removeprefix(SECRET_PREFIX))) == 32
