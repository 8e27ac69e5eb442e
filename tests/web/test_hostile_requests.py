"""Requests that no honest client sends: none is answered 5xx, tells what is not for its sender, or changes anything.

The corpus is in `web.hostile_requests`. It meets an inbond with two indexes: `open`, which anybody may read, and
`secret`, which none of its senders may.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from inbond.access.secret import secret_of
from sim.index import SimIndex
from sim.osv import directory, vulnerability
from sim.tls import Authority
from stack import Inbond, inbond
from web.desk_support import Browser
from web.hostile_requests import (
    WAIVER,
    WRITE,
    Hostile,
    by_session,
    confused_methods,
    every,
    every_write,
    header_injection,
    smuggling,
)

READER: Final = secret_of(bytes(32))
OPERATOR: Final = secret_of(bytes([1] * 32))
ADMIN: Final = secret_of(bytes([2] * 32))
AT_ONCE: Final = 8
LONGEST: Final = 20.0  # seconds for one of them: far beyond what any takes
WITHHELD: Final = ("hush-hush", "Traceback", "site-packages", 'File "', "sqlite3.")
CONFIG: Final = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
projects = ["demo"]
[upstreams.own]
url = "{upstream1}"
[indexes.root]
upstreams = ["pypi"]
[indexes.open]
upstreams = ["pypi"]
[indexes.secret]
upstreams = ["own"]
readers = "granted"
[access]
readers = "anybody"
[advisories.own]
path = "{data}/../advisories"
"""
TOKEN: Final = """
[[access.tokens]]
name = "{name}"
sha256 = "{digest}"
role = "{role}"
indexes = ["root", "open"]
"""
CREDENTIALS: Final = {
    "nobody": "",
    "a reader": f"Authorization: Bearer {READER}\r\n",
    "an operator": f"Authorization: Bearer {OPERATOR}\r\n",
    "an admin": f"Authorization: Bearer {ADMIN}\r\n",
}


def _token(name: str, secret: str, role: str) -> str:
    return TOKEN.format(name=name, digest=hashlib.sha256(secret.encode()).hexdigest(), role=role)


@asynccontextmanager
async def _serving(path: Path, *, certificate: Path | None = None) -> AsyncIterator[Inbond]:
    async with SimIndex() as upstream, SimIndex() as own:
        upstream.add_wheel("demo", "1.0")
        own.add_wheel("hush-hush", "1.0")
        directory(path / "advisories", {"a.json": vulnerability("PYSEC-2026-1", "demo", fixed="2.0")})
        tokens = _token("reading", READER, "reader") + _token("deciding", OPERATOR, "operator")
        tokens += _token("running", ADMIN, "admin")
        tls = "" if certificate is None else f'tls_certificate = "{certificate}"\ntls_key = "{certificate}"\n'
        config = CONFIG.replace("[storage]", f"{tls}[storage]")
        async with inbond(path, upstream, own, config=config, more=tokens) as proxy:
            yield proxy


