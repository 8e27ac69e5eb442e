"""Writes docs/evidence.md: every row of the evidence table with files that were really signed, through inbond.

    make evidence

Downloads, with pip, a source distribution whose test assets are files signed in production by the public Sigstore;
serves them from a simulated index, untouched and tampered with; asks inbond for its verdict under three policies, and
runs pip and uv where the default policy stops the file.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from denials import BIN, run_case, version_of

from inbond.gateway.trust import bundled_root_path
from sim.index import Fault, HangUp, SimIndex, Status
from sim.production import (
    ProductionFile,
    download_assets,
    file_with_only_slsa,
    production_files,
    staging_files,
)
from stack import THREE_POLICIES, Inbond, LocalVerifier, inbond


@dataclass(frozen=True)
class Row:
    """A file as the simulated index shows it."""

    name: str
    file: ProductionFile
    content: bytes | None = None  # None: the real bytes, or only their digest where the assets have no more
    claim: str = "api"  # what the page says: the Integrity API's URL, "null" or "silent"
    fault: Fault | None = None


def rows(assets: Path) -> Iterator[Row]:
    """The table."""
    real = list(production_files(assets))
    for file in real:
        yield Row(f"signed in production by `{file.signer}`", file)
    base = real[0]
    yield Row("the same provenance beside other bytes", base, content=b"other bytes")
    renamed = base.filename.replace("0.0.19", "0.0.20")
    yield Row("the same provenance beside another filename", replace(base, filename=renamed))
    yield Row("under another publisher", replace(base, provenance=edited(base.provenance, rename)))
    yield Row("under an unknown kind of publisher", replace(base, provenance=edited(base.provenance, unknown)))
    yield Row("provenance truncated", replace(base, provenance=base.provenance[:-100]))
    yield Row("provenance empty", replace(base, provenance=b""))
    yield Row("provenance that is not JSON", replace(base, provenance=b"<html>hello</html>"))
    yield Row("provenance without an attestation", replace(base, provenance=edited(base.provenance, emptied)))
    yield Row("signed by the staging Sigstore", staging_files(assets)[0])
    yield Row("only an SLSA attestation", file_with_only_slsa(assets))
    yield Row("Integrity API answers 403", base, fault=Status(403))
    yield Row("Integrity API answers 500", base, fault=Status(500))
    yield Row("Integrity API hangs up", base, fault=HangUp())
    yield Row("Integrity API answers 404 although the page names it", base, fault=Status(404))
    yield Row("the page claims nothing, the Integrity API answers 404", base, claim="silent", fault=Status(404))
    yield Row("the page claims nothing, the Integrity API has it", base, claim="silent")
    yield Row("the page says null", base, claim="null")


def edited(provenance: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Provenance with its first bundle changed."""
    document = json.loads(provenance)
    change(document["attestation_bundles"][0])
    return json.dumps(document).encode()


def rename(bundle: dict[str, Any]) -> None:
    """Somebody else's repository."""
    bundle["publisher"]["repository"] = "someone/else"


def unknown(bundle: dict[str, Any]) -> None:
    """A kind that is not known yet."""
    bundle["publisher"]["kind"] = "Forgejo"


def emptied(bundle: dict[str, Any]) -> None:
    """Nothing in it."""
    bundle["attestations"] = []


