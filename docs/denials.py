"""Writes docs/denials.md: what pip and uv really print when a file is denied or held.

    make denials

Starts a simulated index and an inbond in front of it, and runs the pip and uv of this environment against them, each
case in directories and caches of its own. All traffic stays on this machine.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from clients import terminal
from clients.shop import CONFIG
from ports import free_port
from sim.index import SimIndex
from stack import inbond

ALLOWED = ""
DENIED = '[policies.default]\ndeny = ["demo==2.0"]\n'
HELD = "[policies.default]\n"
BIN = Path(sys.executable).parent
EXPLAINED = {
    "unpinned": "`demo`: the resolver passes over the marked release and takes the version before.",
    "pinned": "`demo==2.0`: the reason, from the refused core metadata.",
    "a range": "`demo>=2`: nothing else fits.",
    "with hashes": "`demo==2.0 --hash=…`: the reason, from the refused file.",
    "uv.lock": "`uv sync --frozen`: the page is never asked for; the file itself is refused.",
    "pylock.toml": "the same from a PEP 751 lock.",
}


@dataclass
class Case:
    """One install by one client, and what came of it."""

    name: str
    client: str
    output: str
    code: int
    installed: str


def main() -> None:
    """Runs all cases and writes the file."""
    with tempfile.TemporaryDirectory() as scratch:
        text = asyncio.run(document(Path(scratch)))
    (HERE / "denials.md").write_text(text)
    print(f"wrote {HERE / 'denials.md'}")


async def document(scratch: Path) -> str:
    """The page."""
    for name in ("locks", "before"):
        for title in WHAT:
            (scratch / title.lower() / name / "tmp").mkdir(parents=True)
    parts = [HEAD.format(pip=version_of("pip"), uv=version_of("uv"))]
    for title, config, young in (("Denied", DENIED, False), ("Held", HELD, True)):
        cases = await cases_under(scratch / title.lower(), config, young=young)
        parts.append(f"## {title}\n\n{WHAT[title]}\n")
        parts.append(table(cases))
        for case in cases:
            body = case.output or "(nothing)"
            parts.append(f"### {title}, {case.name}, {case.client}\n\n```text\n{body}\n```\n")
    return "\n".join(parts)


async def cases_under(scratch: Path, config: str, *, young: bool) -> list[Case]:
    """Every install against one policy, with locks made while the release was still allowed."""
    port = free_port()
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        index.add_wheel("demo", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=1) if young else None)
        open_config = CONFIG.format(port=port) + '[policies.default]\nmin_age = "0"\n'
        async with inbond(scratch / "before", index, config=open_config) as proxy:
            await asyncio.to_thread(make_locks, scratch / "locks", proxy.origin)
        async with inbond(scratch, index, config=CONFIG.format(port=port), more=config) as proxy:
            cases = []
            for number, (name, client, command) in enumerate(commands(scratch / "locks", proxy.origin)):
                place = scratch / f"case{number}"
                cases.append(await asyncio.to_thread(run_case, place, name, client, command, proxy.origin))
            return cases


def make_locks(place: Path, origin: str) -> None:
    """uv.lock, pylock.toml and a requirements file with hashes, all naming demo 2.0."""
    (place / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["demo"]\n'
    )
    quiet(["uv", "lock"], place, origin)
    quiet(["uv", "export", "--quiet", "--format", "pylock.toml", "-o", "pylock.toml"], place, origin)
    quiet(["uv", "export", "--quiet", "--no-emit-project", "-o", "requirements.txt"], place, origin)


def commands(locks: Path, origin: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, client and command of each case; `{env}` and `{place}` are put in later."""
    index = f"{origin}/simple/"
    pip = [str(BIN / "python"), "-m", "pip", "--python", "{env}", "install", "--no-input", "--index-url", index]
    uv = [str(BIN / "uv"), "pip", "install", "--python", "{env}", "--default-index", index]
    for name, wanted in (("unpinned", "demo"), ("pinned", "demo==2.0"), ("a range", "demo>=2")):
        yield name, "pip", [*pip, wanted]
        yield name, "uv", [*uv, wanted]
    hashed = ["--require-hashes", "-r", str(locks / "requirements.txt")]
    yield "with hashes", "pip", [*pip, *hashed]
    yield "with hashes", "uv", [*uv, *hashed]
    yield "uv.lock", "uv", [str(BIN / "uv"), "sync", "--frozen", "--no-install-project", "--project", "{place}"]
    if pip_reads_pylock():
        yield "pylock.toml", "pip", [*pip, "-r", str(locks / "pylock.toml")]
    yield "pylock.toml", "uv", [*uv[:3], "--python", "{env}", "-r", str(locks / "pylock.toml")]


