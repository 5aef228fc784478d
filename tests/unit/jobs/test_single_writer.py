"""Only `services/jobs/store.py` changes the tables of jobs (decision 015: the record is the truth)."""

import ast
from pathlib import Path
from typing import Final

import pytest

from services.jobs.tables import Job, JobItem
from tests.support.waiting import ROOT

STORE: Final = Path("services/jobs/store.py")
TABLES: Final = {Job.__name__, JobItem.__name__, Job.__tablename__, JobItem.__tablename__}
# Writes of SQLAlchemy, in the two ways to spell them: a statement, and a method of a session.
STATEMENTS: Final = {"update", "delete", "insert"}
SESSION_WRITES: Final = {"add", "add_all", "delete", "merge", "bulk_save_objects", "bulk_insert_mappings"}


def names(tree: ast.AST) -> set[str]:
    """All identifiers in a module."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def writes(source: str) -> set[str]:
    """The writes to a database in a module that uses the tables of jobs."""
    tree = ast.parse(source)
    if not names(tree) & TABLES:
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            found |= {alias.name for alias in node.names} & STATEMENTS
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {node.attr} & (SESSION_WRITES if node.value.id == "session" else set())
            found |= {node.attr} & (STATEMENTS if node.value.id in ("sa", "sqlalchemy") else set())
    return found


@pytest.mark.parametrize("folder", ["services", "routes"])
def test_no_other_module_writes_to_the_tables_of_jobs(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path.relative_to(ROOT) != STORE:
            assert writes(path.read_text()) == set(), path


def test_the_store_is_found_to_write() -> None:
    assert {"update", "delete", "add"} <= writes((ROOT / STORE).read_text())


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import update\nupdate(Job)",
        "import sqlalchemy as sa\nsa.delete(JobItem)",
        "def f(session): session.merge(Job())",
    ],
)
def test_each_way_to_write_is_found(source: str) -> None:
    assert len(writes(source)) == 1