def main() -> None:
    """Runs every row and writes the file."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "assets").mkdir()
        table = list(rows(download_assets(place / "assets")))
        for number in range(len(table)):
            (place / str(number) / "locks").mkdir(parents=True)
        results = [asyncio.run(seen(place / str(number), row)) for number, row in enumerate(table)]
    (HERE / "evidence.md").write_text(as_markdown(table, results))
    print(f"wrote {HERE / 'evidence.md'}")


@dataclass
class Seen:
    """What came of a row."""

    state: str
    reason: str
    identity: str
    decisions: tuple[str, ...]
    bytes_came: str
    outputs: dict[str, str]


async def seen(place: Path, row: Row) -> Seen:
    """Verdicts under the three policies, the download, and the installers' words."""
    file = row.file
    project, version = file.filename.split("-")[:2]
    version = version.removesuffix(".tar.gz")
    real = await asyncio.to_thread(file.path.read_bytes) if file.path is not None else b"not at hand"
    content = row.content if row.content is not None else real
    untouched = row.content is None
    async with SimIndex() as index:
        claim: dict[str, Any] = {"null": {"claim": None}, "silent": {"claim": "silent"}, "api": {}}[row.claim]
        added = index.add_file(
            project, file.filename, content, version=version, provenance=file.provenance,
            hashes={"sha256": file.sha256} if untouched else None, **claim,
        )  # fmt: skip
        if row.fault is not None:
            index.fault(added.provenance_path, row.fault)
        verifier = LocalVerifier(root=bundled_root_path().read_bytes())
        async with inbond(place, index, more=THREE_POLICIES, verifier=verifier) as proxy:
            verdicts = [await proxy.verdict(added.project, added.filename, name) for name in ("off", "root", "require")]
            status, body, _ = await proxy.get(added.path)
            came = f"{status}" if status != 200 else f"200, {'the bytes' if body == content else 'WRONG BYTES'}"
            if file.path is None and untouched:
                came = "not at hand"
            outputs = {}
            if verdicts[1]["decision"] != "allow":
                outputs = await asyncio.to_thread(installers, place, proxy, f"{added.project}=={version}")
    evidence = verdicts[1]["evidence"]
    proven = [a["identity"]["name"] for a in evidence["attestations"] if a["identity"]]
    return Seen(
        evidence["state"],
        evidence["reason"] or "",
        ", ".join(dict.fromkeys(proven)),
        tuple(verdict["decision"] for verdict in verdicts),
        came,
        outputs,
    )


def installers(place: Path, proxy: Inbond, wanted: str) -> dict[str, str]:
    """What pip and uv print for a pinned install."""
    index = f"{proxy.origin}/simple/"
    pip = [str(BIN / "python"), "-m", "pip", "--python", "{env}", "install", "--no-deps", "--index-url", index, wanted]
    uv = [str(BIN / "uv"), "pip", "install", "--python", "{env}", "--no-deps", "--default-index", index, wanted]
    both = (("pip", pip), ("uv", uv))
    return {name: run_case(place / name, wanted, name, command, proxy.origin).output for name, command in both}


def as_markdown(table: list[Row], results: list[Seen]) -> str:
    """The page."""
    lines = [
        HEAD.format(pip=version_of("pip"), uv=version_of("uv")),
        "| what the index shows | state | identity proven | off | if-present | require | download, if-present |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, one in zip(table, results, strict=True):
        reason = re.sub(r"127\.0\.0\.1:\d+", "index.example", one.reason)
        state = f"{one.state}: {reason}" if reason else one.state
        proven = f"`{one.identity}`" if one.identity else ""
        lines.append(f"| {row.name} | {state} | {proven} | {' | '.join(one.decisions)} | {one.bytes_came} |")
    for row, one in zip(table, results, strict=True):
        for client, output in one.outputs.items():
            lines += ["", f"### {row.name}: {client}", "", "```text", output, "```"]
    return "\n".join(lines) + "\n"


HEAD = """# The evidence table, with files that were really signed

Written by `make evidence`: files signed in production on GitHub, GitLab, Google Cloud Build and CircleCI, and the same
tampered with, through inbond from a simulated index, verified against the trusted root that sigstore ships. Decisions
are those of policies with `attestations` off, if-present (the default) and require, all else at its default. Below the
table stands what pip {pip} and uv {uv} print for a pinned install of what the default policy stops. Of some files the
provenance is at hand and not the bytes.
"""

if __name__ == "__main__":
    main()
