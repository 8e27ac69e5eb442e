"""A few files of each scope that were verified, kept so that a new root can be tried on them.

Chosen so that each key that signs is covered by one, as far as there is room: a file that shows a key for the first
time is kept; one that shows nothing new only renews what has become old.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.names import Filename
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
    """What `encode_samples` was given; none where the bytes are something else."""
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()


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
    covered = frozenset[str]().union(*(one.key_ids for one in samples))
    if new.key_ids <= covered and not _renews(samples, new):
        return samples
    others = [one for one in samples if not one.key_ids <= new.key_ids]
    while len(others) >= MAX_SAMPLES:
        others.remove(_dispensable(others))
    return (*others, new)


def _renews(samples: Sequence[Sample], new: Sample) -> bool:
    old = [one for one in samples if one.key_ids <= new.key_ids]
    return bool(old) and all(new.verified_at - one.verified_at > RENEW_AFTER for one in old)


def _dispensable(samples: Sequence[Sample]) -> Sample:
    """The oldest whose keys others show too, or else the oldest."""
    for at, sample in enumerate(samples):
        others = (one.key_ids for place, one in enumerate(samples) if place != at)
        if sample.key_ids <= frozenset[str]().union(*others):
            return sample
    return samples[0]


def counts_for(sample: Sample, facts: RootFacts, issuers: tuple[str, ...]) -> bool:
    """Whether a root with these keys should accept the sample: it holds all that signed it, in force at the time."""
    return sorted(sample.issuers) == sorted(issuers) and all(facts.holds(use) for use in sample.keys)
