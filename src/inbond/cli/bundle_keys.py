"""The files of the keys that bundles are signed with and taken by."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from inbond.bundles.keys import PublicKey, SigningKey
from inbond.bundles.limits import MAX_KEY_FILE_BYTES
from inbond.cli.config import Config
from inbond.cli.whole_files import read_regular
from inbond.model.errors import ConfigurationError, InvalidBundle, OperatorFault

KEY_SUFFIX: Final = ".key"
PUBLIC_SUFFIX: Final = ".pub"
_PRIVATE_FILE: Final = 0o600
_PUBLIC_FILE: Final = 0o644


def make_pair(path: Path) -> tuple[Path, Path, str]:
    """Writes a new pair, the private half to `path`; both paths and the key's id. Never replaces a file."""
    private = path if path.suffix == KEY_SUFFIX else path.with_name(path.name + KEY_SUFFIX)
    public = private.with_suffix(PUBLIC_SUFFIX)
    for taken in (private, public):
        if os.path.lexists(taken):
            raise OperatorFault(
                f"{taken} is there already", remedy="name another: who loses a key cannot sign with it again"
            )
    key = SigningKey.generate()
    _write_new(private, key.pem, _PRIVATE_FILE)
    _write_new(public, key.public.pem, _PUBLIC_FILE)
    return private, public, key.public.id


def signing_key(path: Path) -> SigningKey:
    """The private key in a file. Raises `OperatorFault`."""
    return SigningKey.parse(_read(path))


def trusted_keys(config: Config, more: Iterable[Path] = ()) -> tuple[PublicKey, ...]:
    """The public keys that the configuration trusts, and those of more files. Raises `OperatorFault`."""
    paths = (*config.imports.keys, *more)
    if not paths:
        raise ConfigurationError(
            "no key is trusted here, and so no bundle is",
            remedy='put the sending side\'s public key into the configuration: [imports] keys = ["NAME.pub"]',
        )
    return tuple(public_key(path) for path in paths)


def public_key(path: Path) -> PublicKey:
    """The public key in a file. Raises `OperatorFault`."""
    try:
        return PublicKey.parse(_read(path))
    except InvalidBundle as error:
        raise InvalidBundle(f"{path}: {error.message}", remedy=error.remedy) from error


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise OperatorFault(
            f"the key {path} cannot be read: {error.strerror or error}",
            remedy="inbond bundle keygen makes a pair: --key of an export names NAME.key, [imports] keys name NAME.pub",
        ) from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fsync(handle)
    except OSError as error:
        raise OperatorFault(f"{path} cannot be written: {error.strerror or error}") from error
