"""Writes docs/faults.md: faults injected on purpose, and what came of each.

    make faults            the short form, a few minutes
    make faults LONG=1     the long form, whose figures stand in the document

Fails where something wrong was served, or something acknowledged was lost. Each part is a module of tests/faults with a
function `run`, which the tests call too.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

MAX_TOLD: Final = 20  # wrong things of one part
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from faults.table import Scale, Table

PARTS: Final = ("operations", "kills", "starting", "flips", "upstream", "full_disk", "storm", "soak")
MARK: Final = "<!-- part: {} -->\n"
TARGET: Final = HERE / "faults.md"
HEAD: Final = """\
# Faults, and what came of them

inbond promises that no wrong byte is ever completed to a client, that what it acknowledged is not lost, and that an
index never goes back. Here these are put to the test: files, processes, machines and upstreams are made to fail on
purpose, and every answer is compared with the truth.

`make faults` runs the short form, which the tests run too; `make faults LONG=1` runs the long form and writes this
page, `PARTS="flips storm"` some of its parts. What stands here was measured by the long form; parts that do not stand
here have been run in their short form only.
"""


def main() -> int:
    """Runs the parts that are named, or all."""
    parser = argparse.ArgumentParser(description="Inject faults, and see what comes of each.")
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--long", action="store_true", help="as much as the document tells of")
    given = parser.parse_args()
    tables = {part: ran(part, Scale.LONG if given.long else Scale.SHORT) for part in given.parts}
    for part, table in tables.items():
        for wrong in table.wrong[:MAX_TOLD]:
            print(f"WRONG in {part}: {wrong}", file=sys.stderr)
    if given.long:
        sections = {**written(TARGET), **{part: table.markdown() for part, table in tables.items()}}
        TARGET.write_text(
            HEAD + "".join(f"\n{MARK.format(part)}{sections[part]}" for part in PARTS if part in sections)
        )
        print(f"wrote {TARGET}")
    return 1 if any(table.wrong for table in tables.values()) else 0


def written(target: Path) -> dict[str, str]:
    """The sections that stand in the document, by part: those that are not tried now stay."""
    text = target.read_text() if target.exists() else ""
    found = re.split(r"\n" + MARK.format(r"(\w+)").strip() + r"\n", text)
    return dict(zip(found[1::2], found[2::2], strict=True))


def ran(part: str, scale: Scale) -> Table:
    """The table of one part, told on the screen as well."""
    run: Callable[[Scale, Path], Table] = import_module(f"faults.{part}").run
    with tempfile.TemporaryDirectory(prefix=f"inbond-{part}-") as scratch:
        table = run(scale, Path(scratch))
    print(table.markdown(), flush=True)
    return table


if __name__ == "__main__":
    sys.exit(main())
