"""The model registry: bundles as versions of one registered model, found again by number or alias.

    outputs/mlflow.db ─ embedrec ─┬ version 1
                                  └ version 2  ← alias champion     models:/embedrec@champion, models:/embedrec/2

Nothing here is executed when a version is served: only the bundle in it is read, and verified.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedrec.errors import ConfigError, masked, nearest, quoted
from embedrec.tracking.bundle_record import BUNDLE, BUNDLE_TAG, NAME, log_bundle
from embedrec.tracking.config import TrackingConfig, shown
from embedrec.tracking.reaching import quiet

URI = re.compile(r"models:/(?P<model>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<number>[1-9]\d*))")
CARD = "MODEL_CARD.md"
DESCRIPTION_LIMIT = 5000  # characters, of MLflow's table


@dataclass(frozen=True)
class Version:
    """One version of the registered model."""

    number: int
    tags: Mapping[str, str]
    source: str
    """Where its files lie."""

    @property
    def bundle_id(self) -> str:
        """Id of its bundle, empty where a stranger registered it."""
        return self.tags.get(BUNDLE_TAG, "")

    @property
    def uri(self) -> str:
        """The address by which it is served."""
        return f"models:/{NAME}/{self.number}"


@dataclass(frozen=True)
class RecordedRun:
    """A run as the store knows it."""

    name: str
    tags: Mapping[str, str]
    files: frozenset[str]
    """Files and folders at the top."""


def store_uri(outputs: Path, configured: str | None = None) -> str:
    """Return the tracking store: what a run was told, else MLFLOW_TRACKING_URI, else sqlite in the outputs folder."""
    return TrackingConfig(uri=configured).uri_in(outputs)


def fetch_bundle(uri: str, outputs: Path = Path("outputs")) -> Path:
    """Return the local folder of the bundle behind models:/NAME@ALIAS or models:/NAME/VERSION.

    Raises:
        ConfigError: the address is malformed, or there is no such model, alias or version; names what there is.
    """
    parts = URI.fullmatch(uri)
    if parts is None:
        raise ConfigError(f"{quoted(uri)}: wanted models:/{NAME}@ALIAS or models:/{NAME}/VERSION")
    registry = Registry(store_uri(outputs), parts["model"])
    if parts["alias"]:
        found = registry.holder(parts["alias"])
    else:
        found = next((one for one in registry.versions() if one.number == int(parts["number"])), None)
    if found is None:
        raise ConfigError(f"{uri}: {registry.listing(parts['alias'] or '')}")
    return registry.bundle_of(found)


class Registry:
    """The registered model of one tracking store.

    Raises ConfigError, here and in every method, where the store is not there or cannot be reached.
    """

    def __init__(self, uri: str, name: str = NAME) -> None:
        from mlflow import MlflowClient

        quiet()
        self.uri, self.name = uri, name
        if not exists(uri):
            raise ConfigError(
                f"there is no tracking store {shown(uri)}: register a bundle with promote.py, or set "
                "MLFLOW_TRACKING_URI to the store that has it"
            )
        with plainly(uri):
            self.client = MlflowClient(uri)

    def versions(self) -> list[Version]:
        """Return every version, newest first."""
        with plainly(self.uri):
            found = self.client.search_model_versions(f"name='{self.name}'", max_results=10_000)
            return sorted((self._version(one) for one in found), key=lambda one: -one.number)

    def holder(self, alias: str) -> Version | None:
        """Return the version that holds an alias, None where no version does."""
        number = self.aliases().get(alias)
        return next((one for one in self.versions() if one.number == number), None)

    def aliases(self) -> dict[str, int]:
        """Return {alias: version} of the registered model, nothing where there is no such model."""
        with plainly(self.uri):
            found = self.client.search_registered_models(f"name='{self.name}'")
            return {alias: int(number) for one in found for alias, number in sorted(one.aliases.items())}

    def listing(self, alias: str) -> str:
        """Say in words what there is, for an address that does not exist."""
        with plainly(self.uri):
            models = [str(one.name) for one in self.client.search_registered_models()]
        if self.name not in models:
            known = f"there is {', '.join(models)}" if models else "nothing is registered yet: promote.py does it"
            return f"no registered model {quoted(self.name)} in {shown(self.uri)}{nearest(self.name, models)}; {known}"
        numbers, aliases = sorted(one.number for one in self.versions()), self.aliases()
        held = ", ".join(f"{one} (version {number})" for one, number in aliases.items()) or "no alias"
        kind = f"alias {quoted(alias)}{nearest(alias, aliases)}" if alias else "version"
        return f"{self.name} has no such {kind}; there is {held}, and version {', '.join(map(str, numbers)) or 'none'}"

    def bundle_of(self, version: Version) -> Path:
        """Return the local folder of a version's bundle; a remote one is downloaded."""
        from mlflow.artifacts import download_artifacts

        with plainly(self.uri):
            source = f"{version.source.rstrip('/')}/artifacts/{BUNDLE}"
            found = Path(download_artifacts(artifact_uri=source, tracking_uri=self.uri))
        if not found.is_dir():
            raise ConfigError(
                f"models:/{self.name}/{version.number} holds no bundle: it was not registered by promote.py"
            )
        return found

    def run(self, run_id: str) -> RecordedRun | None:
        """Return what the store knows of a run, None where it knows nothing."""
        from mlflow.exceptions import MlflowException

        with plainly(self.uri):
            try:
                found = self.client.get_run(run_id)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
            files = frozenset(one.path for one in self.client.list_artifacts(run_id))
            return RecordedRun(str(found.info.run_name), dict(found.data.tags), files)

    def run_folder(self, run_id: str) -> Path:
        """Return a local folder with all that was recorded of a run."""
        from mlflow.artifacts import download_artifacts

        with plainly(self.uri):
            return Path(download_artifacts(run_id=run_id, artifact_path="", tracking_uri=self.uri))

    def register(self, run_id: str, bundle: Path, bundle_id: str, card: str, tags: Mapping[str, str]) -> Version:
        """Make the bundle of a run a version under its model card; a bundle that is one already keeps its number."""
        tags, text = {**tags, BUNDLE_TAG: bundle_id}, card[:DESCRIPTION_LIMIT]
        with plainly(self.uri):
            model_id = log_bundle(self.client, run_id, bundle, bundle_id)
            self._attach(model_id, card)
            known = next((one for one in self.versions() if one.bundle_id == bundle_id), None)
            if known is None:
                return self._create(model_id, run_id, text, tags)
            for stale in set(known.tags) - set(tags):  # what an earlier promotion said of it no longer holds
                self.client.delete_model_version_tag(self.name, str(known.number), stale)
            for key, value in tags.items():
                self.client.set_model_version_tag(self.name, str(known.number), key, value)
            self.client.update_model_version(self.name, str(known.number), description=text)
            return Version(known.number, tags, known.source)

    def point(self, alias: str, version: Version) -> None:
        """Let an alias name a version."""
        with plainly(self.uri):
            self.client.set_registered_model_alias(self.name, alias, str(version.number))

    def _create(self, model_id: str, run_id: str, text: str, tags: Mapping[str, str]) -> Version:
        from mlflow.exceptions import MlflowException

        try:
            about = "Bundles of embedrec; each version carries its model card."
            self.client.create_registered_model(self.name, description=about)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        place = self.client.get_logged_model(model_id).artifact_location
        made = self.client.create_model_version(
            self.name, place, run_id=run_id, model_id=model_id, description=text, tags=dict(tags)
        )
        return self._version(made)

    def _attach(self, model_id: str, card: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / CARD
            path.write_text(card, encoding="utf-8")
            self.client.log_model_artifact(model_id, str(path))

    def _version(self, found: Any) -> Version:
        source = self.client.get_model_version_download_uri(self.name, found.version)
        return Version(int(found.version), dict(found.tags), source)


def exists(uri: str) -> bool:
    """Tell whether a store is there; of a server only a call can tell."""
    path = uri.partition("sqlite:///")[2]
    return not uri.startswith("sqlite:///") or Path(path).is_file()


@contextmanager
def plainly(uri: str) -> Iterator[None]:
    """Turn the store's own complaints into one line."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        said = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
        if "Max retries exceeded" in said:
            said = "it cannot be reached; start it, or set MLFLOW_TRACKING_URI to another"
        raise ConfigError(f"the tracking store {shown(uri)}: {masked(said)[:300]}") from error
