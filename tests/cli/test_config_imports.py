"""The keys of what crosses an air gap: `[imports]`, `[mirrors.NAME]`, `offline`, "imports" as a source, ages."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from inbond.cli.config import Config, load_config
from inbond.cli.config_trust import ScopeSettings
from inbond.cli.main import cli
from inbond.gateway.advisory_sources import FromImports
from inbond.mirror.settings import ImportsSettings, MirrorSettings, Wheels
from inbond.model.errors import ConfigurationError

FED = """
[server]
offline = true
[upstreams.pypi]
url = "imports"
[trust.public]
root = "imports"
max_age = "30d"
[advisories.own]
url = "imports"
max_age = "14d"
required = true
"""
NOBODY = "is fed by imports, and imports.keys names nobody whose bundles are taken"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INBOND_")]:
        monkeypatch.delenv(name)


def load(toml: str, place: Path, environ: dict[str, str] | None = None, **overrides: object) -> Config:
    file = place / "inbond.toml"
    file.write_text(toml)
    return load_config(file=file, overrides=overrides, environ=environ or {})


def key(place: Path) -> str:
    path = place / "sender.pub"
    path.write_text("a key")
    return str(path)


def test_everything_may_come_from_imports(tmp_path: Path) -> None:
    config = load(f'{FED}[imports]\nkeys = ["{key(tmp_path)}"]\nmax_age = "7d"\n', tmp_path)

    assert config.offline
    assert config.imports == ImportsSettings(keys=(tmp_path / "sender.pub",), max_age=timedelta(days=7))
    assert config.trust == (ScopeSettings(name="public", root="imports", max_age=timedelta(days=30)),)
    (own,) = config.advisories
    assert (own.place, own.max_age, own.required) == (FromImports(), timedelta(days=14), True)
    assert config.warnings == ()


def test_by_default_nothing_is_imported_and_nothing_grows_too_old(tmp_path: Path) -> None:
    config = load("", tmp_path)

    assert (config.offline, config.imports, config.mirrors) == (False, ImportsSettings(), ())
    assert config.trust[0].max_age is None


def test_a_mirror_says_what_is_fetched(tmp_path: Path) -> None:
    toml = """
        [mirrors.team]
        index = "root"
        locks = ["/srv/uv.lock"]
        projects = ["flask>=3", "numpy"]
        dependencies = false
        newest = 3
        pythons = ["3.12"]
        platforms = ["linux-x86_64", "macos-arm64"]
        wheels_only = true
        [mirrors.other]
    """
    team, other = sorted(load(toml, tmp_path).mirrors, key=lambda one: one.name, reverse=True)

    assert other == MirrorSettings(name="other")
    assert team == MirrorSettings(
        name="team",
        locks=(Path("/srv/uv.lock"),),
        projects=(Requirement("flask>=3"), Requirement("numpy")),
        dependencies=False,
        newest=3,
        wheels=Wheels(pythons=("3.12",), platforms=("linux-x86_64", "macos-arm64"), wheels_only=True),
    )


def test_variables_name_all_of_it_too(tmp_path: Path) -> None:
    environ = {
        "INBOND_SERVER__OFFLINE": "true",
        "INBOND_IMPORTS__KEYS": key(tmp_path),
        "INBOND_IMPORTS__MAX_AGE": "7d",
        "INBOND_TRUST__PUBLIC__ROOT": "imports",
        "INBOND_TRUST__PUBLIC__MAX_AGE": "30d",
        "INBOND_ADVISORIES__OWN__URL": "imports",
        "INBOND_UPSTREAMS__PYPI__URL": "imports",
        "INBOND_MIRRORS__MY_TEAM__PROJECTS": "flask,numpy",
        "INBOND_MIRRORS__MY_TEAM__NEWEST": "2",
        "INBOND_MIRRORS__MY_TEAM__WHEELS_ONLY": "true",
    }
    config = load("", tmp_path, environ)

    assert config.offline
    assert config.imports == ImportsSettings(keys=(tmp_path / "sender.pub",), max_age=timedelta(days=7))
    assert config.trust == (ScopeSettings(name="public", root="imports", max_age=timedelta(days=30)),)
    assert config.advisories[0].place == FromImports()
    (mirror,) = config.mirrors
    assert (mirror.name, mirror.newest, mirror.wheels.wheels_only) == ("my-team", 2, True)
    assert list(map(str, mirror.projects)) == ["flask", "numpy"]


def test_the_short_variable_and_the_flag_are_the_key(tmp_path: Path) -> None:
    assert load("", tmp_path, {"INBOND_OFFLINE": "1"}).offline
    assert load("[server]\noffline = false\n", tmp_path, offline=True).offline
    assert not load("", tmp_path, {"INBOND_OFFLINE": "0"}).offline


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            '[trust.public]\nroot = "bundled"\nmax_age = "7d"\n',
            "inbond.toml:3: trust.public.max_age: has nothing to count from: nobody says how old the root is",
        ),
        ('[trust.public]\nroot = "imports"\ntuf = "https://t.example"\n', "3: trust.public.tuf: is used with root"),
        ('[trust.acme]\nroot = "imports"\n', "1: trust.acme: name the issuers"),
        ('[trust.public]\nmax_age = "old"\n', "2: trust.public.max_age: 'old' is not a length of time"),
        ('[advisories.a]\nurl = "imports"\nproxy = "none"\n', "3: advisories.a.proxy: is not used with url ="),
        ('[advisories.a]\nurl = "imports"\ncredentials = "env:X"\n', "3: advisories.a.credentials: is not used with"),
        ('[advisories.a]\nurl = "imports"\nca_bundle = "/x.pem"\n', "3: advisories.a.ca_bundle: is not used with"),
        ('[advisories.a]\nurl = "imports"\npath = "/x"\n', "advisories.a.url: name one place"),
        ("[server]\noffline = 1\n", "2: server.offline: must be true or false, not 1"),
        ("[imports]\nkeys = true\n", "2: imports.keys: must be a list"),
        ('[imports]\nmax_age = "7"\n', "2: imports.max_age: '7' is not a length of time"),
        ('[imports]\nkey = "x"\n', "2: imports.key: unknown key; did you mean 'keys'?"),
        ('[mirrors.a]\nindex = "roof"\n', "2: mirrors.a.index: there is no index 'roof'; did you mean 'root'?"),
        ("[mirrors.a]\nnewest = 0\n", "2: mirrors.a.newest: must be at least 1, not 0"),
        ('[mirrors.a]\npythons = ["3"]\n', "2: mirrors.a.pythons[0]: '3' is no version of Python such as '3.12'"),
        ('[mirrors.a]\nplatforms = ["linux"]\n', "2: mirrors.a.platforms[0]: 'linux' is none of"),
        ('[mirrors.a]\nprojects = ["a b"]\n', "2: mirrors.a.projects[0]: 'a b' is no requirement such as 'flask>=3'"),
        ("[mirrors]\na = 1\n", "2: mirrors.a: must be a table, not 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_line(toml: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(toml, tmp_path)

    assert said in raised.value.message


def test_a_mirror_may_name_any_index(tmp_path: Path) -> None:
    toml = '[indexes.strict]\npolicy = "strict"\n[mirrors.a]\nindex = "strict"\n'

    assert load(toml, tmp_path).mirrors[0].index == "strict"


def test_a_root_without_a_limit_may_be_bundled(tmp_path: Path) -> None:
    assert load('[trust.public]\nroot = "bundled"\nmax_age = "0"\n', tmp_path).trust[0].max_age is None


def test_imports_that_nobody_may_bring_are_warned_of(tmp_path: Path) -> None:
    warnings = load(FED, tmp_path).warnings

    assert warnings == (f"upstreams.pypi {NOBODY}", f"trust.public {NOBODY}", f"advisories.own {NOBODY}")


def test_a_key_that_is_not_there_is_warned_of_and_still_serves(tmp_path: Path) -> None:
    (told,) = load(FED + '[imports]\nkeys = ["/no/such.pub"]\n', tmp_path).warnings

    assert told == "imports.keys[0]: there is no file '/no/such.pub'; until there is, no bundle can be imported"


def shown(file: Path, *arguments: str) -> Any:
    done = CliRunner().invoke(cli, ["config", "show", "--config", str(file), *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_show_gives_all_of_it_and_what_it_prints_reads_back(tmp_path: Path) -> None:
    toml = FED + f'[imports]\nkeys = ["{key(tmp_path)}"]\n[mirrors.a]\nprojects = ["flask>=3"]\nnewest = 2\n'
    config = load(toml, tmp_path)
    text = shown(tmp_path / "inbond.toml")
    again = tmp_path / "again.toml"
    again.write_text(text)

    assert load_config(file=again, overrides={}, environ={}) == config
    assert 'url = "imports"' in text
    found = json.loads(shown(tmp_path / "inbond.toml", "--format", "json"))
    assert "imports" in json.dumps(found)


def test_check_says_what_to_look_after(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(FED)
    done = CliRunner().invoke(cli, ["config", "check", "--config", str(file)], env={"COLUMNS": "300"})

    assert done.exit_code == 0, done.output
    assert f"upstreams.pypi {NOBODY}" in done.output
    assert "trust       public: imports, for upstreams pypi" in done.output
