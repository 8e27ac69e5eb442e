"""Which numbers make each alert speak, and which do not: for promtool, which plays them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

JOB = 'job="inbond", instance="a:8642"'
Series = Mapping[str, str]  # a series and its values, a minute apart, as promtool writes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert, what it says after `at` minutes of `loud`, and numbers at which it says nothing."""

    alert: str
    says: str
    loud: Series
    quiet: Series
    labels: Mapping[str, str] = field(default_factory=dict)
    at: int = 20


def one(series: str, values: str, /, **labels: str) -> dict[str, str]:
    inside = ", ".join([JOB, *(f'{key}="{value}"' for key, value in labels.items())])
    return {f"{series}{{{inside}}}": values}


def alerted(name: str, values: str) -> dict[str, str]:
    return one("inbond_alerts_total", values, name=name)


def happened(kind: str, values: str) -> dict[str, str]:
    return one("inbond_occurrences_total", values, kind=kind)


LATE = "_x15 1x10"  # nothing for a quarter of an hour, then a counter that begins with what it counts first
OLD = "7x40"  # what was counted long ago is not new


def answered(good: str, bad: str) -> dict[str, str]:
    name = "inbond_requests_total"
    return {**one(name, good, route="page", status="200"), **one(name, bad, route="page", status="502")}


def lagging(below: str, above: str) -> dict[str, str]:
    name = "inbond_event_loop_lag_seconds_bucket"
    return {**one(name, below, le="0.5"), **one(name, above, le="1"), **one(name, above, le="+Inf")}


def asked_upstream(good: str, bad: str) -> dict[str, str]:
    name = "inbond_upstream_requests_total"
    return {**one(name, good, kind="page", outcome="ok"), **one(name, bad, kind="page", outcome="timeout")}


def told_webhook(failed: str, arrived: str) -> dict[str, str]:
    name = "inbond_webhook_attempts_total"
    said = {"failed": failed, "arrived": arrived}
    return {k: v for outcome, values in said.items() for k, v in one(name, values, outcome=outcome).items()}


