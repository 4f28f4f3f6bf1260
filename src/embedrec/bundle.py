"""A bundle: everything serving needs and nothing else, as plain files with a SHA-256 for each. No pickle.

    manifest.json       format, model, data window, verdict, metrics, the hash of the features and of every other file
    model.safetensors   the weights that were evaluated
    schema.json         vocabularies and statistics fitted on training
    customers.parquet   customer_id, page_views, time_spent
    products.parquet    product_id, title, category, price, rating, rating_count; in_stock if told
    events.parquet      dated purchases and views to the end of the data, from which any past date can be rebuilt
    products.faiss      of a large catalogue only: an index of the product vectors as of the end of the data

The same run on the same machine writes the same bytes: no clock, no run id. A bundle holds purchase histories; treat
it as the shop's data.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from embedrec.columns import (
    CUSTOMER,
    PAGE_VIEWS,
    PRICE,
    PRODUCT,
    QUANTITY,
    RATING,
    RATING_COUNT,
    TIME,
    TIME_SPENT,
)
from embedrec.errors import BundleError, quoted
from embedrec.features import FeatureSchema
from embedrec.models import ModelConfig
from embedrec.tables.distinct import unfolded
from embedrec.tables.model import CUSTOMER_COLUMNS, EVENT_COLUMNS, PRODUCT_COLUMNS

FORMAT, INDEXED = 4, 5
"""Of a bundle without an index, and of one with it, which versions that know none refuse."""
MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
SCHEMA = "schema.json"
INDEX = "products.faiss"
FRAMES = ("customers", "products", "events")
_COLUMNS = {"customers": CUSTOMER_COLUMNS, "products": PRODUCT_COLUMNS, "events": EVENT_COLUMNS}
_IDS = {"customers": CUSTOMER, "products": PRODUCT}
_NUMBERS = (PAGE_VIEWS, TIME_SPENT, PRICE, RATING, RATING_COUNT, QUANTITY)
Parsed = TypeVar("Parsed")
FILES = (WEIGHTS, SCHEMA, *(f"{name}.parquet" for name in FRAMES))
NAMES = (MANIFEST, *FILES, INDEX)
"""Every file that a bundle may have."""
MIN_RECALL = 0.98
"""An index that misses more is left out."""


class Chances(BaseModel):
    """The knots of a monotone map from a score to the chance of a purchase, straight lines between them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(min_length=1)
    """Ascending."""
    probabilities: list[Annotated[float, Field(ge=0, le=1)]]
    """Not descending."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Refuse what is no monotone map."""
        pairs = (self.scores, self.probabilities)
        if len(self.scores) != len(self.probabilities) or any(values != sorted(values) for values in pairs):
            raise ValueError("knots of a monotone map expected")
        return self


