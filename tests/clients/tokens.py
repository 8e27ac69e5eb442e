"""Writes the part of docs/access.md about clients: each of them installs with a token, in each of its usual ways.

    cd tests; python -m clients.tokens            # runs all and writes the part
    cd tests; python -m clients.tokens --check    # compares with the page instead

Every run has a home, a cache and an environment of its own; inbond is a whole one that nobody may read without a token.
The environments of the clients need a package index (`clients.environments`); everything else stays on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.samples import Sample

from clients.cases import CASES
from clients.environments import TOP, NotReady, ready
from clients.matrix import AT_ONCE, Cell, installed, into
from clients.terminal import SHOWN_ORIGIN, Printed, bare, run, tidy
from clients.token_ways import USER, WANTED, WAYS, Way
from inbond.access.secret import RANDOM_BYTES, digest_of, secret_of
from ports import free_port
from sim.index import SimIndex
from stack import Inbond, inbond

PAGE: Final = TOP / "docs" / "access.md"
BEGIN: Final = "<!-- Written by `make clients`. -->"
END: Final = "<!-- The end of what `make clients` writes. -->"
CONFIG: Final = """
[server]
listen = "127.0.0.1:{port}"
[storage]
path = "{{data}}"
[upstreams.pypi]
url = "{{upstream}}"
[policies.default]
min_age = "0"
[access]
readers = "granted"
[[access.tokens]]
name = "clients"
sha256 = "{digest}"
role = "reader"
indexes = ["root"]
"""
VERSION: Final = "1.0"
WITHOUT: Final = "without a token"
WRONG: Final = "with one that is not in force"
SHOWN_HOST: Final = SHOWN_ORIGIN.removeprefix("http://")
_TELLING: Final = re.compile(r"\b401\b|authori[sz]|credential", re.IGNORECASE)
_ERROR: Final = re.compile(r"ERROR: No|NotFound")
_BROKEN: Final = re.compile(r"^(hint: .*)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a run: the version that lies in its environment, and what the client said."""

    way: Way
    version: str | None
    code: int
    lines: Sequence[str]

    @property
    def installed(self) -> bool:
        """Whether it has what it was to install."""
        return self.code == 0 and self.version == VERSION

    @property
    def said(self) -> str:
        """What the client says of not being let in, else the line with its error."""
        text = _BROKEN.sub(r"\1 ", "\n".join(line.strip() for line in self.lines))  # uv 0.7 breaks its hint in two
        lines = text.split("\n")
        found = next((line for told in (_TELLING, _ERROR) for line in lines if told.search(line)), lines[-1])
        return found.replace(SHOWN_HOST, "inbond.example")


