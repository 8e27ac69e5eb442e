"""How a page for people is made: the templates, what they can use, and the headers that go with every page.

Pages are rendered on the server, work without script and load nothing from elsewhere. What others wrote (names,
summaries, reasons) is escaped, on top of that cut to a length, and its characters that hide or turn text are spelled
out: see `fit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup

from inbond import __version__
from inbond.model.evidence import EvidenceState
from inbond.model.text import counted, printable
from inbond.model.units import format_duration, format_size
from inbond.policy.explain import ending_of, waived
from inbond.policy.meanings import MEANINGS
from inbond.policy.release_trust import ReleaseTrust
from inbond.policy.remedies import ended
from inbond.policy.rule import stamp
from inbond.policy.settings import EVERY_RULE, Attestations
from inbond.web.identity_facts import identity_facts
from inbond.web.navigation import page_of

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # under no-referrer browsers send our own forms with the Origin null
    "Cache-Control": "no-store",
}
MAX_SHOWN: Final = 8192  # characters of one value; nothing that people read is longer

# What the policy's and the evidence's words mean, for people who have not read the manual.
ATTESTATIONS: Final[Mapping[str, str]] = {
    Attestations.OFF: "not looked at",
    Attestations.IF_PRESENT: "genuine where there are any; forged ones are refused, files without any pass",
    Attestations.REQUIRE: "required; files without genuine ones are refused",
}
STATES: Final[Mapping[str, str]] = {
    EvidenceState.ABSENT: "none (absent)",
    EvidenceState.VERIFIED: "there, and genuine (verified)",
    EvidenceState.REJECTED: "there, but wrong (rejected)",
    EvidenceState.UNSUPPORTED: "there, but cannot be judged (unsupported)",
    EvidenceState.UNAVAILABLE: "could not be had (unavailable)",
    EvidenceState.PENDING: "not looked at (pending)",
}
TRUSTS: Final[Mapping[str | None, str]] = {
    None: "not all looked at",
    ReleaseTrust.NO: "no",
    ReleaseTrust.FULL: "full",
    ReleaseTrust.PARTIAL: "partial",
    ReleaseTrust.INCONSISTENT: "inconsistent",
}
BADGES: Final[Mapping[str, str]] = {
    "allowed": "allow",
    "held": "hold",
    "in part": "hold",
    "stopped": "deny",
    "denied": "deny",
}


def fit(value: object) -> object:
    r"""What a template writes: lines stay, other characters that do not print become escapes such as `\u202e`."""
    if isinstance(value, Markup | Undefined):
        return value
    text = str(value)
    if len(text) > MAX_SHOWN:
        text = f"{text[: MAX_SHOWN - 1]}…"
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def _date(moment: datetime | str | None) -> str:
    if moment is None:
        return "not known"
    return stamp(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)


def _machine(moment: datetime) -> str:
    """For the `datetime` attribute of a time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: int) -> str:
    return f"{value:,}"


def _seconds(length: int) -> str:
    return format_duration(timedelta(seconds=length))


def _enforcement(audit: Sequence[str]) -> str:
    if not audit:
        return "what the policy does not let through is refused"
    if EVERY_RULE in audit:
        return "nothing is refused: all rules only record what they find"
    return f"these rules only record what they find: {', '.join(audit)}; the others refuse"


_pages: Final = Environment(
    loader=PackageLoader("inbond.web"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=fit,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters.update(
    date=_date,
    machine=_machine,
    number=_number,
    counted=counted,
    end=ending_of,
    size=format_size,
    duration=format_duration,
    seconds=_seconds,
    ended=ended,
    enforcement=_enforcement,
    facts=identity_facts,
    waived=waived,
)
_pages.globals.update(
    version=__version__, attestations=ATTESTATIONS, states=STATES, trusts=TRUSTS, badges=BADGES, meanings=MEANINGS
)


def rendered(request: web.Request, template: str, *, status: int = HTTPStatus.OK, **values: Any) -> web.Response:
    """A page from a template, which sees `values` and, as `page`, what `inbond.web.navigation` knows of the request."""
    text = _pages.get_template(template).render(page=page_of(request), **values)
    headers = {**HEADERS, "Content-Type": "text/html; charset=utf-8", "Vary": "Accept"}
    return web.Response(status=status, body=text.encode(errors="replace"), headers=headers)