class IndexRecord(BaseModel):
    """How the index of a large catalogue is searched, and what it was found to miss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: float = Field(ge=MIN_RECALL, le=1)
    """Share of the exact first `places` new products that customers get through the index, averaged over them."""
    places: int = Field(ge=1)
    customers: int = Field(ge=1)
    """Who were asked."""
    cells: int = Field(ge=1)
    probes: int = Field(ge=1)
    """Cells searched for each customer."""


class Manifest(BaseModel):
    """What a bundle says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    id: str = ""
    """First 16 hex digits of the SHA-256 of the rest of the manifest, and so of every file."""
    model: ModelConfig
    fallback_from: str | None = None
    """The model that was asked for, where there was too little data to train it."""
    data: dict[str, Any]
    """name, fingerprint, dated, from, until (first and last purchase), synthetic, repeat_share, warnings.

    Where the data carry no dates (`dated` is false) all times are made up, and nobody should be shown them.
    """
    split: dict[str, str]
    """protocol, valid_from and test_from: the weights were fitted on everything before test_from."""
    config: dict[str, Any]
    metrics: dict[str, Any]
    verdict: str
    days: int | None = None
    """Length of the validation window, rounded; None where its dates are made up."""
    probability: Chances | None = None
    """From the score of a recommended product to the chance that it is bought within so many days."""
    audience: Chances | None = None
    """From `evaluation.likelihood` to the chance that a customer buys a product within so many days."""
    beaten_by: str | None = None
    """The simple rival that the verdict recommends instead."""
    index: IndexRecord | None = None
    """Of a large catalogue; not written at all where there is none."""
    files: dict[str, str]
    """SHA-256 of every file."""
    schema_hash: str = ""
    """`FeatureSchema.hash` as of the training: what the numbers mean that the weights were learned from."""

    @model_serializer(mode="wrap")
    def _without_no_index(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write a bundle without an index as versions do that know none."""
        content: dict[str, Any] = plain(self)
        if content.get("index") is None:
            content.pop("index", None)
        return content

    def digest(self) -> str:
        """Compute the id from everything else."""
        content = self.model_dump(mode="json", exclude={"id"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory; `frames` are those of `Tables`."""

    manifest: Manifest
    weights: dict[str, Tensor]
    schema: FeatureSchema
    frames: dict[str, pd.DataFrame]
    index: bytes | None = None
    """The content of the index, not parsed."""


def write_bundle(
    folder: Path,
    manifest: Manifest,
    weights: dict[str, Tensor],
    schema: FeatureSchema,
    frames: dict[str, pd.DataFrame],
    index: bytes | None = None,
) -> Manifest:
    """Write a bundle whole, beside an older one until the two change places; return the final manifest.

    `index` is what `manifest.index` tells of.
    """
    assert (index is None) == (manifest.index is None), "an index and what is known of it belong together"
    partial, older = (folder.with_name(f".{folder.name}.{os.getpid()}.{word}") for word in ("partial", "older"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        (partial / WEIGHTS).write_bytes(save({name: value.contiguous() for name, value in weights.items()}))
        (partial / SCHEMA).write_text(json.dumps(schema.plain()), encoding="utf-8")
        for name in FRAMES:
            unfolded(frames[name]).to_parquet(partial / f"{name}.parquet", index=False, compression="zstd")
        if index is not None:
            (partial / INDEX).write_bytes(index)
        manifest = manifest.model_copy(update={"format": FORMAT if index is None else INDEXED})
        files = {name: _sha256(partial / name) for name in _files(manifest)}
        hashes = {"files": files, "schema_hash": schema.hash()}
        manifest = manifest.model_copy(update=hashes)
        manifest = manifest.model_copy(update={"id": manifest.digest()})
        (partial / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        if folder.exists():
            folder.replace(older)
        partial.replace(folder)
    finally:
        for rest in (partial, older):
            shutil.rmtree(rest, ignore_errors=True)
    return manifest


def read_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleError: a file is missing, does not match its hash, or is of another format; or its features are not
            those that the model was trained with.
    """
    manifest = _read_manifest(folder)
    content = {}
    for name in _files(manifest):
        # read once: what was verified is what is used, also while somebody replaces the files
        content[name] = _read_file(folder / name)
        if hashlib.sha256(content[name]).hexdigest() != manifest.files.get(name):
            raise BundleError(
                f"{folder / name} does not match its SHA-256 in {MANIFEST}: it was changed or damaged; export it again"
            )
    bundle = Bundle(
        manifest,
        _parsed(folder / WEIGHTS, load, content[WEIGHTS]),
        _parsed(folder / SCHEMA, FeatureSchema.model_validate_json, content[SCHEMA]),
        {name: _read_frame(folder / f"{name}.parquet", content[f"{name}.parquet"]) for name in FRAMES},
        content.get(INDEX),
    )
    if (found := bundle.schema.hash()) != manifest.schema_hash:
        raise BundleError(
            f"{folder / SCHEMA} has the schema hash {found[:16]}, but {MANIFEST} says the model was trained with "
            f"{manifest.schema_hash[:16] or 'none'}: the schema was changed, or this version makes other features; "
            "train again"
        )
    return bundle


def _files(manifest: Manifest) -> tuple[str, ...]:
    return FILES if manifest.index is None else (*FILES, INDEX)


def _read_file(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path} is missing or not a plain file; export the bundle again")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); export the bundle again") from error


def _parsed(path: Path, parse: Callable[[bytes], Parsed], content: bytes) -> Parsed:
    """Parse what has the right hash and may still be nothing that this version understands."""
    try:
        return parse(content)
    except (ValidationError, SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read ({type(error).__name__}); export the bundle again") from error


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no plain {MANIFEST}; train.py prints the path of the one it writes"
        )
    try:
        content = json.loads(_read_file(path).decode("utf-8"), object_pairs_hook=_distinct_keys)
        version = content.get("format") if isinstance(content, dict) else None
        if isinstance(version, bool | float) or version not in (FORMAT, INDEXED):
            raise BundleError(
                f"{path} has format {quoted(repr(version))[1:-1]}, this version reads {FORMAT} and {INDEXED}; "
                "export the bundle again"
            )
        manifest = Manifest.model_validate(content)
        if manifest.format != (FORMAT if manifest.index is None else INDEXED):
            raise ValueError("an index belongs to its format")
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged ({type(error).__name__}); export the bundle again") from error
    if strange := sorted(set(manifest.files) - set(_files(manifest))):
        raise BundleError(f"{path} names {quoted(strange[0])}, which is no file of a bundle; export the bundle again")
    if manifest.id != manifest.digest():
        raise BundleError(
            f"{path} does not match its own id: it was changed by hand or damaged; export the bundle again"
        )
    return manifest


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says two things under one name, of which another reader would believe the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _read_frame(path: Path, content: bytes) -> pd.DataFrame:
    """Read a table and check what everything after this relies on: its columns, their types, and ids that are one."""
    frame = _parsed(path, lambda given: pd.read_parquet(BytesIO(given)), content)
    wanted = _COLUMNS[path.stem]
    if missing := [name for name in wanted if name not in frame]:
        raise BundleError(f"{path} has no column {missing[0]}; export the bundle again")
    ids = _IDS.get(path.stem)
    if ids and (bool(frame[ids].isna().any()) or bool(frame[ids].duplicated().any())):
        raise BundleError(f"{path} has a {ids} twice, or a row without one; export the bundle again")
    for name in wanted:
        if name in _NUMBERS and not pd.api.types.is_float_dtype(frame[name]):
            raise BundleError(f"{path}: {name} is {frame[name].dtype}, wanted numbers; export the bundle again")
    if TIME not in frame:
        return frame
    # parquet knows no seconds, only milliseconds
    return _parsed(path, lambda _: frame.astype({TIME: "datetime64[s]"}), content)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
