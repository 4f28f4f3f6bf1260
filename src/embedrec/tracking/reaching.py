"""Whether a store can be reached: a server is asked briefly, since the retries of MLflow itself take minutes."""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings

from embedrec.errors import masked

CONNECT, ANSWER = 3.0, 5.0
"""Seconds that a server has to take a connection, and to answer, before it counts as down."""
RETRIES, REQUEST = 1, 10
"""Later requests, of a run that goes on: how often each is repeated, and its seconds. The environment variables of
MLflow itself go first."""


class UnreachableError(Exception):
    """A store does not answer; the text says why."""


def is_server(uri: str) -> bool:
    """Say whether a store is reached over HTTP."""
    return uri.startswith(("http://", "https://"))


def probe(uri: str) -> str:
    """Ask a server whether it is there; return what is wrong, or nothing. Other stores are opened straight away."""
    if not is_server(uri):
        return ""
    import requests

    def ask() -> None:
        try:
            with requests.get(f"{uri.rstrip('/')}/health", timeout=(CONNECT, ANSWER), stream=True) as answer:
                found.append("" if answer.status_code < 500 else f"it answers {answer.status_code}")
        except (requests.RequestException, ValueError) as error:
            found.append(reason(error))

    found: list[str] = []
    asking = threading.Thread(target=ask, daemon=True)  # looking up a name has no time limit of its own
    asking.start()
    asking.join(CONNECT + ANSWER)
    return found[0] if found else "no answer in time"


def store_errors() -> tuple[type[Exception], ...]:
    """Return everything that MLflow, its database and its HTTP client raise."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, RequestException, SQLAlchemyError, ImportError, OSError


def refusal(error: Exception) -> int:
    """Return the HTTP status of a store that answered and said no; 0 where it is down, slow or broken."""
    from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException

    status = int(ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, 500)) if isinstance(error, MlflowException) else 0
    return status if 400 <= status < 500 and status not in (408, 429) else 0


def reason(error: Exception) -> str:
    """Say in one line and without credentials what went wrong."""
    text = str(error)
    for sign, words in (
        ("Connection refused", "connection refused"),
        ("imed out", "no answer in time"),
        ("resolve", "its name is not known"),
        ("Connection aborted", "it broke off the connection"),
        ("RemoteDisconnected", "it broke off the connection"),
    ):
        if sign in text:
            return words
    if status := re.search(r"failed with error code (\d+)", text):
        return f"it answers {status.group(1)}"
    line = masked(" ".join((text.splitlines() or [type(error).__name__])[0].split()))
    return line if len(line) <= 200 else line[:199] + "…"


def quiet() -> None:
    """Keep MLflow, its client and its database tools from chatting, calling home, and retrying for minutes."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module="mlflow")
    for name in ("mlflow", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # the last line on stdout is the result
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(REQUEST))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(RETRIES))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(REQUEST))
    os.environ.setdefault("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "false")
    for name in ("mlflow.store", "urllib3.connectionpool"):  # they announce what is raised anyway
        logging.getLogger(name).setLevel(logging.CRITICAL)
