"""The kinds of value that keys have. A model keeps the text as it was written; the parsers here only check it.

So the effective configuration can be shown as somebody wrote it, and is parsed once more, for good, when it becomes
the rooms' settings (`inbond.cli.config`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Annotated, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator
from yarl import URL

from inbond.cli.config_credentials import parse_source
from inbond.cli.config_paths import parse_path
from inbond.model.advisory import Severity
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean, nearest
from inbond.model.occurrence import OccurrenceKind
from inbond.model.publisher import PublisherPattern
from inbond.model.units import parse_duration, parse_moment, parse_size
from inbond.policy.build_events import parse_trigger
from inbond.policy.demands import (
    ReusableWorkflows,
    Runners,
    parse_environment,
    parse_predicate,
    parse_ref,
)
from inbond.policy.engine import NEVER_AUDITED, RULE_NAMES
from inbond.policy.settings import (
    EVERY_RULE,
    Action,
    Attestations,
    DenyAs,
    Hashes,
    Listed,
    Listing,
    Locked,
    Presence,
    ProjectPattern,
    SecurityFixes,
    UnknownDate,
)
from inbond.store.mounts import OnNetwork
from inbond.upstream.credentials import masked
from inbond.upstream.hosts import is_host
from inbond.upstream.proxies import Proxy
from inbond.upstream.settings import Integrity, UpstreamSettings
from inbond.web.settings import RESERVED_WORDS, ListenAddress, parse_host, parse_network, parse_public_url

FOREVER: Final = "forever"
PYPI: Final = "pypi"  # the preset's name as an upstream's url
AUTO: Final = "auto"  # the trusted root, kept fresh by TUF
BUNDLED: Final = "bundled"  # the trusted root that sigstore ships
IMPORTS: Final = "imports"  # as an upstream's or a source's url, and as a trusted root: what bundles brought
PUBLIC: Final = "public"  # the trust scope that is there without being written
# Where wheels run: what `inbond sync` may be told to keep to.
PLATFORMS: Final = (
    "linux-x86_64",
    "linux-aarch64",
    "musllinux-x86_64",
    "musllinux-aarch64",
    "macos-x86_64",
    "macos-arm64",
    "windows-x86_64",
    "windows-arm64",
)
NO_PROXY: Final = "none"  # as an upstream's proxy
RATED: Final = tuple(one for one in Severity if one is not Severity.UNKNOWN)
_NAME: Final = re.compile(r"[a-z0-9-]+")


def reads(parse: Callable[[str], Any]) -> AfterValidator:
    """Whatever `parse` reads without a ValueError; the text stays as it was written."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def reads_or_empty(parse: Callable[[str], Any]) -> AfterValidator:
    """As `reads`; the empty text stands for "none"."""
    return reads(lambda text: parse(text) if text else None)


def one_of(*choices: str) -> AfterValidator:
    """One of a few words."""

    def parse(text: str) -> None:
        if text not in choices:
            near = did_you_mean(text, choices) if nearest(text, choices) else ""
            raise ValueError(f"{text!r} is none of {listed(choices)}{near}")

    return reads(parse)


def listed(words: Iterable[str]) -> str:
    """`'a', 'b'`."""
    return ", ".join(repr(str(word)) for word in words)


def parse_name(text: str) -> str:
    """The name of a policy, an upstream or an index. Raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name: use small letters, digits and '-'")
    return text


def parse_index_name(text: str) -> str:
    """A name of which no route begins (README, "What it serves"). Raises ValueError."""
    if text in RESERVED_WORDS:
        raise ValueError(f"{text!r} cannot name an index: it is a word of inbond's own paths")
    return parse_name(text)


def _parse_index_url(text: str) -> None:
    if text in (PYPI, IMPORTS):
        return
    try:
        UpstreamSettings(name=PYPI, url=text)
    except ConfigurationError:
        raise ValueError(
            f"{masked(text)!r} is neither the preset 'pypi' nor an index URL such as 'https://acme.example/simple/'"
        ) from None


def parse_proxy(text: str, *, source: str = "proxy") -> Proxy | None:
    """What an upstream's `proxy` names, None for "none"; `source` is how it is called. Raises ValueError."""
    return None if text == NO_PROXY else Proxy.parse(text, source=source)


