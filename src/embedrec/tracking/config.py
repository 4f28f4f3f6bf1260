"""`TrackingConfig`: where runs are recorded, and how such a place is named without giving a password away."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from embedrec.errors import ConfigError, masked

ENVIRONMENT = "MLFLOW_TRACKING_URI"
DATABASE = "mlflow.db"


class TrackingConfig(BaseModel):
    """Where runs are recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    enabled: bool = True
    uri: str | None = None
    """MLflow tracking URI; without it $MLFLOW_TRACKING_URI, and without that sqlite in the outputs folder. It holds
    no password: settings are kept in the folder of a run, and the command can be seen in the list of processes."""
    experiment: str = "embedrec"
    parent_run: str | None = None
    """Run id of the sweep this run is a child of."""
    here: bool = False
    """Record in the outputs folder whatever `uri` says: the sweep is recorded there, its server being down."""
    system_metrics: bool = False
    """Record the load of processor, memory, disk, network and GPU every ten seconds; needs psutil."""

    def uri_in(self, outputs: Path) -> str:
        """Return the URI of the store, password and all: never to be shown or kept."""
        return local_uri(outputs) if self.here else self.uri or os.environ.get(ENVIRONMENT) or local_uri(outputs)


def local_uri(outputs: Path) -> str:
    """URI of the store in the outputs folder."""
    return f"sqlite:///{(outputs / DATABASE).resolve()}"


OF_MLFLOW = (
    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or all of it as the database's or "
    f"{ENVIRONMENT}'s environment variable"
)


def refuse_password(setting: str, uri: str, instead: str = OF_MLFLOW) -> None:
    """Refuse an address that gives credentials away, without repeating them; `instead` is what to set.

    Raises:
        ConfigError: it holds a user, a password or a token.
    """
    if masked(uri) != uri:
        raise ConfigError(
            f"{setting}={shown(uri)} holds a password, which would be kept in files and seen by others; leave it out "
            f"and set {instead}"
        )


def shown(uri: str) -> str:
    """Return a URI without credentials and without what follows a question mark.

    >>> shown("postgresql://user:word@host/runs?sslpassword=a1")
    'postgresql://host/runs'
    """
    return masked(uri).replace("***@", "").split("?")[0]
