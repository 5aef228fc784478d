"""Fixtures of the tests of accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from services.accounts.passwords import Passwords
from services.persistence.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/accounts.db")
    yield database
    database.close()


@pytest.fixture
def quick() -> Passwords:
    """A hasher that costs nothing."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), wait_seconds=0.05)
