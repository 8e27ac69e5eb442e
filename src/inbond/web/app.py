"""The application: which path is answered by whom."""

from __future__ import annotations

from aiohttp import web

from inbond import __version__
from inbond.gateway.gateway import Gateway
from inbond.mirror.in_force import ImportsKeeper
from inbond.web import file_routes, operations, osv_routes, simple_routes, views
from inbond.web.access_log import METRICS, account
from inbond.web.connections import keep_or_close
from inbond.web.door import DOOR, Door
from inbond.web.errors import explain_errors
from inbond.web.hot import HOT, Hot
from inbond.web.metrics import Metrics
from inbond.web.operations import CHECKS, IMPORTS, Checks
from inbond.web.origin import SERVER, check_host
from inbond.web.overload import OVERLOAD, Overload, admit, answer_begins
from inbond.web.settings import ServerSettings
from inbond.web.simple_routes import GATEWAY

INDEX = "{index:[a-z0-9-]+}"


def build_app(
    gateway: Gateway, settings: ServerSettings, metrics: Metrics, checks: Checks, imports: ImportsKeeper
) -> web.Application:
    """An application that serves the gateway."""
    app = web.Application(middlewares=[account, explain_errors, admit, check_host])
    app[GATEWAY] = gateway
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
    app.on_response_prepare.extend((_sign, answer_begins, keep_or_close))
    app.add_routes(_routes())
    return app


def _routes() -> list[web.RouteDef]:
    routes = [
        web.get("/", views.home, name="home"),
        web.get("/why/{digits:[0-9a-f]{12}}", views.why, name="why"),
        web.get("/-/static/inbond.css", views.style, name="static"),
        web.get("/-/static/favicon.svg", views.favicon, name="favicon"),
        web.get("/-/live", operations.live, name="live"),
        web.get("/-/ready", operations.ready, name="ready"),
        web.get("/metrics", operations.metrics, name="metrics"),
        web.post("/-/osv/v1/query", osv_routes.query, name="osv-query"),
        web.post("/-/osv/v1/querybatch", osv_routes.batch, name="osv-querybatch"),
        web.get("/-/osv/v1/vulns/{id}", osv_routes.record, name="osv-record"),
        web.post("/-/{place:v1|osv/v1/v1}/{rest:.*}", osv_routes.misaimed, name="osv-misaimed"),
        web.get(f"/-/verdict/{INDEX}/{{project}}/{{filename}}", file_routes.verdict, name="verdict"),
        web.get("/root/{rest:(?:simple|packages|integrity)(?:/.*)?}", simple_routes.short_form, name="long-form"),
    ]
    for prefix, suffix in (("", ""), (f"/{INDEX}", "-of-index")):
        routes += [
            web.get(f"{prefix}/simple", simple_routes.project_list, name=f"list-bare{suffix}"),
            web.get(f"{prefix}/simple/", simple_routes.project_list, name=f"list{suffix}"),
            web.get(f"{prefix}/simple/{{project}}", simple_routes.project_page, name=f"page-bare{suffix}"),
            web.get(f"{prefix}/simple/{{project}}/", simple_routes.project_page, name=f"page{suffix}"),
            web.get(f"{prefix}/packages/{{path:.+}}", file_routes.package_file, name=f"file{suffix}"),
            web.get(
                f"{prefix}/integrity/{{project}}/{{version}}/{{filename}}/provenance",
                file_routes.provenance,
                name=f"provenance{suffix}",
            ),
        ]
    return routes


async def _told(app: web.Application) -> None:
    app[HOT].tell()


async def _sign(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = f"inbond/{__version__}"
