"""What is read of deploy/ and its guides. YAML by the library that `make tools` installs: inbond has no use for one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from tools import tool
from ways_in.programs import TOP, run_well

DEPLOY: Final = TOP / "deploy"
_READ: Final = (
    "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8'))), sys.stdout,"
    " default=str)"
)


def documents(path: Path) -> list[Any]:
    """Every document of a file; a test that calls it skips where the library is not there."""
    python = Path(tool("kubernetes-validate")).parent / "python"
    read: list[Any] = json.loads(run_well([python, "-c", _READ, path], cwd=TOP, env={}))
    return read


def document(path: Path) -> Any:
    """The one document of a file."""
    (only,) = documents(path)
    return only


def anchors(document: Path) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"(?m)^#+ (.+)$", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
