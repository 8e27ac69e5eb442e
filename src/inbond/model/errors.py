"""Errors by who is at fault. Which status each becomes is decided in one place, `inbond.web.errors`.

`remedy` says what the person who reads the message can do; it may be None where nothing helps but waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inbond.model.verdict import Judgement


class InbondError(Exception):
    """Base of all errors that are raised on purpose."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class ClientFault(InbondError):
    """The request cannot be answered as it was made."""


class InvalidName(ClientFault, ValueError):
    """Not a project name (PEP 508)."""

    def __init__(self, raw: str) -> None:
        super().__init__(
            f"{_shown(raw)} is not a project name",
            remedy="names hold ASCII letters, digits, '-', '_' and '.', and begin and end with a letter or digit",
        )


class InvalidFilename(ClientFault, ValueError):
    """Not a filename that may stand on a page."""

    def __init__(self, raw: str) -> None:
        super().__init__(f"{_shown(raw)} is not the name of a distribution file")


class NotFound(ClientFault):
    """No such project, file or page here."""


class Malformed(ClientFault):
    """A request's body that cannot be understood."""


class NotAcceptable(ClientFault):
    """Nothing that is offered fits the request's Accept header or `format`."""


class ForeignHost(ClientFault):
    """The Host header names somebody else: the mark of DNS rebinding."""


class NotSignedIn(ClientFault):
    """Whoever asks has to say who they are, or is not who they say."""


class StatementRefused(NotSignedIn):
    """What a CI system states of its job does not count here. `detail`: why, for the log, not for whoever sent it."""

    def __init__(self, message: str, *, detail: str = "", remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.detail = detail or message


class NotPermitted(ClientFault):
    """Known, and not permitted to do this."""


class ForeignOrigin(ClientFault):
    """A write that a page of somebody else's had a browser send, or may have."""


class TooManyAttempts(ClientFault):
    """Too many credentials that are not in force came from one place; `seconds` until the next is looked at."""

    def __init__(self, message: str, *, seconds: float, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.seconds = seconds


class UpstreamFault(InbondError):
    """The index behind did not do its part. Nothing it sent was kept."""

    interrupted = False  # whether the connection ended, or stood still, before the answer did


class UpstreamUnavailable(UpstreamFault):
    """No answer: refused, unresolved, reset, or a status of 5xx or 429."""


class UpstreamTimeout(UpstreamUnavailable):
    """No answer in time."""


class UpstreamPaused(UpstreamUnavailable):
    """Not asked, as it has failed to answer too often; `seconds` until it is tried again."""

    def __init__(self, message: str, *, seconds: float, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.seconds = seconds


class UpstreamRefused(UpstreamFault):
    """Upstream answered, and will not: 401, 403 and other statuses that asking again does not change."""

    def __init__(self, message: str, *, status: int, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status

    def anew(self) -> UpstreamRefused:
        """The same, of no history (`DigestMismatch.anew`)."""
        return UpstreamRefused(self.message, status=self.status, remedy=self.remedy)


class UpstreamBroken(UpstreamFault):
    """An answer that breaks the protocol or a limit: cut, malformed, too large, a forbidden address."""


class UpstreamTooLarge(UpstreamBroken):
    """More bytes than the limit for what was asked for; the rest was not read."""


class StatementUnchecked(UpstreamFault):
    """Whether a CI system stated this could not be checked: its issuer does not answer. `detail`: why, for the log."""

    def __init__(self, message: str, *, detail: str = "", remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.detail = detail or message


PAGE_SAYS: Final = "its page says"
FIRST_HAD: Final = "the first download had"


class DigestMismatch(UpstreamFault):
    """The bytes are not those that the index names. It is a finding (`digest`), not a transport error.

    `by`: who named the expected digest; `algorithm`: what it is made with, as hashlib calls it.
    """

    def __init__(
        self, filename: str, *, expected: str, actual: str, by: str = PAGE_SAYS, algorithm: str = "sha256"
    ) -> None:
        super().__init__(
            f"{filename}: the bytes upstream sent have {algorithm} {actual}, {by} {expected}",
            remedy="nothing was passed on; try again later, and tell the index if it stays",
        )
        self.filename = filename
        self.expected = expected
        self.actual = actual
        self.by = by
        self.algorithm = algorithm

    def anew(self) -> DigestMismatch:
        """The same, of no history: one that is kept and raised again and again would keep each time's frames alive."""
        return DigestMismatch(
            self.filename, expected=self.expected, actual=self.actual, by=self.by, algorithm=self.algorithm
        )


class PolicyFault(InbondError):
    """The policy does not let this through."""


class Denied(PolicyFault):
    """A file is denied or held; the judgement carries the whole story."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.headline)
        self.judgement = judgement


class OperatorFault(InbondError):
    """The configuration or the machine is not as it must be."""


class ConfigurationError(OperatorFault):
    """A key or value in the configuration that cannot be used."""


class StoreUnavailable(OperatorFault):
    """The disk refuses: full, read-only, gone."""


class TakesTooLong(StoreUnavailable):
    """What a page asks of the ledger takes longer than a page may; another one may be had."""


class DiskFull(StoreUnavailable):
    """No space is left on the disk, or none that this user may take."""


class BytesLost(OperatorFault):
    """An imported file whose bytes on this disk are damaged or gone, and which nobody else is asked for."""


class InvalidBundle(OperatorFault):
    """A bundle that is not taken: damaged, forged, or not what its manifest says. Nothing of it is in force."""


class AdvisoriesUnavailable(OperatorFault):
    """What is known against releases cannot be told: an empty answer would claim that nothing is."""


class NotYet(InbondError):
    """The work goes on; the same request finds it done later."""


class Overloaded(InbondError):
    """More is asked at once than is allowed."""


def _shown(raw: str) -> str:
    text = raw if len(raw) <= 80 else raw[:79] + "…"  # noqa: PLR2004 (a line of a terminal)
    return ascii(text)
