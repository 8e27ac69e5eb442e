"""Links and metas out of HTML that nobody vouches for, in linear time and bounded memory.

An HTML parser must build a tree, and that can be made to cost the square of the input: 89 KB of unclosed formatting
elements took lexbor 31 s and 9 GB, 1 MB of `<div>` three minutes, one tag of 64,000 attributes eight seconds. So the
input is cut into tags first (tokenisation as in the HTML standard, section 13.2.5, without its tree), and lexbor sees
only what has been asked for, flat and in pieces: `<a …>text</a>`, `<base …>`, `<meta …>`, each with a bounded number
of attributes and no other "<". It decodes attributes and character references, which it does well and fast.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from inbond.model.errors import UpstreamBroken

# Bytes given to lexbor at once; more only where a single tag is longer.
PIECE_BYTES: Final = 256 * 1024
# Attributes read of one tag; an index writes ten. The others are passed over.
MAX_ATTRIBUTES: Final = 64
# Bytes read of one link's text; a project's name has 255 at most.
MAX_TEXT_BYTES: Final = 4096

# An attribute as the standard tokenises it: a quote opens a value only after "=", and a name may begin with "=".
_ATTRIBUTE: Final = (
    rb"[\t\n\f\r /]*[^\t\n\f\r />][^\t\n\f\r />=]*"
    rb"(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)|[^\t\n\f\r >\"'][^\t\n\f\r >]*))?"
)
_ATTRIBUTES: Final = re.compile(rb"(?:%b){0,%d}" % (_ATTRIBUTE, MAX_ATTRIBUTES))
_MARK: Final = re.compile(rb"<(?=[A-Za-z!?/])")
_OPENING: Final = re.compile(rb"<(/?[A-Za-z][^\t\n\f\r />]*)(>?)")
_CLOSING: Final = re.compile(rb"[\t\n\f\r /]*(>|\Z)")
# Elements whose content is text whatever it looks like; `template` is inert as well.
_RAW_ENDS: Final = {
    name: re.compile(rb"</%b(?=[\t\n\f\r />])" % name, re.IGNORECASE)
    for name in (b"script", b"style", b"title", b"textarea", b"template", b"iframe", b"noembed", b"noframes", b"xmp")
}
_LINK_ENDS: Final = frozenset({b"a", b"/a", b""})
_COMMENT: Final = b"!"
_CUT: Final = b"!cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An `a`, `base` or `meta` element: its name, its attributes decoded, and for links the text."""

    name: str
    attributes: Mapping[str, str | None]
    text: str = ""


@dataclass(slots=True, kw_only=True)
class Markup:
    """Reads HTML, and takes note of the tags: how many there were, and which of those in `watch` (lower case)."""

    watch: frozenset[bytes] = frozenset()
    max_tags: int | None = None
    seen: set[bytes] = field(default_factory=set)
    tags: int = 0
    cut: bool = False  # whether the input ended within a tag or a comment

    def elements(self, body: bytes) -> Iterator[Element]:
        """The links, bases and metas of a document, in order; what a cut leaves of a tag is left out.

        Raises `UpstreamBroken` for more than `max_tags` tags, and for nothing else.
        """
        piece: list[bytes] = []
        size = 0
        for flat in self._flat(body):
            piece.append(flat)
            size += len(flat)
            if size >= PIECE_BYTES:
                yield from _parsed(piece)
                piece, size = [], 0
        if piece:
            yield from _parsed(piece)

    def _flat(self, body: bytes) -> Iterator[bytes]:
        link: list[bytes] | None = None
        for text, name, attributes in _tokens(body):
            if link is not None:
                link.append(text[:MAX_TEXT_BYTES])
                if name in _LINK_ENDS:
                    yield _link(link)
                    link = None
            if name == b"a":
                link = [attributes]
            elif name in {b"base", b"meta"}:
                yield b"<%b%b>" % (name, _harmless(attributes))
            self._note(name)

    def _note(self, name: bytes) -> None:
        self.cut |= name == _CUT
        self.tags += name not in {_COMMENT, _CUT, b""}
        if self.max_tags is not None and self.tags > self.max_tags:
            raise UpstreamBroken(f"upstream's page holds more than {self.max_tags} tags")
        if name in self.watch:
            self.seen.add(name)


def _link(parts: list[bytes]) -> bytes:
    attributes, *texts = parts
    text = b"".join(texts)[:MAX_TEXT_BYTES]
    return b"<a%b>%b</a>" % (_harmless(attributes), _harmless(text))


def _harmless(text: bytes) -> bytes:
    # No tag can come about in lexbor that was none here, whatever the two think of the rest.
    return text.replace(b"<", b"&lt;")


def _parsed(piece: list[bytes]) -> Iterator[Element]:
    document = LexborHTMLParser(b"".join(piece).decode("utf-8", "replace"))
    for node in document.css("a,base,meta"):
        name = str(node.tag)
        yield Element(name=name, attributes=node.attributes, text=node.text() if name == "a" else "")


def _tokens(body: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each tag as the text before it, its name in lower case and its attributes; at the end an empty name."""
    done, mark = 0, _MARK.search(body)
    while mark is not None:
        at = mark.start()
        name, attributes, end = _tag(body, at) or _comment(body, at)
        yield body[done:at], name, attributes
        done, mark = end, _MARK.search(body, end)
    yield body[done:], b"", b""


def _tag(body: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """The name, attributes and end of the tag at `at`, and past the content that is only text; None for no tag."""
    opening = _OPENING.match(body, at)
    if opening is None:
        return None
    name, attributes, end = opening[1].lower(), b"", opening.end()
    if not opening[2]:
        while (closing := _CLOSING.match(body, end)) is None:
            more = _ATTRIBUTES.match(body, end)
            assert more is not None  # it matches the empty string as well
            attributes, end = attributes or more[0], more.end()
        if not closing[1]:
            return _CUT, b"", len(body)
        end = closing.end()
    return name, attributes, _past_content(body, name, end) if name in _RAW_ENDS else end


def _comment(body: bytes, at: int) -> tuple[bytes, bytes, int]:
    """The same for a comment, and for what the standard calls a bogus one: `<!…>`, `<?…>`, `</ …>`."""
    ending = b"-->" if body.startswith(b"<!--", at) else b">"
    found = body.find(ending, at + 2)
    return (_CUT, b"", len(body)) if found == -1 else (_COMMENT, b"", found + len(ending))


def _past_content(body: bytes, name: bytes, end: int) -> int:
    found = _RAW_ENDS[name].search(body, end)
    return len(body) if found is None else found.start()
