"""Tokens and sessions in the ledger: kept with what tells them, and current for every process at once."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.access.tokens import Session, Token, TokenUse
from inbond.model.acts import Act, ActKind
from inbond.model.errors import StoreUnavailable
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.tokens import MAX_SESSIONS
from store.heard import Heard
from store.samples import T0, T1, T2, T3, path_in

TOKEN = Token(
    id="t-0123456789ab", digest=b"\x01" * 32, name="ci", made_by="ada", made_at=T0, expires_at=T3,
    grant=Grant(role=Role.OPERATOR, indexes=frozenset({"root", "build"})),
)  # fmt: skip
SESSION = Session(digest=b"\x02" * 32, token=TOKEN.id, since=T1, until=T2)
MADE = Act(at=T0, kind=ActKind.TOKEN_CREATED, by="ada", client="command", message="made it")
ENDED = Act(at=T1, kind=ActKind.TOKEN_REVOKED, by="bob", client="command", message="ended it")
BEGAN = Act(at=T1, kind=ActKind.SIGN_IN, by="ada", client="192.0.2.1", message="signed in")
LEFT = Act(at=T2, kind=ActKind.SIGN_OUT, by="ada", client="192.0.2.1", message="signed out")


@pytest.fixture
async def ledger(tmp_path: Path, events: Heard) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=events)
    yield opened
    await opened.aclose()


@pytest.fixture
async def other(tmp_path: Path, ledger: Ledger) -> AsyncIterator[Ledger]:
    """Another process's, as far as SQLite can tell."""
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def told(ledger: Ledger) -> list[ActKind]:
    return [one.act.kind for one in await ledger.acts(newest_first=False)]


async def test_a_token_is_found_by_the_digest_of_its_secret(ledger: Ledger) -> None:
    assert ledger.token_of(TOKEN.digest) is None
    assert await ledger.add_token(TOKEN, told=MADE)
    assert ledger.token_of(TOKEN.digest) == TOKEN
    assert await ledger.tokens() == (TOKEN,)
    assert await told(ledger) == [ActKind.TOKEN_CREATED]


async def test_an_id_that_is_taken_is_not_taken_again(ledger: Ledger) -> None:
    await ledger.add_token(TOKEN, told=MADE)
    assert not await ledger.add_token(replace(TOKEN, digest=b"\x03" * 32), told=replace(MADE, at=T1))
    assert not await ledger.add_token(replace(TOKEN, id="t-other"), told=replace(MADE, at=T2))
    assert await told(ledger) == [ActKind.TOKEN_CREATED]


async def test_one_that_was_revoked_stays_with_who_did_it_and_its_sessions_do_not(ledger: Ledger) -> None:
    await ledger.add_token(TOKEN, told=MADE)
    await ledger.begin_session(SESSION, told=BEGAN)
    ended = await ledger.revoke_token(TOKEN.id, by="bob", now=T1, told=lambda _: ENDED)
    assert ended == replace(TOKEN, revoked_at=T1, revoked_by="bob")
    assert ledger.token_of(TOKEN.digest) == ended
    assert ledger.session_of(SESSION.digest) is None
    assert await ledger.revoke_token(TOKEN.id, by="eve", now=T2, told=lambda _: ENDED) is None
    assert await ledger.revoke_token("t-unknown", by="eve", now=T2, told=lambda _: ENDED) is None
    assert ledger.token_of(TOKEN.digest) == ended
    assert await told(ledger) == [ActKind.TOKEN_CREATED, ActKind.SIGN_IN, ActKind.TOKEN_REVOKED]


async def test_a_session_has_its_token_where_the_ledger_has_that(ledger: Ledger) -> None:
    await ledger.begin_session(SESSION, told=BEGAN)
    found = ledger.session_of(SESSION.digest)
    assert found is not None
    assert (found.session, found.token) == (SESSION, None)  # one of the configuration
    await ledger.add_token(TOKEN, told=MADE)
    found = ledger.session_of(SESSION.digest)
    assert found is not None
    assert found.token == TOKEN
    assert await ledger.end_session(SESSION.digest, told=LEFT)
    assert not await ledger.end_session(SESSION.digest, told=LEFT)
    assert ledger.session_of(SESSION.digest) is None


async def test_sessions_that_ended_are_gone_once_another_begins(ledger: Ledger) -> None:
    await ledger.begin_session(SESSION, told=BEGAN)
    later = replace(SESSION, digest=b"\x04" * 32, since=T2, until=T3)
    await ledger.begin_session(later, told=replace(BEGAN, at=T2))
    assert ledger.session_of(SESSION.digest) is None
    assert ledger.session_of(later.digest) is not None


async def test_the_version_rises_for_other_processes_and_not_for_uses(ledger: Ledger, other: Ledger) -> None:
    versions = [other.decisions_version()]
    await ledger.add_token(TOKEN, told=MADE)
    versions.append(other.decisions_version())
    await ledger.begin_session(SESSION, told=BEGAN)
    versions.append(other.decisions_version())
    await ledger.revoke_token(TOKEN.id, by="bob", now=T1, told=lambda _: ENDED)
    versions.append(other.decisions_version())
    assert len(set(versions)) == 4
    assert (found := other.token_of(TOKEN.digest)) is not None
    assert found.revoked_at == T1
    await ledger.note_uses([TokenUse(token=TOKEN.id, at=T1, client="192.0.2.1")])
    assert other.decisions_version() == versions[-1]


async def test_the_latest_use_stays(ledger: Ledger) -> None:
    use = TokenUse(token=TOKEN.id, at=T1, client="192.0.2.1")
    await ledger.note_uses([use, TokenUse(token="t-other", at=T0, client="")])
    await ledger.note_uses([replace(use, at=T0, client="192.0.2.2")])
    assert await ledger.token_uses() == (use, TokenUse(token="t-other", at=T0, client=""))
    await ledger.note_uses([replace(use, at=T1 + timedelta(seconds=1), client="192.0.2.3")])
    assert (await ledger.token_uses())[0].client == "192.0.2.3"


async def test_a_row_that_inbond_did_not_write_is_no_token(ledger: Ledger) -> None:
    await ledger.add_token(TOKEN, told=MADE)
    with sqlite3.connect(ledger.path) as raw:
        raw.execute("UPDATE token SET indexes = '{'")
    raw.close()
    with pytest.raises(StoreUnavailable, match="t-0123456789ab in the ledger cannot be read"):
        ledger.token_of(TOKEN.digest)


async def test_of_a_token_with_too_many_sessions_the_oldest_goes(ledger: Ledger) -> None:
    other = replace(SESSION, digest=b"\x05" * 32, token="t-other")
    await ledger.begin_session(other, told=BEGAN)
    begun = [
        replace(SESSION, digest=number.to_bytes(32), since=SESSION.since + number * timedelta(microseconds=1))
        for number in range(MAX_SESSIONS + 1)
    ]
    for one in begun:
        await ledger.begin_session(one, told=replace(BEGAN, at=one.since))
    assert [one for one in begun if ledger.session_of(one.digest) is None] == begun[:1]
    assert ledger.session_of(other.digest) is not None
