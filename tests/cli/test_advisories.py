"""`[advisories.NAME]`, and `inbond advisories status`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inbond.cli.config import load_config
from inbond.cli.main import cli
from inbond.gateway.advisory_sources import AdvisorySource
from inbond.model.errors import ConfigurationError
from inbond.upstream.feed import FeedSettings
from sim.osv import affected, directory, malware, raw, vulnerability

FILES = {
    "MAL-1.json": malware("MAL-1", "demo", "1.0"),
    "MAL-2.json": malware("MAL-2", "demo", withdrawn="2026-11-02T00:00:00Z"),
    "GHSA-1.json": vulnerability("GHSA-1", "demo", fixed="2.0"),
    "PYSEC-1.json": raw("PYSEC-1", affected("other")),
    "npm.json": raw("X", affected("demo", versions=["1"], ecosystem="npm")),
    "bad.json": b"{",
}


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def sources(toml: str, place: Path) -> tuple[AdvisorySource, ...]:
    file = place / "inbond.toml"
    file.write_text(toml)
    return load_config(file=file, overrides={}, environ={"TOKEN": "s3cret:s3cret"}).advisories


def test_sources_are_read_by_name(tmp_path: Path) -> None:
    own, osv = sources(
        '[advisories.url]\nurl = "https://osv.acme.example/all.zip?token=1"\nrefresh = "5m"\n'
        'credentials = "env:TOKEN"\n'
        '[advisories.own]\npath = "/srv/osv"\nmax_age = "0"\nrequired = true\n',
        tmp_path,
    )

    assert (own.name, own.place, own.max_age, own.required) == ("own", Path("/srv/osv"), None, True)
    assert isinstance(osv.place, FeedSettings)
    assert (osv.place.url, osv.refresh.total_seconds()) == ("https://osv.acme.example/all.zip?token=1", 300)
    assert osv.place.authorization is not None
    assert "s3cret" not in repr(osv)
    assert "token" not in repr(osv)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "advisories.own: name one place: the path of a directory or an archive of OSV records, or the url"),
        ('path = "/x"\nurl = "https://a.example/x.zip"', "advisories.own.url: name one place"),
        ('path = "/x"\nproxy = "none"', "advisories.own.proxy: is used with url alone"),
        ('path = "/x"\ncredentials = "env:TOKEN"', "advisories.own.credentials: is used with url alone"),
        ('url = "osv.zip"', "advisories.own.url: is not the address of an archive"),
        ('url = "https://s3cret:s3cret@a.example/x.zip"', "advisories.own.url: carries credentials"),
        (
            'url = "https://a.example/x.zip"\nrefresh = "often"',
            "advisories.own.refresh: 'often' is not a length of time",
        ),
        ('path = "/x"\nrequired = "yes"', "advisories.own.required: must be true or false, not 'yes'"),
        ('path = "/x"\nmax-age = "1d"', "unknown key"),
    ],
)
def test_what_is_wrong_with_a_source_is_told(table: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        sources(f"[advisories.own]\n{table}\n", tmp_path)

    assert said in raised.value.message
    assert "s3cret" not in raised.value.message


def test_a_variable_may_say_that_a_source_is_required(tmp_path: Path) -> None:
    environ = {"INBOND_ADVISORIES__OWN__PATH": "/x", "INBOND_ADVISORIES__OWN__REQUIRED": "true"}

    (own,) = load_config(file=None, overrides={}, environ=environ).advisories

    assert own.required


def status(place: Path, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["advisories", "status", "--data", str(place / "data"), *arguments], env=environ)


def test_status_tells_what_each_source_holds(tmp_path: Path) -> None:
    path = str(directory(tmp_path / "advisories", FILES))

    done = status(tmp_path, INBOND_ADVISORIES__OWN__PATH=path)

    assert done.exit_code == 0, done.output
    assert f"from      {path}" in done.output
    assert "holds     1 of malware, 2 vulnerabilities, 1 withdrawn; 1 on other ecosystems" in done.output
    assert "newest record 2026-11-01T00:00:00Z" in done.output
    assert "unread    1 file not at all, 1 record in part" in done.output
    assert "bad.json is no OSV record" in done.output
    assert "together: 2 projects named" in done.output


def test_status_for_programs(tmp_path: Path) -> None:
    path = str(directory(tmp_path / "advisories", FILES))

    done = status(tmp_path, "--format", "json", INBOND_ADVISORIES__OWN__PATH=path)

    found = json.loads(done.output)
    (own,) = found["sources"]
    assert (found["projects"], len(found["version"])) == (2, 64)
    assert (own["records"], own["withdrawn"], own["elsewhere"], own["bad"], own["partly_read"]) == (4, 1, 1, 1, 1)
    assert (own["too_old"], own["trouble"], own["newest"]) == (False, None, "2026-11-01T00:00:00Z")


def test_a_source_in_trouble_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/all.zip?token=s3cret"

    done = status(tmp_path, INBOND_ADVISORIES__OSV__URL=url)
    assert done.exit_code == 1
    assert "from      http://127.0.0.1:9/all.zip\n" in done.output
    assert "nothing is known from it" in done.output
    assert "s3cret" not in done.output

    found = json.loads(status(tmp_path, "--format", "json", INBOND_ADVISORIES__OSV__URL=url).output)
    assert (found["sources"][0]["records"], found["sources"][0]["as_of"]) == (None, None)


def test_no_source_at_all_is_said(tmp_path: Path) -> None:
    done = status(tmp_path)

    assert done.exit_code == 2
    assert "no advisories are configured" in done.output
