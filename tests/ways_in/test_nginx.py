"""deploy/nginx.conf as it stands, but for ports and files: accepted by nginx, and inbond behind it over TLS."""

from __future__ import annotations

import re
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import create_connection
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from e2e.service import plain_environment
from inbond.cli.config import LEDGER_FILE
from inbond.model.events import unobserved
from inbond.store.ledger import open_ledger
from ports import free_port
from sim.index import SimIndex, WrongBytes
from stack import JSON, Inbond, inbond
from tools import tool
from ways_in.programs import TOP, run_well

NAME = "packages.acme.example"
BESIDE = """
[server]
listen = "127.0.0.1:0"
public_url = "https://packages.acme.example"
trusted_proxies = ["127.0.0.1"]
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
[policies.default]
deny = ["demo==2.0"]
"""
AROUND = """
daemon off;
user {user};
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  include {place}/inbond.conf;
}}
"""
LARGE = 9 * 1024 * 1024  # too large to be checked whole before its first byte


@dataclass(frozen=True, slots=True)
class Front:
    """nginx in front of inbond, as a client sees it."""

    origin: str
    trust: ssl.SSLContext
    session: aiohttp.ClientSession
    behind: Inbond

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, aiohttp.ClientResponse]:
        options: dict[str, Any] = {"ssl": self.trust, "server_hostname": NAME, "headers": {"Host": NAME, **headers}}
        async with self.session.get(f"{self.origin}{path}", allow_redirects=False, **options) as response:
            return response.status, await response.read(), response


