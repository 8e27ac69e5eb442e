"""`inbond config check|show`: what is wrong with a configuration, and what is in force."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click
from yarl import URL

from inbond.cli.options import GivenOptions, config_options, written_from_options
from inbond.model.errors import ConfigurationError
from inbond.model.text import counted, printable
from inbond.model.trust import PUBLIC
from inbond.model.units import format_size

if TYPE_CHECKING:
    from inbond.cli.config import Config, Loaded, StorageSettings

INVALID: Final = 1  # the exit code

_format_for_check = click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", help="For people, or for programs."
)
_format_for_show = click.option(
    "--format", "output", type=click.Choice(["toml", "json"]), default="toml", help="For people, or for programs."
)


@click.group("config")
def config_group() -> None:
    """Check the configuration, or show what is in force."""


@config_group.command("check")
@config_options
@_format_for_check
def check(*, given: GivenOptions, output: str) -> None:
    """Say what is wrong with the configuration, all at once.

    Exit code 0: nothing; 1: something.
    """
    loaded = _load(given, output)
    if output == "json":
        found = {"valid": True, "sources": loaded.sources, "problems": [], "warnings": loaded.warnings}
        click.echo(_json(found))
        return
    click.echo(f"valid: {', '.join(loaded.sources) or 'defaults only'}")
    click.echo("\n".join(_summary(loaded)))
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)


@config_group.command("show")
@config_options
@_format_for_show
def show(*, given: GivenOptions, output: str) -> None:
    """Show every key in force, and where its value comes from.

    Credentials are masked. Exit code 1: the configuration is not valid.
    """
    # Rendering needs pydantic's models: imported where needed, as in `inbond.cli.options`.
    from inbond.cli.config_show import as_json, as_toml  # noqa: PLC0415 (reading configuration imports pydantic)

    loaded = _load(given, "json" if output == "json" else "text")
    click.echo(_json(as_json(loaded)) if output == "json" else as_toml(loaded), nl=output == "json")


def _load(given: GivenOptions, output: str) -> Loaded:
    try:
        return written_from_options(given)
    except ConfigurationError as error:
        problems = [printable(line) for line in error.message.split("\n")]
        if output == "json":
            click.echo(_json({"valid": False, "sources": [], "problems": problems, "warnings": []}))
        else:
            click.echo("\n".join([*problems, *([f"({error.remedy})"] if error.remedy else [])]), err=True)
        raise SystemExit(INVALID) from None


def _summary(loaded: Loaded) -> list[str]:
    from inbond.cli.config import settings_of  # noqa: PLC0415 (as above)

    config = settings_of(loaded)
    return [
        f"listens on  {loaded.written.server.listen}",
        f"cache       {config.storage.cache_dir}, at most {_limit(config.storage)}",
        f"ledger      {config.storage.ledger_dir}",
        *_indexes(config),
        *_networks(config),
        *_trust(config),
        *_decisions(config),
        *_jobs(config),
    ]


def _limit(storage: StorageSettings) -> str:
    configured = format_size(storage.max_size)
    if storage.limit() == storage.max_size:
        return configured
    return f"{configured}, and a tenth of what the disk has free without it"  # to know that takes a walk


def _indexes(config: Config) -> list[str]:
    return [
        f"index       {index.name}: policy {index.policy}{_audited(config, index.policy)},"
        f" upstreams {', '.join(index.upstreams)}"
        for index in config.indexes
    ]


def _networks(config: Config) -> list[str]:
    """The upstreams that are not reached as by default, each with how."""
    from inbond.cli.config_presets import written_index_url  # noqa: PLC0415 (as above)

    lines = []
    for name, table in config.upstream_tables.items():
        proxies = config.accesses[name].proxies
        url = written_index_url(table.url)
        proxy = proxies.https if url is None else proxies.for_url(URL(url))
        ways = [
            f"proxy {proxy.url} ({proxy.source})" if proxy else "",
            f"certificates by {table.ca_bundle}" if table.ca_bundle else "",
            f"credentials from {table.credentials}" if table.credentials else "",
        ]
        if any(ways):
            lines.append(f"upstream    {name}: {', '.join(filter(None, ways))}")
    return lines


def _trust(config: Config) -> list[str]:
    """The trusted roots that are not as by default, each with where it comes from and who goes by it."""
    lines = []
    for scope in config.trust:
        if (scope.name, scope.root, scope.tuf_url, scope.issuers) != (PUBLIC, "auto", None, ()):
            named = [name for name, table in config.upstream_tables.items() if scope.name in table.trust]
            users = f"upstreams {', '.join(named)}" if named else "no upstream"
            lines.append(f"trust       {scope.name}: {scope.tuf_url or scope.root}, for {users}")
    return lines


def _decisions(config: Config) -> list[str]:
    """How many there are of each kind, where there are any."""
    kinds = {"waiver": 0, "rejection": 0, "pin": 0}
    for decided in config.decisions:
        kinds[type(decided).__name__.lower()] += 1
    told = ", ".join(counted(number, kind) for kind, number in kinds.items() if number)
    return [f"decisions   {told}"] if told else []


def _jobs(config: Config) -> list[str]:
    """The entries of jobs of CI systems, in the order in which they count."""
    return [
        f"ci jobs     {rule.name}: {rule.grant.role} on {', '.join(sorted(rule.grant.indexes))}, by {rule.issuer}"
        for rule in config.ci.rules
    ]


def _audited(config: Config, policy: str) -> str:
    audited = sorted(config.policies[policy].audit)
    return f" (only recording: {', '.join(audited)})" if audited else ""


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
