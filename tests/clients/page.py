"""docs/clients.md: the set-ups, the table, and the line in which each client says why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from clients.cases import BLOCKED, CASES, Act, Case, Stopped
from clients.client import Client
from clients.environments import PYTHON
from clients.families import CLIENTS
from clients.matrix import Cell, Result
from clients.shop import POLICIES
from clients.texts import HEAD, LEGEND, NOTES, PRINTED_NOTES, SET_UP_NOTES, UPLOADS
from clients.upload import Upload

_SHOWN: Final = 30  # last lines of what was printed, where an outcome is not the expected one
SHOWN_INDEX: Final = "https://inbond.example/simple/"
SECTIONS_THAT_COUNT: Final = ("Set-up", "Outcomes", "Uploads")  # what `make clients ARGS=--check` holds to the letter


def page(results: Sequence[Result], upload: Upload) -> str:
    """The whole page."""
    found = {(one.cell.client.name, one.cell.case.name, one.cell.policy): one for one in results}
    parts = [
        HEAD.format(python=PYTHON),
        "## Set-up\n",
        *_set_ups(),
        SET_UP_NOTES,
        "## Outcomes\n",
        LEGEND,
        *_table(found),
        "\n## What each prints\n",
        PRINTED_NOTES,
        *_printed(results),
        "## Uploads\n",
        UPLOADS.format(version=upload.version, command=upload.command, printed=upload.printed),
        NOTES,
    ]
    return "\n".join(parts)


def sections(text: str) -> dict[str, str]:
    """The text under each heading of the second level."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _set_ups() -> Iterator[str]:
    yield "| client | version | one line |\n|---|---|---|"
    for client in CLIENTS:
        line = client.set_up.format(index=SHOWN_INDEX)
        yield f"| {client.distribution} | {client.version} | `{line}` |"


def _table(found: Mapping[tuple[str, str, str], Result]) -> Iterator[str]:
    yield "| case | policy | " + " | ".join(client.label for client in CLIENTS) + " |"
    yield "|---|---|" + "---|" * len(CLIENTS)
    for case in CASES:
        for policy in POLICIES:
            if policy in case.expected:
                cells = (_cell(client, case, found.get((client.name, case.name, policy))) for client in CLIENTS)
                yield f"| {case.name} | {policy} | " + " | ".join(cells) + " |"


def _cell(client: Client, case: Case, result: Result | None) -> str:
    if result is not None:
        return str(result.outcome)
    if case.act is Act.HASHED and client.lock_files:
        return "as its lock"
    return "-"


def _printed(results: Iterable[Result]) -> Iterator[str]:
    order = {client.name: place for place, client in enumerate(CLIENTS)}
    stopped = [one for one in results if isinstance(one.outcome, Stopped) and one.cell.policy != "allowed"]
    for client in CLIENTS:
        mine = [one for one in stopped if one.cell.client is client]
        if not mine:
            continue
        yield f"### {client.label}\n\n```text"
        for one in sorted(mine, key=lambda one: (order[one.cell.client.name], _row(one.cell))):
            yield f"# {one.cell.case.name}, {one.cell.policy}\n{key_line(one.lines)}"
        yield "```\n"


def _row(cell: Cell) -> tuple[int, int]:
    return list(POLICIES).index(cell.policy), CASES.index(cell.case)


def key_line(lines: Sequence[str]) -> str:
    """The line in which the client says why, else its last one."""
    saying = [line.strip() for line in lines if BLOCKED in line]
    return saying[0] if saying else lines[-1].strip() if lines else "(nothing)"


def problems(results: Iterable[Result], expect: Mapping[tuple[str, str, str], object]) -> list[str]:
    """What is not as it must be, one text each with all that was printed."""
    texts = []
    for one in results:
        cell = one.cell
        wanted = expect[cell.client.name, cell.case.name, cell.policy]
        if one.outcome != wanted:
            printed = "\n".join(f"    {line}" for line in one.lines[-_SHOWN:])
            title = f"{cell.client.label}, {cell.case.name}, {cell.policy}"
            texts.append(f"{title}\n  expected: {wanted}\n  came:     {one.outcome}\n{printed}")
    return texts
