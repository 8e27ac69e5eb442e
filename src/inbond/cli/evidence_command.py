"""`inbond evidence add|list|remove`: a Sigstore bundle beside a file whose index has no provenance of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options, config_options_but
from inbond.cli.telling import UNTOLD, ending, say
from inbond.cli.waive_command import by_option, format_option, lazily
from inbond.model.errors import InbondError

NOT_DONE: Final = 1

_ADD_EPILOG: Final = """\b
Exit codes:
  0  it is attached, also where it was before
  1  it is not: the bundle does not verify, or is about another file
  2  could not tell: something cannot be read, or an index does not answer; also usage errors
\b
Examples:
  inbond evidence add widgets-1.0-py3-none-any.whl --bundle widgets-1.0-py3-none-any.whl.sigstore.json
  inbond evidence add widgets-1.0.tar.gz --bundle widgets.sigstore.json --upstream acme --reason 'from the release job'
"""
_LIST_EPILOG: Final = """\b
Exit codes:
  0  listed
  2  could not tell: the configuration or the ledger cannot be read; also usage errors
"""
_REMOVE_EPILOG: Final = """\b
Exit codes:
  0  it counts no more
  1  nothing is attached to such a file
  2  could not tell: the configuration or the ledger cannot be used; also usage errors
"""


def _code_of(error: InbondError) -> int:
    from inbond.cli.evidence_place import NotAttached  # noqa: PLC0415 (see `lazily`)

    return NOT_DONE if isinstance(error, NotAttached) else UNTOLD


@click.group("evidence")
def evidence_group() -> None:
    """Attach Sigstore bundles to files whose index has no provenance of them; list and remove what is attached.

    What is attached is verified as all provenance is, under the upstream's trust, and stands in for it wherever the
    index itself has none: rules on publishers, `attestations = "require"` and continuity go by it.
    """


@evidence_group.command("add", epilog=_ADD_EPILOG)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--bundle", required=True, metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="The Sigstore bundle, of version 0.3: a signature over FILE, or an attestation about it.",
)  # fmt: skip
@click.option(
    "--upstream", metavar="NAME",
    help="By whose trust it is verified. Otherwise by that of the upstream which lists FILE; with this none is asked.",
)  # fmt: skip
@click.option("--reason", metavar="TEXT", help="Why; it is shown wherever the evidence is.")
@by_option
@format_option
@config_options_but("upstream")
def add(*, form: str, given: GivenOptions, **asked: Any) -> None:
    """Attach the Sigstore bundle that was written beside FILE, once it is verified.

    FILE is the distribution file itself: its name and its bytes are what the evidence will stand for.
    """
    with ending(_code_of):
        lazily()
        from inbond.cli import evidence_run, evidence_shown  # noqa: PLC0415 (see `lazily`)

        added = asyncio.run(evidence_run.add(config_from_options(given), evidence_run.Asked(**asked)))
        say(evidence_shown.added_json(added) if form == "json" else evidence_shown.added_text(added))
        say(evidence_shown.warnings_of(added), err=True, nl=False)


@evidence_group.command("list", epilog=_LIST_EPILOG)
@format_option
@config_options
def show(*, form: str, given: GivenOptions) -> None:
    """List what is attached: of each file what counts, and for which upstream."""
    with ending():
        lazily()
        from inbond.cli import evidence_run, evidence_shown  # noqa: PLC0415 (see `lazily`)

        found = asyncio.run(evidence_run.listed(config_from_options(given)))
        say(evidence_shown.listed_json(found) if form == "json" else evidence_shown.listed_text(found), nl=False)


@evidence_group.command("remove", epilog=_REMOVE_EPILOG)
@click.argument("which", metavar="SHA256|FILENAME")
@by_option
@config_options
def remove(*, which: str, by: str | None, given: GivenOptions) -> None:
    """Remove what is attached to the file of this digest or name, for all upstreams; their own word counts again."""
    with ending(_code_of):
        lazily()
        from inbond.cli import evidence_run, evidence_shown  # noqa: PLC0415 (see `lazily`)

        removed = asyncio.run(evidence_run.remove(config_from_options(given), which, by))
        for one in removed:
            say(f"removed for upstream {one.upstream}: {evidence_shown.told(one)}")