CASES: tuple[Case, ...] = (
    Case(alert="InbondDown", says="a:8642 does not answer", loud=one("up", "0x40"), quiet=one("up", "1x40")),
    Case(
        alert="InbondNotReady", says="a:8642 is not ready: trust; /-/ready says why",
        loud=one("inbond_unready", "1x40", check="trust"), quiet=one("inbond_unready", "0x18 1x1 0x20", check="trust"),
        labels={"check": "trust"},
    ),
    Case(
        alert="InbondWorkerMissing", says="a:8642: 1 workers answer, fewer than before",
        loud=one("inbond_workers", "2x5 1x40"), quiet=one("inbond_workers", "2x18 1x1 2x20"),
    ),
    Case(
        alert="InbondAnswersFail", says="a:8642: 50% of the answers are 5xx",
        loud=answered("0+60x40", "0+60x40"), quiet=answered("0+60x40", "0+1x40"),
    ),
    Case(
        alert="InbondTurnsAway", says="a:8642 turns requests away: places is full", labels={"reason": "places"},
        loud=one("inbond_requests_refused_total", "0+60x40", reason="places"),
        quiet=one("inbond_requests_refused_total", "0+1x40", reason="places"),
    ),
    Case(
        alert="InbondSlow", says="a:8642 is late by 995ms",
        loud=lagging("0x40", "0+240x40"), quiet=lagging("0+240x40", "0+240x40"),
    ),
    Case(
        alert="InbondCertificateExpires", says="a:8642: the certificate ends in 12d 22h 0m 0s", at=120,
        loud=one("inbond_certificate_ends_timestamp_seconds", f"{13 * 86400}x130"),
        quiet=one("inbond_certificate_ends_timestamp_seconds", f"{90 * 86400}x130"),
    ),
    Case(
        alert="InbondReloadRefused", says="a:8642 was to reload, refused, and goes by the configuration before",
        loud=one("inbond_configuration_reloads_total", "0x10 1x20", outcome="refused"),
        quiet=one("inbond_configuration_reloads_total", "0x10 1x20", outcome="reloaded"),
    ),
    Case(
        alert="InbondUpstreamHeld", says="a:8642: pypi does not answer for page",
        labels={"upstream": "pypi", "kind": "page"},
        loud=one("inbond_upstream_open", "1x40", upstream="pypi", kind="page"),
        quiet=one("inbond_upstream_open", "0x17 1x2 0x20", upstream="pypi", kind="page"),
    ),
    Case(
        alert="InbondUpstreamFailing", says="a:8642: 50% of the requests for page fail", labels={"kind": "page"}, at=30,
        loud=asked_upstream("0+30x40", "0+30x40"), quiet=asked_upstream("0+0.1x40", "0+0.1x40"),
    ),
    Case(
        alert="InbondUpstreamWentBack", labels={"name": "serial-went-back"},
        says="a:8642: an index shows an older state than before (serial-went-back)",
        loud=alerted("serial-went-back", LATE), quiet=alerted("serial-went-back", OLD),
    ),
    Case(
        alert="InbondTrustedRootStale", says="a:8642: a trusted root is old or cannot be renewed", at=400,
        labels={"check": "trust"},
        loud=one("inbond_advice", "1x410", check="trust"), quiet=one("inbond_advice", "0x300 1x110", check="trust"),
    ),
    Case(
        alert="InbondTrustedRootChanged", says="a:8642: trusted-root-refused", labels={"name": "trusted-root-refused"},
        loud=alerted("trusted-root-refused", LATE), quiet=alerted("trusted-root-refused", OLD),
    ),
    Case(
        alert="InbondAdvisoriesStale", says="a:8642: advisories are old or cannot be read", at=90,
        labels={"check": "advisories"},
        loud=one("inbond_advice", "1x100", check="advisories"), quiet=one("inbond_advice", "1x100", check="storage"),
    ),
    Case(
        alert="InbondLedgerFailing", says="a:8642: the ledger cannot be written or read",
        loud=alerted("ledger-failing", LATE), quiet=alerted("ledger-failing", OLD),
    ),
    Case(
        alert="InbondHistoryLost", labels={"name": "history-lost"},
        says="a:8642: who asked for what was not written for a while (history-lost)",
        loud=alerted("history-lost", LATE), quiet=alerted("history-lost", OLD),
    ),
    Case(
        alert="InbondClockLeapt", says="a:8642: the clock leapt, or was wrong at the start",
        loud=alerted("clock-leapt", LATE), quiet=alerted("clock-leapt", OLD),
    ),
    Case(
        alert="InbondNotStoring", says="a:8642: the disk is full, files are passed on without being stored",
        loud=one("inbond_storing", "1x5 0x30"), quiet=one("inbond_storing", "1x17 0x2 1x20"),
    ),
    Case(
        alert="InbondStoredFilesDamaged", says="a:8642: stored files were not what was written (cache)",
        labels={"place": "cache"},
        loud=one("inbond_stored_files_damaged_total", LATE, place="cache"),
        quiet=one("inbond_stored_files_damaged_total", OLD, place="cache"),
    ),
    Case(
        alert="InbondServedTurnedBad", says="a:8642: what was served before is known to be bad now",
        loud=happened("served-turned-bad", LATE), quiet=happened("served-turned-bad", OLD),
    ),
    Case(
        alert="InbondMalwareOffered",
        says="a:8642: an index offers what an advisory calls malware; it is stopped",
        loud=happened("malware-found", LATE), quiet=happened("malware-found", OLD),
    ),
    Case(
        alert="InbondIdentityChanged", says="a:8642: file-replaced", labels={"kind": "file-replaced"},
        loud=happened("file-replaced", "3x10 4x20"), quiet=happened("file-replaced", OLD),
    ),
    Case(
        alert="InbondDenialsSurge", says="a:8642: rule cooldown stops far more than it did",
        labels={"rule": "cooldown"}, at=1000,
        loud=one("inbond_verdicts_total", "0x960 0+60x60", decision="hold", rule="cooldown", would="hold"),
        quiet=one("inbond_verdicts_total", "0+60x1020", decision="hold", rule="cooldown", would="hold"),
    ),
    Case(
        alert="InbondSignInFailures", says="a:8642: 201 sign-ins failed in a quarter of an hour",
        loud=one("inbond_acts_total", "_x15 201x10", kind="sign-in-failed"),
        quiet=one("inbond_acts_total", "_x15 50x10", kind="sign-in-failed"),
    ),
    Case(
        alert="InbondWebhookFailing", says="a:8642: a webhook cannot be told what happened", at=90,
        loud=told_webhook("0+1x100", "0x100"), quiet=told_webhook("0+1x100", "0+1x100"),
    ),
    Case(
        alert="InbondAlert", says="a:8642: worker-silent", labels={"name": "worker-silent"},
        loud=alerted("worker-silent", LATE), quiet=alerted("webhook-failing", LATE),
    ),
)  # fmt: skip
