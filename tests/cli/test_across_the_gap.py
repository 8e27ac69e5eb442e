"""Trusted roots and advisories that imports brought, as an operator sees them: commands and readiness."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.trust_support import Heard, until
from inbond.bundles.manifest import DocumentKind
from inbond.cli.advising import advising, advisory_checks
from inbond.cli.config import Config, load_config
from inbond.cli.main import cli
from inbond.cli.trust_sources import source_of
from inbond.cli.trusting import checks_of, trusting
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.trust import bundled_root_path
from inbond.gateway.trust_imported import ImportedSource
from inbond.gateway.trust_kept import Fetched, Kept
from inbond.model.events import unobserved
from inbond.model.names import ProjectName
from inbond.model.units import about
from mirror.documents import AS_OF, Far
from sim.osv import malware, zipped
from sim.sigstore import Sigstore
from stack import SetClock

ROOT, NEXT = Sigstore().trusted_root(), Sigstore("next.example").trusted_root()
ARCHIVE = zipped({"MAL-1.json": malware("MAL-1", "demo")})
LATER = zipped({"MAL-2.json": malware("MAL-2", "demo")})
DAY = timedelta(days=1)
IMPORTED = '[trust.public]\nroot = "imports"\nmax_age = "8d"\n'
ADVISED = '[advisories.own]\nurl = "imports"\nmax_age = "8d"\nrequired = true\n'


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return Far(tmp_path)


def configured(far: Far, toml: str, *, offline: bool = False) -> Config:
    file = far.place / "inbond.toml"
    file.write_text(toml)
    return load_config(file=file, overrides={"data": str(far.place / "data"), "offline": offline}, environ={})


def run(far: Far, toml: str, *arguments: str) -> Result:
    (far.place / "inbond.toml").write_text(toml)
    options = ["--config", str(far.place / "inbond.toml"), "--data", str(far.place / "data")]
    return CliRunner().invoke(cli, [*arguments, *options], env={"COLUMNS": "200"})


def object_of(result: Result) -> Any:
    return json.loads(result.stdout)


def digest(raw: bytes) -> str:
    return sha256(raw).hexdigest()


# --- roots


def test_show_tells_where_an_imported_root_is_from_and_of_when(far: Far) -> None:
    far.brought(DocumentKind.ROOT, "public", ROOT, as_of=datetime.now(UTC) - 7 * DAY)
    shown = run(far, IMPORTED, "trust", "show")

    assert shown.exit_code == 0, shown.output
    assert "  from         imports, as of " in shown.stdout
    assert f"  sha256       {digest(ROOT)}" in shown.stdout
    assert "  age          the root will be too old in 24 hours: as of " in shown.stdout.replace("1 day:", "24 hours:")

    (scope,) = object_of(run(far, IMPORTED, "trust", "show", "--format", "json"))["scopes"]
    assert (scope["root"], scope["imported"], scope["age"]["state"]) == ("imports", True, "aging")


def test_show_fails_for_a_root_that_is_too_old(far: Far) -> None:
    far.brought(DocumentKind.ROOT, "public", ROOT, as_of=datetime.now(UTC) - 9 * DAY)
    shown = run(far, IMPORTED, "trust", "show")

    assert shown.exit_code == 1
    assert "  age          the root is too old since 1 day: as of " in shown.stdout


def test_a_root_within_its_age_is_shown_with_it(far: Far) -> None:
    far.brought(DocumentKind.ROOT, "public", ROOT, as_of=datetime.now(UTC) - 2 * DAY)

    assert "  age          2 days; it is too old from 8 days on" in run(far, IMPORTED, "trust", "show").stdout


def test_until_an_import_brings_one_it_is_the_bundled_root_whose_age_nobody_knows(far: Far) -> None:
    shown = run(far, IMPORTED, "trust", "show")

    assert shown.exit_code == 1
    assert "from         bundled with sigstore; no import brought a newer one" in shown.stdout
    assert f"age          the root has max_age = {about(8 * DAY)}, and nothing says yet of when it is" in shown.stdout


def test_a_scope_of_ones_own_says_what_is_missing(far: Far) -> None:
    shown = run(far, '[trust.acme]\nroot = "imports"\nissuers = ["https://gitlab.acme.example"]\n', "trust", "show")

    assert "there is no trusted root yet for [trust.acme]: no bundle that was imported brought one" in shown.stdout


def kept(far: Far, raw: bytes, confirmed: datetime) -> None:
    record = Fetched(
        sha256=digest(raw),
        by="tuf",
        where="https://tuf.acme.example",
        repository="public",
        installed_at=confirmed,
        confirmed_at=confirmed,
        shipped_sha256=digest(bundled_root_path().read_bytes()),
    )
    directory = far.place / "data" / "ledger" / "trust" / "public"
    directory.mkdir(parents=True)
    Kept(directory=directory).install(raw, record)


@pytest.mark.parametrize(
    ("imported", "fetched", "used", "said"),
    [
        (AS_OF, None, "imported", "imports, as of 2026-11-01T12:00:00Z"),
        (AS_OF, AS_OF - DAY, "imported", "imports, as of 2026-11-01T12:00:00Z"),
        (AS_OF, AS_OF + DAY, "fetched", ", which is not asked: inbond runs offline; no import brought a newer one"),
        (None, AS_OF, "fetched", ", which is not asked: inbond runs offline; no import brought a newer one"),
        (None, None, "bundled", ", which is not asked: inbond runs offline; no import brought a newer one"),
    ],
)
def test_offline_nobody_is_asked_and_the_newest_on_this_side_counts(
    far: Far, imported: datetime | None, fetched: datetime | None, used: str, said: str
) -> None:
    if imported is not None:
        far.brought(DocumentKind.ROOT, "public", ROOT, as_of=imported)
    if fetched is not None:
        kept(far, NEXT, fetched)

    shown = run(far, "", "trust", "show", "--offline")

    expected = {"imported": ROOT, "fetched": NEXT, "bundled": bundled_root_path().read_bytes()}[used]
    assert f"  sha256       {digest(expected)}" in shown.stdout
    (where,) = [line for line in shown.stdout.splitlines() if line.startswith("  from ")]
    assert where.endswith(said)
    assert ("  refreshed " in shown.stdout) is (used != "imported")


def test_offline_a_scope_with_nothing_says_how_to_get_it(far: Far) -> None:
    (far.place / "root.json").write_text("{}")
    toml = (
        '[trust.acme]\ntuf = "https://tuf.acme.example"\n'
        f'tuf_root = "{far.place / "root.json"}"\nissuers = ["https://gitlab.acme.example"]\n'
    )

    shown = run(far, toml, "trust", "show", "--offline")

    assert "there is no trusted root yet for [trust.acme], and inbond runs offline" in shown.stdout


def test_offline_a_root_is_renewed_from_a_file_alone(far: Far) -> None:
    refused = run(far, "", "trust", "update", "--offline", "--scope", "public")
    assert refused.exit_code == 2
    assert "inbond runs offline: no trusted root is fetched" in refused.stderr

    (far.place / "new.json").write_bytes(NEXT)
    given = ["--scope", "public", "--from", str(far.place / "new.json"), "--lose-keys"]
    done = run(far, "", "trust", "update", "--offline", *given)
    assert done.exit_code == 0, done.output
    assert f"  sha256       {digest(NEXT)}" in run(far, "", "trust", "show", "--offline").stdout


def test_what_imports_bring_is_not_renewed_by_a_command(far: Far) -> None:
    refused = run(far, IMPORTED, "trust", "update", "--scope", "public", "--from", "root.json")

    assert refused.exit_code == 2
    assert "changes with an import alone" in refused.stderr
    assert "inbond bundle import FILE" in refused.stderr


async def test_readiness_warns_of_a_root_and_fails_when_it_is_too_old(far: Far) -> None:
    clock = SetClock()
    await far.bring(DocumentKind.ROOT, "public", ROOT, as_of=clock())
    config = configured(far, IMPORTED)
    async with trusting(config, clock=clock, observer=Heard(), poll_every=0.05) as keeper:
        check = checks_of(keeper)["trust"]
        fresh = await check()
        clock.advance(7 * DAY)
        aging = await check()
        clock.advance(2 * DAY)
        old = await check()
        clock.advance(-400 * DAY)
        ahead = await check()
        clock.advance(401 * DAY)
        await far.bring(DocumentKind.ROOT, "public", NEXT, as_of=clock())
        await until(lambda: keeper.trust_of("pypi") == digest(NEXT))
        renewed = await check()

    assert (fresh.problem, fresh.advice) == (None, None)
    assert (renewed.problem, renewed.advice) == (None, None)
    assert aging.problem is None
    assert aging.advice is not None
    assert aging.advice.startswith("[trust.public] the trusted root will be too old in 1 day: as of ")
    assert old.problem is not None
    assert old.problem.startswith("[trust.public] the trusted root is too old since 1 day: as of ")
    assert ahead.problem is not None
    assert ahead.problem.endswith("set the clock")


async def test_a_fetched_root_is_as_old_as_the_word_of_its_repository(far: Far) -> None:
    config = configured(far, "")
    source = source_of(config, config.trust[0], clock=SetClock(), observer=unobserved)
    assert await source.as_of() is None, "what comes with sigstore has no date"
    kept(far, NEXT, AS_OF)

    assert await source.as_of() == AS_OF
    (Kept(directory=far.place / "data" / "ledger" / "trust" / "public")).root.write_bytes(b"damaged")
    assert await source.as_of() is None


async def test_offline_what_was_fetched_stays_the_word_of_its_repository(far: Far) -> None:
    asking, silent = (
        source_of(config, config.trust[0], clock=SetClock(), observer=unobserved)
        for config in (configured(far, ""), configured(far, "", offline=True))
    )
    kept(far, NEXT, AS_OF)

    assert await silent.read() == NEXT
    assert silent.origin == asking.origin, "so the last good root counts with and without --offline"
    assert await silent.as_of() == AS_OF
    assert isinstance(silent, ImportedSource)
    assert silent.otherwise is not None
    assert not await silent.otherwise.refresh()


# --- advisories


def test_status_tells_of_when_imported_advisories_are(far: Far) -> None:
    far.brought(DocumentKind.ADVISORIES, "own", ARCHIVE, as_of=datetime.now(UTC) - 7 * DAY)
    told = run(far, ADVISED, "advisories", "status")

    assert told.exit_code == 0, told.output
    assert "  from      imports" in told.stdout
    assert " 7 days ago, newest record 2026-11-01T00:00:00Z, imported" in told.stdout
    assert "  soon      [advisories.own] what is known will be too old in 1 day: as of " in told.stdout

    (own,) = object_of(run(far, ADVISED, "advisories", "status", "--format", "json"))["sources"]
    assert (own["from"], own["how"], own["too_old"], own["trouble"]) == ("imports", "imported", False, None)
    assert "will be too old" in own["soon"]


def test_status_says_what_is_missing(far: Far) -> None:
    told = run(far, ADVISED, "advisories", "status")

    assert told.exit_code == 1
    assert "no bundle that was imported brought advisories named 'own': import a bundle that brings it" in told.stdout


@pytest.mark.parametrize("required", [True, False])
async def test_readiness_warns_of_advisories_and_fails_for_required_ones(far: Far, *, required: bool) -> None:
    clock = SetClock()
    await far.bring(DocumentKind.ADVISORIES, "own", ARCHIVE, as_of=clock())
    config = configured(far, ADVISED.replace("true", str(required).lower()))
    async with advising(config, clock=clock, observer=unobserved) as known:
        check = advisory_checks(known)["advisories"]
        fresh = await check()
        clock.advance(7 * DAY)
        aging = await check()
        clock.advance(2 * DAY)
        old = await check()
        await far.bring(DocumentKind.ADVISORIES, "own", LATER, as_of=clock())
        assert isinstance(known, AdvisoryKeeper)
        await known.look()
        renewed = await check()
        assert [one.id for one in known.of(ProjectName("demo"))] == ["MAL-2"]

    assert (fresh.problem, fresh.advice) == (None, None)
    assert (renewed.problem, renewed.advice) == (None, None)
    assert aging.problem is None
    assert "will be too old in 1 day" in (aging.advice or "")
    assert "its advisories are 9 days old" in ((old.problem if required else old.advice) or "")
    assert (old.problem is not None) is required


def test_offline_a_url_is_not_asked(far: Far) -> None:
    toml = '[advisories.own]\nurl = "http://127.0.0.1:9/all.zip"\n'
    far.brought(DocumentKind.ADVISORIES, "own", ARCHIVE, as_of=datetime.now(UTC))
    told = run(far, toml, "advisories", "status", "--offline")

    assert told.exit_code == 0, told.output
    assert "  from      http://127.0.0.1:9/all.zip" in told.stdout
    assert "Z, imported" in told.stdout
