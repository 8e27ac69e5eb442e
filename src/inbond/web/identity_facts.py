"""What a certificate proves, for programs and for people: every field, under one set of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from inbond.model.forge_uris import after_host
from inbond.model.publisher import SigningIdentity

_LEGACY: Final = "legacy_"
_OLDER_FORM: Final = "older form"


def identity_json(identity: SigningIdentity) -> dict[str, str | None]:
    """An identity, ready to encode: `name` as a publisher pattern is written, then every field but the forge."""
    keys = [field.name for field in fields(identity) if field.name != "forge"]
    return {"name": str(identity), **{key: getattr(identity, key) for key in keys}}


def identity_facts(identity: Mapping[str, str | None]) -> dict[str, str]:
    """The facts of what `identity_json` gave, in words and without its name; only what there is.

    What the certificate says a second time, in the older form of .1 to .6, is one line that says so.
    """
    said = {key: value for key, value in identity.items() if value and key != "name"}
    again = [key for key in said if key.startswith(_LEGACY) and _is_said(key.removeprefix(_LEGACY), identity)]
    facts = {_words(key): value for key, value in said.items() if key not in again}
    if again:
        facts[_OLDER_FORM] = f"the same {', '.join(_words(key.removeprefix(_LEGACY)) for key in again)}"
    return facts


def _is_said(key: str, identity: Mapping[str, str | None]) -> bool:
    newer, older = identity[key] or "", identity[f"{_LEGACY}{key}"]
    return older in (newer, after_host(newer))


def _words(key: str) -> str:
    return key.replace("_", " ")
