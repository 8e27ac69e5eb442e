"""The command `inbond serve`; the server itself is `inbond.cli.serve`."""

from __future__ import annotations

import asyncio

import click

from inbond.cli.options import JSON, TEXT, GivenOptions, config_from_options, config_options


@click.command("serve")
@config_options
@click.option(
    "--log", "log_form", type=click.Choice([TEXT, JSON]), default=TEXT, envvar="INBOND_LOG", show_default=True,
    help="How log lines are written to standard error. [env: INBOND_LOG]",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Log probes and metrics requests too.")
def serve(*, log_form: str, verbose: bool, given: GivenOptions) -> None:
    """Serve the Simple API in front of the configured indexes.

    Without any configuration: on 127.0.0.1:8642, in front of PyPI, data in the user's cache directory.
    """
    # The server imports much: `--help` and the other commands do not wait for that.
    from inbond.cli.logs import set_up_logging  # noqa: PLC0415 (as said above)
    from inbond.cli.serve import serve_until_stopped  # noqa: PLC0415 (as said above)

    set_up_logging(log_form, verbose=verbose)
    asyncio.run(serve_until_stopped(config_from_options(given)))
