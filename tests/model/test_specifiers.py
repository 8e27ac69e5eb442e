from __future__ import annotations

import pytest
from packaging.version import Version

from inbond.model import specifiers


@pytest.mark.parametrize(
    ("specifier", "version", "named"),
    [
        ("==1.0", "1.0.0", True),
        (">=1,<2", "2.0", False),
        (">=1,<2", "1.9rc1", True),  # a pre-release is a version like others
        ("==1.*", "1.5", True),
        ("!=1.0", "1.0", False),
    ],
)
def test_a_specifier_names_versions(specifier: str, version: str, named: object) -> None:
    assert specifiers.names(specifier, Version(version)) is named
