"""The keys that are in force, as sigstore takes them: those it can use, with no windows left in them, and read once.

sigstore leaves out keys whose window has not begun by the wall clock, at the moment it reads them; which keys count was
decided before (`inbond.attest.root`), by the time of the signature. And it reads them anew for every signature.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sigstore._internal.trust import CTKeyring, Key, KeyringPurpose, RekorKeyring  # as the methods here are annotated
from sigstore.errors import VerificationError
from sigstore.models import TrustedRoot
from sigstore_models.common.v1 import PublicKey, TimeRange
from sigstore_models.trustroot import v1

_ALWAYS: Final = TimeRange(start=datetime(1970, 1, 1, tzinfo=UTC))

_PASSED_OVER: Final = "unsupported key type"  # how sigstore begins to say so


class FixedRoot(TrustedRoot):
    """A trusted root all of whose keys are in force. Raises what `TrustedRoot` does where it is none."""

    def __init__(self, inner: v1.TrustedRoot) -> None:
        super().__init__(_without_windows(inner))
        self._rekor_keys = super().rekor_keyring(KeyringPurpose.VERIFY)
        self._ct_keys = super().ct_keyring(KeyringPurpose.VERIFY)

    def rekor_keyring(self, purpose: KeyringPurpose) -> RekorKeyring:  # noqa: ARG002 (nothing is signed here)
        """The transparency logs' keys."""
        return self._rekor_keys

    def ct_keyring(self, purpose: KeyringPurpose) -> CTKeyring:  # noqa: ARG002 (nothing is signed here)
        """The certificate transparency logs' keys."""
        return self._ct_keys


def usable(inner: v1.TrustedRoot) -> v1.TrustedRoot:
    """The root without the logs' keys of types that sigstore passes over: of what they signed nothing can be judged.

    Raises VerificationError for a key that is damaged.
    """
    return inner.model_copy(
        update={
            "ctlogs": [each for each in inner.ctlogs if _is_used(each.public_key)],
            "tlogs": [each for each in inner.tlogs if _is_used(each.public_key)],
        }
    )


def _is_used(key: PublicKey) -> bool:
    try:
        Key(key)
    except VerificationError as error:
        if str(error).startswith(_PASSED_OVER):
            return False
        raise
    return True


def _without_windows(inner: v1.TrustedRoot) -> v1.TrustedRoot:
    return inner.model_copy(
        update={
            "certificate_authorities": [
                each.model_copy(update={"valid_for": _ALWAYS}) for each in inner.certificate_authorities
            ],
            "ctlogs": [each.model_copy(update={"public_key": _open(each.public_key)}) for each in inner.ctlogs],
            "tlogs": [each.model_copy(update={"public_key": _open(each.public_key)}) for each in inner.tlogs],
        }
    )


def _open(key: PublicKey) -> PublicKey:
    return key.model_copy(update={"valid_for": _ALWAYS})
