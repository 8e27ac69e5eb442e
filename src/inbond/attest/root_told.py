"""Why bytes are no trusted root, in words: the libraries' own are a count of errors, or a page of them."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

MAX_CHARS: Final = 200  # of a library's message
_NEWER: Final = "which this version of sigstore does not know; a newer inbond may read it"


def told(error: Exception) -> str:
    """Goes on after "the trusted root cannot be used: "."""
    if not isinstance(error, ValidationError):
        first = str(error).partition("\n")[0]
        return f"{first[:MAX_CHARS]} ({type(error).__name__})"
    found = error.errors(include_url=False, include_input=False)[0]
    where = ascii(_path(found["loc"])[:MAX_CHARS])
    match found["type"]:
        case "json_invalid":
            return "it is not JSON"
        case "missing":
            return f"it lacks {where}"
        case "extra_forbidden":
            return f"it holds {where}, {_NEWER}"
        case "literal_error" | "enum":
            return f"at {where} it has a value {_NEWER}"
        case _:
            return f"at {where}: {found['msg'][:MAX_CHARS]}" if found["loc"] else found["msg"][:MAX_CHARS]


def _path(parts: tuple[int | str, ...]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
