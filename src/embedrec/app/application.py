"""Puts the app together: plain HTTP routes, the page, and the guard around both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import ASGIApp

from embedrec.app.csv_routes import csv_routes
from embedrec.app.desk import Desk
from embedrec.app.guard import HEALTH, Guard
from embedrec.app.live import LOOK_EVERY, Live, Standing, state_of
from embedrec.app.page import mount_page
from embedrec.app.questions import (
    RULES,
    AudienceQuestion,
    BatchQuestion,
    CustomerQuestion,
    ExplainQuestion,
    NewCustomerQuestion,
    SimilarQuestion,
    field_at_fault,
    read_json,
    rule,
)
from embedrec.app.service import (
    AudienceAnswer,
    BatchAnswer,
    CustomerAnswer,
    ExplainAnswer,
    Health,
    Service,
    SimilarAnswer,
)
from embedrec.bundle import NAMES
from embedrec.errors import BundleError, RequestError

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender


class Fault(BaseModel):
    """What is wrong with a question. `field` is null where it is not a field of it."""

    field: str | None
    message: str


class Refusal(BaseModel):
    """The answer to every question that is refused."""

    error: Fault


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": why}
    for status, why in {
        400: "the body is not JSON in UTF-8",
        401: "user and password are needed",
        403: "a foreign Host or Origin",
        408: "the body took too long to come",
        413: "the body is too long",
        422: "a field breaks its rule; it is named",
        503: "too many questions at once, or no bundle that can be used; ask again after Retry-After seconds",
    }.items()
}


def create_app(
    shop: Recommender,
    *,
    allowed_hosts: Iterable[str] = (),
    login: tuple[str, str] | None = None,
    against: Recommender | None = None,
) -> ASGIApp:
    """Serve `shop` at `/` (the page) and at the plain HTTP routes, such as `/recommend` and `/health`.

    Only the machine itself may ask, by a loopback name, unless `allowed_hosts` names others. With `login`
    (user, password) everything but `/health` asks for it. The page compares with the bundle `against`,
    where there is one. One question of each kind is answered before this
    returns, so a shop that cannot answer fails here.
    """
    standing = Standing()
    return _guarded(Live(_app_of(shop, standing, login is not None, against), standing), allowed_hosts, login)


def create_live_app(
    folder: Path,
    *,
    allowed_hosts: Iterable[str] = (),
    login: tuple[str, str] | None = None,
    against: Recommender | None = None,
    look_every: float = LOOK_EVERY,
) -> ASGIApp:
    """Serve the bundle in `folder` as `create_app` does, and every newer one that takes its place.

    While there is none that can be used, every question is answered 503, naming file and reason.
    """
    standing = Standing()

    def make() -> FastAPI:
        from embedrec.serving.recommender import Recommender

        try:
            shop = Recommender.load(folder)
            # Gradio opens event loops of its own where there is none, and leaves them open.
            return asyncio.run(_in_a_loop(lambda: _app_of(shop, standing, login is not None, against)))
        except BundleError as error:
            raise BundleError(_without_place(str(error), folder)) from error

    live = Live(None, standing, make, lambda: state_of(folder), look_every)
    live.first()
    return _guarded(live, allowed_hosts, login)


def _without_place(told: str, folder: Path) -> str:
    """Leave out where on the machine the bundle is: errors of a bundle begin with the path that is at fault."""
    for path in (*(folder / name for name in NAMES), folder):
        if told.startswith((f"{path} ", f"{path}:")):
            return ("the bundle" if path == folder else path.name) + told[len(str(path)) :]
    return told


async def _in_a_loop(make: Callable[[], FastAPI]) -> FastAPI:
    return make()


def _guarded(app: ASGIApp, allowed_hosts: Iterable[str], login: tuple[str, str] | None) -> ASGIApp:
    plain = FastAPI()
    plain.include_router(_routes(cast(Service, None), cast(Desk, None)))  # which addresses there are hangs on no shop
    paths = {"/openapi.json", *plain.openapi()["paths"]}
    return Guard(app, routes=paths, allowed_hosts=tuple(allowed_hosts), login=login)


def _app_of(shop: Recommender, standing: Standing, needs_login: bool, against: Recommender | None) -> FastAPI:
    """Make the routes and the page of one model."""
    service = Service(shop, refused=lambda: standing.refused, against=against)
    service.warm_up()
    desk = Desk(service)
    # No documentation page: FastAPI's loads its scripts from elsewhere. The schema is at /openapi.json.
    app = FastAPI(title="embedrec", docs_url=None, redoc_url=None)
    app.include_router(_routes(service, desk))
    app.add_exception_handler(RequestValidationError, _refuse_body)
    app.add_exception_handler(RequestError, _refuse_question)
    app.add_exception_handler(HTTPException, _refuse_request)
    app.openapi()  # made now, and kept
    app.state.heavy = shop, desk
    mount_page(app, service, needs_login=needs_login)
    return app


class _StrictJSONRequest(Request):
    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except ValueError:
            raise HTTPException(400, "the body must be JSON in UTF-8") from None


class _StrictJSONRoute(APIRoute):
    """Reads bodies with `read_json`: what is not JSON is 400, what breaks a field's rule 422."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            response: Response = await handle(_StrictJSONRequest(request.scope, request.receive))
            return response

        return handle_strictly


def _routes(service: Service, desk: Desk) -> APIRouter:
    routes = APIRouter(route_class=_StrictJSONRoute, responses=REFUSALS)

    @routes.post("/recommend", response_model=CustomerAnswer)
    async def recommend(question: CustomerQuestion) -> Response:
        """Recommend products to a customer of the shop."""
        return Response(await desk.ask(question), media_type="application/json")

    @routes.post("/recommend_batch", response_model=BatchAnswer)
    def recommend_batch(question: BatchQuestion) -> Response:
        """Recommend products to many customers of the shop."""
        return Response(service.recommend_batch(question).model_dump_json(), media_type="application/json")

    @routes.post("/recommend_new")
    def recommend_new(question: NewCustomerQuestion) -> CustomerAnswer:
        """Recommend products to someone who is described by a basket and behaviour."""
        return service.recommend_new(question)

    @routes.post("/similar")
    def similar(question: SimilarQuestion) -> SimilarAnswer:
        """Find products like one product."""
        return service.similar(question)

    @routes.post("/audience")
    def audience(question: AudienceQuestion) -> AudienceAnswer:
        """Find the customers most likely to buy a product, any of several, or any of some categories."""
        return service.audience(question)

    @routes.post("/explain")
    def explain(question: ExplainQuestion) -> ExplainAnswer:
        """Take the score of one product for one customer apart."""
        return service.explain(question)

    @routes.get(HEALTH, responses={503: {"model": Health, "description": "no bundle can be used; why"}})
    async def health() -> Health:
        """Say whether the shop can answer, with which model and data."""
        return service.health()

    routes.include_router(csv_routes(service))
    return routes


def _refuse_body(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    broken = any(fault["type"] == "json_invalid" for fault in error.errors())
    return _refuse(400 if broken else 422, field_at_fault(error.errors()))


def _refuse_question(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return _refuse(422, error.field if error.field in RULES else "body")


def _refuse(status: int, field: str) -> JSONResponse:
    return JSONResponse({"error": {"field": field, "message": rule(field)}}, status)


def _refuse_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    fault = {"field": getattr(error, "field", None), "message": error.detail}
    return JSONResponse({"error": fault}, error.status_code)
