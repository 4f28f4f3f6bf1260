"""Questions made up by schemathesis from the API's own schema: none breaks the server, each gets a promised answer."""

from __future__ import annotations

import json

import pytest
from fake_shop import FakeShop
from hypothesis import HealthCheck, Phase, given, settings
from live_app import build_app

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")


@pytest.fixture(scope="module")
def schema():
    return schemathesis.openapi.from_asgi(
        "/openapi.json", build_app(FakeShop(products=40), allowed_hosts=["testserver"])
    )


def ask_all(schema, each: int) -> int:
    """Ask `each` questions of every kind that keep to the schema, and as many that do not; return their number."""
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:
            if operation.method == "post" or mode is schemathesis.GenerationMode.POSITIVE:
                asked += ask_one(operation, mode, each)
    return asked


def ask_one(operation, mode, each: int) -> int:
    asked, promised = 0, {*operation.definition.raw["responses"], "405"}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def ask(case) -> None:
        nonlocal asked
        asked += 1
        response = case.call()
        assert response.status_code < 500 or response.status_code == 503, response.text
        assert str(response.status_code) in promised, (response.status_code, response.text)
        assert "Traceback" not in response.text
        if response.headers["content-type"][0].startswith("application/json"):
            json.loads(response.text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    ask()
    return asked


def test_the_schema_is_valid_and_says_what_can_go_wrong(schema):
    schema.validate()
    for path, methods in schema.raw_schema["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], path
            refused = {"400", "401", "403", "413", "422", "503"} if method == "post" else {"503"}
            assert refused <= set(operation["responses"]), path
            for status in refused - {"503"}:
                content = operation["responses"][status]["content"]["application/json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Refusal"}, (path, status)


def test_generated_questions(schema):
    assert ask_all(schema, each=40) >= 300


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_thousand_generated_questions(schema):
    assert ask_all(schema, each=625) >= 5_000
