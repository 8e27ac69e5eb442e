"""`[decisions]`: waivers, rejections and pins in the configuration and in the files that it names."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from inbond.cli.config import Config, load_config, load_written
from inbond.cli.config_command import config_group
from inbond.cli.config_show import as_toml
from inbond.cli.decisions_toml import dumps
from inbond.model.decisions import Pin, Rejection, Source, Target, Waiver
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern

DIGEST = "0ace" + "0" * 60
WAIVER = 'target = "Flask == 3.1.0"\nrule = "cooldown"\nuntil = "2999-12-01"\nreason = "mends"\nby = "ada"\n'
REJECTION = f'target = "flask@sha256:{DIGEST}"\nreason = "bad"\nby = "ada"\n'
PIN = 'project = "Flask"\npublisher = "github:pallets/flask"\nby = "ada"\n'
IN_CONFIG = f"[[decisions.waivers]]\n{WAIVER}[[decisions.rejections]]\n{REJECTION}[[decisions.pins]]\n{PIN}"
IN_FILE = IN_CONFIG.replace("decisions.", "")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INBOND_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def configure(place: Path, toml: str, **files: str) -> Path:
    for name, text in files.items():
        (place / f"{name}.toml").write_text(text, encoding="utf-8")
    file = place / "inbond.toml"
    file.write_text(toml, encoding="utf-8")
    return file


def load(file: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    return load_config(file=file, overrides={}, environ=environ or {})


def problems(place: Path, toml: str, **files: str) -> list[str]:
    file = configure(place, toml, **files)
    with pytest.raises(ConfigurationError) as raised:
        load(file)
    return raised.value.message.replace(f"{place}/", "").split("\n")


def test_decisions_stand_in_the_configuration(tmp_path: Path) -> None:
    config = load(configure(tmp_path, IN_CONFIG))

    waiver, rejection, pin = config.decisions
    assert waiver == Waiver(
        target=Target.parse("flask==3.1.0"),
        rule="cooldown",
        until=datetime(2999, 12, 1, tzinfo=UTC),
        reason="mends",
        by="ada",
        source=Source.CONFIGURATION,
    )
    assert isinstance(rejection, Rejection)
    assert rejection.target.sha256 == DIGEST
    assert pin == Pin(
        project=ProjectName("flask"),
        publisher=PublisherPattern.parse("github:pallets/flask"),
        reason="",
        by="ada",
        source=Source.CONFIGURATION,
    )
    assert config.placed_decisions[1].place.endswith("inbond.toml:7")


def test_the_same_in_a_file_is_the_same(tmp_path: Path) -> None:
    inline = load(configure(tmp_path, IN_CONFIG)).decisions
    named = load(configure(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n', pins=IN_FILE))

    assert named.decisions == inline
    assert named.placed_decisions[0].place == f"{tmp_path / 'pins.toml'}:1"


def test_a_file_counts_from_the_configuration_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = configure(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n', pins=IN_FILE)
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert len(load(file).decisions) == 3
    with pytest.raises(ConfigurationError, match=r"pins.toml: cannot be read"):
        load(None, {"INBOND_DECISIONS__FILES": "pins.toml"})
    assert len(load(None, {"INBOND_DECISIONS__FILES": "../pins.toml"}).decisions) == 3
    named = load_written(file=Path("../inbond.toml"), overrides={}, environ={}).written.decisions.files
    assert [Path(name).resolve() for name in named] == [tmp_path / "pins.toml"]
    assert Path(named[0]).is_absolute()


def test_a_variable_may_hold_decisions() -> None:
    pin = '[{"project": "flask", "publisher": "github:pallets/flask", "by": "ada"}]'
    (placed,) = load(None, {"INBOND_DECISIONS__PINS": pin}).placed_decisions

    assert (placed.decided.by, placed.place) == ("ada", "INBOND_DECISIONS__PINS")


def test_what_is_written_twice_is_decided_once(tmp_path: Path) -> None:
    toml = f'[decisions]\nfiles = ["pins.toml"]\n{IN_CONFIG}'

    config = load(configure(tmp_path, toml, pins=IN_FILE))
    assert len(config.decisions) == 3
    assert all("inbond.toml" in one.place for one in config.placed_decisions)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('rule = "cooldown"', 'rule = "cooldwn"', ".rule: 'cooldwn' is no rule; did you mean 'cooldown'?"),
        ('rule = "cooldown"', 'rule = "hashes"', ".rule: rule 'hashes' cannot be waived: a file without a digest"),
        ('rule = "cooldown"', 'rule = "review"', ".rule: rule 'review' cannot be waived: a rejection is lifted by"),
        ('"2999-12-01"', '"soon"', ".until: 'soon' is no date and no time"),
        ('"2999-12-01"', "2999-12-01", ".until: must be a text in quotes, not 2999-12-01"),
        ('"Flask == 3.1.0"', '"flask=3"', ".target: 'flask=3' is not a project with versions"),
        ('"mends"', '"..."', ".reason: '...' is no reason: say in a few words why"),
        ('"mends"', f'"{"x" * 201}"', ".reason: a reason of 201 characters is too long: at most 200"),
        ('"mends"', '"a\\u0007"', ".reason: 'a\\x07' holds characters that cannot be shown"),
        ('by = "ada"', 'by = ""', ".by: '' names nobody"),
        ('by = "ada"', 'byy = "ada"', ".byy: unknown key; did you mean 'by'?"),
        ('by = "ada"', 'by = "ada"\nindex = "rot"', ".index: there is no index 'rot'; did you mean 'root'?"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    broken = WAIVER.replace(old, new)
    inline = problems(tmp_path, f"[[decisions.waivers]]\n{broken}")
    named = problems(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n', pins=f"[[waivers]]\n{broken}")

    assert any(line.startswith("inbond.toml:") and f"decisions.waivers[0]{told}" in line for line in inline), inline
    assert any(line.startswith("pins.toml:") and f": waivers[0]{told}" in line for line in named), named


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    without = WAIVER.replace('rule = "cooldown"\n', "")

    assert problems(tmp_path, f"[[decisions.waivers]]\n{without}") == [
        "inbond.toml:1: decisions.waivers[0]: the key 'rule' is missing"
    ]
    assert problems(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n', pins=f"\n[[waivers]]\n{without}") == [
        "pins.toml:2: waivers[0]: the key 'rule' is missing"
    ]


def test_pins_with_mistakes(tmp_path: Path) -> None:
    broken = PIN.replace("github:pallets/flask", "pallets/flask") + 'repository_id = "a b"\n'

    first, second = problems(tmp_path, f"[[decisions.pins]]\n{broken}")
    assert "decisions.pins[0].publisher: 'pallets/flask' does not begin with a kind of publisher" in first
    assert "decisions.pins[0].repository_id: 'a b' is no repository's id" in second


def test_files_that_cannot_be_read_are_told_with_everything_else(tmp_path: Path) -> None:
    toml = '[decisions]\nfiles = ["none.toml", "broken.toml", "unknown.toml"]\n[server]\nlisten = "x"\n'

    found = problems(tmp_path, toml, broken="x", unknown="[[waiver]]\n[files]\n")
    assert [line for line in found if "none.toml: cannot be read" in line]
    assert [line for line in found if "broken.toml: is not TOML" in line]
    assert [line for line in found if "unknown.toml:1: waiver: unknown key; did you mean 'waivers'?" in line]
    assert [line for line in found if "unknown.toml:2: files: unknown key" in line]
    assert [line for line in found if "server.listen" in line]


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\\u0000b"])
def test_what_can_be_no_path_is_told_once(tmp_path: Path, path: str) -> None:
    (told,) = problems(tmp_path, f'[decisions]\nfiles = ["{path}"]\n')
    assert told.startswith("inbond.toml:2: decisions.files[0]: ")


@pytest.mark.parametrize("toml", ["decisions = 1\n", "[decisions]\nfiles = 1\n", "[decisions]\nfiles = [1]\n"])
def test_what_is_no_section_is_told_once(tmp_path: Path, toml: str) -> None:
    (told,) = problems(tmp_path, toml)
    assert "must be" in told


def test_check_warns_of_waivers_that_have_expired_or_hardly_ever_do(tmp_path: Path) -> None:
    expired = WAIVER.replace("2999-12-01", "2025-12-01")
    file = configure(tmp_path, f"[[decisions.waivers]]\n{expired}[[decisions.waivers]]\n{WAIVER}")

    result = CliRunner().invoke(config_group, ["check", "--config", str(file)])
    assert result.exit_code == 0
    first, second = result.stderr.splitlines()
    assert f"{file}:1: the waiver of cooldown for flask==3.1.0 has expired on 2025-12-01 00:00 UTC: remove it" in first
    assert f"{file}:7: the waiver of cooldown for flask==3.1.0 lasts until 2999-12-01 00:00 UTC" in second


def test_check_counts_what_is_decided(tmp_path: Path) -> None:
    file = configure(tmp_path, f"{IN_CONFIG}[[decisions.pins]]\n{PIN.replace('Flask', 'demo')}")

    result = CliRunner().invoke(config_group, ["check", "--config", str(file)])
    assert "decisions   1 waiver, 1 rejection, 2 pins" in result.stdout
    assert "decisions" not in CliRunner().invoke(config_group, ["check"]).stdout


def test_what_is_shown_reads_back_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = configure(tmp_path, f'[decisions]\nfiles = ["pins.toml"]\n{IN_CONFIG}', pins=IN_FILE)
    loaded = load_written(file=file, overrides={}, environ={})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = Path("shown.toml")
    again.write_text(as_toml(loaded), encoding="utf-8")

    assert load_written(file=again, overrides={}, environ={}).written == loaded.written
    assert load(again).decisions == load(file).decisions
    shown = tomllib.loads(again.read_text(encoding="utf-8"))
    assert shown["decisions"]["files"] == [str(tmp_path / "pins.toml")]


def test_a_file_that_is_written_is_the_same_whatever_the_order_and_reads_back(tmp_path: Path) -> None:
    decisions = load(configure(tmp_path, IN_CONFIG)).decisions
    text = dumps(decisions)

    assert dumps(reversed([*decisions, *decisions])) == text
    read = load(configure(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n', pins=text)).decisions
    assert read == decisions
    assert dumps([]).startswith("# Decisions of inbond.")
    assert load(configure(tmp_path, '[decisions]\nfiles = ["pins.toml"]\n', pins=dumps([]))).decisions == ()
