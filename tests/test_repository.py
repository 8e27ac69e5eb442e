"""What holds for the repository as a whole."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from pip._internal.models.index import PyPI

TOP = Path(__file__).parent.parent
HOSTS = (PyPI.netloc, PyPI.file_storage_domain)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [TOP / name for name in listed.stdout.split("\0") if name]


def test_no_registry_is_named_anywhere() -> None:
    for path in tracked():
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            assert not [host for host in HOSTS if host in text], path


def test_requirements_are_pinned_with_hashes_and_without_addresses() -> None:
    for path in (TOP / "requirements").rglob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        pinned = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE)
        assert pinned
        assert text.count("==") >= len(pinned)
        for block in re.split(r"\n(?=[a-z])", text.strip()):
            assert "--hash=sha256:" in block, block[:60]


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/rules.md", "docs/design.md", "docs/adr/README.md"]
)
def test_links_lead_somewhere(document: str) -> None:
    text = (TOP / document).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (TOP / document).parent.joinpath(target).exists(), target


def test_files_named_in_the_readme_exist() -> None:
    text = (TOP / "README.md").read_text()
    named = re.findall(r"`((?:tests|docs|config|deploy|bench)/[\w./-]*)`", text)
    assert named
    for name in named:
        assert (TOP / name).exists(), name
