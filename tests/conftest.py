"""One small shop and one small run of each kind, made once and only read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from embedrec.demo_shop import write_demo_shop
from runs import QUICK, SIMPLE, UNTRACKED, Trained, train_here

# Warnings of other people's code that nobody here can mend.
THIRD_PARTY = (
    # MLflow 3.17 builds its queries with it
    "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    # Tensors are tiny here: several threads would only wait for each other.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the commands that tests start
    settings.register_profile("patient", deadline=None)  # a busy machine is no failure
    settings.load_profile("patient")
    for warning in THIRD_PARTY:
        config.addinivalue_line("filterwarnings", warning)


@pytest.fixture(scope="session")
def demo_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a synthetic shop of 300 customers and 120 products."""
    return write_demo_shop(tmp_path_factory.mktemp("demo"), customers=300, products=120, seed=1)


@pytest.fixture(scope="session")
def trained(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished run of the two-tower model, tracked."""
    return train_here(demo_tables, tmp_path_factory.mktemp("trained"), *QUICK)


@pytest.fixture(scope="session")
def simple(demo_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished run of a model that only counts."""
    return train_here(demo_tables, tmp_path_factory.mktemp("simple"), *SIMPLE, UNTRACKED)
