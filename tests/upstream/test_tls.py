"""Threat: somebody on the way pretends to be the index."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.model.errors import UpstreamBroken
from inbond.upstream.certificates import system_trust, trusting
from sim.index import SimIndex
from sim.tls import Authority
from tools import tool
from upstream.support import DEMO, Heard, fetched, upstream_at

CA_BUNDLE = "name the file of its certificate authority as ca_bundle in [upstreams.sim]"
FETCH = """
import asyncio, sys
from inbond.upstream.index import Upstream
from inbond.upstream.settings import UpstreamSettings

async def main():
    upstream = Upstream.open(UpstreamSettings(name="sim", url=sys.argv[1]), observer=lambda _: None, user_agent="t")
    try:
        print(len((await upstream.page("demo")).page.files))
    finally:
        await upstream.aclose()

asyncio.run(main())
"""


def fetch(url: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own says, in that environment and hardly any other."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    return subprocess.run(
        [sys.executable, "-c", FETCH, url], env={**kept, **env}, capture_output=True, text=True, check=False
    )


async def test_a_certificate_of_nobody_is_broken_and_not_tried_again(tmp_path: Path) -> None:
    async with SimIndex(tls=Authority(tmp_path).server()) as index:
        heard = Heard()
        async with upstream_at(index.url.replace("://", "://user:s3cret@"), heard=heard) as upstream:
            with pytest.raises(UpstreamBroken, match=r"certificate of 127\.0\.0\.1 is not to be trusted") as caught:
                await upstream.page(DEMO)
    assert heard.outcomes == ["page broken"]
    assert index.requests == []
    assert caught.value.remedy == CA_BUNDLE


async def test_an_authority_in_the_bundle_is_trusted_and_no_other(tmp_path: Path) -> None:
    own, other = Authority(tmp_path, "Acme root"), Authority(tmp_path, "Other root")
    async with SimIndex(tls=own.server()) as index:
        index.add_wheel("demo", "1.0")
        async with upstream_at(index.url, tls=trusting(own.bundle)) as upstream:
            assert (await fetched(upstream)).page.files
        async with upstream_at(index.url, tls=trusting(other.bundle)) as upstream:
            with pytest.raises(UpstreamBroken, match="is not to be trusted"):
                await upstream.page(DEMO)


async def test_a_bundle_may_hold_several_authorities(tmp_path: Path) -> None:
    first, second = Authority(tmp_path, "First root"), Authority(tmp_path, "Second root")
    both = tmp_path / "both.pem"
    both.write_bytes(first.bundle.read_bytes() + "# été\n".encode() + second.bundle.read_bytes())
    async with SimIndex(tls=second.server()) as index:
        index.add_wheel("demo", "1.0")
        async with upstream_at(index.url, tls=trusting(both)) as upstream:
            assert (await fetched(upstream)).page.files


async def test_a_bundle_replaces_the_systems_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, own = Authority(tmp_path, "System root"), Authority(tmp_path, "Acme root")
    monkeypatch.setenv("SSL_CERT_FILE", str(system.bundle))
    async with SimIndex(tls=system.server()) as index, upstream_at(index.url, tls=trusting(own.bundle)) as upstream:
        with pytest.raises(UpstreamBroken, match="is not to be trusted"):
            await upstream.page(DEMO)


async def test_a_certificate_for_another_host_or_out_of_date_is_no_matter_of_authorities(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = trusting(authority.bundle)
    async with SimIndex(tls=authority.server(), public_host="localhost") as index:
        async with upstream_at(index.url, tls=tls) as upstream:
            with pytest.raises(UpstreamBroken, match="certificate is not valid for 'localhost'") as caught:
                await upstream.page(DEMO)
        assert "ca_bundle" not in str(caught.value.remedy)
    async with SimIndex(tls=authority.server(lasts=-timedelta(hours=1))) as index:
        async with upstream_at(index.url, tls=tls) as upstream:
            with pytest.raises(UpstreamBroken, match="certificate has expired") as caught:
                await upstream.page(DEMO)
        assert "ca_bundle" not in str(caught.value.remedy)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_without_a_bundle_the_systems_store_is_used_where_openssl_finds_it(tmp_path: Path, variable: str) -> None:
    authority = Authority(tmp_path)
    place = authority.bundle
    if variable == "SSL_CERT_DIR":
        place = tmp_path / "store"
        place.mkdir()
        named = subprocess.run(
            [tool("openssl"), "x509", "-hash", "-noout", "-in", authority.bundle],
            capture_output=True,
            text=True,
            check=True,
        )
        (place / f"{named.stdout.strip()}.0").write_bytes(authority.bundle.read_bytes())
    async with SimIndex(tls=authority.server()) as index:
        index.add_wheel("demo", "1.0")
        trusted = await asyncio.to_thread(fetch, index.url, **{variable: str(place)})
        assert trusted.stdout == "1\n", trusted.stderr
        nothing = tmp_path / "nothing"
        untrusted = await asyncio.to_thread(fetch, index.url, SSL_CERT_FILE=str(nothing), SSL_CERT_DIR=str(nothing))
        assert "is not to be trusted" in untrusted.stderr


def test_a_file_of_revocations_alone_is_no_bundle(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ValueError, match="holds no certificate in PEM"):
        trusting(authority.revocations())


def test_keys_are_not_logged_whatever_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    for context in (system_trust(), trusting(Authority(tmp_path).bundle)):
        assert not context.keylog_filename
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


async def test_nor_by_a_process_that_trusts_the_system(tmp_path: Path) -> None:
    authority, keys = Authority(tmp_path), tmp_path / "keys"
    async with SimIndex(tls=authority.server()) as index:
        index.add_wheel("demo", "1.0")
        done = await asyncio.to_thread(fetch, index.url, SSL_CERT_FILE=str(authority.bundle), SSLKEYLOGFILE=str(keys))
    assert done.stdout == "1\n", done.stderr
    assert "SECRET" not in (keys.read_text() if keys.exists() else "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "holds no certificate in PEM"),
        (b"not PEM", "holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate in PEM"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(ValueError, match=f"the file {bundle} {why}"):
        trusting(bundle)
