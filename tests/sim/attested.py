"""Many files that were really signed, on a simulated index: for tests and benchmarks that need a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub, Identity, Sigstore

_GITHUB = GitHub()


def attested_files(
    index: SimIndex,
    sigstore: Sigstore,
    project: str,
    versions: Sequence[str],
    identity: Identity = _GITHUB,
    *,
    uploaded: datetime | Sequence[datetime] | None = None,
    signed: datetime | None = None,
) -> list[SimFile]:
    """Adds a wheel of each version with its provenance, and gives them back in that order.

    `uploaded` is when all, or each, were uploaded; the index counts minutes where it is left out. `signed` is when all
    were signed, by `sigstore.now` unless said otherwise: one certificate, as of one run, signs them all.
    """
    moment = sigstore.now if signed is None else signed
    signer = sigstore.signer(identity, issued=moment, integrated_time=moment)
    times = uploaded if isinstance(uploaded, Sequence) else [uploaded] * len(versions)
    return [
        index.add_wheel(project, version, provenance=signer.provenance, upload_time=time)
        for version, time in zip(versions, times, strict=True)
    ]
