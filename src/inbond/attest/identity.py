"""Who: what a signing certificate proves, and what a publisher object claims.

Certificates: Fulcio's extensions (fulcio/docs/oid-info.md), read here and not through the libraries, which leave out
.23 and .24. What was written twice, in the older form (.1 to .6) and in the newer, must agree. Publishers: PEP 740.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from cryptography import x509
from cryptography.hazmat import asn1
from pypi_attestations import CircleCIPublisher, GitHubPublisher, GitLabPublisher, GooglePublisher

from inbond.attest.issuers import forge_of
from inbond.attest.outcome import Wrong
from inbond.model.forge_uris import after_host
from inbond.model.publisher import Forge, Publisher, SigningIdentity

KnownPublisher = GitHubPublisher | GitLabPublisher | GooglePublisher | CircleCIPublisher

_FULCIO: Final = "1.3.6.1.4.1.57264.1."
_RAW_ARCS: Final = range(1, 7)  # the issuer as it was first written, and GitHub's own: bytes of UTF-8
_DER_ARCS: Final = range(8, 25)  # DER UTF8String
# Fields that say one thing, the older before the newer; .5 and .12 do too, but .5 without the host.
_TWICE: Final = (("issuer", 1, 8), ("trigger", 2, 20), ("commit", 3, 13), ("ref", 6, 14))
# CircleCI's tokens leave the runner to two quotation marks.
_NOTHING: Final = frozenset({"", '""'})


def claimed_publisher(publisher: KnownPublisher) -> Publisher:
    """A publisher object as the value the other rooms know."""
    match publisher:
        case GitHubPublisher():
            return Publisher(
                forge=Forge.GITHUB,
                subject=publisher.repository,
                workflow=publisher.workflow,
                environment=publisher.environment or None,
            )
        case GitLabPublisher():
            return Publisher(
                forge=Forge.GITLAB,
                subject=publisher.repository,
                workflow=publisher.workflow_filepath,
                environment=publisher.environment or None,
            )
        case GooglePublisher():
            return Publisher(forge=Forge.GOOGLE, subject=publisher.email)
        case CircleCIPublisher():
            return Publisher(
                forge=Forge.CIRCLECI, subject=publisher.project_id, workflow=publisher.pipeline_definition_id
            )
        case _:
            assert_never(publisher)


def proven_identity(certificate: x509.Certificate, *, claimed: Forge | None = None) -> SigningIdentity:
    """The identity in a signing certificate; it holds as much as the certificate does.

    `claimed` is the kind of publisher that stands beside it: an own server is told by nothing else.
    Raises Wrong where the certificate is not as Fulcio writes them.
    """
    claims = _claims(certificate)
    _require_agreement(claims)
    issuer = claims.get(8) or claims.get(1)
    if issuer is None:
        raise Wrong("its certificate names no issuer")
    repository = claims.get(12)
    return SigningIdentity(
        forge=forge_of(issuer, repository, claimed),
        issuer=issuer,
        subject=_subject(certificate),
        repository=repository,
        repository_id=claims.get(15),
        owner=claims.get(16),
        owner_id=claims.get(17),
        workflow=claims.get(18),
        workflow_digest=claims.get(19),
        build_signer=claims.get(9),
        build_signer_digest=claims.get(10),
        ref=claims.get(14) or claims.get(6),
        commit=claims.get(13) or claims.get(3),
        runner=claims.get(11),
        trigger=claims.get(20) or claims.get(2),
        run_url=claims.get(21),
        visibility=claims.get(22),
        environment=claims.get(23),
        token_subject=claims.get(24),
        workflow_name=claims.get(4),
        legacy_issuer=claims.get(1),
        legacy_trigger=claims.get(2),
        legacy_commit=claims.get(3),
        legacy_repository=claims.get(5),
        legacy_ref=claims.get(6),
    )


def _require_agreement(claims: Mapping[int, str]) -> None:
    """Two readers of one certificate must not see two things: sigstore's own policies read some of the older fields."""
    said = [(what, claims.get(older), claims.get(newer)) for what, older, newer in _TWICE]
    repository = claims.get(12)
    said.append(("repository", claims.get(5), None if repository is None else after_host(repository)))
    for what, first, second in said:
        if first is not None and second is not None and first != second:
            raise Wrong(f"its certificate names two of {what}: {first} and {second}")


def _claims(certificate: x509.Certificate) -> Mapping[int, str]:
    claims: dict[int, str] = {}
    for extension in certificate.extensions:
        arc = _arc(extension.oid)
        if arc is None or not isinstance(extension.value, x509.UnrecognizedExtension):
            continue
        text = _text(arc, extension.value.value)
        if text not in _NOTHING:
            claims[arc] = text
    return claims


def _text(arc: int, value: bytes) -> str:
    try:
        return value.decode("utf-8") if arc in _RAW_ARCS else asn1.decode_der(str, value)
    except ValueError as error:
        raise Wrong(f"field .{arc} of its certificate is not text") from error


def _arc(oid: x509.ObjectIdentifier) -> int | None:
    last = oid.dotted_string.removeprefix(_FULCIO)
    if not last.isdecimal():
        return None
    arc = int(last)
    return arc if arc in _RAW_ARCS or arc in _DER_ARCS else None


def _subject(certificate: x509.Certificate) -> str | None:
    """The one alternative name: a workflow's URI or an e-mail address; None for other kinds of name."""
    try:
        names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return None
    if len(names) != 1:  # which of them a publisher was compared with would be open
        raise Wrong("its certificate has several subject names")
    name = names[0]
    return name.value if isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name) else None
