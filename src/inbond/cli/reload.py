"""Another configuration under a server that runs: read and found valid first, then in force at once, or not at all.

`prepare` reads the same file, environment and flags as the start did, and builds all that takes time or may fail, away
from the event loop. `switch` only exchanges values, in one step of the loop: no request sees half of it. What cannot be
exchanged refuses the whole.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiohttp import web
from msgspec import structs

from inbond.cli.access_checks import access_advice
from inbond.cli.compose import Running
from inbond.cli.config import Config, Loaded, settings_of
from inbond.cli.foundation import indexes_of
from inbond.cli.reload_changes import Changes, authorities_of, changes_between, digest_of, needing_restart, renewing
from inbond.cli.reload_source import Source
from inbond.cli.tls import TLS, Certificate, TlsInForce, warnings_about
from inbond.gateway.indexes import Index
from inbond.model.errors import ConfigurationError
from inbond.web.hot import HOT
from inbond.web.origin import SERVER
from inbond.web.server_in_force import ServerInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A configuration that may come into force. `digest`: of all of it, the same in each process that read the same.

    `warnings`: what is no error, and still not as it should be.
    """

    loaded: Loaded
    config: Config
    changes: Changes
    digest: str
    warnings: tuple[str, ...]
    indexes: Mapping[str, Index]
    certificate: Certificate | None
    context: ssl.SSLContext | None


class Reloading:
    """The configuration in force in this process. On the event loop."""

    def __init__(self, source: Source, loaded: Loaded, config: Config, up: Running, app: web.Application) -> None:
        """`loaded`, `config`: as at the start. `app`: made by `inbond.cli.serve.start`."""
        self._source = source
        self._loaded = loaded
        self._config = config
        self._up = up
        self._app = app
        self._tls = app.get(TLS)

    async def prepare(self, raw: bytes | None) -> Prepared:
        """Reads the configuration anew. Raises `ConfigurationError` that says all that is wrong; changes nothing.

        `raw`: what its file holds.
        """
        prepared = await asyncio.to_thread(self._prepared, raw)
        access, config = self._up.signing_in.access, prepared.config
        told = await access_advice(config, config.access, access.tokens, self._up.gateway.clock)
        return replace(prepared, warnings=(*prepared.warnings, *told))

    def _prepared(self, raw: bytes | None) -> Prepared:
        loaded = self._source.load(raw)
        refuse_what_needs_restart(self._loaded, loaded)
        config = settings_of(loaded)
        settings = tuple(source.settings for source in self._up.parts.base.upstreams.values())
        certificate, context, warnings = self._secured(config)
        changes = changes_between(self._loaded, self._config, loaded, config)
        return Prepared(
            loaded=loaded,
            config=config,
            changes=self._with_certificate(changes, certificate),
            digest=digest_of(loaded, certificate.whole if certificate is not None else "", *authorities_of(loaded)),
            warnings=(*config.warnings, *warnings, *renewing(self._loaded, loaded)),
            indexes=indexes_of(config, settings),
            certificate=certificate,
            context=context,
        )

    def _secured(self, config: Config) -> tuple[Certificate | None, ssl.SSLContext | None, tuple[str, ...]]:
        """The certificate for new connections, what they are made with, and what is to be said of it.

        One that has ended is refused, unless it is the one that is in force: then it keeps nothing else from changing.
        """
        if config.server.tls is None:
            return None, None, ()
        certificate, now = Certificate.read(config.server.tls), self._up.gateway.clock()
        if self._tls is None or certificate.whole != self._tls.certificate.whole:
            certificate.require_current(now)
        context = certificate.context()
        advice = TlsInForce(certificate, context).check(now).advice
        return certificate, context, (*warnings_about(config.server.tls), *([advice] if advice else []))

    def _with_certificate(self, changes: Changes, certificate: Certificate | None) -> Changes:
        before = None if self._tls is None else self._tls.certificate
        if certificate is None or before is None or certificate.whole == before.whole:
            return changes
        return structs.replace(changes, certificate=certificate.sha256)

    def switch(self, prepared: Prepared) -> None:
        """Puts it in force: from the next step of the event loop on, all goes by it."""
        base, indexes, server = self._up.parts.base, self._up.gateway.indexes, self._app[SERVER]
        config = prepared.config
        assert isinstance(server, ServerInForce)
        self._loaded, self._config = prepared.loaded, config
        server.now = replace(config.server, listen=server.listen, workers=server.workers, limits=server.limits)
        base.standings.use(config.decisions)
        self._up.configured.use(config.placed_decisions)
        base.book.use(config.history)
        self._up.signing_in.use(config)
        if self._tls is not None and prepared.certificate is not None and prepared.context is not None:
            self._tls.use(prepared.certificate, prepared.context)
        if prepared.changes.lines() or dict(indexes) != dict(prepared.indexes):
            indexes.swap({name: _same(indexes.get(name), one) for name, one in prepared.indexes.items()})
            self._app[HOT].forget_all()


def refuse_what_needs_restart(before: Loaded, after: Loaded) -> None:
    """Raises `ConfigurationError` where something was changed that cannot be while inbond runs."""
    if keys := needing_restart(before, after):
        raise ConfigurationError(
            f"this needs a restart: {', '.join(keys)}",
            remedy="restart inbond, or take it back and reload; nothing else that was changed is in force either",
        )


def _same(before: Index | None, after: Index) -> Index:
    """The object that was, where the two are equal: what is kept under it stays."""
    return before if before is not None and before == after else after
