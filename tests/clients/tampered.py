"""Writes docs/tampered.md: what happens when a tampered file is offered, directly and through inbond.

    make tampered

Two attacks on a file that its maintainers signed: somebody on the way swaps its bytes, and somebody who holds the
index swaps bytes and digest. Each is offered to real clients from a simulated index; nothing leaves this machine but
for the clients' own environments.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from clients import terminal
from clients.environments import PLACE, TOP, UV, NotReady, interpreter, pinned, ready
from ports import free_port
from sim.index import SimIndex
from sim.index_dists import build_wheel
from sim.sigstore import GitHub
from stack import inbond, sigstore

PAGE: Final = TOP / "docs" / "tampered.md"
HONEST: Final = 'WHO = "released by acme/widgets"\n'
EVIL: Final = 'WHO = "NOT what acme/widgets released"\n'
RUN: Final = "import widgets; print(widgets.WHO)"
CLIENTS: Final = (("uv-0.7", "uv", "uv"), ("uv-newest", "uv", "uv"), ("pip-newest", "pip", "pip"))
ON_THE_WAY: Final = "Bytes swapped on the way"
AT_THE_INDEX: Final = "Bytes and digest swapped at the index"
# A release that nobody has to wait for.
CONFIG: Final = """
[server]
listen = "127.0.0.1:{port}"
[storage]
path = "{{data}}"
[upstreams.pypi]
url = "{{upstream}}"
[policies.default]
min_age = "0"
"""
HEAD: Final = """\
# A tampered file, directly and through inbond

Written by `make tampered` from real runs: a simulated index offers `widgets 1.0`, which its maintainers signed with
attestations (PEP 740), and which somebody has tampered with. What is shown is what the client printed, and then what
its environment runs.
"""
WHAT: Final = {
    ON_THE_WAY: "The index's page is right; the file's bytes are not those of the page's sha256. Some versions of uv"
    " install them.",
    AT_THE_INDEX: "Page and file agree with each other, so every digest check passes. Only the attestation tells: it"
    " was made for other bytes, and no installer looks at it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One install, and what runs afterwards."""

    attack: str
    client: str
    way: str
    lines: Sequence[str]
    runs: str


def main() -> None:
    """Runs all and writes the page."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        for name, _, _ in CLIENTS:
            ready(name)
    except NotReady as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as scratch:
        runs = [run for attack in WHAT for run in asyncio.run(_attacked(attack, Path(scratch) / attack))]
    PAGE.write_text("\n".join(_page(runs)))
    print(f"wrote {PAGE}")


async def _attacked(attack: str, scratch: Path) -> list[Run]:
    """Every client against one attack."""
    scratch.mkdir()
    honest, evil = (build_wheel("widgets", "1.0", module=module) for module in (HONEST, EVIL))
    async with SimIndex() as index:
        real = index.add_file("widgets", honest.filename, honest.content, metadata=honest.metadata)
        provenance = sigstore().provenance_for(real.filename, real.sha256, GitHub(owner="acme", repo="widgets"))
        file = index.add_file(
            "widgets", evil.filename, evil.content, metadata=evil.metadata, provenance=provenance,
            hashes={"sha256": real.sha256} if attack == ON_THE_WAY else None,
        )  # fmt: skip
        assert file.content != real.content
        config = CONFIG.format(port=free_port())
        async with inbond(scratch, index, config=config) as proxy:
            found = []
            for name, distribution, _ in CLIENTS:
                label = f"{distribution} {pinned(name, distribution)}"
                for way, url in (("directly", index.url), ("through inbond", f"{proxy.origin}/simple/")):
                    place = scratch / f"{name}-{way.replace(' ', '-')}"
                    run = await asyncio.to_thread(_install, name, url, place)
                    origin = proxy.origin
                    lines = [terminal.tidy(line, origin=origin, places={place: "…"}) for line in run.lines]
                    found.append(replace(run, attack=attack, client=label, way=way, lines=lines))
            return found


def _install(name: str, url: str, place: Path) -> Run:
    """Installs widgets into a new environment, and runs what came of it."""
    env, home = place / "env", place / "home"
    (home / "tmp").mkdir(parents=True)
    environ = terminal.bare(home)
    made = terminal.run([str(UV), "venv", "--quiet", "--python", interpreter(), str(env)], cwd=place, environ=environ)
    assert made.code == 0, made.text
    program = PLACE / name / "bin"
    command = (
        [str(program / "uv"), "pip", "install", "--no-progress", "--no-cache", "--python", str(env)]
        if name.startswith("uv")
        else [str(program / "python"), "-m", "pip", "--python", str(env), "install", "--no-cache-dir", "--no-input",
              "--progress-bar=off"]
    )  # fmt: skip
    printed = terminal.run([*command, "--index-url", url, "widgets"], cwd=place, environ=environ)
    runs = terminal.run([str(env / "bin" / "python"), "-c", RUN], cwd=place, environ=environ)
    lines = [line for line in printed.text.splitlines() if line.strip()]
    return Run(attack="", client="", way="", lines=lines, runs=runs.text.splitlines()[-1])


def _page(runs: Sequence[Run]) -> Iterator[str]:
    yield HEAD
    for attack, what in WHAT.items():
        mine = [run for run in runs if run.attack == attack]
        yield f"## {attack}\n\n{what}\n\n| client | directly | through inbond |\n|---|---|---|"
        for client in dict.fromkeys(run.client for run in mine):
            directly, through = (run for run in mine if run.client == client)
            yield f"| {client} | {_outcome(directly)} | {_outcome(through)} |"
        for run in mine:
            shown = "\n".join([*run.lines, f"$ python -c '{RUN}'", run.runs])
            yield f"\n### {attack}: {run.client}, {run.way}\n\n```text\n{shown}\n```"
        yield ""


def _outcome(run: Run) -> str:
    return "**installs it**" if "NOT what" in run.runs else "refused"


if __name__ == "__main__":
    main()
