"""Unknown keys: what is told and asked for because of them is bounded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.trust_support import NAME, Heard
from inbond.gateway.trust_unknown import MAX_TOLD, TELL_EVERY, UnknownKeys
from inbond.model.evidence import (
    Derivation,
    Rejected,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
)

DERIVATION = Derivation(
    provenance_sha256="1" * 64, trusted_root_sha256="2" * 64, verified_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def unknown(*keys: str, cause: UnsupportedCause = UnsupportedCause.UNKNOWN_KEY) -> Unsupported:
    attestations = tuple(UnsupportedAttestation(reason=f"signed with a log ({key})", cause=cause) for key in keys)
    return Unsupported(reason="?", cause=cause, attestations=attestations, derivation=DERIVATION)


class Bench:
    def __init__(self, *, refresh_every: float = 60.0) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.heard = Heard()
        self.refreshed: list[str] = []
        self.keys = UnknownKeys(self._refresh, lambda: self.now, self.heard, refresh_every=refresh_every)

    async def _refresh(self, scope: str) -> None:
        self.refreshed.append(scope)

    def note(self, finding: Unsupported | Rejected | Verified, *scopes: str) -> None:
        self.keys.note(finding, filename=NAME, upstream="pypi", scopes=scopes or ("public",))

    @property
    def told(self) -> list[str]:
        return self.heard.named("unknown-key")


async def test_a_key_is_told_once_an_hour() -> None:
    bench = Bench()
    for _ in range(3):
        bench.note(unknown("aa"))
    bench.now += TELL_EVERY
    bench.note(unknown("aa", "bb"))

    assert [("(aa)" in told, "(bb)" in told) for told in bench.told] == [(True, False), (True, False), (False, True)]
    await bench.keys.aclose()


async def test_however_many_keys_are_seen_few_are_told() -> None:
    bench = Bench()
    for number in range(MAX_TOLD * 5):
        bench.note(unknown(f"{number:02x}"))
        bench.now += timedelta(seconds=1)

    assert len(bench.told) == MAX_TOLD
    assert "further ones are not told" in bench.told[-1]
    assert not any("further ones" in told for told in bench.told[:-1])
    bench.now += TELL_EVERY
    bench.note(unknown("new"))
    assert len(bench.told) == MAX_TOLD + 1
    await bench.keys.aclose()


async def test_what_is_told_is_what_becomes_of_the_file() -> None:
    bench = Bench()
    beside = unknown("aa").attestations
    bench.note(Verified(attestations=beside, derivation=DERIVATION))
    bench.note(Rejected(reason="forged", attestations=beside, derivation=DERIVATION))
    for _ in range(2):
        bench.note(unknown("aa"))

    has = f"{NAME} from pypi has an attestation that is signed with a log (aa); it "
    assert bench.told == [
        has + "does not count, and another holds",
        has + "is denied for another one, which is rejected",
        f"{NAME} from pypi is signed with a log (aa); it is denied until a trusted root knows it",
    ]
    await bench.keys.aclose()


async def test_other_findings_are_none_of_it() -> None:
    bench = Bench()
    bench.note(unknown("aa", cause=UnsupportedCause.FORMAT))
    bench.note(Rejected(reason="forged", attestations=(), derivation=DERIVATION))
    await asyncio.sleep(0)

    assert not bench.told
    assert not bench.refreshed
    await bench.keys.aclose()


async def test_a_scope_is_refreshed_at_once_and_then_after_a_pause() -> None:
    bench = Bench(refresh_every=0.2)
    started = asyncio.get_running_loop().time()
    bench.note(unknown("aa"), "public", "own")
    bench.note(unknown("bb"), "public")
    await asyncio.sleep(0.02)
    assert sorted(bench.refreshed) == ["own", "public"]

    bench.note(unknown("cc"), "public")  # too soon, and not forgotten
    async with asyncio.timeout(60):
        while len(bench.refreshed) < 3:
            await asyncio.sleep(0.01)

    assert asyncio.get_running_loop().time() - started >= 0.2
    assert bench.refreshed[2] == "public"
    await bench.keys.aclose()


async def test_closing_ends_what_waits() -> None:
    bench = Bench()
    bench.note(unknown("aa"))
    await asyncio.sleep(0)
    bench.note(unknown("bb"))
    await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await bench.keys.aclose()

    assert len(bench.refreshed) <= 1


@pytest.mark.parametrize("count", [1, 3])
async def test_each_attestation_s_key_is_told(count: int) -> None:
    bench = Bench()
    bench.note(unknown(*(f"{number}" for number in range(count))))

    assert len(bench.told) == count
    await bench.keys.aclose()
