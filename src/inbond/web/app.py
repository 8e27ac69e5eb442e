"""The application: which path is answered by whom."""

from __future__ import annotations

from aiohttp import web

from inbond import __version__
from inbond.access.needs import OfAnyIndex, OfInbond, OfIndex, Open
from inbond.access.roles import Role
from inbond.gateway.gateway import Gateway
from inbond.mirror.in_force import ImportsKeeper
from inbond.web import (
    file_pages,
    file_routes,
    openapi_routes,
    operations,
    osv_routes,
    overview,
    project_pages,
    search_pages,
    sign_in_routes,
    simple_routes,
    trust_pages,
    upstream_pages,
    views,
)
from inbond.web.access import ACCESS, Access
from inbond.web.access_log import METRICS, account
from inbond.web.acting_routes import acting_routes
from inbond.web.answered import OBSERVER
from inbond.web.connections import keep_or_close
from inbond.web.door import DOOR, Door
from inbond.web.errors import explain_errors
from inbond.web.guard import guard
from inbond.web.hot import HOT, Hot
from inbond.web.judged_under import IN_FORCE, tell_policy, under_one_configuration
from inbond.web.metrics import Metrics
from inbond.web.operations import CHECKS, IMPORTS, Checks
from inbond.web.origin import SERVER, check_host
from inbond.web.overload import OVERLOAD, Overload, admit, answer_begins
from inbond.web.routing import Route, add_routes, route
from inbond.web.server_in_force import ServerNow
from inbond.web.simple_routes import GATEWAY

INDEX = "{index:[a-z0-9-]+}"


def build_app(
    gateway: Gateway, settings: ServerNow, metrics: Metrics, checks: Checks, imports: ImportsKeeper, *, access: Access
) -> web.Application:
    """An application that serves the gateway."""
    app = web.Application(middlewares=[account, explain_errors, admit, under_one_configuration, check_host, guard])
    app[ACCESS] = access
    app[GATEWAY] = gateway
    app[OBSERVER] = gateway.observer
    app[IN_FORCE] = gateway.indexes
    app[SERVER] = settings
    app[METRICS] = metrics
    app[CHECKS] = dict(checks)
    app[IMPORTS] = imports
    app[osv_routes.QUESTIONS] = osv_routes.Questions()
    app[OVERLOAD] = overload = Overload(settings.limits, metrics)
    app[DOOR] = door = Door(settings, metrics)
    app[HOT] = Hot(overload, door, metrics)
    metrics.load(overload.waits, lambda: door.open)
    app.on_cleanup.append(_told)
    app.on_response_prepare.extend((_sign, tell_policy, answer_begins, keep_or_close))
    routes = (*_routes(), *acting_routes(), *_index_routes())
    app[openapi_routes.DESCRIPTION] = openapi_routes.Description(routes)
    add_routes(app, routes)
    return app


def _routes() -> list[Route]:
    some, inbond = OfAnyIndex(Role.READER), OfInbond(Role.READER)
    return [
        route("GET", "/", overview.overview, name="home", need=some),
        route("GET", "/-/use", views.use, name="use", need=some),
        route("GET", "/-/search", search_pages.search, name="search", need=some),
        route("GET", "/-/trust", trust_pages.trust, name="trust", need=some),
        route("GET", "/-/upstreams", upstream_pages.upstreams, name="upstreams", need=some),
        route("GET", "/why/{digits:[0-9a-f]{12}}", views.why, name="why", need=some),
        route("GET", "/-/static/inbond.css", views.style, name="static", need=Open()),
        route("GET", "/-/static/favicon.svg", views.favicon, name="favicon", need=Open()),
        route("GET", "/-/openapi.json", openapi_routes.openapi, name="openapi", need=Open()),
        route("GET", "/-/live", operations.live, name="live", need=Open()),
        route("GET", "/-/ready", operations.ready, name="ready", need=Open()),
        route("GET", "/metrics", operations.metrics, name="metrics", need=inbond),
        route("GET", "/-/sign-in", sign_in_routes.form, name="signin", need=Open()),
        route("POST", "/-/sign-in", sign_in_routes.sign_in, name="signin-send", need=Open(), anonymous=True),
        route("POST", "/-/sign-out", sign_in_routes.sign_out, name="signout", need=Open(), anonymous=True),
        route("POST", "/-/osv/v1/query", osv_routes.query, name="osv-query", need=some, reads=True),
        route("POST", "/-/osv/v1/querybatch", osv_routes.batch, name="osv-querybatch", need=some, reads=True),
        route("GET", "/-/osv/v1/vulns/{id}", osv_routes.record, name="osv-record", need=some),
        route(
            "POST", "/-/{place:v1|osv/v1/v1}/{rest:.*}", osv_routes.misaimed, name="osv-misaimed", need=Open(),
            reads=True,
        ),
    ]  # fmt: skip


def _index_routes() -> list[Route]:
    """What belongs to the index that the path names, or to root where it names none."""
    reading = OfIndex(Role.READER)
    routes = [
        route("GET", f"/-/verdict/{INDEX}/{{project}}/{{filename}}", file_routes.verdict, name="verdict", need=reading),
        route("GET", f"/-/projects/{INDEX}/{{project}}", project_pages.project, name="project", need=reading),
        route("GET", f"/-/files/{INDEX}/{{project}}/{{filename}}", file_pages.file, name="file-page", need=reading),
        route(
            "GET", "/root/{rest:(?:simple|packages|integrity)(?:/.*)?}", simple_routes.short_form, name="long-form",
            need=reading,
        ),
    ]  # fmt: skip
    integrity = "integrity/{project}/{version}/{filename}/provenance"
    for prefix, suffix in (("", ""), (f"/{INDEX}", "-of-index")):
        for path, handler, name in (
            ("simple", simple_routes.project_list, "list-bare"),
            ("simple/", simple_routes.project_list, "list"),
            ("simple/{project}", simple_routes.project_page, "page-bare"),
            ("simple/{project}/", simple_routes.project_page, "page"),
            ("packages/{path:.+}", file_routes.package_file, "file"),
            (integrity, file_routes.provenance, "provenance"),
        ):
            routes.append(route("GET", f"{prefix}/{path}", handler, name=f"{name}{suffix}", need=reading))
    return routes


async def _told(app: web.Application) -> None:
    app[HOT].close()


async def _sign(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = f"inbond/{__version__}"