def _parse_support_url(text: str) -> str:
    # It stands in the reason phrase of every denial: one line of printable ASCII (RFC 9112, section 4).
    if not re.fullmatch(r"(?:https?://|mailto:)[!-~]+", text):
        raise ValueError(f"{text!r} is not an address such as 'https://acme.example/help' or 'mailto:a@acme.example'")
    return text


def parse_root(text: str) -> str:
    """What `root` may say, whether or not there is such a file. Raises ValueError."""
    if not text:
        raise ValueError(f'is empty; name "{AUTO}", "{BUNDLED}" or the path of a trusted_root.json')
    parse_path(text)
    return text


def parse_tuf(text: str) -> URL:
    """The address of a TUF repository. Raises ValueError, without showing a password."""
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and is_host(url.raw_host or "") and url.port is not None
    except ValueError:
        usable, url = False, URL()
    if not usable or url.query_string or url.fragment or "@" in url.raw_path:
        raise ValueError(f"{masked(text)!r} is not the address of a TUF repository, as in 'https://tuf.acme.example/'")
    if url.user is not None or url.password is not None:
        raise ValueError("carries credentials, which are not sent to a TUF repository: leave them out")
    return url


def parse_issuer(text: str) -> str:
    """An OIDC issuer as certificates name it, compared to the letter. Raises ValueError."""
    try:
        url = URL(text)
        usable = url.scheme == "https" and is_host(url.raw_host or "") and url.raw_user is None
    except ValueError:
        usable, url = False, URL()
    if not usable or url.query_string or url.fragment or not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"{masked(text)!r} is not an OIDC issuer such as 'https://gitlab.acme.example'")
    return text


def _parse_size(text: str) -> int:
    size = parse_size(text)
    if size == 0:
        raise ValueError(f"{text!r}: nothing could be kept")
    return size


def _parse_rule(text: str) -> str:
    if text in NEVER_AUDITED:
        raise ValueError(f"rule {text!r} cannot be audited: length and digest are never relaxed")
    known = RULE_NAMES - NEVER_AUDITED
    if text != EVERY_RULE and text not in known:
        raise ValueError(f"{text!r} is no rule{did_you_mean(text, known)}")
    return text


