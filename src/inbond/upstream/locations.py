"""URLs that upstream names: read, checked, followed and shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from yarl import URL

from inbond.model.errors import UpstreamBroken
from inbond.upstream.hosts import is_host

# What can go on the wire as it is: a signed URL must not be quoted anew.
_WIRE_READY: Final = re.compile(r"[!-~]+")
_SHOWN_CHARS: Final = 200
_SAFE_IN_SEGMENT: Final = "!+-._~"


def parse(text: str) -> URL:
    """A URL as upstream wrote it, relative or not, without its fragment. Raises `UpstreamBroken`."""
    try:
        url = URL(text, encoded=_WIRE_READY.fullmatch(text) is not None)
        url.port  # noqa: B018 (an impossible port raises only here)
        return url.with_fragment(None)
    except ValueError:
        # Neither the text nor the library's message is shown: a password or a token may stand anywhere in it.
        raise UpstreamBroken("upstream names an address that is no URL") from None


def check(url: URL, *, secure: bool) -> None:
    """Raises `UpstreamBroken` unless the URL may be asked. `secure`: what came before went over https."""
    if url.scheme not in ("http", "https"):
        raise UpstreamBroken(f"upstream names a URL of scheme {_cut(ascii(url.scheme))}; only http and https are asked")
    if not url.raw_host:
        raise UpstreamBroken("upstream names a URL without a host")
    if not is_host(url.raw_host):
        raise UpstreamBroken("upstream names a host written in a form that is not asked")
    if url.raw_user is not None or url.raw_password is not None:
        raise UpstreamBroken(f"upstream names a URL with a user or password in it, at {url.raw_host}")
    if secure and url.scheme == "http":
        raise UpstreamBroken(
            f"upstream leads from https to {shown(url)}, which is not encrypted",
            remedy="serve the files over https too, or name the upstream by http if its network is trusted",
        )


def redirected(url: URL, location: str | None) -> URL:
    """Where a redirect (RFC 9110, section 15.4) leads. Raises `UpstreamBroken`."""
    if not location:
        raise UpstreamBroken(f"{shown(url)} redirects to nowhere")
    target = url.join(parse(location))
    check(target, secure=url.scheme == "https")
    return target


def origin(url: URL) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454): what credentials belong to."""
    return url.scheme, (url.raw_host or "").lower(), url.port


def shown(url: URL) -> str:
    """The URL for messages and logs: no user, no query (it may hold a token), no fragment, not too long."""
    port = "" if url.is_default_port() or url.port is None else f":{url.port}"
    host = url.raw_host or ""
    return _cut(f"{url.scheme}://{f'[{host}]' if ':' in host else host}{port}{url.raw_path}")


def page_url(index_url: str, project: str) -> URL:
    """A project's page below the index URL (PEP 503)."""
    return URL(index_url + quote(project, safe=_SAFE_IN_SEGMENT) + "/", encoded=True)


def provenance_url(index_url: str, project: str, version: str, filename: str) -> URL:
    """The Integrity API's address for a file, beside the index."""
    segments = (quote(segment, safe=_SAFE_IN_SEGMENT) for segment in (project, version, filename))
    return URL(index_url, encoded=True).join(URL(f"../integrity/{'/'.join(segments)}/provenance", encoded=True))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
