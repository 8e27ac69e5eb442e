"""The first person to ask for a project whose newest release is bad, or not checked yet, gets the older one.

Real pip and uv against a real `inbond serve`; nobody has asked for the project before them.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from e2e.service import Service, new_environment, pip, serving, until, uv
from sim.index import SimIndex, Slow

Install = Callable[..., CompletedProcess[str]]
both = pytest.mark.parametrize("install", [pip, uv], ids=["pip", "uv"])

# No file is held for its age alone: what keeps the newest release out is its provenance and nothing else.
POLICY = """
[policies.default]
min_age = "0"
listing = "{listing}"
[trust.public]
root = "bundled"
"""
SLOW = 3.5  # seconds, above the two that a page waits


# Else the newest release may have been looked at ahead by then, and it is left to chance who is refused.
NOT_AHEAD = """
[upstreams.pypi]
ahead = false
"""


def config(place: Path, listing: str, *, besides: str = "") -> str:
    file = place / "inbond.toml"
    file.write_text(POLICY.format(listing=listing) + besides)
    return str(file)


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def installed(install: Install, place: Path, service: Service, name: str, what: str = "app") -> tuple[str, str]:
    """The version that an installation ends with, "" for none, and what was printed."""
    env = new_environment(place, name)
    done = install(place, env, service.index_url, what)
    found = list(env.glob("lib/python3*/site-packages/app-*.dist-info"))
    assert bool(found) == (done.returncode == 0), done.stdout + done.stderr
    return (found[0].name.split("-")[1].removesuffix(".dist") if found else ""), done.stdout + done.stderr


def metrics(service: Service) -> str:
    with urllib.request.urlopen(f"{service.origin}/metrics", timeout=60) as response:
        text: str = response.read().decode()
        return text


@both
async def test_a_rejected_release_is_passed_over_by_who_asks_first(install: Install, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        index.add_wheel("app", "2.0", provenance=b"not json", upload_time=an_hour_ago())

        def first() -> None:
            with serving(tmp_path, index.url, "--config", config(tmp_path, "settled")) as service:
                assert installed(install, tmp_path, service, "first")[0] == "1.0"

        await asyncio.to_thread(first)
        assert index.count("provenance") == 1


@both
async def test_a_release_that_is_not_checked_in_time_is_passed_over_until_it_is(
    install: Install, tmp_path: Path
) -> None:
    """Its page says nothing of provenance; that it has none is known only when the index has said so."""
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        index.add_wheel("app", "2.0", claim="silent", upload_time=an_hour_ago())
        index.fault("/integrity/*", Slow(delay=SLOW))

        def first_and_next() -> None:
            with serving(tmp_path, index.url, "--config", config(tmp_path, "settled")) as service:
                assert installed(install, tmp_path, service, "first")[0] == "1.0"
                until(lambda: "inbond_settled_files_total{" in metrics(service))
                assert installed(install, tmp_path, service, "next")[0] == "2.0"

        await asyncio.to_thread(first_and_next)
        assert index.count("provenance") == 1


@both
async def test_lazy_refuses_the_first_person_and_the_next_gets_the_older_one(install: Install, tmp_path: Path) -> None:
    """What `lazy` costs: nobody has looked at the newest release before somebody wants its bytes."""
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        index.add_wheel("app", "2.0", provenance=b"not json", upload_time=an_hour_ago())

        def first_and_next() -> None:
            with serving(tmp_path, index.url, "--config", config(tmp_path, "lazy", besides=NOT_AHEAD)) as service:
                version, printed = installed(install, tmp_path, service, "first")
                assert version == ""
                assert "attestations" in printed
                assert installed(install, tmp_path, service, "next")[0] == "1.0"

        await asyncio.to_thread(first_and_next)
        assert index.count("provenance") == 1
