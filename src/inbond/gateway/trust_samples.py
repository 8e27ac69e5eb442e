"""A few files of each scope that were verified, kept so that a new root can be tried on them.

Chosen so that each key that signs is covered by one, as far as there is room: a file that shows a key for the first
time is kept; one that shows nothing new only renews what has become old. A sample counts for a root that holds *all*
its keys. So the fewer the better, and files that are signed with many neither push out nor keep out what a narrower one
shows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from inbond.model.errors import InvalidFilename
from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.names import Filename, is_sha256
from inbond.model.trust import KeyUse, RootFacts

MAX_SAMPLES: Final = 8  # of one scope
# A real provenance object of two attestations has 20 kB; larger ones are no samples.
MAX_SAMPLE_BYTES: Final = 64 * 1024
RENEW_AFTER: Final = timedelta(days=7)


class Sample(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A file that was verified under one scope alone."""

    filename: str
    sha256: str
    provenance: bytes
    verified_at: datetime
    keys: tuple[KeyUse, ...]  # all that signed it
    issuers: tuple[str, ...]  # those that the scope vouched for then

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of those keys."""
        return frozenset(use.key_id for use in self.keys)


_DECODER: Final = msgspec.msgpack.Decoder(tuple[Sample, ...])


def encode_samples(samples: Sequence[Sample]) -> bytes:
    """Samples as a file keeps them."""
    return msgspec.msgpack.encode(samples)


def decode_samples(raw: bytes) -> tuple[Sample, ...]:
    """What `encode_samples` was given; none where the bytes are something else. Damaged ones are left out."""
    try:
        found = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    return tuple(sample for sample in found if _is_whole(sample))


def _is_whole(sample: Sample) -> bool:
    """Whether it can be asked about: damage may leave what still decodes."""
    try:
        Filename(sample.filename)
    except InvalidFilename:
        return False
    times = (sample.verified_at, *(use.at for use in sample.keys))
    return is_sha256(sample.sha256) and bool(sample.keys) and all(time.tzinfo is not None for time in times)


def scope_of(finding: Verified) -> str | None:
    """The one scope that vouched for every attestation; None where there is no such scope."""
    scopes = {one.trust if isinstance(one, VerifiedAttestation) else None for one in finding.attestations}
    return scopes.pop() if len(scopes) == 1 else None


def sample_of(
    finding: Verified,
    provenance: bytes,
    *,
    filename: Filename,
    sha256: str,
    keys: Iterable[Iterable[KeyUse]],
    issuers: tuple[str, ...],
) -> Sample | None:
    """A sample of a file that was just verified; None where it is too large or its keys are not known."""
    uses = tuple(use for each in keys for use in each)
    if not uses or len(provenance) > MAX_SAMPLE_BYTES:
        return None
    return Sample(
        filename=str(filename),
        sha256=sha256,
        provenance=provenance,
        verified_at=finding.derivation.verified_at,
        keys=uses,
        issuers=issuers,
    )


def with_sample(samples: tuple[Sample, ...], new: Sample) -> tuple[Sample, ...]:
    """The samples to keep from now on: the same tuple where the new one adds nothing. Oldest first."""
    same = [one for one in samples if one.key_ids == new.key_ids]
    if same:
        if any(new.verified_at - one.verified_at <= RENEW_AFTER for one in same):
            return samples
    elif new.key_ids <= _shown(samples) and not _is_narrower(new, samples):
        return samples
    kept = [*(one for one in samples if one not in same), new]
    while len(kept) > MAX_SAMPLES:
        kept.remove(_dispensable(kept))
    return tuple(kept) if new in kept else samples


def merged(
    kept: tuple[Sample, ...], ours: Iterable[Sample], *, dropped: Collection[Sample] = frozenset()
) -> tuple[Sample, ...]:
    """What is kept and what this process has; another process may have written since. Without those `dropped`."""
    found = tuple(one for one in kept if one not in dropped)
    for sample in ours:
        if sample not in dropped:
            found = with_sample(found, sample)
    return found


def _shown(samples: Iterable[Sample]) -> frozenset[str]:
    return frozenset[str]().union(*(one.key_ids for one in samples))


def _is_narrower(sample: Sample, others: Iterable[Sample]) -> bool:
    """Whether one of the others shows all its keys and more: then it counts where that one does not."""
    return any(sample.key_ids < one.key_ids for one in others)


def _dispensable(samples: Sequence[Sample]) -> Sample:
    """One that is not narrower than another: whose keys others show too, then of the most keys, then the oldest."""

    def worth(sample: Sample) -> tuple[bool, int]:
        others = [one for one in samples if one is not sample]
        return sample.key_ids <= _shown(others), len(sample.key_ids)

    return max((one for one in samples if not _is_narrower(one, samples)), key=worth)


def counts_for(sample: Sample, facts: RootFacts, issuers: tuple[str, ...]) -> bool:
    """Whether a root with these keys should accept the sample: it holds all that signed it, in force at the time."""
    return _same(sample, issuers) and all(facts.holds(use) for use in sample.keys)


def outside_of(sample: Sample, facts: RootFacts, issuers: tuple[str, ...]) -> bool:
    """Whether a root holds all that signed the sample, and has one of them in force at other times only."""
    known = all(facts.knows(use) for use in sample.keys)
    return _same(sample, issuers) and known and not counts_for(sample, facts, issuers)


def _same(sample: Sample, issuers: tuple[str, ...]) -> bool:
    return sorted(sample.issuers) == sorted(issuers)