def _not_empty(remedy: str) -> AfterValidator:
    def check(entries: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if entries == ():
            raise ValueError(f"is empty: {remedy}")
        return entries

    return AfterValidator(check)


def _parse_advisories_url(text: str) -> None:
    if text != IMPORTS:
        parse_advisories_url(text)


def parse_advisories_url(text: str) -> URL:
    """The address of an archive of advisories; a query is part of it. Raises ValueError, without showing secrets."""
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and is_host(url.raw_host or "") and url.port is not None
    except ValueError:
        usable, url = False, URL()
    if not usable or url.fragment or "@" in url.raw_path:
        raise ValueError("is not the address of an archive, as in 'https://osv.acme.example/PyPI/all.zip'")
    if url.user is not None or url.password is not None:
        raise ValueError('carries credentials: name them as credentials = "env:NAME" or "file:PATH"')
    return url


def parse_webhook_url(text: str) -> URL:
    """The address of a webhook; a query is part of it. Raises ValueError, without showing secrets."""
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and is_host(url.raw_host or "") and url.port is not None
    except ValueError:
        usable, url = False, URL()
    if not usable or url.fragment or "@" in url.raw_path or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("is not the address of a webhook, as in 'https://hooks.acme.example/inbond'")
    if url.user is not None or url.password is not None:
        raise ValueError("carries credentials: a webhook is known by its signature, leave them out")
    return url


def _parse_keep(text: str) -> None:
    if not parse_duration(text):
        raise ValueError(f"{text!r}: nothing would be kept")


def parse_keep_or_forever(text: str) -> timedelta | None:
    """For how long, or None for "forever". Raises ValueError."""
    if text == FOREVER:
        return None
    _parse_keep(text)
    return parse_duration(text)


def parse_python(text: str) -> str:
    """A Python by its first two numbers, as in "3.12". Raises ValueError."""
    if not re.fullmatch(r"3\.[0-9]{1,2}", text):
        raise ValueError(f"{text!r} is no version of Python such as '3.12'")
    return text


def _parse_requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{text!r} is no requirement such as 'flask>=3': {error}".splitlines()[0]) from None


Name = Annotated[str, reads(parse_name)]
PythonVersion = Annotated[str, reads(parse_python)]
PlatformWord = Annotated[str, one_of(*PLATFORMS)]
RequirementText = Annotated[str, reads(_parse_requirement)]
IndexName = Annotated[str, reads(parse_index_name)]
Listen = Annotated[str, reads(ListenAddress.parse)]
PublicUrl = Annotated[str, reads_or_empty(parse_public_url)]
Host = Annotated[str, reads(parse_host)]
Network = Annotated[str, reads(parse_network)]
Size = Annotated[str, reads(_parse_size)]
SizeOrNone = Annotated[str, reads(parse_size)]
IndexUrl = Annotated[str, reads(_parse_index_url)]
Duration = Annotated[str, reads(parse_duration)]
Root = Annotated[str, reads(parse_root)]
TufUrl = Annotated[str, reads_or_empty(parse_tuf)]
Issuer = Annotated[str, reads(parse_issuer)]
WebhookUrl = Annotated[str, reads(parse_webhook_url)]
Keep = Annotated[str, reads(_parse_keep)]
KeepOrForever = Annotated[str, reads(parse_keep_or_forever)]
Secret = Annotated[str, reads(parse_source)]
OccurrenceWord = Annotated[str, one_of(*OccurrenceKind)]
AdvisoriesUrl = Annotated[str, reads_or_empty(_parse_advisories_url)]
Scopes = Annotated[
    tuple[Name, ...],
    _not_empty(
        'name at least one trusted root, as in ["public"]; where attestations shall not be looked at, set'
        ' attestations = "off" in a policy'
    ),
]
Pattern = Annotated[str, reads(ProjectPattern.parse)]
Patterns = Annotated[tuple[Pattern, ...], _not_empty("name the projects that are meant")]
Pins = Annotated[
    tuple[Annotated[str, reads(PublisherPattern.parse)], ...],
    _not_empty("name at least one publisher, or leave the key out"),
]
RuleName = Annotated[str, reads(_parse_rule)]
Entry = Annotated[str, reads(Listed.parse)]
OpenList = Annotated[
    tuple[Entry, ...] | None, _not_empty("nothing would be let through; leave the key out to keep the list open")
]
UpstreamNames = Annotated[tuple[Name, ...], _not_empty("name at least one upstream")]
SupportUrl = Annotated[str, reads_or_empty(_parse_support_url)]
AttestationsWord = Annotated[str, one_of(*Attestations)]
UnknownDateWord = Annotated[str, one_of(*UnknownDate)]
PresenceWord = Annotated[str, one_of(*Presence)]
PredicateWord = Annotated[str, reads(parse_predicate)]
RefPattern = Annotated[str, reads(parse_ref)]
EnvironmentPattern = Annotated[str, reads(parse_environment)]
Trigger = Annotated[str, reads(parse_trigger)]
RunnersWord = Annotated[str, one_of(*Runners)]
ReusableWord = Annotated[str, one_of(*ReusableWorkflows)]
HashesWord = Annotated[str, one_of(*Hashes)]
IntegrityWord = Annotated[str, one_of(*Integrity)]
OnNetworkWord = Annotated[str, one_of(*OnNetwork)]
DenyAsWord = Annotated[str, one_of(*DenyAs)]
ListingWord = Annotated[str, one_of(*Listing)]
ActionText = Annotated[str, reads(Action.parse)]
SecurityFixesWord = Annotated[str, one_of(*SecurityFixes)]
LockedWord = Annotated[str, one_of(*Locked)]
SeverityWord = Annotated[str, one_of(*map(str, RATED))]
Moment = Annotated[str, reads_or_empty(parse_moment)]
Credentials = Annotated[str, reads_or_empty(parse_source)]
ProxyText = Annotated[str, reads_or_empty(parse_proxy)]
PathText = Annotated[str, reads_or_empty(parse_path)]
