"""An error on its way to another process, which raises the same: by its kind, and what its kind is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from inbond.model import errors
from inbond.model.errors import DigestMismatch, InbondError, UpstreamBroken, UpstreamPaused, UpstreamRefused

# Those that are made of a message and a remedy.
_PLAIN: Final = (
    errors.NotFound,
    errors.UpstreamFault,
    errors.UpstreamUnavailable,
    errors.UpstreamTimeout,
    errors.UpstreamBroken,
    errors.UpstreamTooLarge,
    errors.StoreUnavailable,
    errors.BytesLost,
    errors.NotYet,
    errors.Overloaded,
)
_PLAIN_BY_NAME: Final = {kind.__name__: kind for kind in _PLAIN}


class ErrorTold(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: the name of a class of `inbond.model.errors`. `more`: what that needs besides."""

    kind: str
    message: str
    remedy: str | None = None
    more: dict[str, str | int | float] = {}


def told(error: InbondError) -> ErrorTold:
    """The error, to be sent. One of a kind that has no way of its own goes as the next kind above it."""
    match error:
        case DigestMismatch():
            more: dict[str, str | int | float] = {
                name: str(getattr(error, name)) for name in ("filename", "expected", "actual", "by", "algorithm")
            }
        case UpstreamRefused():
            more = {"status": error.status}
        case UpstreamPaused():
            more = {"seconds": error.seconds}
        case _:
            more = {}
    kind = next((one.__name__ for one in type(error).__mro__ if one.__name__ in _KINDS), UpstreamBroken.__name__)
    return ErrorTold(kind=kind, message=error.message, remedy=error.remedy, more=more)


def untold(said: ErrorTold) -> InbondError:
    """The error that was sent. What cannot be understood is a broken answer."""
    try:
        return _KINDS[said.kind](said)
    except (KeyError, TypeError, ValueError):
        return UpstreamBroken(said.message, remedy=said.remedy)


def _plain(said: ErrorTold) -> InbondError:
    return _PLAIN_BY_NAME[said.kind](said.message, remedy=said.remedy)


def _mismatch(said: ErrorTold) -> InbondError:
    return DigestMismatch(**{name: str(value) for name, value in said.more.items()})


def _refused(said: ErrorTold) -> InbondError:
    return UpstreamRefused(said.message, status=int(said.more["status"]), remedy=said.remedy)


def _paused(said: ErrorTold) -> InbondError:
    return UpstreamPaused(said.message, seconds=float(said.more["seconds"]), remedy=said.remedy)


_KINDS: Final[Mapping[str, Callable[[ErrorTold], InbondError]]] = {
    **dict.fromkeys(_PLAIN_BY_NAME, _plain),
    DigestMismatch.__name__: _mismatch,
    UpstreamRefused.__name__: _refused,
    UpstreamPaused.__name__: _paused,
}
