"""What every page has around it: where one can go from here, who is signed in, and links to this page, changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from yarl import URL

from inbond.access.principal import Anonymous
from inbond.access.roles import Role
from inbond.gateway.sign_in import By
from inbond.web.access import indexes_for, may, principal_of, signed_in
from inbond.web.csrf import csrf_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A place in the navigation. `current`: the page shown is this one or below it."""

    label: str
    href: str
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFrame:
    """What is around a page. `who`: as its principal is written, None for nobody in particular."""

    url: URL
    entries: tuple[Entry, ...]
    who: str | None
    csrf: str | None  # for the form to sign out, where there is a session to end

    def link(self, **changed: str | int | None) -> str:
        """This page's path and query with some parameters set, or (None) left out."""
        query = {key: value for key, value in self.url.query.items() if key not in changed}
        query |= {key: str(value) for key, value in changed.items() if value is not None}
        return str(URL(self.url.raw_path, encoded=True).with_query(query))


# Each with the role that its page needs; on some index, or (last) on inbond as a whole.
_PLACES: Final = (
    ("Overview", "/", Role.READER, False),
    ("Use it", "/-/use", Role.READER, False),
    ("Projects", "/-/search", Role.READER, False),
    ("Denials", "/-/denials", Role.READER, False),
    ("Review", "/-/review", Role.OPERATOR, False),
    ("Waivers", "/-/waivers", Role.OPERATOR, False),
    ("Rejections", "/-/rejections", Role.OPERATOR, False),
    ("Pins", "/-/pins", Role.OPERATOR, False),
    ("Trust", "/-/trust", Role.READER, False),
    ("Upstreams", "/-/upstreams", Role.READER, False),
    ("Tokens", "/-/tokens", Role.ADMIN, True),
    ("Audit", "/-/audit", Role.ADMIN, True),
)
_BELOW: Final = {"/-/search": ("/-/projects/", "/-/files/"), "/-/denials": ("/why/",)}


def page_of(request: web.Request) -> PageFrame:
    """The frame of the page that is asked for."""
    principal = principal_of(request)
    entries = tuple(
        Entry(label=label, href=href, current=_within(request.path, href))
        for label, href, role, whole in _PLACES
        if (may(request, role, None) if whole else indexes_for(request, role))
    )
    return PageFrame(
        url=request.rel_url,
        entries=entries,
        who=None if isinstance(principal, Anonymous) else str(principal),
        csrf=csrf_token(request) if signed_in(request).by is By.SESSION else None,
    )


def _within(path: str, href: str) -> bool:
    below = (*_BELOW.get(href, ()), *((f"{href}/",) if href != "/" else ()))
    return path == href or path.startswith(below)