def main() -> None:
    """Runs every way, and writes or compares the part of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the page; write nothing")
    parser.add_argument("--only", action="append", help="run the ways of these clients only, and print what they say")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    ways = [way for way in WAYS if not options.only or way.client in options.only]
    try:
        for name in dict.fromkeys(way.client for way in ways):
            ready(name)
    except NotReady as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as scratch:
        results = asyncio.run(run_ways(ways, Path(scratch)))
    _hold(results)
    part = "\n".join(_part(results))
    if options.only:
        print(part)
    else:
        _page(part, check=options.check)


async def run_ways(ways: Sequence[Way], scratch: Path) -> list[Done]:
    """Every way with the token, then one of each client without, and with one that is not in force."""
    secret, other = (secret_of(bytes([byte]) * RANDOM_BYTES) for byte in (1, 2))
    ends = [
        (replace(way, name=name), token) for way in _one_each(ways) for name, token in ((WITHOUT, ""), (WRONG, other))
    ]
    config = CONFIG.format(port=free_port(), digest=digest_of(secret).hex())
    async with SimIndex() as index:
        file = index.add_wheel(WANTED, VERSION)
        async with inbond(scratch, index, config=config) as proxy:
            results = await _all([*((way, secret) for way in ways), *ends], scratch, proxy)
            sent = sum(one.value for one in _samples(proxy) if one.name == "inbond_file_bytes_total")
    # What lies in an environment could have come from elsewhere.
    assert sent >= len(file.content) * len(ways), f"only {sent} bytes were downloaded"
    return results


async def _all(todo: Sequence[tuple[Way, str]], scratch: Path, proxy: Inbond) -> list[Done]:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = await asyncio.gather(
            *(loop.run_in_executor(pool, _run, scratch / str(n), *one, proxy) for n, one in enumerate(todo)),
            return_exceptions=True,  # as in `clients.matrix`
        )
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return [end for end in ends if isinstance(end, Done)]


def _samples(proxy: Inbond) -> Iterator[Sample]:
    return (sample for metric in proxy.up.metrics.registry.collect() for sample in metric.samples)


def _one_each(ways: Sequence[Way]) -> list[Way]:
    """The way of each client that needs no more than a URL."""
    found: dict[str, Way] = {}
    for name in ("URL", "environment"):
        for way in ways:
            if way.name == name:
                found.setdefault(way.client, way)
    return sorted(found.values(), key=ways.index)


def _run(home: Path, way: Way, token: str, proxy: Inbond) -> Done:
    """One way, in a home, a project and an environment of its own."""
    project = home / "app"
    for place in (project, home / "tmp"):
        place.mkdir(parents=True)
    values = _values(proxy.origin, token, home)
    variables = {name: text.format_map(values) for name, text in {**way.variables, **way.unshown}.items()}
    environ = {**bare(home), **way.of.environ(values["index"], home)}
    for name in way.of.variables:
        environ.pop(name)
    environ.update({name: value for name, value in variables.items() if value})
    way.write(home, values)
    into(Cell(client=way.of, case=CASES[0], policy="allowed"), project, environ)
    printed = Printed(code=0, text="")
    for step in filter(None, (way.first, way.install)):
        words = [word.format_map(values) for word in step]
        printed = run(way.of.command(*words), cwd=project, environ=environ)
        if printed.code:
            break
    host = proxy.origin.removeprefix("http://")
    text = printed.text.replace(host, SHOWN_HOST)
    lines = [tidy(line, origin=proxy.origin, places={project: "~/app", home: "~"}) for line in text.split("\n")]
    shown = [line.replace(token, "TOKEN") if token else line for line in lines if line.strip()]
    return Done(way=way, version=installed(WANTED, project), code=printed.code, lines=shown)


def _values(origin: str, token: str, home: Path) -> Mapping[str, str]:
    host = origin.removeprefix("http://")
    signed = f"http://{USER}:{token}@{host}/simple/" if token else f"{origin}/simple/"
    return {
        "index": f"{origin}/simple/",
        "named": f"http://{USER}@{host}/simple/",
        "signed": signed,
        "host": host.partition(":")[0],
        "token": token,
        "home": str(home),
        "path": bare(home)["PATH"],
    }


def _hold(results: Sequence[Done]) -> None:
    """Ends with what is not as it must be."""
    wrong = [one for one in results if one.installed is (one.way.name in {WITHOUT, WRONG})]
    texts = [f"{one.way.client}, {one.way.name}: exit code {one.code}\n" + "\n".join(one.lines) for one in wrong]
    if texts:
        sys.exit("\n\n".join([*texts, f"{len(texts)} runs did not end as they must; nothing was written"]))


def _part(results: Sequence[Done]) -> Iterator[str]:
    yield "| client | way | what is set |\n|---|---|---|"
    for one in results:
        if one.way.name not in {WITHOUT, WRONG}:
            yield f"| {_label(one.way)} | {one.way.name} | {one.way.shown()} |"
    yield "\nWhat each prints without a token, and with one that is not in force:\n\n```text"
    for one in results:
        if one.way.name in {WITHOUT, WRONG}:
            yield f"# {_label(one.way)}, {one.way.name}\n{one.said}"
    yield "```"


def _label(way: Way) -> str:
    return f"{way.of.distribution} {way.of.version}"


def _page(part: str, *, check: bool) -> None:
    text = PAGE.read_text()
    before, begin, rest = text.partition(BEGIN)
    kept, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE} has no place for this: {BEGIN} … {END}")
    if check and kept.strip() != part:
        sys.exit(f"{PAGE} says otherwise than this run; `make clients` writes it anew:\n{part}")
    if not check:
        PAGE.write_text(f"{before}{BEGIN}\n\n{part}\n\n{END}{after}")
    print(f"{PAGE} holds" if check else f"wrote {PAGE}")


if __name__ == "__main__":
    main()
