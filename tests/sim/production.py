"""Real files, signed in production by the public Sigstore, with their provenance.

They are the test assets of pypi-attestations' own source distribution, which pip downloads: for tests that are
marked `network`, and for scripts that serve them from a simulated index.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOURCE: Final = "pypi-attestations==0.0.30"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionFile:
    """A distribution and its provenance; `path` is None where only the provenance is at hand."""

    filename: str
    sha256: str
    provenance: bytes
    path: Path | None
    signer: str  # as a publisher pattern is written
    issuer: str


@dataclass(frozen=True, slots=True)
class _Asset:
    filename: str
    parts: tuple[str, ...]  # suffixes of its provenance object, or of attestations to build one from
    publisher: dict[str, Any] | None
    signer: str
    issuer: str


def _github(repository: str) -> dict[str, Any]:
    return {"kind": "GitHub", "repository": repository, "workflow": "release.yml", "environment": None}


_GITHUB: Final = "https://token.actions.githubusercontent.com"
_OURS: Final = "trailofbits/pypi-attestations"
_MODELS: Final = "trailofbits/pypi-attestation-models"
_GITLAB: Final = "facutuesca/gitlab-oidc-project"
_CIRCLECI: Final = "fdd9283f-e619-46af-8f9c-851f7d3e8b2b@8e4f8ab2-8d7c-4827-9f15-de076d6d647f"
_EMAIL: Final = "919436158236-compute@developer.gserviceaccount.com"

_PRODUCTION: Final = (
    _Asset("pypi_attestations-0.0.19.tar.gz", ("provenance",), None, f"github:{_OURS}@release.yml", _GITHUB),
    _Asset(
        "pypi_attestation_models-0.0.4a2.tar.gz",
        ("attestation",),
        _github(_MODELS),
        f"github:{_MODELS}@release.yml",
        _GITHUB,
    ),
    _Asset(
        "gitlab_oidc_project-0.0.3.tar.gz",
        ("publish.attestation",),
        {"kind": "GitLab", "repository": _GITLAB, "workflow_filepath": ".gitlab-ci.yml", "environment": None},
        f"gitlab:{_GITLAB}@.gitlab-ci.yml",
        "https://gitlab.com",
    ),
    _Asset(
        "gcb_attestation_test-0.0.0.tar.gz",
        ("provenance",),
        None,
        f"google:{_EMAIL}",
        "https://accounts.google.com",
    ),
    _Asset(
        "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl",
        ("provenance",),
        None,
        f"circleci:{_CIRCLECI}",
        "https://oidc.circleci.com",
    ),
)
_WITH_SLSA: Final = _Asset(
    "pypi_attestations-0.0.19.tar.gz",
    ("publish.attestation", "slsa.attestation"),
    _github(_OURS),
    f"github:{_OURS}@release.yml",
    _GITHUB,
)
_ONLY_SLSA: Final = _Asset(
    "pypi_attestations-0.0.19.tar.gz",
    ("slsa.attestation",),
    _github(_OURS),
    f"github:{_OURS}@release.yml",
    _GITHUB,
)
# Signed by people, with the staging Sigstore; the publisher beside them is made up.
_STAGING: Final = tuple(
    _Asset(filename, ("publish.attestation",), _github("someone/something"), "", "https://github.com/login/oauth")
    for filename in (
        "rfc8785-0.1.2-py3-none-any.whl",
        "spt3g-1.0-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    )
)


def download_assets(directory: Path) -> Path:
    """Downloads and unpacks the source distribution with pip and its own settings; returns the assets' directory.

    Raises subprocess.CalledProcessError where the registry cannot be reached.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-binary", ":all:", "--dest", str(directory), SOURCE], check=True)
    (archive,) = directory.glob("pypi_attestations-*.tar.gz")
    with tarfile.open(archive) as unpacked:
        unpacked.extractall(directory, filter="data")
    (assets,) = directory.glob("pypi_attestations-*/test/assets")
    return assets


def production_files(assets: Path) -> tuple[ProductionFile, ...]:
    """Files of every kind of publisher (two of GitHub), each of which the public Sigstore vouches for."""
    return tuple(_read(assets, asset) for asset in _PRODUCTION)


def file_with_slsa(assets: Path) -> ProductionFile:
    """A file with SLSA provenance beside its publish attestation."""
    return _read(assets, _WITH_SLSA)


def file_with_only_slsa(assets: Path) -> ProductionFile:
    """The same without the publish attestation."""
    return _read(assets, _ONLY_SLSA)


def staging_files(assets: Path) -> tuple[ProductionFile, ...]:
    """Files that the staging Sigstore vouches for: keys that the production root does not hold."""
    return tuple(_read(assets, asset) for asset in _STAGING)


def _read(assets: Path, asset: _Asset) -> ProductionFile:
    path = assets / asset.filename
    documents = [json.loads((assets / f"{asset.filename}.{part}").read_bytes()) for part in asset.parts]
    provenance = (assets / f"{asset.filename}.{asset.parts[0]}").read_bytes()
    if asset.publisher is not None:
        bundle = {"publisher": asset.publisher, "attestations": documents}
        provenance = json.dumps({"version": 1, "attestation_bundles": [bundle]}).encode()
    return ProductionFile(
        filename=asset.filename,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else _attested_digest(documents[0]),
        provenance=provenance,
        path=path if path.exists() else None,
        signer=asset.signer,
        issuer=asset.issuer,
    )


def _attested_digest(attestation: dict[str, Any]) -> str:
    statement = json.loads(base64.b64decode(attestation["envelope"]["statement"]))
    return str(statement["subject"][0]["digest"]["sha256"])
