"""`[history]`: how long what is kept, and what of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from inbond.cli.config import load_config
from inbond.gateway.book import HistorySettings
from inbond.model.errors import ConfigurationError


def history(place: Path, toml: str) -> HistorySettings:
    file = place / "inbond.toml"
    file.write_text(f"[history]\n{toml}\n")
    return load_config(file=file, overrides={}, environ={}).history


def test_the_defaults_are_those_of_the_book(tmp_path: Path) -> None:
    assert history(tmp_path, "") == HistorySettings()
    assert HistorySettings().keep_acts == timedelta(days=365)


def test_acts_are_kept_as_long_as_is_said_or_for_ever(tmp_path: Path) -> None:
    found = history(tmp_path, 'keep = "7d"\nkeep_acts = "2w"\nclients = false')
    assert found == HistorySettings(keep=timedelta(days=7), keep_acts=timedelta(days=14), clients=False)
    assert history(tmp_path, 'keep_acts = "forever"').keep_acts is None


@pytest.mark.parametrize("text", ["0", "", "always", "Forever", "-1d"])
def test_what_would_keep_nothing_or_is_no_time_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"history\.keep_acts"):
        history(tmp_path, f'keep_acts = "{text}"')


def test_requests_are_not_kept_for_ever(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"history\.keep"):
        history(tmp_path, 'keep = "forever"')
