"""What checks the statements of CI systems, built from the configuration."""

from __future__ import annotations

from functools import partial

from inbond.cli.config import Config
from inbond.cli.foundation import USER_AGENT
from inbond.model.events import Observer
from inbond.oidc.offline import OfflineKeys
from inbond.oidc.settings import IssuerSettings
from inbond.oidc.source import KeySource, PublishedKeys
from inbond.oidc.statements import CiStatements


def ci_statements(config: Config, observer: Observer) -> CiStatements:
    """By the `[[access.ci]]` entries in force; close it. Offline no issuer is asked, so nothing can be checked."""
    if config.ci.rules:  # now, and not while the first job waits
        import inbond.oidc.keys  # noqa: F401, PLC0415 (its memory)
    return CiStatements(config.ci, partial(_source, observer=observer, offline=config.offline), observer)


def _source(settings: IssuerSettings, *, observer: Observer, offline: bool) -> KeySource:
    if offline:
        return OfflineKeys(settings)
    return PublishedKeys.open(settings, observer=observer, user_agent=USER_AGENT)
