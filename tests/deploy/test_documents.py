"""The guides for whoever runs inbond: links lead somewhere, and configurations in them are ones that inbond takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.yaml_files import DEPLOY, anchors
from inbond.cli.config import load_config
from ways_in.markdown import blocks
from ways_in.programs import TOP

GUIDES = ("operations.md", "moving.md", "deploy.md", "enforcing.md")
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("name", GUIDES)
def test_links_lead_somewhere(name: str) -> None:
    document = TOP / "docs" / name
    for path, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in path:
            continue
        target = document.parent / path if path else document
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("name", GUIDES)
def test_configurations_are_ones_that_inbond_takes(name: str, tmp_path: Path) -> None:
    for block in blocks(TOP / "docs" / name):
        if block.file and block.language == "toml":
            file = tmp_path / "inbond.toml"
            credentials = tmp_path / "credentials"
            credentials.write_text("user:password")
            file.write_text(re.sub(r"file:/\S+?\.credentials", f"file:{credentials}", block.text))
            assert load_config(file=file, overrides={}, environ={}).indexes


def test_everything_in_deploy_is_told_of() -> None:
    """A file that nobody is told of is one that nobody finds."""
    told = "".join((TOP / "docs" / name).read_text(encoding="utf-8") for name in ("deploy.md", "operations.md"))
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix != ".dockerignore":  # which goes with the file of its name
            names = {str(one.relative_to(TOP)) for one in (path, *path.parents) if one.is_relative_to(DEPLOY)}
            assert any(f"../{name}" in told for name in names - {"deploy"}), path
