"""`inbond webhooks test|secret`: trying a webhook, and making its secret."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import click

from inbond.cli.options import GivenOptions, config_from_options, config_options
from inbond.cli.telling import ending, say

ARRIVED: Final = 0
NOT_ARRIVED: Final = 1

_TEST_EPILOG: Final = """\b
Exit codes:
  0  the receiver took it
  1  it did not
  2  could not tell: the configuration cannot be read, or has no such webhook; also usage errors
"""


@click.group("webhooks")
def webhooks_group() -> None:
    """Try a webhook, or make a secret for one."""


@webhooks_group.command("test", epilog=_TEST_EPILOG)
@click.argument("name")
@config_options
def test(*, name: str, given: GivenOptions) -> None:
    """Send webhook NAME of the configuration one message of type `test`, and print what came of it.

    It is signed as all others are. Nothing is recorded, nothing is tried again, and no server needs to run.
    """
    with ending():
        from inbond.cli import webhooks_run  # noqa: PLC0415 (reading configuration imports much: --help does not wait)

        answer = asyncio.run(webhooks_run.tried(config_from_options(given), name))
        say(webhooks_run.as_text(name, answer))
        sys.exit(ARRIVED if webhooks_run.has_arrived(answer) else NOT_ARRIVED)


@webhooks_group.command("secret")
def secret() -> None:
    """Make a secret for a webhook: 32 random bytes, as Standard Webhooks writes them."""
    with ending():
        from inbond.webhooks.settings import new_secret  # noqa: PLC0415 (as above)

        say(new_secret())
