"""What is sent, and its signature: Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.webhooks.message import Message
from inbond.webhooks.settings import new_secret, parse_keys

KEYS = (b"a" * 24, b"b" * 64)
AT = datetime(2026, 11, 20, 12, 0, 0, 500000, tzinfo=UTC)
STOPPED = Occurrence(
    key="file-stopped/root/pypi/flask/flask-3.1.0.tar.gz//cooldown",
    kind=OccurrenceKind.FILE_STOPPED,
    at=AT,
    message="flask-3.1.0.tar.gz was held by rule cooldown: \x1b[1m it is young",
    index="root",
    project=ProjectName("flask"),
    filename=Filename("flask-3.1.0.tar.gz"),
    detail={"rule": "cooldown", "code": "young"},
)


def test_a_message_says_what_happened_and_when() -> None:
    assert json.loads(Message.of(STOPPED).body) == {
        "type": "file-stopped",
        "timestamp": "2026-11-20T12:00:00.500000Z",
        "data": {
            "key": STOPPED.key,
            "message": STOPPED.message,
            "index": "root",
            "project": "flask",
            "filename": "flask-3.1.0.tar.gz",
            "detail": {"code": "young", "rule": "cooldown"},
        },
    }


def test_the_id_stays_with_the_occurrence() -> None:
    one = Message.of(STOPPED)
    assert Message.of(replace(STOPPED, message="told otherwise")).id == one.id
    assert Message.of(replace(STOPPED, key="another")).id != one.id
    assert "." not in one.id


def test_each_key_signs_the_id_the_time_of_the_attempt_and_the_body() -> None:
    message = Message.of(STOPPED)
    headers = message.headers(KEYS, AT)
    signed = f"{message.id}.1795176000.".encode() + message.body
    assert headers["webhook-timestamp"] == "1795176000" == str(int(AT.timestamp()))
    assert headers["webhook-signature"].split(" ") == [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in KEYS
    ]


def test_a_signature_is_that_of_the_specification() -> None:
    # Worked out with `openssl dgst -sha256 -hmac`, over "msg_1.1674087231.{}".
    at = datetime.fromtimestamp(1674087231, UTC)
    headers = Message(id="msg_1", body=b"{}").headers([b"0123456789abcdefghijklmn"], at)
    assert headers["webhook-signature"] == "v1,vgWNXRGjl3HROtFtGXhHdq4lZnsdFNndCFEEBVXaRbg="


def test_secrets_are_read_as_they_are_made() -> None:
    first, second = new_secret(), new_secret()
    keys = parse_keys(f" {first}\n{second}\n")
    assert [len(key) for key in keys] == [32, 32]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "whsec_c2hvcnQ=",
        "whsec_" + "A" * 100,
        base64.b64encode(b"a" * 32).decode(),
        "whsec_!!!!",
        "whsec_" + base64.b64encode(b"b" * 32).decode() + " hunter2",
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_keys(text)
    assert text.rsplit(maxsplit=1)[-1] not in str(refused.value)


def test_there_is_at_least_one_secret() -> None:
    with pytest.raises(ValueError, match="is empty"):
        parse_keys(" \n")
