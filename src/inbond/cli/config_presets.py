"""What comes with inbond: the preset files, and the preset upstream."""

from __future__ import annotations

import ast
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import inbond
from inbond.cli.config_fields import IMPORTS, PYPI
from inbond.model.errors import ConfigurationError

# Each stands in the file of its name, as the policy of its name.
PRESET_POLICIES: Final = frozenset({"baseline", "team", "strict", "airgap"})
# Stands for the address of an upstream that is fed by imports until one says where its pages were (RFC 6761, 6.4).
NOWHERE: Final = "https://imports.invalid/simple/"
_PACKAGE: Final = Path(inbond.__file__).parent


def preset_path(name: str) -> Path:
    """The file `NAME.toml` that comes with inbond. Raises `ConfigurationError` where it is missing.

    A wheel carries the files inside the package; in a checkout they stand in `config/`.
    """
    places = (_PACKAGE / "presets", _PACKAGE.parent.parent / "config")
    for path in (place / f"{name}.toml" for place in places):
        if path.is_file():
            return path
    raise ConfigurationError(f"the file {name}.toml, which comes with inbond, is missing", remedy="install inbond anew")


def written_predicate_type() -> str | None:
    """The publish predicate type as the library's source defines it, read without importing it; None where not found.

    Importing takes most of a second, which a command whose answers are all kept would not need otherwise.
    """
    spec = find_spec("pypi_attestations")
    if spec is None or spec.origin is None:
        return None
    with suppress(OSError, SyntaxError, ValueError):
        tree = ast.parse((Path(spec.origin).parent / "_impl.py").read_bytes())
        for kind in (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "AttestationType"):
            for line in kind.body:
                match line:
                    case ast.Assign(targets=[ast.Name(id="PYPI_PUBLISH_V1")], value=ast.Constant(value=str() as found)):
                        return found
    return None


def written_index_url(url: str) -> str | None:
    """As `resolve_preset`, by what `written_predicate_type` finds; None where it finds nothing of use."""
    try:
        return resolve_preset(url, (written_predicate_type() or "") if url == PYPI else "")
    except ConfigurationError:
        return None


def resolve_preset(url: str, publish_predicate_type: str) -> str:
    """The index URL that an upstream's `url` stands for; anything but the preset `pypi` stands for itself.

    `publish_predicate_type` is the predicate type of PyPI's publish attestation (PEP 740). It is a URL on a host of
    the index's documentation, and the parent domain of that host is the index. Raises `ConfigurationError`.
    """
    if url == IMPORTS:
        return NOWHERE
    if url != PYPI:
        return url
    host = urlsplit(publish_predicate_type).hostname or ""
    _, _, domain = host.partition(".")
    if "." not in domain:
        raise ConfigurationError(
            f"the preset {PYPI!r} cannot be derived from {publish_predicate_type!r}",
            remedy="write the index URL into upstreams.pypi.url",
        )
    return f"https://{domain}/simple/"
