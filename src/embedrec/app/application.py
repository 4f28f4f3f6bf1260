"""Puts the app together: plain HTTP routes, the page, and the guard around both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from embedrec.app.guard import HEALTH, Guard
from embedrec.app.page import mount_page
from embedrec.app.questions import (
    RULES,
    CustomerQuestion,
    NewCustomerQuestion,
    SimilarQuestion,
    field_at_fault,
    read_json,
    rule,
)
from embedrec.app.service import CustomerAnswer, Health, Service, SimilarAnswer
from embedrec.errors import RequestError

if TYPE_CHECKING:
    from embedrec.serving.recommender import Recommender


def create_app(
    shop: Recommender,
    *,
    allowed_hosts: Iterable[str] = (),
    login: tuple[str, str] | None = None,
    against: Recommender | None = None,
) -> FastAPI:
    """Serve `shop` at `/` (the page) and at `/recommend`, `/recommend_new`, `/similar` and `/health`.

    Only the machine itself may ask, by a loopback name, unless `allowed_hosts` names others. With `login`
    (user, password) everything but `/health` asks for it. The page compares with the bundle `against`,
    where there is one. One question of each kind is answered before this
    returns, so a shop that cannot answer fails here.
    """
    service = Service(shop, against=against)
    service.warm_up()
    # No documentation page: FastAPI's loads its scripts from elsewhere. The schema is at /openapi.json.
    app = FastAPI(title="embedrec", docs_url=None, redoc_url=None)
    app.include_router(_routes(service))
    app.add_exception_handler(RequestValidationError, _refuse_body)
    app.add_exception_handler(RequestError, _refuse_question)
    app.add_exception_handler(HTTPException, _refuse_request)
    paths = {"/openapi.json", *app.openapi()["paths"]}
    mount_page(app, service, needs_login=login is not None)
    app.add_middleware(Guard, routes=paths, allowed_hosts=tuple(allowed_hosts), login=login)
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


def _routes(service: Service) -> APIRouter:
    routes = APIRouter(route_class=_StrictJSONRoute)

    @routes.post("/recommend")
    def recommend(question: CustomerQuestion) -> CustomerAnswer:
        """Recommend products to a customer of the shop."""
        return service.recommend(question)

    @routes.post("/recommend_new")
    def recommend_new(question: NewCustomerQuestion) -> CustomerAnswer:
        """Recommend products to someone who is described by a basket and behaviour."""
        return service.recommend_new(question)

    @routes.post("/similar")
    def similar(question: SimilarQuestion) -> SimilarAnswer:
        """Find products like one product."""
        return service.similar(question)

    @routes.get(HEALTH)
    async def health() -> Health:
        """Say whether the shop can answer, with which model and data."""
        return service.health()

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
    return JSONResponse({"error": {"field": None, "message": error.detail}}, error.status_code)
