"""What is told about who may read, of an inbond that others reach."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.cli.access_checks import access_advice, access_check
from inbond.cli.config import Config, load_config
from inbond.gateway.sign_in import SignIn
from inbond.gateway.tokens import Asking, make_token, revoke_token
from inbond.model.events import unobserved
from inbond.store.ledger import Ledger, open_ledger

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OPEN = '[access]\nreaders = "anybody"\n'
NOBODY = "nobody may read: make tokens"
NO_TLS = "tokens come without TLS"
ENTRY = '[[access.tokens]]\nname = "ci"\nsha256 = "{}"\nindexes = ["root"]\n'.format("ab" * 32)
ASKING = Asking(by="ada", client="command", now=NOW)


def clock() -> datetime:
    return NOW


def load(tmp_path: Path, toml: str, listen: str = "0.0.0.0:0") -> Config:
    file = tmp_path / "inbond.toml"
    file.write_text(f'[server]\nlisten = "{listen}"\n{toml}')
    return load_config(file=file, overrides={}, environ={})


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    place = tmp_path / "ledger"
    place.mkdir()
    opened = open_ledger(place / "ledger.sqlite3", observer=unobserved)
    yield opened
    await opened.aclose()


@pytest.mark.parametrize(
    ("toml", "listen", "said"),
    [
        ("", "127.0.0.1:0", []),
        ("", "0.0.0.0:0", [NOBODY]),
        (OPEN, "0.0.0.0:0", ["anybody who reaches the port may read"]),
        ('[indexes.a]\nreaders = "anybody"\n', "[::]:0", ["anybody who reaches the port may read a"]),
        (ENTRY, "0.0.0.0:0", [NO_TLS]),
        (f'public_url = "https://packages.acme.example"\n{ENTRY}', "0.0.0.0:0", []),
        (f'public_url = "http://packages.acme.example"\n{ENTRY}', "0.0.0.0:0", [NO_TLS]),
        (
            f"{ENTRY}expires = 2026-11-19T00:00:00Z\n".replace("2026-11-19T00:00:00Z", '"2026-11-19"'),
            "0.0.0.0:0",
            [NOBODY],
        ),
    ],
)
async def test_what_is_open_or_closed_to_everybody_is_told(
    toml: str, listen: str, said: list[str], tmp_path: Path, ledger: Ledger
) -> None:
    config = load(tmp_path, toml, listen)
    advice = await access_advice(config, config.access, ledger, clock)
    assert len(advice) == len(said)
    assert all(part in text for part, text in zip(said, advice, strict=True))


async def test_tokens_of_the_ledger_count_until_they_end(tmp_path: Path, ledger: Ledger) -> None:
    config = load(tmp_path, "")
    check = access_check(config, SignIn(ledger, config.access, clock), ledger, clock)
    assert NOBODY in ((await check()).advice or "")
    grant = Grant(role=Role.READER, indexes=frozenset({"root"}))
    made = await make_token(
        ledger, "ci", grant, expires=NOW + timedelta(days=1), asking=ASKING, random=secrets.token_bytes
    )
    assert NO_TLS in ((await check()).advice or "")
    await revoke_token(ledger, made.token.id, ASKING)
    found = await check()
    assert NOBODY in (found.advice or "")
    assert found.problem is None


@pytest.mark.parametrize(("claims", "told"), [('{ ref = "refs/heads/main" }', 1), ('{ repository = "acme/*" }', 0)])
async def test_an_entry_that_lets_in_anybodys_jobs_is_told_on_loopback_too(
    tmp_path: Path, ledger: Ledger, claims: str, told: int
) -> None:
    entry = '[[access.ci]]\nname = "b"\nissuer = "https://ci.example"\naudience = "x"\nindexes = ["*"]\n'
    for listen in ("127.0.0.1:0", "0.0.0.0:0"):
        config = load(tmp_path, f"{entry}claims = {claims}\n", listen)
        advice = await access_advice(config, config.access, ledger, clock)
        assert sum("no claim says whose job it is" in one for one in advice) == told
