"""Values by ids: all that are wanted and there, however many."""

from pathlib import Path

import pytest

from services.api_keys.keys import ApiKey, create_key
from services.persistence import lookup
from services.persistence.database import Database


@pytest.mark.parametrize("most", [1, 2, 10_000])
def test_only_wanted_rows_are_found_in_queries_of_a_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    database = Database(f"sqlite:///{tmp_path}/keys.db")
    made = {create_key(database, name=f"k{number}")[1].id: f"k{number}" for number in range(5)}
    wanted = [*list(made)[:4], "nobody", next(iter(made))]
    monkeypatch.setattr(lookup, "MAX_IDS", most)
    found = lookup.values_by_id(database, ApiKey.id, ApiKey.name, wanted)
    assert found == {key_id: name for key_id, name in made.items() if name != "k4"}
    assert lookup.values_by_id(database, ApiKey.id, ApiKey.name, []) == {}
    database.close()
