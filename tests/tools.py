"""Programs that some tests need besides Python: without them a test skips and says what is missing.

Where `REQUIRE_TOOLS` is set, as in CI, it fails instead.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

import pytest

TOOLS: Final = Path(__file__).parent.parent / ".tools" / "bin"


def tool(name: str) -> str:
    """The path of a program, from this environment, from `make tools`, or the machine's PATH."""
    places = (Path(sys.executable).parent, TOOLS)
    found = next((str(place / name) for place in places if (place / name).exists()), None) or shutil.which(name)
    if found is None:
        missing(f"{name} is not installed here")
    return found


def missing(reason: str) -> NoReturn:
    """Skips a test for want of what it needs; fails it where everything must be there."""
    if os.environ.get("REQUIRE_TOOLS"):
        pytest.fail(reason)
    pytest.skip(reason)
