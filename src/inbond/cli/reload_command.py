"""`inbond reload`: has the server that runs read its configuration anew."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from inbond.cli.options import JSON, TEXT, GivenOptions, config_from_options, config_options_but
from inbond.model.errors import ConfigurationError, OperatorFault

if TYPE_CHECKING:
    from inbond.cli.reload_outcome import Outcome

REFUSED: Final = 1
_PATH_VARIABLE: Final = "INBOND_STORAGE__PATH"

_EPILOG: Final = """\b
Exit codes:
  0  the configuration is in force, in every worker; or nothing of it differs
  1  it was refused, and the old one stays; or no server was reached
\b
Examples:
  inbond reload
  inbond reload --config /etc/inbond/inbond.toml --format json
"""


@click.command("reload", epilog=_EPILOG)
@click.option(
    "--format", "form", type=click.Choice([TEXT, JSON]), default=TEXT, show_default=True,
    help="For people, or for programs.",
)  # fmt: skip
@config_options_but("listen", "upstream", "policy", "audit", "offline")
def reload(*, form: str, given: GivenOptions) -> None:
    """Have the server that runs read its configuration anew.

    The server reads the file, environment and flags that it was started with. Where anything is wrong with them, or
    something was changed that needs a restart, nothing comes into force, the reason is said, and the old configuration
    stays. The server is found by its ledger: name the same configuration, or the same --data.
    """
    from inbond.cli.control import ask_to_reload  # noqa: PLC0415 (`--help` does not wait for it)

    place = _ledger_dir(given)
    outcome = asyncio.run(ask_to_reload(place))
    if outcome is None:
        raise OperatorFault(
            f"no inbond serves over the ledger in {place}",
            remedy="name the configuration that it was started with (--config), or its --data",
        )
    _say(outcome, form)
    if outcome.is_refused:
        sys.exit(REFUSED)


def _say(outcome: Outcome, form: str) -> None:
    if form == JSON:
        from msgspec import to_builtins  # noqa: PLC0415 (as above)

        click.echo(json.dumps(to_builtins(outcome), indent=2))
        return
    if outcome.is_refused:
        click.secho("refused: the old configuration stays in force", fg="red", err=True)
        click.echo(f"{outcome.reason}", err=True)
        if outcome.remedy:
            click.echo(f"  {outcome.remedy}", err=True)
        return
    lines = outcome.changes.lines()
    where = f", in {outcome.workers} workers" if outcome.workers > 1 else ""
    click.echo(f"in force{where}" if lines else f"nothing differs{where}")
    for line in lines:
        click.echo(f"  {line}")
    for warning in outcome.warnings:
        click.echo(f"warning: {warning}", err=True)


def _ledger_dir(given: GivenOptions) -> Path:
    """Where the ledger lies, also where something else is wrong with the configuration: the server says what."""
    try:
        return config_from_options(given).storage.ledger_dir
    except ConfigurationError as error:
        path = _path_alone(given)
        if path is None:
            remedy = "the server was not asked, as it is not told where its ledger is: one that runs goes on as it did"
            raise ConfigurationError(error.message, remedy=remedy) from error
        from inbond.cli.config import load_config  # noqa: PLC0415 (`--help` does not wait for it)

        # Nothing of the environment: it names the file that is broken, or is what is wrong.
        return load_config(file=None, overrides={"data": path} if path else {}, environ={}).storage.ledger_dir


def _path_alone(given: GivenOptions) -> str | None:
    """What the flag, the environment or the file says of it; empty where they leave it open, None if it is unknown."""
    from inbond.cli.config_environ import SHORT_NAMES  # noqa: PLC0415 (`--help` does not wait for it)

    said = (given.overrides.get("data"), os.environ.get(SHORT_NAMES["data"]), os.environ.get(_PATH_VARIABLE))
    for path in said:
        if path:
            return str(path)
    name = given.file or os.environ.get(SHORT_NAMES["config"])
    return _path_in(Path(name)) if name else ""


def _path_in(file: Path) -> str | None:
    with suppress(OSError, ValueError, RecursionError), file.open("rb") as stream:
        storage: Any = tomllib.load(stream).get("storage", {})
        path = storage.get("path", "") if isinstance(storage, Mapping) else None
        return path if isinstance(path, str) else None
    return None
