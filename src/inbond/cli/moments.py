"""Moments on the command line: a date, or a length of time until now."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import click

from inbond.model.units import parse_duration, parse_moment


def moment_or_length(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | timedelta | None:
    """A length of time until now, `14d`, or a moment, `2026-11-01`. Raises `click.BadParameter`."""
    if value is None:
        return None
    with suppress(ValueError):
        return parse_duration(value)
    with suppress(ValueError):
        return parse_moment(value)
    message = f"{value!r} is neither a length such as '14d' nor a date such as '2026-11-01'"
    raise click.BadParameter(message, ctx=ctx, param=param)


def moment(given: datetime | timedelta | None, now: datetime) -> datetime | None:
    """The moment that is meant; None where none was given."""
    return now - given if isinstance(given, timedelta) else given
