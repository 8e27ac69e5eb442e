"""The command `inbond`."""

from __future__ import annotations

import sys

import click

from inbond import __version__
from inbond.cli.advisories_command import advisories_group
from inbond.cli.audit_command import audit_group
from inbond.cli.bundle_command import bundle_group
from inbond.cli.cache_command import cache_group
from inbond.cli.check_command import check
from inbond.cli.config_command import config_group
from inbond.cli.evidence_command import evidence_group
from inbond.cli.ledger_command import ledger_group
from inbond.cli.pins_command import pins_group
from inbond.cli.policy_command import policy_group
from inbond.cli.reload_command import reload
from inbond.cli.relock import relock
from inbond.cli.report_command import report
from inbond.cli.review_command import review_group
from inbond.cli.serve_command import serve
from inbond.cli.static_command import static_group
from inbond.cli.sync_command import sync
from inbond.cli.token_command import token_group
from inbond.cli.trust_command import trust_group
from inbond.cli.upstream_command import upstream_group
from inbond.cli.waive_command import waive_group
from inbond.cli.webhooks_command import webhooks_group
from inbond.cli.who_command import who
from inbond.cli.why import why
from inbond.model.errors import InbondError

FAILED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="inbond")
def cli() -> None:
    """A caching, verifying proxy in front of a Python package index.

    Point pip, uv, poetry or pdm at it as the index; every file is checked before its last byte leaves.
    """


cli.add_command(serve)
cli.add_command(check)
cli.add_command(why)
cli.add_command(relock)
cli.add_command(reload)
cli.add_command(config_group)
cli.add_command(trust_group)
cli.add_command(advisories_group)
cli.add_command(waive_group)
cli.add_command(pins_group)
cli.add_command(evidence_group)
cli.add_command(review_group)
cli.add_command(report)
cli.add_command(audit_group)
cli.add_command(who)
cli.add_command(policy_group)
cli.add_command(ledger_group)
cli.add_command(sync)
cli.add_command(bundle_group)
cli.add_command(static_group)
cli.add_command(cache_group)
cli.add_command(webhooks_group)
cli.add_command(token_group)
cli.add_command(upstream_group)


def main() -> None:
    """Runs a command; errors that are somebody's fault become one clear message and exit code 1."""
    try:
        cli()
    except InbondError as error:
        click.secho(f"inbond: {error.message}", fg="red", err=True)
        if error.remedy:
            click.echo(f"  {error.remedy}", err=True)
        sys.exit(FAILED)
