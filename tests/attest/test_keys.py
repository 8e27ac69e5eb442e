"""What stands in a trusted root, and with which of its keys something was signed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from inbond.attest.keys import signing_keys
from inbond.attest.root import Root
from inbond.gateway.trust import bundled_root_path
from inbond.model.trust import KeyKind, KeyUse, RootFacts
from sim.sigstore import DEFAULT_NOW, GitHub, Sigstore

NAME = "widgets-1.0.tar.gz"
SHA256 = hashlib.sha256(b"widgets").hexdigest()
OURS = Sigstore()
THEIRS = Sigstore("other.example")
EARLY = datetime(2022, 1, 1, tzinfo=UTC)
LATE = datetime(2026, 1, 1, tzinfo=UTC)


def facts(root: bytes) -> RootFacts:
    return Root(root).facts


def test_every_key_of_a_root_is_told() -> None:
    told = facts(OURS.trusted_root(ca_window=(EARLY, LATE), log_window=(EARLY, None)))

    assert [(key.kind, key.key_id) for key in told.keys if "root" not in key.name] == [
        (KeyKind.AUTHORITY, OURS.ca_key_id.hex()),
        (KeyKind.CT_LOG, OURS.ct_id.hex()),
        (KeyKind.LOG, OURS.log_id.hex()),
    ]
    assert [key.end for key in told.keys] == [LATE, LATE, None, None]
    assert [key.start for key in told.keys if key.kind is KeyKind.LOG] == [EARLY]
    assert sum(key.kind is KeyKind.AUTHORITY for key in told.keys) == 2  # the one that issues, and the one above it
    assert "CN=sigstore.example" in told.keys[0].name
    assert told.keys[1].name.count("root") == 1


def test_a_log_without_a_window_is_in_force_always() -> None:
    root = json.loads(OURS.trusted_root())
    del root["tlogs"][0]["publicKey"]["validFor"]

    (key,) = (key for key in facts(json.dumps(root).encode()).keys if key.kind is KeyKind.LOG)

    assert key.start is None
    assert key.end is None
    assert key.in_force(EARLY)


def test_names_in_a_root_are_one_printable_line() -> None:
    root = json.loads(OURS.trusted_root())
    root["tlogs"][0]["baseUrl"] = "https://log.example/\n\x1b[31m" + "x" * 500

    (key,) = (key for key in facts(json.dumps(root).encode()).keys if key.kind is KeyKind.LOG)

    assert key.name.isprintable()
    assert len(key.name) < 200


def test_the_root_that_sigstore_ships_has_keys_of_each_kind_in_force() -> None:
    told = facts(bundled_root_path().read_bytes())

    assert told.missing_at(DEFAULT_NOW) is None
    assert {key.kind for key in told.keys} == set(KeyKind)


def test_who_signed_is_named_as_the_root_names_them() -> None:
    told = facts(OURS.trusted_root())
    earlier = DEFAULT_NOW - timedelta(minutes=1)
    provenance = OURS.provenance_for(NAME, SHA256, GitHub(), sct_time=earlier)

    (uses,) = signing_keys(provenance)

    assert uses == (
        KeyUse(key_id=OURS.ca_key_id.hex(), at=DEFAULT_NOW),
        KeyUse(key_id=OURS.ct_id.hex(), at=earlier),
        KeyUse(key_id=OURS.log_id.hex(), at=DEFAULT_NOW),
    )
    assert all(told.holds(use) for use in uses)
    assert not any(facts(THEIRS.trusted_root()).holds(use) for use in uses)


def test_each_attestation_has_its_own() -> None:
    identity = GitHub()
    two = [OURS.attest(NAME, SHA256, identity), OURS.attest(NAME, SHA256, identity, log=THEIRS)]

    first, second = signing_keys(Sigstore.provenance([(identity.publisher(), two)]))

    assert first[:2] == second[:2]
    assert (first[2].key_id, second[2].key_id) == (OURS.log_id.hex(), THEIRS.log_id.hex())


def test_an_attestation_that_nobody_could_judge_names_none() -> None:
    identity = GitHub()
    odd = [{"version": 9}, OURS.attest(NAME, SHA256, identity, entries=2), "?", OURS.attest(NAME, SHA256, identity)]

    *unjudged, last = signing_keys(Sigstore.provenance([(identity.publisher(), odd)]))

    assert unjudged == [(), (), ()]
    assert len(last) == 3


def test_a_lack_of_memory_is_not_taken_for_an_attestation_that_nobody_could_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or a key that signed it could be withdrawn and nothing be judged again."""

    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    provenance = OURS.provenance_for(NAME, SHA256, GitHub())
    monkeypatch.setattr("inbond.attest.keys.key_uses", exhausted)
    with pytest.raises(MemoryError):
        signing_keys(provenance)
