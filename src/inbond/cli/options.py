"""The options of every command that reads the configuration."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from inbond.cli.config import Config, Loaded

# How log lines are written.
TEXT: Final = "text"
JSON: Final = "json"

_OPTIONS: Final[tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...]] = (
    click.option(
        "--config", "config_file", metavar="FILE", type=click.Path(path_type=Path),
        help="A configuration in TOML; without one the defaults hold. [env: INBOND_CONFIG]",
    ),
    click.option(
        "--listen", metavar="HOST:PORT", help="Where to listen; 127.0.0.1:8642 by default. [env: INBOND_LISTEN]"
    ),
    click.option(
        "--data", metavar="DIRECTORY", type=click.Path(path_type=Path),
        help="What holds cache/ and ledger/; the user's own directories by default. [env: INBOND_DATA]",
    ),
    click.option(
        "--upstream", metavar="URL|NAME",
        help="The one upstream of index root: an index URL, or an upstream of the configuration."
        " [env: INBOND_UPSTREAM]",
    ),
    click.option(
        "--policy", metavar="NAME",
        help="The policy of index root: one of the configuration, or a preset, such as 'team'. [env: INBOND_POLICY]",
    ),
    click.option(
        "--audit", is_flag=True, help="Record what would be stopped, and stop nothing. [env: INBOND_AUDIT]"
    ),
    click.option(
        "--offline", is_flag=True,
        help="Ask nobody over the network: go by what was imported, and by the cache. [env: INBOND_OFFLINE]",
    ),
)  # fmt: skip
_FLAGS: Final = ("listen", "data", "upstream", "policy", "audit", "offline")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOptions:
    """What stood on the command line: the file, and the flags that were used."""

    file: Path | None
    overrides: Mapping[str, Any]

    def arguments(self) -> list[str]:
        """The same once more, for another process."""
        found = [] if self.file is None else ["--config", str(self.file)]
        for flag, value in self.overrides.items():
            found += [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
        return found


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--config --listen --data --upstream --policy --audit --offline`; the command gets them as `given`."""
    return config_options_but()(command)


def config_options_but(*left_out: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `config_options`, without flags that mean nothing to the command, or something else."""
    names = ("config", *_FLAGS)
    options = [option for name, option in zip(names, _OPTIONS, strict=True) if name not in left_out]
    flags = [flag for flag in _FLAGS if flag not in left_out]

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_given(*arguments: Any, config_file: Path | None, **others: Any) -> Any:
            values = {flag: others.pop(flag) for flag in flags}
            given = GivenOptions(file=config_file, overrides={flag: value for flag, value in values.items() if value})
            return command(*arguments, given=given, **others)

        return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), with_given)

    return decorated


def config_from_options(given: GivenOptions) -> Config:
    """The configuration that a command line and the process's environment ask for. Raises `ConfigurationError`."""
    # Reading configuration imports pydantic: only commands that need it wait for that.
    from inbond.cli.config import load_config  # noqa: PLC0415 (as said above)

    return load_config(file=given.file, overrides=given.overrides, environ=os.environ)


def written_from_options(given: GivenOptions) -> Loaded:
    """As `config_from_options`: the keys as written, with their sources."""
    from inbond.cli.config import load_written  # noqa: PLC0415 (as said above)

    return load_written(file=given.file, overrides=given.overrides, environ=os.environ)
