"""What an operator reads in the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from inbond.cli.logs import log_alerts, log_events
from inbond.model.events import Alert, Happened, Recorded
from store.samples import HAPPENED


def test_what_happened_is_logged_once_it_is_in_the_ledger() -> None:
    with capture_logs() as lines:
        log_events(Happened(occurrence=HAPPENED))
        log_events(Recorded(occurrence=HAPPENED))
        log_alerts(Recorded(occurrence=HAPPENED))
    assert lines == [
        {
            "event": HAPPENED.message,
            "log_level": "warning",
            "occurrence": "publisher-changed",
            "at": "2026-11-20T13:00:00.123456+00:00",
            "upstream": "pypi",
            "project": "flask",
        }
    ]


def test_alerts_are_logged() -> None:
    with capture_logs() as lines:
        log_events(Alert(name="ledger-failing", message="the ledger cannot be used"))
    assert lines == [{"event": "the ledger cannot be used", "alert": "ledger-failing", "log_level": "warning"}]
