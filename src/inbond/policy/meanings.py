"""What every finding means, by its id: for /why, `inbond why` and docs/findings.md, which is written from here.

Programs and waivers rely on the ids: one is added, none is renamed. The words may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """`says`: the finding's sentence, or several behind "/", with "…" for what differs. `means`: what to think of it.

    `lifted_by`: what makes it go away; empty where it stops nothing. `handed_out`: whether an explanation shows the
    command that lifts it. Not where it looks like an attack, and not where waiting answers the question: whoever is
    stopped would paste it without a look.
    """

    says: str
    means: str
    lifted_by: str = ""
    handed_out: bool = False


_UNPROVEN: Final = "an attested version; or the key, where the project's files cannot prove it"
_ANSWER: Final = "the index answering again: it is asked every minute"
_SIGNED: Final = "Provenance that should say who signed the file could not be had, so nothing is proven either way."
_UNCHECKED: Final = "The page is shown before the provenance of this file is verified; it is kept out until it is."


def _demand(
    name: str, subject: str, *, says: str, means: str, lifted_by: str, code: str = "refused"
) -> dict[str, Meaning]:
    """What a rule that asks for a verified publish attestation can find (`inbond.policy.signers`)."""
    unnamed = f", or its certificate does not name the {subject}" if code == "refused" else ""
    return {
        f"{name}/{code}": Meaning(says=says, means=means, lifted_by=lifted_by, handed_out=True),
        f"{name}/unproven": Meaning(
            says=f"{subject} unproven: …",
            means=f"No verified publish attestation says so{unnamed}. It might be what the policy refuses.",
            lifted_by=_UNPROVEN,
            handed_out=True,
        ),
        f"{name}/unavailable": Meaning(
            says=f"{subject} unproven: provenance unavailable since …", means=_SIGNED, lifted_by=_ANSWER
        ),
        f"{name}/pending": Meaning(
            says="its provenance is still being verified", means=_UNCHECKED, lifted_by="asking again in a few seconds"
        ),
        f"{name}/no-sha256": Meaning(
            says="its provenance cannot be checked before a first download: …",
            means="The index gives no sha256, and attestations are about a digest.",
            lifted_by="asking for exactly this file once",
        ),
    }


MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType({
    "allow/not-listed": Meaning(
        says="the allow list does not name this release",
        means="The policy lets through only what its list names.",
        lifted_by="an entry in `allow`",
        handed_out=True,
    ),
    "archive/odd": Meaning(
        says="…",
        means="The archive can be read in two ways: who looks at it may see something else than who installs it.",
        lifted_by="a version that was packed right",
    ),
    "archive/other-metadata": Meaning(
        says="its METADATA has sha256 …, the .metadata of its index …",
        means="The index tells resolvers other dependencies than the file has.",
        lifted_by="a version that was packed right",
    ),
    "archive/not-inspected": Meaning(
        says="not inspected: …",
        means="A look into the archive took too long, so nothing is known of its inside.",
    ),
    "attestations/verified": Meaning(
        says="… attestation… verified…",
        means="The file's attestations are genuine, and by the publisher that the index names.",
    ),
    "attestations/none": Meaning(
        says="no attestation",
        means="Nobody has signed for this file. Most files have no attestation.",
    ),
    "attestations/missing": Meaning(
        says="no attestation, and one is required",
        means="The policy asks for an attestation and the file has none.",
        lifted_by="an attested version, or `attestations`",
        handed_out=True,
    ),
    "attestations/rejected": Meaning(
        says="attestation rejected: …",
        means="There is an attestation and it is wrong: it is about other bytes, by somebody else, or forged.",
        lifted_by="the index offering genuine provenance",
    ),
    "attestations/unknown-key": Meaning(
        says="signed under a key the trusted root lacks: …",
        means="The signature hangs on a key that inbond does not trust: a newer one, or another Sigstore's.",
        lifted_by="a trusted root that has the key",
    ),
    "attestations/unsupported": Meaning(
        says="attestation cannot be judged: …",
        means="Nothing is wrong with the attestation, but this version of inbond cannot judge it.",
        lifted_by="a newer inbond, or `unsupported`; a hold ends by itself",
        handed_out=True,
    ),
    "attestations/unavailable": Meaning(
        says="provenance unavailable since …: …",
        means="The index has provenance for this file, or may have, and did not give it.",
        lifted_by=f"{_ANSWER}; a hold ends by itself unless attestations are required",
    ),
    "attestations/pending": Meaning(
        says="its provenance is still being verified", means=_UNCHECKED, lifted_by="asking again in a few seconds"
    ),
    "attestations/no-sha256": Meaning(
        says="its provenance cannot be checked before a first download: …",
        means="The index gives no sha256, and attestations are about a digest.",
        lifted_by="asking for exactly this file once",
    ),
    "backdated/upload-before-log": Meaning(
        says="uploaded … by the index, and signed … later",
        means="The index dates the upload before the time at which the transparency log took the signature. "
        "The log's time counts.",
        lifted_by="an index that gives the true upload time",
        handed_out=True,
    ),
    "continuity/changed": Meaning(
        says="publisher is now …, was … / workflow is now …, was … / … was made anew by its owner: its id is …, "
        "was … / no settled release by … counts: …",
        means="The release was published by somebody, some workflow or some repository that no settled release was. "
        "A maintainer's change looks like this, and so does a stolen account.",
        lifted_by="a pin that accepts the publisher; a hold ends by itself",
        handed_out=True,
    ),
    "continuity/history-pending": Meaning(
        says="its history is still being verified",
        means="The page is shown before the provenance of the releases that it is compared with is verified.",
        lifted_by="asking again in a few seconds",
    ),
    "continuity/history-unavailable": Meaning(
        says="the provenance of …, which it is compared with, is unavailable / its provenance is unavailable, and …",
        means="The provenance of earlier releases could not be had, so this one can be compared with nothing.",
        lifted_by=_ANSWER,
    ),
    "continuity/lost": Meaning(
        says="not attested, unlike … of the … releases before it",
        means="Releases before this one were attested and it is not. A stolen token uploads like this; a changed "
        "release process does, too.",
        lifted_by="an attested release; a hold ends by itself",
        handed_out=True,
    ),
    "continuity/recreated": Meaning(
        says="… was deleted and made anew: its id is …, was …",
        means="The repository's name is the same, its id and its owner's are others: it was deleted and somebody made "
        "it anew.",
        lifted_by="a pin that names the new repository id",
        handed_out=True,
    ),
    "continuity/ref-changed": Meaning(
        says="built from …, before from …",
        means="The right workflow of the right repository ran for another kind of ref (tag, branch, pull request) than "
        "in any settled release: what it built may be what nobody has reviewed.",
        lifted_by="a waiver for this release, as a pin would open every kind of ref; a hold ends by itself",
        handed_out=True,
    ),
    "cooldown/locked": Meaning(
        says="…, let through: a lock file of the policy names it",
        means="Younger than the cooldown, and let through: a lock file of the policy names its digest.",
    ),
    "cooldown/no-date": Meaning(
        says="the index gives no upload time, so the file's age is unknown",
        means="The policy asks for an age and the index gives none.",
        lifted_by="`unknown_date`",
        handed_out=True,
    ),
    "cooldown/security-fix": Meaning(
        says="…, let through: it fixes … in …",
        means="Younger than the cooldown, and let through: it mends what is known against earlier releases.",
    ),
    "cooldown/young": Meaning(
        says="…, younger than …",
        means="Most malicious releases are found and removed within a day, so new files wait.",
        lifted_by="waiting",
        handed_out=True,
    ),
    "deny/listed": Meaning(
        says="the deny list names …",
        means="Whoever wrote the policy does not want this release.",
        lifted_by="the entry in `deny` being removed",
        handed_out=True,
    ),
    "deny/unreadable-version": Meaning(
        says="the deny list names …, and this file's version cannot be read",
        means="The list names versions, and which one this file is cannot be told from its name.",
        lifted_by="a file named with a PEP 440 version",
        handed_out=True,
    ),
    "digest/other-bytes": Meaning(
        says="the bytes upstream sent have …, …",
        means="What came is not what the index promised: a broken cache, or somebody in between.",
        lifted_by="upstream sending the right bytes; nothing waives it",
    ),
    "digest/other-metadata": Meaning(
        says="the core metadata (.metadata) upstream sent has …, …",
        means="What came is not what the index promised: a broken cache, or somebody in between.",
        lifted_by="upstream sending the right bytes; nothing waives it",
    ),
    "filename/replaced": Meaning(
        says="its sha256 is now … and was … when first seen",
        means="Other bytes stand under a filename that was seen before. Indexes never reuse filenames.",
        lifted_by="the index explaining itself; nothing waives it",
    ),
    "freeze/after-freeze": Meaning(
        says="…, and the index is frozen at …",
        means="The index is frozen: it offers what was there at a moment, and nothing newer.",
        lifted_by="a later `freeze`, or none",
        handed_out=True,
    ),
    "hashes/first-download": Meaning(
        says="the index gives no sha256; the digest of the first download will count",
        means="Nothing says which bytes are meant until they were had once.",
    ),
    "hashes/no-sha256": Meaning(
        says="the index gives no sha256 for this file",
        means="Nothing says which bytes are meant.",
        lifted_by='an index that publishes digests, or `hashes = "allow"`; nothing waives it',
    ),
    "hashes/remembered": Meaning(
        says="the index gives no sha256; the digest remembered here counts",
        means="The bytes are those that were had first; that those were right, nothing says.",
    ),
    "malware/named-file": Meaning(
        says="… names this very file as malware",
        means="A malware record names this very file by its digest.",
        lifted_by="the record being withdrawn",
    ),
    "malware/named-release": Meaning(
        says="… says that this release is malware",
        means="A malware record names this release.",
        lifted_by="the record being withdrawn",
    ),
    "malware/unreadable-version": Meaning(
        says="… calls versions malware, and which one this file is cannot be read",
        means="A malware record names versions, and this file's cannot be told from its name.",
        lifted_by="a file named with a PEP 440 version",
    ),
    **_demand(
        "environments",
        "environment",
        says="signed in the environment …, which `environments` does not name",
        means="Somebody signed in another deployment environment than those in which it takes an approval.",
        lifted_by="a version signed in such an environment, or `environments`",
    ),
    **_demand(
        "predicates",
        "provenance",
        says="no attestation of kind … by the file's publisher",
        means="The policy asks for a further kind of attestation, from where the file comes from.",
        lifted_by="a version that has it, or `predicates`",
        code="missing",
    ),
    **_demand(
        "publishers",
        "publisher",
        says="published by …, which no pin names",
        means="Genuine, but by somebody whom the policy does not pin for this project.",
        lifted_by="a version by a pinned publisher, or another pin",
        code="not-pinned",
    ),
    **_demand(
        "refs",
        "ref",
        says="built from …, which no pattern of `refs` names",
        means="It was built from another branch or tag than releases are.",
        lifted_by="a version built from such a ref, or `refs`",
    ),
    **_demand(
        "reusable_workflows",
        "build workflow",
        says="built by the reusable workflow …",
        means="Another workflow did the work than the one that was started.",
        lifted_by="a version that its own workflow built, or `reusable_workflows`",
    ),
    **_demand(
        "runners",
        "runner",
        says="built on a runner that is not the forge's own: …",
        means="It was built on somebody's own machine, where an earlier job may have left something.",
        lifted_by="a version built on a hosted runner, or `runners`",
    ),
    **_demand(
        "triggers",
        "trigger",
        says="built by the event …, which `deny_triggers` refuses",
        means="It was built by an event that strangers can cause.",
        lifted_by="a version that another event built, or `deny_triggers`",
    ),
    "pull_requests/from-pull-request": Meaning(
        says="published from a pull request: …",
        means="A build that a pull request starts runs a stranger's code, or is steered by it. Some projects do so.",
        lifted_by="another version, or `pull_requests`; a hold ends by itself",
        handed_out=True,
    ),
    "release/wheel-denied": Meaning(
        says="a wheel of this release is denied: …",
        means="Where a wheel is denied, installers would build this instead.",
        lifted_by="whatever clears the wheel",
    ),
    "review/rejected": Meaning(
        says="… rejected …: …",
        means="Somebody here looked at it and said no.",
        lifted_by="the rejection being revoked",
        handed_out=True,
    ),
    "review/unreadable-version": Meaning(
        says="… is rejected, and this file's version cannot be read",
        means="Somebody here rejected versions of the project; which one this file is cannot be told from its name.",
        lifted_by="a file named with a PEP 440 version, or the rejection being revoked",
        handed_out=True,
    ),
    "sdists/not-a-wheel": Meaning(
        says="not a wheel, and the policy lets only wheels through",
        means="To install anything else runs its code before anybody has looked at it.",
        lifted_by="a version with a wheel, or `sdists`",
        handed_out=True,
    ),
    "status/archived": Meaning(
        says="the index has marked the project archived…",
        means="Its maintainers do not work on it any more.",
    ),
    "status/deprecated": Meaning(
        says="the index has marked the project deprecated…",
        means="Its maintainers want people to use something else.",
    ),
    "status/quarantined": Meaning(
        says="the index has marked the project quarantined…",
        means="The index suspects it of being harmful, and offers nothing of it.",
        lifted_by="the index clearing the project",
    ),
    "vulnerabilities/known": Meaning(
        says="… (…): …",
        means="An advisory says that this release has a weakness.",
        lifted_by="a release that mends it, or `vulnerabilities`",
        handed_out=True,
    ),
    "vulnerabilities/unreadable-version": Meaning(
        says="… (…) names versions, and which one this file is cannot be read…",
        means="An advisory names versions, and this file's cannot be told from its name.",
        lifted_by="a file named with a PEP 440 version",
        handed_out=True,
    ),
    "yanked/yanked": Meaning(
        says="yanked by its maintainers…",
        means="Its maintainers took it back.",
        lifted_by="a version that is not yanked, or `yanked`",
        handed_out=True,
    ),
})  # fmt: skip
