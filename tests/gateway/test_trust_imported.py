"""Trusted roots that imports bring: tried like others, taken up live, and never given up for what is shipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.trust_support import UPSTREAM, Heard, SetSource, ask, keeper, signed, started, until
from inbond.gateway.brought import Brought
from inbond.gateway.trust import RootSource
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_imported import ORIGIN, ImportedSource
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.evidence import Unsupported, Verified
from inbond.model.trust import PUBLIC
from sim.sigstore import Sigstore

OURS, NEXT, OTHER = Sigstore(), Sigstore("next.example"), Sigstore("other.example")
ROOT, BOTH = OURS.trusted_root(), OURS.trusted_root(NEXT)
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Arrivals:
    """What imports brought, as a test sets it."""

    def __init__(self, place: Path) -> None:
        self._numbers: Iterator[int] = iter(range(100))
        self._place = place
        self.newest: Brought | None = None

    def bring(self, root: bytes, as_of: datetime = AS_OF) -> Path:
        path = self._place / f"{next(self._numbers)}.json"
        path.write_bytes(root)
        self.newest = Brought(path=path, sha256=hashlib.sha256(root).hexdigest(), as_of=as_of)
        return path

    def source(self, otherwise: RootSource | None = None, *, name: str = PUBLIC) -> ImportedSource:
        files = TrustFiles(self._place / "trust")
        return ImportedSource(
            name=name, issuers=(), find=lambda: self.newest, last=lambda: files.root(name), otherwise=otherwise
        )


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path)


async def test_an_imported_root_is_taken_up_without_a_restart(arrivals: Arrivals, tmp_path: Path) -> None:
    source, heard = arrivals.source(SetSource(ROOT)), Heard()
    async with started(keeper([source], tmp_path / "trust", heard)) as kept:
        assert isinstance(await ask(kept, signed(NEXT)), Unsupported)
        arrivals.bring(BOTH)
        await until(lambda: kept.trust_of(UPSTREAM) == hashlib.sha256(BOTH).hexdigest())
        assert isinstance(await ask(kept, signed(NEXT)), Verified)

    (told,) = heard.named("trusted-root-changed")
    assert "(imports, as of 2026-11-01T00:00:00Z)" in told
    found = TrustFiles(tmp_path / "trust").root(PUBLIC)
    assert found is not None
    assert (found.raw, found.origin) == (BOTH, ORIGIN)


async def test_an_imported_root_that_vouches_no_longer_for_what_was_verified_is_refused(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    arrivals.bring(ROOT)
    source, heard = arrivals.source(), Heard()
    async with started(keeper([source], tmp_path / "trust", heard)) as kept:
        assert isinstance(await ask(kept, signed(OURS)), Verified)
        arrivals.bring(b"no root")
        await until(lambda: heard.named("trusted-root-refused"))
        assert isinstance(await ask(kept, signed(OURS)), Verified)


async def test_what_was_imported_is_not_given_up_for_what_is_shipped(arrivals: Arrivals, tmp_path: Path) -> None:
    arrivals.bring(BOTH)
    async with started(keeper([arrivals.source(SetSource(ROOT))], tmp_path / "trust", Heard())):
        pass
    arrivals.newest = None  # as after an earlier ledger was put back
    heard = Heard()
    async with started(keeper([arrivals.source(SetSource(ROOT))], tmp_path / "trust", heard)) as kept:
        assert kept.trust_of(UPSTREAM) == hashlib.sha256(BOTH).hexdigest()

    (told,) = heard.named("trusted-root-refused")
    assert "an imported root was in force, and the ledger knows of none" in told
    assert "(import the newest bundle again)" in told


async def test_a_damaged_blob_is_no_root_and_the_last_good_one_stays(arrivals: Arrivals, tmp_path: Path) -> None:
    path, heard = arrivals.bring(ROOT), Heard()
    async with started(keeper([arrivals.source()], tmp_path / "trust", heard)) as kept:
        path.write_bytes(BOTH)
        await until(lambda: heard.named("trusted-root-refused"))
        assert kept.trust_of(UPSTREAM) == hashlib.sha256(ROOT).hexdigest()

    (told,) = heard.named("trusted-root-refused")
    assert "is damaged" in told
    assert "import the bundle that brought it again" in told
    path.unlink()
    with pytest.raises(OperatorFault, match=r"\[trust.public\] the trusted root .* cannot be read"):
        await arrivals.source().read()


async def test_a_scope_of_ones_own_has_none_before_an_import_brings_it(arrivals: Arrivals) -> None:
    source = arrivals.source(name="acme")

    with pytest.raises(ConfigurationError, match="no bundle that was imported brought one") as raised:
        await source.read()
    assert raised.value.remedy is not None
    assert "inbond bundle import FILE" in raised.value.remedy
    assert (source.where, source.origin, await source.as_of()) == ("imports", ORIGIN, None)
    assert not await source.refresh()


async def test_until_an_import_brings_one_it_is_the_other(arrivals: Arrivals) -> None:
    other = SetSource(ROOT)
    source = arrivals.source(other)

    assert await source.read() == ROOT
    assert source.where == "set by a test, public; no import brought a newer one"
    assert (source.origin, source.imported, await source.as_of()) == (other.origin, False, None)
    arrivals.bring(BOTH)
    assert await source.read() == BOTH
    assert (source.origin, source.imported, await source.as_of()) == (ORIGIN, True, AS_OF)


@pytest.mark.parametrize(("known_at", "root"), [(AS_OF - DAY, BOTH), (AS_OF, BOTH), (AS_OF + DAY, ROOT)])
async def test_of_two_the_one_that_was_known_to_be_the_newest_later_counts(
    arrivals: Arrivals, known_at: datetime, root: bytes
) -> None:
    arrivals.bring(BOTH)

    assert await arrivals.source(SetSource(ROOT, known_at=known_at)).read() == root


async def test_where_the_other_cannot_be_read_that_is_said(arrivals: Arrivals) -> None:
    with pytest.raises(OperatorFault, match="unplugged"):
        await arrivals.source(SetSource(OperatorFault("unplugged"))).read()
