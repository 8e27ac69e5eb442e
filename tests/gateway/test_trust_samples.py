"""Which verified files are kept to try a new root on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inbond.gateway.trust_samples import (
    MAX_SAMPLE_BYTES,
    MAX_SAMPLES,
    RENEW_AFTER,
    Sample,
    counts_for,
    decode_samples,
    encode_samples,
    merged,
    outside_of,
    sample_of,
    scope_of,
    with_sample,
)
from inbond.model.evidence import (
    Derivation,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
)
from inbond.model.names import Filename
from inbond.model.publisher import Forge, Publisher, SigningIdentity
from inbond.model.trust import KeyKind, KeyUse, RootFacts, TrustedKey

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAME = Filename("widgets-1.0.tar.gz")


def uses(ids: Iterable[str]) -> tuple[KeyUse, ...]:
    return tuple(KeyUse(key_id=key_id, at=NOW) for key_id in sorted(ids))


def sample(ids: Iterable[str], *, number: int = 0, at: datetime = NOW, issuers: tuple[str, ...] = ()) -> Sample:
    return Sample(
        filename=f"widgets-1.{number}.tar.gz",
        sha256="a" * 64,
        provenance=b"{}",
        verified_at=at,
        keys=uses(ids),
        issuers=issuers,
    )


def verified(*scopes: str | None) -> Verified:
    """A finding with an attestation by each scope; None: one that nobody could judge."""
    publisher = Publisher(forge=Forge.GITHUB, subject="acme/widgets", workflow="release.yml")
    identity = SigningIdentity(forge=Forge.GITHUB, issuer="https://issuer.example", subject=None)
    return Verified(
        attestations=tuple(
            UnsupportedAttestation(reason="?", cause=UnsupportedCause.FORMAT)
            if scope is None
            else VerifiedAttestation(
                predicate_type="p", publish=True, publisher=publisher, identity=identity, signed_at=NOW, log_index=1,
                trust=scope,
            )
            for scope in scopes
        ),
        derivation=Derivation(provenance_sha256="1" * 64, trusted_root_sha256="2" * 64, verified_at=NOW),
    )  # fmt: skip


def made(provenance: bytes = b"{}", keys: Iterable[Iterable[KeyUse]] = (uses("a"), uses("bc"))) -> Sample | None:
    found = verified("public")
    return sample_of(found, provenance, filename=NAME, sha256="a" * 64, keys=keys, issuers=())


def test_a_sample_is_vouched_for_by_one_scope_alone() -> None:
    assert scope_of(verified("public", "public")) == "public"
    assert scope_of(verified("public", "own")) is None
    assert scope_of(verified("public", None)) is None
    assert scope_of(verified()) is None


def test_a_sample_names_all_keys_and_when_it_was_verified() -> None:
    new = made()

    assert new is not None
    assert new.key_ids == {"a", "b", "c"}
    assert new.verified_at == NOW


def test_what_is_large_or_of_unknown_keys_is_no_sample() -> None:
    assert made(b" " * MAX_SAMPLE_BYTES) is not None
    assert made(b" " * (MAX_SAMPLE_BYTES + 1)) is None
    assert made(keys=()) is None
    assert made(keys=((),)) is None


def test_the_first_is_kept_and_one_that_shows_a_new_key() -> None:
    first, second = sample("ab"), sample("bc")

    assert with_sample((), first) == (first,)
    assert with_sample((first,), second) == (first, second)


def test_one_that_shows_nothing_new_is_not() -> None:
    samples = (sample("ab"), sample("bc"))

    assert with_sample(samples, sample("ac", number=1)) is samples
    assert with_sample(samples, sample("ab", number=1, at=NOW + RENEW_AFTER)) is samples


def test_what_has_become_old_is_renewed() -> None:
    other, later = sample("c"), sample("ab", at=NOW + RENEW_AFTER + timedelta(seconds=1))

    assert with_sample((sample("ab"), other), later) == (other, later)


def test_a_narrower_one_is_kept_beside_a_wider_one_whichever_came_first() -> None:
    narrow, wide = sample("ab"), sample("abcd")

    assert with_sample((wide,), narrow) == (wide, narrow)
    assert with_sample((narrow,), wide) == (narrow, wide)
    assert with_sample((wide, narrow), sample("cd")) == (wide, narrow, sample("cd"))


def test_where_there_is_no_room_one_goes_whose_keys_others_show_or_the_widest() -> None:
    singles = tuple(sample(f"{n}", number=n) for n in range(MAX_SAMPLES - 2))
    samples = (*singles, sample("xy"), sample("yz"))
    redundant = (*singles, sample("01"), sample("yz"))

    assert with_sample(samples, sample("n")) == (*singles, sample("yz"), sample("n"))  # none is shown twice
    assert with_sample(redundant, sample("n")) == (*singles, sample("yz"), sample("n"))
    full = (*singles, sample("6"), sample("7"))
    assert with_sample(full, sample("01234567n")) is full  # it would push out a narrower one
    assert with_sample(full, sample("n")) == (*full[1:], sample("n"))  # all alike: the oldest


def test_what_another_process_wrote_is_kept_and_what_was_dropped_stays_away() -> None:
    theirs, ours, gone = sample("ab"), sample("cd"), sample("ef")

    assert merged((theirs, gone), (ours, gone), dropped={gone}) == (theirs, ours)
    assert merged((theirs,), (theirs,)) == (theirs,)


@given(st.lists(st.sets(st.sampled_from("abcdefghijkl"), min_size=1, max_size=3), max_size=30), st.data())
def test_laws_of_keeping(seen: list[set[str]], data: st.DataObject) -> None:
    samples: tuple[Sample, ...] = ()
    for number, ids in enumerate(seen):
        days = data.draw(st.integers(0, 20), label="days")
        before, new = samples, sample(ids, number=number, at=NOW + timedelta(days=number + days))
        samples = with_sample(before, new)
        assert len(samples) <= MAX_SAMPLES
        assert set(samples) <= {*before, new}
        covered = frozenset[str]().union(*(one.key_ids for one in samples))
        narrower = [one for one in (*before, new) if any(one.key_ids < other.key_ids for other in (*before, new))]
        for one in narrower:  # neither kept out nor pushed out by a wider one
            assert one.key_ids in {other.key_ids for other in samples}
        if len(before) < MAX_SAMPLES:  # as long as there is room, what is seen is covered and nothing is forgotten
            assert ids <= covered
            assert frozenset[str]().union(*(one.key_ids for one in before)) <= covered


def test_a_sample_counts_while_all_its_keys_are_held_and_were_in_force() -> None:
    def facts(*ids: str, end: datetime | None = None) -> RootFacts:
        keys = (TrustedKey(kind=KeyKind.LOG, name="log", key_id=one, start=None, end=end) for one in ids)
        return RootFacts(sha256="0" * 64, keys=tuple(keys))

    assert counts_for(sample("ab"), facts("a", "b", "c"), ())
    assert not counts_for(sample("ab"), facts("a", "c"), ())
    assert not counts_for(sample("ab"), facts("a", "b", end=NOW - timedelta(seconds=1)), ())
    assert outside_of(sample("ab"), facts("a", "b", end=NOW - timedelta(seconds=1)), ())
    assert not outside_of(sample("ab"), facts("a", "b"), ())
    assert not outside_of(sample("ab"), facts("a", end=NOW - timedelta(seconds=1)), ())
    issuers = ("https://a.example", "https://b.example")
    assert counts_for(sample("a", issuers=issuers), facts("a"), issuers[::-1])
    assert not counts_for(sample("a", issuers=issuers), facts("a"), issuers[:1])


def test_samples_are_read_as_they_were_written() -> None:
    samples = (sample("ab", issuers=("https://a.example",)), sample("c", number=1))

    assert decode_samples(encode_samples(samples)) == samples
    damaged = (
        replace(samples[0], sha256="A" * 64),
        replace(samples[0], filename="../x"),
        replace(samples[0], verified_at=NOW.replace(tzinfo=None)),
        replace(samples[0], keys=(KeyUse(key_id="a", at=NOW.replace(tzinfo=None)),)),
        replace(samples[0], keys=()),
    )
    assert decode_samples(encode_samples((*damaged, *samples))) == samples  # one by one
    for junk in (b"", b"junk", b"\xc1", encode_samples(samples)[:-1], b"\x91\x91\xa1\xff"):
        assert decode_samples(junk) == ()
