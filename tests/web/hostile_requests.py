"""Requests that no honest client sends, as bytes, and what becomes of each.

`{host}` and `{auth}` in a text are replaced by the server's own host and by a header line with credentials, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

READ: Final = "/simple/demo/"
WRITE: Final = "/-/waivers"
BODY: Final = '{"target": "demo", "rule": "%s", "until": "30d", "reason": "smuggled", "index": "open"}'
WAIVER: Final = (BODY % "cooldown").encode()  # which an operator may make
ODD_WAIVER: Final = (BODY % "no-rule").encode()
MARKER: Final = "/smuggled-marker"  # a path that shows, in the log, that a smuggled request was taken for one


@dataclass(frozen=True)
class Hostile:
    """A request. `statuses`: one of these, or the connection ends without an answer where 0 is among them.

    Its connection ends after it: where it asks for that, and where nobody can be sure where it ends.
    """

    name: str
    data: bytes
    statuses: frozenset[int]


def _of(name: str, text: str | bytes, *statuses: int) -> Hostile:
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    return Hostile(name, data, frozenset(statuses))


def _get(name: str, path: str | bytes, *statuses: int, fields: str = "", method: str = "GET") -> Hostile:
    target = path if isinstance(path, bytes) else path.encode("latin-1")
    head = f" HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n{{auth}}{fields}\r\n".encode("latin-1")
    return _of(name, method.encode() + b" " + target + head, *statuses)


def _post(name: str, path: str, body: bytes, *statuses: int, kind: str = "application/json", more: str = "") -> Hostile:
    head = f"POST {path} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n{{auth}}Content-Type: {kind}\r\n{more}"
    return _of(name, f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body, *statuses)


def every() -> Iterator[Hostile]:
    """The whole corpus."""
    yield from traversal()
    yield from header_injection()
    yield from huge()
    yield from bad_text()
    yield from confused_methods()
    yield from smuggling()
    yield from foreign()
    yield from odd_bodies()
    yield from every_write()
    yield from every_filter()


def traversal() -> Iterator[Hostile]:
    """Paths that try to leave where they begin."""
    gone = (302, 400, 401, 403, 404)
    up = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e%252f", "....//", "..;/", "%c0%ae%c0%ae/")
    for places in (
        "/packages/",
        "/secret/packages/",
        "/simple/",
        "/-/static/",
        "/why/",
        "/integrity/",
        "/open/simple/",
        "/open/packages/",
        "/-/verdict/open/",
        "/-/files/open/demo/",
        "/-/projects/open/",
        "/-/waivers/",
        "/-/tokens/",
        "/-/review/",
        "/-/osv/v1/vulns/",
    ):
        for one in up:
            yield _get(f"{places} {one}", f"{places}{one * 6}etc/passwd", *gone)
    for name, path in (
        ("NUL in a file's name", "/packages/aa/demo-1.0.tar.gz%00.whl"),
        ("NUL in a project", "/simple/demo%00/"),
        ("an absolute path", "/packages//etc/passwd"),
        ("a drive", "/packages/C:%5CWindows%5Cwin.ini"),
        ("a scheme", "/packages/file:///etc/passwd"),
        ("an address", "/packages/http://127.0.0.1:1/x"),
        ("an address without scheme", "/packages///127.0.0.1:1/x"),
        ("only dots", "/simple/../"),
        ("an encoded slash in a project", "/simple/demo%2f..%2fsecret/"),
        ("a semicolon", "/simple/demo;index=secret/"),
        ("another index by way of root", "/root/secret/simple/private/"),
        ("another index by way of dots", "/open/../secret/simple/private/"),
        ("static that is no file of ours", "/-/static/../templates/base.html"),
    ):
        yield _get(name, path, *gone)


def header_injection() -> Iterator[Hostile]:
    """Ends of lines where a value ends up in a header of the answer, or of a request to upstream."""
    injected = "%0d%0aInjected:%20yes%0d%0a%0d%0a<script>"
    for path in (
        f"/simple/{injected}/",
        f"/simple/demo{injected}",
        f"/root/simple/{injected}/",
        f"/packages/aa/{injected}",
        f"/why/{injected}",
        f"/-/sign-in?next=/{injected}",
        f"/-/sign-in?next={injected}",
        "/-/sign-in?next=//evil.example/",
        "/-/sign-in?next=/%5Cevil.example/",
        f"/-/search?q={injected}",
        f"/?format={injected}",
        f"/simple/demo/?format={injected}",
        f"/-/verdict/open/demo/{injected}",
        f"/-/files/open/demo/{injected}",
        f"/-/projects/open/{injected}",
        "/simple/demo?x=%E2%80%AE%0A",
        "/simple/demo/?x=%0d%0aSet-Cookie:%20a=b",
    ):
        yield _get(f"in {path[:40]}", path, 200, 302, 303, 400, 401, 403, 404, 406)
    for field in (
        'If-None-Match: "a", \x0b"b"\r\n',
        "User-Agent: a\tb\x1b[31mred\x7f\r\n",
        "Accept: text/html\x01\r\n",
        "Range: bytes=0-1\x0c\r\n",
        'Cookie: "; DROP TABLE token; --\r\n',
        "X-Forwarded-For: 127.0.0.1\x0bx\r\n",
        "X-Forwarded-Proto: javascript\r\n",
        "X-Forwarded-Host: evil.example\r\n",
        "Forwarded: for=127.0.0.1;host=evil.example\r\n",
    ):
        yield _get(f"field {field[:24]!r}", READ, 200, 400, 401, 403, fields=field)


def huge() -> Iterator[Hostile]:
    """More of everything than anybody needs."""
    yield _get("a path of 16 KiB", "/simple/" + "a" * 16_384 + "/", 0, 400, 401, 404, 414)
    yield _get("a query of 7 KiB", "/-/search?q=" + "a" * 7_000, 200, 400, 401)
    yield _get("a query of many fields", "/-/search?" + "&".join(f"q{n}=1" for n in range(900)), 200, 400, 401)
    yield _get("a query with a huge number", "/-/search?q=a&page=" + "9" * 5_000, 200, 400, 401, 404)
    yield _get("a field of 16 KiB", READ, 0, 400, 401, 431, fields=f"X-Long: {'a' * 16_384}\r\n")
    yield _get("a field's name of 9 KiB", READ, 0, 400, 401, 431, fields=f"X-{'a' * 9_000}: 1\r\n")
    yield _get("many fields", READ, 0, 200, 400, 401, 431, fields="".join(f"X-{n}: 1\r\n" for n in range(2_000)))
    yield _get("a password of 7 KiB", READ, 200, 400, 401, 429, fields=f"Authorization: Bearer {'a' * 7_000}\r\n")
    yield _get(
        "a token in three parts, huge", READ, 200, 400, 401, 429, fields=f"Authorization: Bearer {'a.' * 3_000}\r\n"
    )
    yield _get("many cookies", READ, 200, 400, 401, fields=f"Cookie: {'; '.join(f'c{n}=1' for n in range(900))}\r\n")
    yield _get("many ranges", "/packages/none.whl", 400, 401, 404, fields=f"Range: bytes={'0-1,' * 1_500}0-1\r\n")
    yield _get("a range of huge numbers", READ, 200, 400, 401, 416, fields=f"Range: bytes={'9' * 4_400}-\r\n")
    yield _get("many entity tags", READ, 200, 400, 401, fields="If-None-Match: " + '"a",' * 1_800 + '"b"\r\n')
    yield _get("a date of huge numbers", READ, 200, 400, 401, fields=f"If-Modified-Since: {'9' * 4_400}\r\n")
    yield _get("many media types", READ, 200, 400, 401, 406, fields=f"Accept: {'text/x;q=0.1,' * 550}text/html\r\n")
    yield _get("a huge quality", READ, 200, 400, 401, 406, fields=f"Accept: text/html;q={'9' * 4_400}\r\n")
    yield _post("JSON nested deeply", WRITE, b"[" * 30_000 + b"]" * 30_000, 400, 401, 403)
    yield _post("JSON objects nested deeply", WRITE, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, 401, 403)
    yield _post("a JSON number of many digits", WRITE, b'{"target": ' + b"9" * 50_000 + b"}", 400, 401, 403)
    yield _post("JSON of 2 MiB", WRITE, b'"' + b"a" * 2**21 + b'"', 0, 400, 401, 403, 413)
    yield _post(
        "a form of many fields", WRITE, b"&".join(b"f%d=1" % n for n in range(5_000)), 400, 401, 403, 413, kind=FORM
    )
    yield _post("a question nested deeply", "/-/osv/v1/query", b'{"package":' * 5_000 + b"1" + b"}" * 5_000, 400, 401)
    yield _post(
        "many questions", "/-/osv/v1/querybatch", b'{"queries": [' + b"{}," * 20_000 + b"{}]}", 200, 400, 401, 413
    )
    yield _post("a version of many digits", "/-/osv/v1/query", _question("9" * 20_000), 200, 400, 401)


FORM: Final = "application/x-www-form-urlencoded"


def _question(version: str) -> bytes:
    return f'{{"package": {{"name": "demo", "ecosystem": "PyPI"}}, "version": "{version}"}}'.encode()


def bad_text() -> Iterator[Hostile]:
    """What is no UTF-8, and what is and should not be there."""
    gone = (200, 302, 400, 401, 404)
    for place in (
        "/simple/%s/",
        "/packages/%s",
        "/-/search?q=%s",
        "/why/%s",
        "/-/verdict/open/demo/%s",
        "/-/projects/open/%s",
    ):
        for text in (
            b"%ff%fe",
            b"%c3%28",
            b"%ed%a0%80",
            b"%f5%80%80%80",
            b"%e2%80%ae",
            b"%00",
            b"%",
            b"%zz",
            b"\xff\xfe",
        ):
            yield _get(f"{place} {text!r}", place.encode().replace(b"%s", text), *gone)
    for field in ("Host", "User-Agent", "Accept", "Cookie", "If-None-Match", "Range", "Authorization", "Origin"):
        line = f"{field}: \xff\xfe\xed\xa0\x80\r\n"
        statuses = (200, 400, 401, 403, 416, 421, 429)
        if field == "Host":
            yield _of("no UTF-8 in Host", f"GET {READ} HTTP/1.1\r\n{line}Connection: close\r\n\r\n", *statuses)
        else:
            yield _get(f"no UTF-8 in {field}", READ, *statuses, 406, fields=line)
    yield _post("no UTF-8 in JSON", WRITE, b'{"target": "\xff\xfe"}', 400, 401, 403)
    yield _post("half a character in JSON", WRITE, b'{"target": "\\ud800"}', 400, 401, 403)
    yield _post("no UTF-8 in a form", WRITE, b"target=%ff%fe", 400, 401, 403, kind=FORM)
    yield _post("no ASCII in a form", WRITE, b"target=\xff", 400, 401, 403, kind=FORM)
    yield _post("no UTF-8 in a question", "/-/osv/v1/query", b'{"package": {"name": "\xff"}}', 400, 401)
    yield _post("half a character in a question", "/-/osv/v1/query", b'{"package": {"name": "\\ud800"}}', 200, 400, 401)


def confused_methods() -> Iterator[Hostile]:
    """Methods that mean something elsewhere, and writes dressed as reads."""
    for method in ("TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "get", "GeT", "X" * 200, "POST"):
        yield _get(f"{method[:10]} of a page", READ, 400, 401, 403, 405, method=method, fields="Content-Length: 0\r\n")
    yield _get("CONNECT", "127.0.0.1:1", 0, 400, 401, 404, 405, method="CONNECT")
    yield _get("a star", "*", 0, 400, 401, 404, 405, method="OPTIONS")
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        yield _get(f"POST by {name}", WRITE, 200, 401, 403, fields=f"{name}: POST\r\n")
    yield _get("POST by a field of the query", f"{WRITE}?_method=POST&target=demo", 200, 400, 401, 403)
    yield _get("HEAD of what only takes POST", "/-/sign-out", 400, 401, 403, 404, 405, method="HEAD")
    beside = f"GET {READ} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n{{auth}}Content-Length: 4\r\n\r\nbody"
    yield _of("a body beside GET", beside, 200, 400, 401, 403)


def smuggling() -> Iterator[Hostile]:
    """Requests whose end two readers see in two places. None may be followed by a second one that was hidden in it."""
    hidden = f"GET {MARKER} HTTP/1.1\r\nHost: {{host}}\r\n\r\n"
    count = len(hidden) - len("{host}") + len("127.0.0.1:00000")
    begin = f"POST {WRITE} HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}Content-Type: application/json\r\n"
    for name, fields in (
        ("CL and TE", f"Content-Length: {count}\r\nTransfer-Encoding: chunked\r\n"),
        ("TE and CL", f"Transfer-Encoding: chunked\r\nContent-Length: {count}\r\n"),
        ("two lengths", f"Content-Length: 0\r\nContent-Length: {count}\r\n"),
        ("two lengths in a line", f"Content-Length: 0, {count}\r\n"),
        ("a length with a sign", "Content-Length: +5\r\n"),
        ("a negative length", "Content-Length: -1\r\n"),
        ("a length in hexadecimal", "Content-Length: 0x5\r\n"),
        ("a length with an underscore", "Content-Length: 1_0\r\n"),
        ("a huge length", "Content-Length: " + "9" * 40 + "\r\n"),
        ("a space before the colon", "Content-Length : 5\r\nTransfer-Encoding : chunked\r\n"),
        ("a coding that is none", "Transfer-Encoding: xchunked\r\n"),
        ("a coding after chunked", "Transfer-Encoding: chunked, identity\r\n"),
        ("two codings", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        ("a vertical tab in the coding", "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n"),
        ("a folded coding", f"Transfer-Encoding:\r\n chunked\r\nContent-Length: {count}\r\n"),
        ("a NUL in a field's name", f"Transfer-Encoding\x00: chunked\r\nContent-Length: {count}\r\n"),
    ):
        yield _of(name, f"{begin}{fields}\r\n0\r\n\r\n{hidden}", 0, 400, 401, 403, 413, 501)
    for name, chunks in (
        ("a chunk's size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk's size in hexadecimal", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk that ends elsewhere", "5\r\nhelloXX\r\n0\r\n\r\n"),
        ("a huge chunk's size", "f" * 40 + "\r\nhello\r\n0\r\n\r\n"),
        ("a bare LF after a chunk's size", "5\nhello\r\n0\r\n\r\n"),
    ):
        yield _of(name, f"{begin}Transfer-Encoding: chunked\r\n\r\n{chunks}{hidden}", 0, 400, 401, 403, 413)
    for name, head in (
        ("bare LF", f"GET {READ} HTTP/1.1\nHost: {{host}}\n\n{hidden}"),
        ("bare CR", f"GET {READ} HTTP/1.1\rHost: {{host}}\r\r{hidden}"),
        ("a folded field", f"GET {READ} HTTP/1.1\r\nHost: {{host}}\r\nX-A: 1\r\n 2\r\nConnection: close\r\n\r\n"),
        ("no version", f"GET {READ}\r\n\r\n{hidden}"),
        ("a version that is none", f"GET {READ} HTTP/9.9\r\nHost: {{host}}\r\n\r\n{hidden}"),
        ("spaces in the target", f"GET /simple/demo/ HTTP/1.1 HTTP/1.1\r\nHost: {{host}}\r\n\r\n{hidden}"),
        ("a field without a colon", f"GET {READ} HTTP/1.1\r\nHost: {{host}}\r\nnonsense\r\n\r\n{hidden}"),
        ("a field without a name", f"GET {READ} HTTP/1.1\r\nHost: {{host}}\r\n: 1\r\n\r\n{hidden}"),
        ("no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 64),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (
            "an upgrade to HTTP/2",
            f"GET {READ} HTTP/1.1\r\nHost: {{host}}\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n",
        ),
    ):
        yield _of(name, head, 0, 200, 400, 401, 403, 404, 405, 421, 505)


def foreign() -> Iterator[Hostile]:
    """Other hosts' names, and other origins' writes."""
    for host in (
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "evil.example#127.0.0.1",
        "127.0.0.1:0x50", "127.0.0.1:99999999", "[::1", "[::1].evil.example", "127.0.0.1:80@evil.example", "0",
        "127.1", "localhost.evil.example", "127.0.0.1\t.evil.example", "a" * 300,
    ):  # fmt: skip
        text = f"GET {READ} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{{auth}}\r\n"
        loopback = {200, 401, 403} if host in {"127.0.0.1:0x50", "127.0.0.1:99999999", "127.1", "0"} else set()
        yield _of(f"Host {host[:30]}", text, 400, 421, *loopback)
    yield _of("no Host", f"GET {READ} HTTP/1.1\r\nConnection: close\r\n\r\n", 400, 421)
    two = "Host: {host}\r\nHost: evil.example\r\n"
    yield _of("two Hosts", f"GET {READ} HTTP/1.1\r\n{two}Connection: close\r\n\r\n", 0, 400, 421)
    whole = f"GET http://evil.example{READ} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n\r\n"
    yield _of("a whole address of a foreign host", whole, 400, 401, 404, 421)
    for name, fields in (
        ("a foreign origin", "Origin: http://evil.example\r\n"),
        ("the origin null", "Origin: null\r\n"),
        ("an origin that begins alike", "Origin: http://{host}.evil.example\r\n"),
        ("an origin of another scheme", "Origin: https://{host}\r\n"),
        ("an origin that is none", "Origin: \r\n"),
        ("a browser from elsewhere", "Sec-Fetch-Site: cross-site\r\n"),
        ("a browser from beside", "Sec-Fetch-Site: same-site\r\n"),
    ):
        yield _post(name, WRITE, WAIVER, 400, 401, 403, more=fields)
        yield _post(f"{name}, signing in", "/-/sign-in", b"token=x", 400, 401, 403, kind=FORM, more=fields)
    for cookie in ("inbond-session=" + "0" * 64, "__Host-inbond-session=" + "0" * 64, "inbond-session=../../x"):
        fields = f"Cookie: {cookie}\r\n"
        yield _post(
            f"cookie {cookie[:24]}", "/-/sign-out", b"csrf=" + b"0" * 64, 303, 400, 401, 403, kind=FORM, more=fields
        )


def odd_bodies() -> Iterator[Hostile]:
    """Bodies that are not what they are called, or of nothing that is read."""
    chunked = (
        f"POST {WRITE} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n{{auth}}Transfer-Encoding: chunked\r\n\r\n"
    )
    yield _of("a huge extension of a chunk", f"{chunked}5;{'a' * 20_000}\r\nhello\r\n0\r\n\r\n", 0, 400, 401, 403)
    for kind in (
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=utf-7",
        "",
        "a" * 900,
    ):
        yield _post(f"a body as {kind[:24]!r}", WRITE, ODD_WAIVER, 400, 401, 403, 415, 422, kind=kind)
    for body in (
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"target": null}',
        b'{"target": {"a": []}}',
        b'{"target": [1]}',
        b'{"unknown": 1}',
    ):
        yield _post(f"JSON {body[:20]!r}", WRITE, body, 400, 401, 403, 422)
    coded = "Content-Encoding: gzip\r\n"
    bomb = bytes.fromhex("1f8b08000000000000ff") + b"\x00" * 200
    yield _post("what is said to be gzip", WRITE, bomb, 0, 400, 401, 403, 415, more=coded)


# What writes; an id that there is none of where one stands.
WRITES: Final = (
    "/-/waivers", "/-/waivers/w-0123456789/revoke", "/-/rejections", "/-/rejections/r-0123456789/revoke", "/-/pins",
    "/-/pins/p-0123456789/revoke", "/-/review/q-012345/accept", "/-/review/q-012345/reject", "/-/tokens",
    "/-/tokens/t-0123456789ab/revoke", "/-/sign-out",
)  # fmt: skip


def every_write() -> Iterator[Hostile]:
    """Each write with a body that is none of what it takes, and with a good one that comes from elsewhere."""
    refused = (400, 401, 403, 404, 409, 413, 415, 422)
    good = b"reason=x&target=demo&rule=cooldown&until=1d&index=open&project=demo&publisher=github:a/b&name=x&role=admin"
    for path in WRITES:
        out = () if path != "/-/sign-out" else (303,)
        for name, body, kind in (
            ("nothing", b"", "application/json"),
            ("an array", b"[" * 500 + b"]" * 500, "application/json"),
            ("another type", b"<x/>", "application/xml"),
            ("no fields", b"", FORM),
            ("a field twice", b"reason=a&reason=b&target=x&target=y", FORM),
            ("bytes", bytes(range(256)) * 8, FORM),
        ):
            yield _post(f"{path}: {name}", path, body, *refused, *out, kind=kind)
        for name, fields in (
            ("from elsewhere", "Origin: http://evil.example\r\n"),
            ("from nowhere", "Origin: null\r\n"),
            ("from another site", "Sec-Fetch-Site: cross-site\r\nOrigin: http://{host}\r\n"),
            ("without the form's token", "Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"),
        ):
            yield _post(f"{path}: {name}", path, good, 401, 403, kind=FORM, more=fields)
        yield _get(f"{path}: by GET", path, 200, 303, 401, 403, 404, 405)


FILTERED: Final = (
    "/", "/-/search", "/-/denials", "/-/review", "/-/waivers", "/-/rejections", "/-/pins", "/-/tokens", "/-/audit",
    "/-/audit/export", "/-/projects/open/demo", "/-/use", "/-/trust", "/-/upstreams", "/-/sign-in", "/-/waivers/new",
    "/-/tokens/new",
)  # fmt: skip
FILTERS: Final = (
    "q", "page", "days", "since", "until", "before", "project", "index", "rule", "by", "kind", "state", "made",
    "revoked", "decided", "release", "only", "asker", "stopped", "requests", "target", "next",
)  # fmt: skip


def every_filter() -> Iterator[Hostile]:
    """Each field of a query with what is no value of it, also another index's name."""
    answers = (200, 303, 400, 401, 403, 404, 422)
    for path in FILTERED:
        for name, value in (
            ("zeros", "%00"), ("digits", "9" * 300), ("a sign", "-1"), ("no number", "NaN"), ("quotes", "'%22%3B--"),
            ("a year", "0000-00-00T00:00:00%2B99:99,9"), ("a century", "99999999d"), ("a pattern", "%25_%5B*%5D"),
            ("another index", "secret"), ("no UTF-8", "%ff%fe%ed%a0%80"), ("a mark", "%E2%80%AE%EF%BF%BF"),
        ):  # fmt: skip
            query = "&".join(f"{field}={value}" for field in FILTERS)
            yield _get(f"{path} with {name}", f"{path}?{query}", *answers)


