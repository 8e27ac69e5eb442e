"""What an operator reads in the log."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from inbond.cli.logs import log_alerts, log_events
from inbond.model.acts import ActKind
from inbond.model.events import Alert, Did, Happened, Recorded
from store.samples import ACT, HAPPENED


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


def test_what_was_done_is_logged_with_who_did_it_and_refusals_as_warnings() -> None:
    refused = replace(ACT, kind=ActKind.SIGN_IN_FAILED, by="", index=None, project=None, message="no such token")
    with capture_logs() as lines:
        log_events(Did(act=ACT))
        log_events(Did(act=refused))
        log_alerts(Did(act=ACT))
    assert [(line["event"], line["log_level"], line["act"], line["by"]) for line in lines] == [
        ("signed in", "info", "sign-in", ACT.by),
        ("no such token", "warning", "sign-in-failed", ""),
    ]
    assert (lines[0]["index"], lines[0]["project"], lines[1]["client"]) == ("root", "flask", "192.0.2.7")
    assert "index" not in lines[1]


def test_alerts_are_logged() -> None:
    with capture_logs() as lines:
        log_events(Alert(name="ledger-failing", message="the ledger cannot be used"))
    assert lines == [{"event": "the ledger cannot be used", "alert": "ledger-failing", "log_level": "warning"}]
