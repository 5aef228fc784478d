"""Says to administrators who is behind an id: the name of a key, or the address of a user."""

from collections.abc import Iterable

from routes.http.context import service
from services.api_keys.keys import names_of


def addresses(user_ids: Iterable[str | None]) -> dict[str, str]:
    """Return the addresses of users by their ids; none without accounts."""
    accounts, ids = service().accounts, {user_id for user_id in user_ids if user_id}
    return accounts.emails(ids) if accounts and ids else {}


def names(ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of keys and the addresses of users by their ids, with a query for each of the two."""
    wanted = {one for one in ids if one}
    return names_of(service().keys.database, wanted) | addresses(wanted)