def run_case(place: Path, name: str, client: str, command: list[str], origin: str) -> Case:
    """Installs into a new environment and looks what came of it."""
    shutil.copytree(place.parent / "locks", place)
    (place / "tmp").mkdir(exist_ok=True)
    env = place / ".venv"
    quiet(["uv", "venv", "--python", sys.executable, str(env)], place, origin)
    filled = [part.format(env=env, place=place) for part in command]
    result = subprocess.run(
        filled, cwd=place, env=clean(place, origin), capture_output=True, text=True, timeout=180, check=False
    )
    shown = [line for line in (result.stdout + result.stderr).splitlines() if line.strip() and not noise(line)]
    output = "\n".join(tidy(line, place, origin) for line in shown)
    found = sorted(env.glob("lib/python3*/site-packages/demo-*.dist-info"))
    installed = found[0].name.removeprefix("demo-").removesuffix(".dist-info") if found else "nothing"
    return Case(name, client, output, result.returncode, installed)


def quiet(command: list[str], place: Path, origin: str) -> None:
    """A step that must succeed."""
    program = [str(BIN / command[0]), *command[1:]]
    done = subprocess.run(
        program, cwd=place, env=clean(place, origin), capture_output=True, text=True, timeout=180, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


def clean(place: Path, origin: str) -> dict[str, str]:
    """An environment in which only inbond is known."""
    return {
        **terminal.bare(place),
        "COLUMNS": "200",
        "UV_DEFAULT_INDEX": f"{origin}/simple/",
        "UV_CACHE_DIR": str(place / "uv-cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON": sys.executable,
    }


def noise(line: str) -> bool:
    """Lines that say nothing about the matter."""
    return line.startswith(("Using Python", "Using CPython", "Creating virtual", "Looking in indexes"))


def tidy(line: str, place: Path, origin: str) -> str:
    """A line without what differs from run to run."""
    return terminal.tidy(line, origin=origin, places={place: "~", place.parent: "~"})


def table(cases: list[Case]) -> str:
    """The cases at a glance."""
    rows = ["| install | client | exit code | installed | reason shown |", "|---|---|---|---|---|"]
    for case in cases:
        shown = "yes" if "Blocked by policy" in case.output else "no"
        rows.append(f"| {case.name} | {case.client} | {case.code} | {case.installed} | {shown} |")
    notes = "\n".join(f"- **{name}**: {text}" for name, text in EXPLAINED.items())
    return "\n".join(rows) + f"\n\n{notes}\n"


def version_of(client: str) -> str:
    """A client's version."""
    command = [str(BIN / "python"), "-m", "pip", "--version"] if client == "pip" else [str(BIN / "uv"), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]


def pip_reads_pylock() -> bool:
    """Whether this pip takes PEP 751 locks (26.1 and later)."""
    major, minor, *_ = (int(part) for part in version_of("pip").split("."))
    return (major, minor) >= (26, 1)


WHAT = {
    "Denied": 'The policy has `deny = ["demo==2.0"]`; demo 1.0 is allowed.',
    "Held": "demo 2.0 was uploaded an hour ago; the default cooldown of 24 hours holds it. demo 1.0 is allowed.",
}
HEAD = """# What pip and uv print

Written by `make denials` from real runs of pip {pip} and uv {uv} against inbond in front of a simulated index. Times,
ports and digests in paths are made uniform. A file that the policy stops stays on its page, marked as yanked with the
reason, and is refused with 403: resolvers fall back to what is allowed, everything else reaches the explanation.
"""

if __name__ == "__main__":
    main()
