"""What an operator put beside a file stays beside it, under its digest, until it is taken away."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from inbond.store.ledger import Ledger, open_ledger
from store.brought import ATTACHED, take
from store.heard import Heard
from store.samples import T3, path_in

OTHER = replace(ATTACHED, sha256="0" * 64, filename="acme_tools-1.1.tar.gz")
BETTER = replace(ATTACHED, provenance=b'{"version":1,"better":true}', by="grace", at=T3)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def test_what_is_attached_is_found_by_the_file_alone(ledger: Ledger) -> None:
    assert await ledger.attached_to("pypi", ATTACHED.sha256) is None
    assert await ledger.attach(ATTACHED) is True
    assert await ledger.attached_to("pypi", ATTACHED.sha256) == ATTACHED
    assert await ledger.attached_to("pypi", OTHER.sha256) is None


async def test_the_same_again_is_nothing_new_whoever_says_so(ledger: Ledger) -> None:
    await ledger.attach(ATTACHED)
    before = ledger.decisions_version()
    assert await ledger.attach(replace(ATTACHED, by="grace", reason="again", at=T3)) is False
    assert await ledger.all_attached() == (ATTACHED,)
    assert ledger.decisions_version() == before


async def test_what_was_attached_last_counts_also_where_it_was_attached_before(ledger: Ledger) -> None:
    assert [await ledger.attach(one) for one in (ATTACHED, OTHER, BETTER)] == [True, True, True]
    assert await ledger.attached_to("pypi", ATTACHED.sha256) == BETTER
    assert await ledger.attach(replace(ATTACHED, at=T3)) is True
    assert await ledger.attached_to("pypi", ATTACHED.sha256) == replace(ATTACHED, at=T3)
    assert await ledger.all_attached() == (replace(ATTACHED, at=T3), BETTER, OTHER, ATTACHED)


async def test_all_that_is_attached_to_a_file_goes_at_once(ledger: Ledger) -> None:
    for one in (ATTACHED, BETTER, OTHER):
        await ledger.attach(one)
    assert await ledger.detach("pypi", ATTACHED.sha256) is True
    assert await ledger.detach("pypi", ATTACHED.sha256) is False
    assert await ledger.all_attached() == (OTHER,)


async def test_each_upstream_has_its_own(ledger: Ledger) -> None:
    own = replace(BETTER, upstream="acme")
    assert [await ledger.attach(one) for one in (ATTACHED, own)] == [True, True]
    assert await ledger.attached_to("pypi", ATTACHED.sha256) == ATTACHED
    assert await ledger.attached_to("acme", ATTACHED.sha256) == own
    assert await ledger.detach("acme", ATTACHED.sha256) is True
    assert await ledger.all_attached() == (ATTACHED,)


async def test_other_processes_hear_of_it(tmp_path: Path) -> None:
    server, command = (open_ledger(path_in(tmp_path), observer=Heard()) for _ in range(2))
    versions = [server.decisions_version()]
    await command.attach(ATTACHED)
    versions.append(server.decisions_version())
    await command.detach("pypi", ATTACHED.sha256)
    versions.append(server.decisions_version())
    assert len(set(versions)) == 3
    await server.aclose()
    await command.aclose()


async def test_its_version_is_that_of_what_is_attached_and_of_nothing_else(ledger: Ledger) -> None:
    versions = [ledger.attached_version()]
    for one in (ATTACHED, OTHER, BETTER):
        await ledger.attach(one)
        versions.append(ledger.attached_version())
    await take(ledger)
    await ledger.attach(BETTER)
    assert ledger.attached_version() == versions[-1]
    await ledger.detach("pypi", ATTACHED.sha256)
    versions.append(ledger.attached_version())
    await ledger.attach(ATTACHED)
    versions.append(ledger.attached_version())
    assert len(set(versions)) == len(versions)
    for one in (ATTACHED, OTHER):
        await ledger.detach("pypi", one.sha256)
    assert ledger.attached_version() == versions[0] == (0, 0)


async def test_what_is_no_digest_is_refused(ledger: Ledger) -> None:
    wrong = replace(ATTACHED, sha256="md5")
    for work in (ledger.attach(wrong), ledger.attached_to("pypi", "md5"), ledger.detach("pypi", "md5")):
        with pytest.raises(ValueError, match="no sha256"):
            await work
    assert await ledger.all_attached() == ()


async def test_it_is_on_disk_when_the_call_returns(tmp_path: Path, ledger: Ledger) -> None:
    await ledger.attach(ATTACHED)
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as other:
        assert other.execute("SELECT provenance, made_by FROM attached").fetchall() == [(ATTACHED.provenance, "ada")]
