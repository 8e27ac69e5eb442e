from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from inbond.model.trust import KeyKind, KeyUse, RootFacts, Trust, TrustedKey, TrustScope, trust_digest

START = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def key(
    key_id: str, *, kind: KeyKind = KeyKind.LOG, start: datetime | None = START, end: datetime | None = END
) -> TrustedKey:
    return TrustedKey(kind=kind, name=f"key {key_id}", key_id=key_id, start=start, end=end)


def root(*keys: TrustedKey) -> RootFacts:
    return RootFacts(sha256="0" * 64, keys=keys)


@pytest.mark.parametrize(("time", "expected"), [(START - TICK, False), (START, True), (END, True), (END + TICK, False)])
def test_both_ends_of_a_key_s_time_belong_to_it(time: datetime, expected: bool) -> None:
    assert key("aa").in_force(time) is expected
    assert root(key("aa")).holds(KeyUse(key_id="aa", at=time)) is expected


def test_an_open_end_is_open() -> None:
    for time in (START - TICK, END + TICK):
        assert key("aa", start=None, end=None).in_force(time)


def test_a_key_of_one_id_may_be_in_force_twice() -> None:
    later = END + timedelta(days=1)
    twice = root(key("aa"), key("aa", start=later, end=None))

    assert twice.holds(KeyUse(key_id="aa", at=later))
    assert not twice.holds(KeyUse(key_id="aa", at=later - TICK))
    assert not twice.holds(KeyUse(key_id="bb", at=later))


def test_what_is_lost_is_told_by_kind_and_id() -> None:
    old = root(key("aa"), key("bb"), key("bb", kind=KeyKind.CT_LOG))
    new = root(key("bb", end=None), key("cc"))

    assert [str(one) for one in old.lost_in(new)] == [
        "transparency log key aa (aa)",
        "certificate transparency log key bb (bb)",
    ]
    assert [one.key_id for one in new.lost_in(old)] == ["cc"]
    assert old.lost_in(old) == ()


def test_a_time_that_changed_is_told_by_kind_and_id() -> None:
    later = END + timedelta(days=1)
    old = root(key("aa"), key("bb"), key("cc"), key("dd"), key("dd", start=later))
    new = root(key("aa"), key("bb", end=None), key("bb", kind=KeyKind.CT_LOG), key("dd", start=later))

    changes = old.windows_changed_in(new)

    assert [(one.before, one.after) for one in changes] == [
        (key("bb"), key("bb", end=None)),
        (key("dd"), key("dd", start=later)),
    ]
    assert old.windows_changed_in(old) == ()
    assert new.knows(KeyUse(key_id="bb", at=START - TICK))
    assert not new.knows(KeyUse(key_id="cc", at=START))


def test_a_kind_without_a_key_in_force_is_named() -> None:
    whole = tuple(key(kind.value, kind=kind) for kind in KeyKind)

    assert root(*whole).missing_at(START) is None
    assert root(*whole).missing_at(END + TICK) is KeyKind.AUTHORITY
    assert root(*whole[:2]).missing_at(START) is KeyKind.LOG
    assert root().missing_at(START) is KeyKind.AUTHORITY


PUBLIC = TrustScope(name="public", root=b"public")
OWN = TrustScope(name="own", root=b"own", issuers=("https://b.example", "https://a.example"))
TRUST = Trust(
    scopes={"public": PUBLIC, "own": OWN},
    by_upstream={"pypi": ("public",), "both": ("public", "own"), "again": ("own", "public")},
)


def test_each_upstream_has_its_scopes() -> None:
    assert TRUST.of("pypi") == (PUBLIC,)
    assert TRUST.of("both") == (PUBLIC, OWN)


def test_every_set_is_there_once_and_each_scope_alone() -> None:
    assert sorted(TRUST.sets()) == [("own",), ("own", "public"), ("public",)]


def test_a_set_s_digest_is_that_of_its_scopes() -> None:
    assert TRUST.digest(("public",)) == sha256(b"public").hexdigest()
    assert TRUST.digest(("own", "public")) == TRUST.digest(("public", "own")) == trust_digest([PUBLIC, OWN])


def test_another_root_changes_the_digests_that_it_is_part_of() -> None:
    other = TRUST.with_root("own", b"new")

    assert other.of("both") == (PUBLIC, TrustScope(name="own", root=b"new", issuers=OWN.issuers))
    assert other.digest(("public",)) == TRUST.digest(("public",))
    assert other.digest(("own", "public")) != TRUST.digest(("own", "public"))
    assert TRUST.of("both") == (PUBLIC, OWN)
