"""Logging: lines for people on a terminal, JSON for machines."""

from __future__ import annotations

import logging
import sys
from typing import Final

import stamina
import structlog

from inbond.cli.log_lines import PlainRenderer, Stamper, json_renderer
from inbond.cli.options import JSON
from inbond.model.acts import Act, ActKind
from inbond.model.events import Alert, Did, Event, Recorded

# Acts that somebody watching the log should see as not in order.
_WARNED: Final = frozenset({ActKind.SIGN_IN_FAILED, ActKind.REFUSED, ActKind.CONFIGURATION_REFUSED})

log: Final = structlog.get_logger("inbond")


def set_up_logging(form: str, *, verbose: bool, quiet: bool = False, worker: int | None = None) -> None:
    """Sends structlog's lines to standard error, in one of the two forms. Upstream's strings are escaped in both.

    `quiet`: only what is not as it should be. `worker`: which of several processes this is; stands on each line.
    """
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    colors = sys.stderr.isatty()
    for_people = structlog.dev.ConsoleRenderer(
        colors=colors, pad_event_to=0, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    in_text: structlog.types.Processor = for_people if colors else PlainRenderer(for_people)
    processors: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        *([] if worker is None else [_numbered(worker)]),
        Stamper("%Y-%m-%dT%H:%M:%SZ" if form == JSON else "%H:%M:%S", utc=form == JSON),
        structlog.processors.format_exc_info if form == JSON else _as_it_is,
        _printable,
        json_renderer() if form == JSON else in_text,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    stamina.instrumentation.set_on_retry_hooks([])  # retries are counted by outcome, and told once they have failed
    form_of_others = f"{_prefix(worker)}%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=form_of_others)


def _numbered(worker: int) -> structlog.types.Processor:
    def add(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        return {**event, "worker": worker}

    return add


def _prefix(worker: int | None) -> str:
    return "" if worker is None else f"worker {worker} "


def _as_it_is(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    return event


def _printable(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """No control character of a client or an index reaches a terminal."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable() and key != "exception":
            event[key] = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value)
    return event


def log_alerts(event: Event) -> None:
    """An observer that writes alerts to the log."""
    if isinstance(event, Alert):
        log.warning(event.message, alert=event.name)


def log_events(event: Event) -> None:
    """An observer that writes alerts to the log, what happened for the first time, and what was done by whom."""
    log_alerts(event)
    if isinstance(event, Did) and event.logged:
        _log_act(event.act)
    if isinstance(event, Recorded):
        one = event.occurrence
        facts = {"index": one.index, "upstream": one.upstream, "project": one.project, "filename": one.filename}
        told = {name: str(value) for name, value in facts.items() if value is not None}
        log.warning(one.message, occurrence=str(one.kind), at=one.at.isoformat(), **told)


def _log_act(act: Act) -> None:
    facts = {"client": act.client, "index": act.index, "project": act.project}
    told = {name: str(value) for name, value in facts.items() if value}
    tell = log.warning if act.kind in _WARNED else log.info
    tell(act.message, act=str(act.kind), by=act.by, **told)
