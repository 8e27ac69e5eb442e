"""The advisories, built from the configuration: for serving, and for commands without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from inbond import __version__
from inbond.bundles.manifest import DocumentKind
from inbond.cli.config import Config
from inbond.cli.trust_sources import imported_documents
from inbond.gateway.advisories import POLL_EVERY, AdvisoryKeeper, NoAdvisories
from inbond.gateway.clock import Clock
from inbond.gateway.leading import Leading
from inbond.model.events import Observer
from inbond.upstream.feed import Feed, FeedSettings
from inbond.upstream.limits import DEFAULT, Limits
from inbond.web.operations import Check


@asynccontextmanager
async def advising(
    config: Config,
    *,
    clock: Clock,
    observer: Observer,
    watch: bool = True,
    limits: Limits = DEFAULT,
    poll_every: float = POLL_EVERY,
    leading: Leading | None = None,
) -> AsyncIterator[AdvisoryKeeper | NoAdvisories]:
    """Reads all sources, keeps looking at them where `watch`, and closes them.

    `leading`: of several processes, only the one that leads asks URLs; the others read what it keeps.
    """
    if not config.advisories:
        yield NoAdvisories()
        return

    def open_feed(settings: FeedSettings) -> Feed:
        return Feed.open(settings, observer=observer, user_agent=f"inbond/{__version__}", limits=limits)

    keeper = AdvisoryKeeper(
        config.advisories,
        directory=config.storage.cache_dir / "advisories",
        open_feed=open_feed,
        clock=clock,
        observer=observer,
        poll_every=poll_every,
        find=partial(imported_documents(config).find, DocumentKind.ADVISORIES),
        offline=config.offline,
        asks=leading or Leading(),
    )
    try:
        await (keeper.start() if watch else keeper.load())
        yield keeper
    finally:
        await keeper.aclose()


def advisory_checks(advisories: AdvisoryKeeper | NoAdvisories) -> dict[str, Callable[[], Awaitable[Check]]]:
    """What readiness asks: whether the sources that must be there are, young enough, and all as they should be."""
    if isinstance(advisories, NoAdvisories):
        return {}

    async def known() -> Check:
        troubles = advisories.troubles()
        failing = {one.source.name for one in advisories.statuses() if one.source.required and one.failing}
        problem = "; ".join(said for name, said in troubles.items() if name in failing)
        others = [said for name, said in troubles.items() if name not in failing]
        advice = "; ".join([*others, *advisories.warnings().values()])
        return Check(problem=problem or None, advice=advice or None)

    return {"advisories": known}
