"""Callers: a key that belongs to a user acts for the user."""

from services.api_keys.caller import Caller
from services.api_keys.keys import new_key


def test_operators_key_owns_what_it_makes() -> None:
    _, key = new_key(name="shop", rate_limit="5/hour", monthly_quota=7)
    caller = Caller.of_key(key)
    assert (caller.id, caller.key_id, caller.user_id) == (key.id, key.id, None)
    assert (caller.quota_name, caller.label) == (f"key:{key.id}", "shop")
    assert (caller.rate_limit, caller.monthly_quota, caller.scopes) == ("5/hour", 7, ("remove",))


def test_users_keys_share_the_users_id_and_stay_out_of_metrics() -> None:
    callers = [Caller.of_key(new_key(name=name, user_id="u0123456789a")[1]) for name in ("one", "two")]
    assert {(caller.id, caller.quota_name, caller.label) for caller in callers} == {
        ("u0123456789a", "user:u0123456789a", "users")
    }