def by_session() -> Iterator[Hostile]:
    """What a browser that is signed in (`{cookie}`) may be made to send: the right form is `{csrf}`, not `{other}`."""
    ours = "Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"
    signed_in = "Cookie: inbond-session={cookie}\r\n"
    fields = b"target=demo&rule=cooldown&until=30d&reason=forged&index=open"
    right = fields + b"&csrf={csrf}"
    for name, body, more in (
        ("nothing of a form", fields, ours),
        ("another session's form", fields + b"&csrf={other}", ours),
        ("a form's token and more", fields + b"&csrf={csrf}0", ours),
        ("half a form's token", fields + b"&csrf={half}", ours),
        ("a form's token twice", fields + b"&csrf={csrf}&csrf={other}", ours),
        ("a form of ours from elsewhere", right, "Origin: http://evil.example\r\n"),
        ("a form of ours from nowhere", right, ""),
        ("a form of ours from the origin null", right, "Origin: null\r\n"),
        ("a form of ours from another port", right, "Origin: http://{host}1\r\n"),
        ("a form of ours from a site beside", right, "Origin: http://{host}\r\nSec-Fetch-Site: same-site\r\n"),
        ("a form of ours and two cookies", right, f"{ours}Cookie: inbond-session={'0' * 64}\r\n"),
    ):
        yield _post(name, WRITE, body, 401, 403, kind=FORM, more=signed_in + more)
    yield _post("JSON without a form's token", WRITE, WAIVER, 403, more=signed_in + ours)
    yield _post("JSON as a form would send it", WRITE, WAIVER, 403, kind="text/plain", more=signed_in + ours)
