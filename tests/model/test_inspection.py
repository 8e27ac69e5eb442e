from __future__ import annotations

import pytest

from inbond.model.inspection import inspectable
from inbond.model.names import Filename


@pytest.mark.parametrize(
    ("filename", "looked_into"),
    [("demo-1.0-py3-none-any.whl", True), ("demo-1.0.ZIP", True), ("demo-1.0.tar.gz", False)],
)
def test_what_has_a_directory_is_looked_into(filename: str, looked_into: bool) -> None:
    assert inspectable(Filename(filename)) is looked_into