async def _exchange(proxy: Inbond, data: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """All that is answered until the other side ends the connection, which it has to."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.origin.rpartition(":")[2]), ssl=tls)
    answered = b""
    try:
        async with asyncio.timeout(LONGEST):
            try:
                writer.write(data)
                await writer.drain()
                while piece := await reader.read(65_536):
                    answered += piece
            except (ConnectionError, ssl.SSLError):  # it has refused the rest
                pass
    finally:
        writer.transport.abort()
    return answered


def _filled(one: Hostile, proxy: Inbond, credentials: str) -> bytes:
    host = proxy.origin.removeprefix("http://").encode()
    return one.data.replace(b"{host}", host).replace(b"{auth}", credentials.encode())


def _statuses(answered: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"(?:^|\r\n|[^\r\n])HTTP/1\.[01] (\d{3}) ", answered)]


async def _faults(
    proxy: Inbond, one: Hostile, credentials: str, path: Path, tls: ssl.SSLContext | None = None
) -> list[str]:
    """What is wrong with what becomes of it."""
    try:
        answered = await _exchange(proxy, _filled(one, proxy, credentials), tls)
    except TimeoutError:
        return [f"{one.name}: the connection hangs"]
    statuses = _statuses(answered)
    faults = []
    if not (set(statuses[:1]) or {0}) <= one.statuses:
        faults.append(f"{one.name}: {statuses[:1] or 'no answer'}, not of {sorted(one.statuses)}: {answered[:200]!r}")
    if len(statuses) > 1:
        faults.append(f"{one.name}: {len(statuses)} answers to one request: {statuses}")
    text = answered.decode("latin-1")
    withheld = (*WITHHELD, str(path), READER, OPERATOR, ADMIN)
    faults += [f"{one.name}: the answer tells {word!r}" for word in withheld if word in text]
    if re.search(r"\r\n(Injected|Set-Cookie: a=b)", text.partition("\r\n\r\n")[0]):
        faults.append(f"{one.name}: a header of the sender's stands in the answer")
    location = re.search(r"\r\nLocation: ([^\r]*)", text)
    if location is not None and re.match(r"[a-z]+:|//|/?\\", location[1]):
        faults.append(f"{one.name}: leads away, to {location[1]}")
    return faults


async def _sent(
    proxy: Inbond, corpus: Sequence[Hostile], credentials: str, path: Path, tls: ssl.SSLContext | None = None
) -> list[str]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def send(one: Hostile) -> list[str]:
        async with turns:
            return await _faults(proxy, one, credentials, path, tls)

    return [fault for faults in await asyncio.gather(*map(send, corpus)) for fault in faults]


def test_the_corpus_names_each_once() -> None:
    names = [one.name for one in every()]
    assert len(names) == len(set(names)) > 200


@pytest.mark.parametrize("sender", CREDENTIALS)
async def test_hostile_requests_change_and_tell_nothing(sender: str, tmp_path: Path) -> None:
    async with _serving(tmp_path) as proxy:
        ledger = proxy.up.parts.base.ledger
        for state in ("cold", "hot"):
            faults = await _sent(proxy, list(every()), CREDENTIALS[sender], tmp_path)
            assert not faults, f"{state}:\n" + "\n".join(faults)
            status, _, _ = await proxy.get("/simple/demo/")
            assert status == 200  # it serves on, and from now on from what is at hand
        assert await ledger.decisions() == ()
        assert await ledger.tokens() == ()
        assert await proxy.metric("inbond_requests_total", route="other", status="500") == 0


async def test_what_is_refused_from_elsewhere_is_done_for_a_program_with_a_token(tmp_path: Path) -> None:
    """So what the corpus is refused for is what is wrong with it."""
    async with _serving(tmp_path) as proxy:
        headers = {"Authorization": f"Bearer {OPERATOR}", "Content-Type": "application/json"}
        async with proxy.session.post(proxy.url(WRITE), data=WAIVER, headers=headers) as answer:
            assert answer.status == 201
        assert len(await proxy.up.parts.base.ledger.decisions()) == 1


async def _session(proxy: Inbond) -> tuple[str, str]:
    """The cookie of an operator who signs in, and the token of the forms that belong to it."""
    browser = Browser(proxy)
    try:
        await browser.sign_in(OPERATOR)
        page = await browser.get("/-/waivers/new")
        field = page.html.css_first('form.card input[name="csrf"]')
        assert field is not None
        (cookie,) = (one.value for one in browser.session.cookie_jar if one.key == "inbond-session")
        return cookie, field.attributes["value"] or ""
    finally:
        await browser.session.close()


async def test_a_browser_is_made_to_write_nothing(tmp_path: Path) -> None:
    async with _serving(tmp_path) as proxy:
        cookie, csrf = await _session(proxy)
        _, other = await _session(proxy)

        def filled(data: bytes) -> bytes:
            for name, value in (("cookie", cookie), ("csrf", csrf), ("half", csrf[:32]), ("other", other)):
                data = data.replace(b"{%s}" % name.encode(), value.encode())
            return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(data.partition(b"\r\n\r\n")[2]), data)

        corpus = [Hostile(one.name, filled(one.data), one.statuses) for one in by_session()]
        faults = await _sent(proxy, corpus, "", tmp_path)
        assert not faults, "\n".join(faults)
        assert await proxy.up.parts.base.ledger.decisions() == ()
        # And the form itself, as it was shown, is no forgery.
        headers = {"Cookie": f"inbond-session={cookie}", "Origin": proxy.origin}
        fields = {"target": "demo", "rule": "cooldown", "until": "30d", "reason": "real", "index": "open", "csrf": csrf}
        url = proxy.url(WRITE)
        async with proxy.session.post(url, data=fields, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 303
        assert len(await proxy.up.parts.base.ledger.decisions()) == 1


async def test_encryption_changes_none_of_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(cafile=authority.bundle)
    async with _serving(tmp_path, certificate=authority.certificate()) as proxy:
        for state in ("cold", "hot"):
            corpus = [*smuggling(), *header_injection(), *confused_methods(), *every_write()]
            faults = await _sent(proxy, corpus, CREDENTIALS["an operator"], tmp_path, tls)
            assert not faults, f"{state}:\n" + "\n".join(faults)
        assert await proxy.up.parts.base.ledger.decisions() == ()
