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
        ("==1.0", "1.0+local", True),
    ],
)
def test_a_specifier_names_versions(specifier: str, version: str, named: object) -> None:
    assert specifiers.names(specifier, Version(version)) is named


@pytest.mark.parametrize(
    ("specifier", "version", "named"),
    [
        ("==1.0", "1.0+local", False),  # other than PEP 440 has it: nobody has looked at that one
        ("==1.0+local", "1.0+local", True),
        ("==1.0+local", "1.0", False),
        ("===1.0", "1.0", True),
        ("===1.0", "1.0+local", False),
        ("==1.*", "1.5+local", True),
        ("<=1.0", "1.0+local", True),
        ("==1.0,<2", "1.0+local", True),
        ("==1.0", "1.0.0", True),
        ("==1.0", "1.1", False),
    ],
)
def test_a_single_version_can_be_meant_exactly(specifier: str, version: str, named: object) -> None:
    assert specifiers.names_exactly(specifier, Version(version)) is named
