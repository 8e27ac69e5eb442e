"""The lock files that a policy names: what is read from them, and what is said where they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbond.cli.config import Config, load_config, load_written, policy_digest
from inbond.cli.foundation import indexes_of
from inbond.model.errors import ConfigurationError

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
REQUIREMENTS = f"demo==1.0 --hash=sha256:{ONE} \\\n    --hash=sha256:{TWO}\n"
UV = f"""\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "other"
version = "2.0"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://index.example/other-2.0.tar.gz", hash = "sha256:{THREE}", size = 10 }}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
    (tmp_path / "uv.lock").write_text(UV)
    return tmp_path


def written(place: Path, *locks: str, policy: str = "default", more: str = "") -> Path:
    file = place / "inbond.toml"
    named = ", ".join(f'"{lock}"' for lock in locks)
    file.write_text(f'{more}\n[policies.{policy}]\nlocked = "grandfather"\nlocks = [{named}]\n')
    return file


def load(file: Path) -> Config:
    return load_config(file=file, overrides={}, environ={})


def test_the_digests_of_all_files_of_all_locks_count_together(place: Path) -> None:
    loaded = load(written(place, f"{place}/requirements.txt", f"{place}/uv.lock", policy="team"))

    assert loaded.policies["team"].in_locks == {ONE, TWO, THREE}
    assert loaded.policies["default"].in_locks == frozenset()


def test_a_relative_path_counts_from_where_inbond_is_started(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert load(written(place, "uv.lock")).policies["default"].in_locks == {THREE}


def test_what_stands_in_a_lock_is_part_of_what_pages_are_kept_under(place: Path) -> None:
    file = written(place, f"{place}/uv.lock")
    before = policy_digest(load(file).policies["default"])
    (place / "uv.lock").write_text(UV.replace(THREE, TWO))

    assert policy_digest(load(file).policies["default"]) != before


def test_a_lock_that_cannot_be_read_is_told_with_file_and_line_and_all_other_problems(place: Path) -> None:
    (place / "broken.lock").write_text('version = 1\nrequires-python = ">=3"\n[[package]]\nname = 3\n')
    file = written(
        place, f"{place}/broken.lock", f"{place}/uv.lock", f"{place}/none.txt", more='[server]\nlisten = "x"\n'
    )
    with pytest.raises(ConfigurationError) as raised:
        load(file)

    lines = raised.value.message.replace(str(place), "DIR").split("\n")
    assert len(lines) == 3
    assert "server.listen" in lines[0]
    assert lines[1].startswith("DIR/inbond.toml:6: policies.default.locks[0]: DIR/broken.lock:3: ")
    assert lines[2].startswith("DIR/inbond.toml:6: policies.default.locks[2]: DIR/none.txt: cannot be read: ")


def test_a_lock_without_digests_is_told(place: Path) -> None:
    (place / "bare.txt").write_text("demo==1.0\n")
    loaded = load_written(file=written(place, f"{place}/bare.txt"), overrides={}, environ={})

    assert [warning.replace(str(place), "DIR") for warning in loaded.warnings] == [
        "policies.default.locks[0]: 'DIR/bare.txt' names no sha256, so it lets no file through"
    ]


@pytest.mark.parametrize("locks", ["3", '"uv.lock"', '[3, "", "\\u0000"]'])
def test_what_is_no_list_of_paths_is_told_once(tmp_path: Path, locks: str) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text(f"[policies.default]\nlocks = {locks}\n")
    with pytest.raises(ConfigurationError) as raised:
        load(file)
    assert all("policies.default.locks" in line for line in raised.value.message.split("\n"))
    assert len(raised.value.message.split("\n")) == (2 if locks.startswith("[") else 1)


def test_a_freeze_belongs_to_its_index_and_to_what_its_pages_are_kept_under(tmp_path: Path) -> None:
    file = tmp_path / "inbond.toml"
    file.write_text('[indexes.then]\nfreeze = "2026-01-02"\n[upstreams.pypi]\nurl = "http://index.example/simple/"\n')
    loaded = load(file)
    indexes = indexes_of(loaded, loaded.upstreams_at(""))

    assert indexes["root"].policy.freeze is None
    assert str(indexes["then"].policy.freeze) == "2026-01-02 00:00:00+00:00"
    assert indexes["then"].policy_digest != indexes["root"].policy_digest
