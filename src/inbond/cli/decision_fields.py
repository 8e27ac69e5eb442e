"""The kinds of value that decisions of the configuration are made of."""

from __future__ import annotations

from typing import Annotated

from inbond.cli.config_fields import reads, reads_or_empty
from inbond.model.decisions import Target
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.units import parse_moment
from inbond.policy.decision_words import parse_author, parse_reason, parse_repository_id, parse_waived_rule

TargetText = Annotated[str, reads(Target.parse)]
WaivedRule = Annotated[str, reads(parse_waived_rule)]
Until = Annotated[str, reads(parse_moment)]
At = Annotated[str, reads_or_empty(parse_moment)]
Reason = Annotated[str, reads(parse_reason)]
ReasonOrNone = Annotated[str, reads_or_empty(parse_reason)]
Author = Annotated[str, reads(parse_author)]
Project = Annotated[str, reads(ProjectName)]
PinnedPublisher = Annotated[str, reads(PublisherPattern.parse)]
RepositoryId = Annotated[str, reads_or_empty(parse_repository_id)]
