from __future__ import annotations

import pytest

from store.heard import Heard


@pytest.fixture
def events() -> Heard:
    return Heard()
