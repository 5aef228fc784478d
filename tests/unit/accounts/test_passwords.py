"""Passwords: rules, Argon2id, the same time without a user, and a bounded number at a time."""

import threading

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from services.accounts.errors import BadPassword
from services.accounts.passwords import PLACES, Passwords, check_password
from services.errors import Busy


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("123456789", "9 characters; allowed: 10"),
        ("x" * 257, "257 bytes; allowed: 256"),
        ("é" * 129, "258 bytes"),
        ("ann.lee.box@x.y", "the address"),
        (" ANN.LEE.BOX@X.Y", "the address"),
        ("ann.lee.box", "the address"),
    ],
)
def test_password_that_is_easy_to_guess_is_refused(password: str, problem: str) -> None:
    with pytest.raises(BadPassword, match=problem):
        check_password(password, "ann.lee.box@x.y")


def test_password_of_ten_characters_and_of_256_bytes_is_taken() -> None:
    for password in ("1234567890", "x" * 256, "ännä ännä!"):
        check_password(password, "ann@x.y")


def test_hash_is_argon2id_with_its_own_salt(quick: Passwords) -> None:
    first, second = quick.hash("correct horse"), quick.hash("correct horse")
    assert first != second
    assert extract_parameters(first).type is Type.ID
    assert quick.matches("correct horse", first)
    assert not quick.matches("correct horsf", first)
    # The same keys on another keyboard.
    assert quick.matches("cafe\u0301 au lait", quick.hash("caf\u00e9 au lait"))


def test_default_costs_what_rfc_9106_recommends() -> None:
    parameters = extract_parameters(Passwords().hash("correct horse"))
    assert (parameters.memory_cost, parameters.time_cost) == (64 * 1024, 3)


def test_without_a_hash_one_of_nobodys_is_verified(quick: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    def spy(hasher: PasswordHasher, stored: str, password: bytes) -> bool:
        verified.append(stored)
        return True

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    assert not quick.matches("correct horse", None)
    assert [stored[:9] for stored in verified] == ["$argon2id"]


@pytest.mark.parametrize("stored", ["", "plain text", "$argon2id$broken"])
def test_damaged_hash_matches_nothing(quick: Passwords, stored: str) -> None:
    assert not quick.matches("correct horse", stored)
    assert not quick.matches("\ud800" * 10, quick.hash("correct horse"))


def test_too_many_at_a_time_are_refused(quick: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, inside = threading.Event(), threading.Barrier(PLACES + 1)

    def slow(*_: object) -> bool:
        inside.wait(5)
        return go_on.wait(5)

    monkeypatch.setattr(PasswordHasher, "verify", slow)
    threads = [threading.Thread(target=quick.matches, args=("x", "y")) for _ in range(PLACES)]
    for thread in threads:
        thread.start()
    inside.wait(5)
    with pytest.raises(Busy):
        quick.hash("correct horse")
    go_on.set()
    for thread in threads:
        thread.join()