def make_certificate(place: Path) -> Path:
    """A leaf for the example's name, issued by an authority of its own; returns the authority."""
    authority_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme authority")])
    now = datetime.now(UTC)

    def signed(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(
            issuer_name=authority, subject_name=subject, public_key=key.public_key(),
            serial_number=x509.random_serial_number(), not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(hours=1),
        )  # fmt: skip
        # Python 3.13 asks for these two.
        about = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        for extension in (*extensions, x509.SubjectKeyIdentifier.from_public_key(key.public_key()), about):
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    signs = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    top = signed(authority, authority_key, x509.BasicConstraints(ca=True, path_length=0), signs)
    (place / "authority.pem").write_bytes(top)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]), leaf_key, names)
    (place / f"{NAME}.pem").write_bytes(leaf)
    (place / f"{NAME}.key").write_bytes(
        leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return place / "authority.pem"


def adapted(place: Path, *, port: int, inbond_port: int) -> str:
    """The example with ports and files that are there; each replacement must fit, so that it stays the example."""
    text = (TOP / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen [::]:443 ssl;", ""),
        ("server 127.0.0.1:8642;", f"server 127.0.0.1:{inbond_port};"),
        (f"/etc/nginx/tls/{NAME}.pem", f"{place}/{NAME}.pem"),
        (f"/etc/nginx/tls/{NAME}.key", f"{place}/{NAME}.key"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def configured(place: Path, *, port: int, inbond_port: int) -> list[str]:
    """The command that runs nginx with the example, and what it reads."""
    (place / "inbond.conf").write_text(adapted(place, port=port, inbond_port=inbond_port))
    user = place.owner()
    (place / "nginx.conf").write_text(AROUND.format(place=place, user=user))
    return [tool("nginx"), "-p", str(place), "-e", str(place / "error.log"), "-c", str(place / "nginx.conf")]


@contextmanager
def nginx(command: list[str], place: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, env=plain_environment(place))
    try:
        deadline = time.monotonic() + 10
        while not answers(port):
            assert process.poll() is None, (place / "error.log").read_text()
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@asynccontextmanager
async def in_front(place: Path, index: SimIndex) -> AsyncIterator[Front]:
    trust = ssl.create_default_context(cafile=make_certificate(place))
    async with inbond(place, index, config=BESIDE) as behind:
        port = free_port()
        command = configured(place, port=port, inbond_port=int(behind.origin.rpartition(":")[2]))
        async with aiohttp.ClientSession() as session:
            with nginx(command, place, port):
                yield Front(f"https://127.0.0.1:{port}", trust, session, behind)


def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    command = configured(tmp_path, port=free_port(), inbond_port=8642)
    assert "test is successful" in run_well([*command, "-t"], cwd=tmp_path, env=plain_environment(tmp_path))


async def test_pages_files_and_links_are_right_from_outside(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=b"{}", upload_time=datetime(2024, 1, 1, tzinfo=UTC))
        plain = index.add_wheel("plain", "1.0")
        async with in_front(tmp_path, index) as front:
            status, body, response = await front.get("/simple/demo/", Accept=JSON)
            assert (status, response.content_type) == (200, JSON)
            assert f'"https://{NAME}/integrity/demo/1.0/{wheel.filename}/provenance"'.encode() in body
            assert b"127.0.0.1" not in body.replace(index.url.encode(), b"")  # but for the project that it tracks
            status, body, response = await front.get(plain.path)
            assert (status, body) == (200, plain.content)
            assert response.headers["ETag"] == f'"{plain.sha256}"'
            assert (await front.get(plain.path, **{"If-None-Match": f'"{plain.sha256}"'}))[0] == 304
            assert (await front.get(plain.path, Range="bytes=0-9"))[:2] == (206, plain.content[:10])


async def test_a_denial_says_why_in_the_reason_phrase(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        bad = index.add_wheel("demo", "2.0")
        async with in_front(tmp_path, index) as front:
            status, body, response = await front.get(bad.path)
            assert status == 403
            assert response.version == aiohttp.HttpVersion11
            assert response.reason is not None
            assert response.reason.startswith("Blocked by policy: demo 2.0 is denied by rule deny")
            assert response.reason.endswith(f"https://{NAME}/why/{bad.sha256[:12]}")
            assert response.content_type == "application/problem+json"
            assert b"demo 2.0" in body
            assert (await front.get(f"/why/{bad.sha256[:12]}"))[0] == 200


async def test_a_download_that_is_cut_off_stays_cut_off(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("large", "1.0", size=LARGE)
        index.fault(wheel.path, WrongBytes())
        async with in_front(tmp_path, index) as front:
            with pytest.raises(aiohttp.ClientPayloadError):
                await front.get(wheel.path)


async def test_a_client_cannot_say_who_it_is(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with in_front(tmp_path, index) as front:
            lie = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "http"}
            status, body, _ = await front.get("/simple/demo/", Accept=JSON, **lie)
            assert status == 200
            assert b"evil.example" not in body
            assert (await front.get(wheel.path, **lie))[0] == 200
    ledger = open_ledger(tmp_path / "data" / "ledger" / LEDGER_FILE, observer=unobserved)
    assert [row.first.client for row in await ledger.asked(since=datetime(2000, 1, 1, tzinfo=UTC))] == ["127.0.0.1"]
    await ledger.aclose()


async def test_only_http_1_1_is_offered(tmp_path: Path) -> None:
    async with SimIndex() as index, in_front(tmp_path, index) as front:
        front.trust.set_alpn_protocols(["h2", "http/1.1"])
        port = int(front.origin.rpartition(":")[2])
        with (
            create_connection(("127.0.0.1", port), timeout=10) as plain,
            front.trust.wrap_socket(plain, server_hostname=NAME) as secured,
        ):
            assert secured.selected_alpn_protocol() == "http/1.1"


async def test_metrics_are_for_this_machine(tmp_path: Path) -> None:
    example = (TOP / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert re.search(r"location = /metrics \{\s+allow 127\.0\.0\.1;\s+deny  all;", example)
    async with SimIndex() as index, in_front(tmp_path, index) as front:
        status, body, _ = await front.get("/metrics")
        assert status == 200
        assert b"inbond_" in body
