"""`inbond policy test|suggest`: what another policy would change, and which rules a policy could have."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from inbond.cli.options import TEXT, GivenOptions, config_from_options, config_options, config_options_but
from inbond.cli.telling import UNTOLD, ending, say

if TYPE_CHECKING:
    from inbond.reporting.difference import Comparison

SAME: Final = 0
STRICTER: Final = 1

_TEST_EPILOG: Final = """\b
Exit codes:
  0  nothing would be stopped that is not stopped now
  1  something would be
  2  could not tell, of one file at least, or as there is none to judge; also usage errors
  130  interrupted
\b
Examples:
  inbond policy test --policy new.toml
  inbond policy test --policy strict --lock uv.lock
  inbond policy test --policy new.toml --name team --index team --format json
"""
_SUGGEST_EPILOG: Final = """\b
Exit codes:
  0  it was looked; what is proposed, and what is left out, is printed
  2  it could not be; also usage errors
  130  interrupted
\b
Examples:
  inbond policy suggest --lock uv.lock >> inbond.toml
  inbond policy suggest --offline --format json
"""

_lock = click.option(
    "--lock",
    "locks",
    metavar="LOCK",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A lock file, of any kind that `inbond check` reads; may be given several times.",
)
_index = click.option(
    "--index", metavar="NAME", default="root", show_default=True, help="The index whose policy is meant."
)


@click.group("policy")
def policy_group() -> None:
    """Try another policy on what is known, or have rules proposed."""


@policy_group.command("test", epilog=_TEST_EPILOG)
@click.option(
    "--policy",
    required=True,
    metavar="FILE|NAME",
    help="The new policy: a file with [policies.NAME], or the name of a preset or of a policy of the configuration.",
)
@click.option("--name", metavar="NAME", default=None, help="Which policy of the file, where it writes several.")
@_index
@_lock
@click.option("--all", "everything", is_flag=True, help="Whole pages, not only the files that were asked for.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
@config_options_but("policy", "listen")
def test(
    *,
    policy: str,
    name: str | None,
    index: str,
    locks: tuple[Path, ...],
    everything: bool,
    form: str,
    given: GivenOptions,
) -> None:
    """Judge everything known under the policy in force and under a new one, and say what differs.

    Everything known: the files that history says were asked for on the index, and those that the locks name, with the
    pages and the evidence in the cache. Nothing is fetched; what is not known cannot be told, and is counted. A server
    may run beside. Only the policy is taken from a file; it starts from the defaults or its preset, not from the one
    in force.
    """
    with ending():
        from inbond.cli import policy_test_json, policy_test_text  # noqa: PLC0415 (`--help` does not wait for it)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as above)
        from inbond.cli.policy_test_run import Wanted, run  # noqa: PLC0415 (as above)

        set_up_logging(TEXT, verbose=False)
        wanted = Wanted(policy=policy, name=name, index=index, locks=locks, everything=everything)
        tried = asyncio.run(run(config_from_options(given), wanted, given=given))
        say((policy_test_json if form == "json" else policy_test_text).dumps(tried), nl=False, color=True)
        sys.exit(exit_code(tried.comparison))


@policy_group.command("suggest", epilog=_SUGGEST_EPILOG)
@_index
@_lock
@click.option(
    "--format",
    "form",
    type=click.Choice(["toml", "json"]),
    default="toml",
    show_default=True,
    help="To paste into a configuration, or for programs.",
)
@config_options
def suggest(*, index: str, locks: tuple[Path, ...], form: str, given: GivenOptions) -> None:
    """Propose rules for projects whose last three releases are all attested by one publisher.

    Looks at the projects that the locks name or, without any, at those that were asked for on the index. Fetches their
    pages, and what provenance is not in the cache, unless --offline; downloads no files. What it prints is part of a
    configuration: rules that hold each such project to its publisher, and as comments what they rest on and which
    projects were left out.
    """
    with ending():
        from inbond.cli import policy_suggest_text  # noqa: PLC0415 (as above)
        from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as above)
        from inbond.cli.policy_suggest_run import Wanted, run  # noqa: PLC0415 (as above)

        set_up_logging(TEXT, verbose=False)
        config = config_from_options(given)
        found = asyncio.run(run(config, Wanted(index=index, locks=locks, offline=config.offline)))
        say(policy_suggest_text.as_json(found) if form == "json" else policy_suggest_text.as_toml(found), nl=False)


def exit_code(comparison: Comparison) -> int:
    """0, 1 or 2, as the help says."""
    from inbond.reporting.difference import Change  # noqa: PLC0415 (as above)

    if comparison.files.get(Change.STOPPED):
        return STRICTER
    return UNTOLD if comparison.files.get(Change.UNTOLD) or not comparison.files else SAME
