"""What readiness asks of imports: whether they may be gone by, and whether that will last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from inbond.cli.config import Config
from inbond.mirror.in_force import ImportsKeeper
from inbond.model.errors import StoreUnavailable
from inbond.web.operations import Check


def imports_checks(config: Config, imports: ImportsKeeper) -> dict[str, Callable[[], Awaitable[Check]]]:
    """None where nothing is imported here, and nothing is to be."""
    if not imports.serving and not config.offline and not config.imports.keys:
        return {}

    async def usable() -> Check:
        try:
            problems, advice = await imports.problems(), await imports.advice()
        except StoreUnavailable as error:
            return Check(problem=error.message)
        return Check(problem="; ".join(problems) or None, advice="; ".join(advice) or None)

    return {"imports": usable}
