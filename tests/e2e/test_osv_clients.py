"""uv's malware check, `uv audit` and pip-audit against inbond's OSV endpoint; what they print stands in the docs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import environments
from e2e.service import UV, Service, client, serving
from inbond.cli.config_presets import written_index_url
from sim.index import SimIndex
from sim.osv import directory, malware, vulnerability

DOCUMENT = Path(__file__).parent.parent.parent / "docs/advisories.md"
FILES = {
    "MAL-2026-1.json": malware("MAL-2026-1", "evil", "1.0"),
    "GHSA-aaaa-bbbb-cccc.json": vulnerability("GHSA-aaaa-bbbb-cccc", "app", fixed="2.0", aliases=["CVE-2026-1"]),
}
Look = Callable[[Path, Service], None]


NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "UV_HTTP_RETRIES": "0"}


def from_pypi() -> str:
    """PyPI's own index URL, as locks name it."""
    index = written_index_url("pypi")
    assert index is not None
    return index


def project(place: Path, index: str) -> Path:
    """A project that uv locked from an index, in which one release is malware. Nothing of it is fetched here."""
    wheel = 'wheels = [{{ url = "http://127.0.0.1:9/{0}-1.0-py3-none-any.whl", hash = "sha256:{1}", size = 1 }}]'
    packages = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {{ registry = "{index.rstrip("/")}" }}\n'
        f"{wheel.format(name, '0' * 64)}\n"
        for name in ("app", "evil")
    )
    own = 'source = { virtual = "." }\ndependencies = [{ name = "app" }, { name = "evil" }]'
    made = place / "project"
    made.mkdir()
    (made / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app", "evil"]\n'
    )
    (made / "uv.lock").write_text(
        f'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n{packages}'
        f'[[package]]\nname = "mine"\nversion = "0"\n{own}\n'
    )
    return made


def uv_sync(place: Path, url: str) -> tuple[int, str]:
    """`uv sync` from the lock with the malware check on, and what it prints."""
    command = [UV, "sync", "--frozen", "--preview-features", "malware-check", "--project", str(place)]
    done = client(
        place, *command, "--python", sys.executable, UV_MALWARE_CHECK="1", UV_MALWARE_CHECK_URL=url, **NOWHERE
    )
    return done.returncode, done.stderr


async def in_front_of(place: Path, look: Look, **environ: str) -> None:
    def run(upstream: str) -> None:
        with serving(place, upstream, **environ) as service:
            look(place, service)

    async with SimIndex() as index:
        for name in ("app", "evil"):
            index.add_wheel(name, "1.0")
        await asyncio.to_thread(run, index.url)


def advised(place: Path) -> dict[str, str]:
    return {"INBOND_ADVISORIES__OWN__PATH": str(directory(place / "advisories", FILES))}


def documented(printed: str, service: Service) -> None:
    """Each line stands in the document, with the port that inbond has by default."""
    document = DOCUMENT.read_text()
    for line in printed.replace(service.origin, "http://127.0.0.1:8642").splitlines():
        assert line.strip() in document, f"not in {DOCUMENT.name}: {line}"


async def test_uv_installs_nothing_that_an_advisory_calls_malware(tmp_path: Path) -> None:
    def look(place: Path, service: Service) -> None:
        code, printed = uv_sync(project(place, from_pypi()), f"{service.origin}/-/osv/")
        assert code == 2
        assert "`evil==1.0`: MAL-2026-1" in printed
        assert "aborting sync" in printed
        documented(
            "\n".join(line for line in printed.splitlines() if line.startswith(("warning", "  - ", "error"))), service
        )
        assert not list(place.glob("project/.venv/lib/python3*/site-packages/app*"))

    await in_front_of(tmp_path, look, **advised(tmp_path))


async def test_uv_installs_nothing_where_nobody_can_tell(tmp_path: Path) -> None:
    def look(place: Path, service: Service) -> None:
        made = project(place, from_pypi())
        code, printed = uv_sync(made, f"{service.origin}/-/osv")
        assert code == 2
        assert "with the slash at the end" in printed
        code, printed = uv_sync(made, f"{service.origin}/-/osv/")
        assert code == 2
        assert "503 no advisories are configured, so inbond cannot tell what is known" in printed

    await in_front_of(tmp_path, look)


async def test_uv_audit_tells_what_is_known(tmp_path: Path) -> None:
    def look(place: Path, service: Service) -> None:
        made = project(place, service.index_url)
        command = [UV, "audit", "--frozen", "--preview-features", "audit-command", "--project", str(made)]
        flags = ["--service-url", f"{service.origin}/-/osv/", "--python-version", "3.11"]
        done = client(place, *command, *flags, **NOWHERE)
        assert done.returncode == 1
        for said in ("app 1.0 has 1 known vulnerability", "GHSA-aaaa-bbbb-cccc", "Fixed in: 2.0", "MAL-2026-1"):
            assert said in done.stdout, done.stdout + done.stderr

    await in_front_of(tmp_path, look, **advised(tmp_path))


@pytest.mark.network
@pytest.mark.timeout(600)
async def test_pip_audit_finds_a_vulnerability_and_fails_where_nobody_can_tell(tmp_path: Path) -> None:
    pip_audit = await asyncio.to_thread(environments.ready, "pip-audit")

    def audit(place: Path, service: Service) -> tuple[int, str, str]:
        (place / "requirements.txt").write_text("app==1.0\n")
        command = [str(pip_audit / "bin/pip-audit"), "--strict", "--progress-spinner", "off", "-r", "requirements.txt"]
        service_flags = ["-s", "osv", "--osv-url", f"{service.origin}/-/osv/v1/query"]
        done = client(place, *command, "--no-deps", "--disable-pip", *service_flags)
        return done.returncode, done.stdout, done.stderr

    def finds(place: Path, service: Service) -> None:
        code, table, told = audit(place, service)
        assert code == 1
        assert "Found 1 known vulnerability in 1 package" in told
        documented(table, service)

    def fails(place: Path, service: Service) -> None:
        code, table, told = audit(place, service)
        assert code == 1
        assert not table
        assert "503 Server Error: no advisories are configured" in told

    await in_front_of(tmp_path, finds, **advised(tmp_path))
    await in_front_of(tmp_path, fails)
