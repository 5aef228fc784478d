"""The texts of the mails. Links have their token behind `#`: browsers keep that from servers, logs and other sites."""

from typing import NamedTuple


class Message(NamedTuple):
    """What goes into one mail."""

    subject: str
    text: str


def confirm(base: str, token: str) -> Message:
    """Ask a new user to confirm the address."""
    return Message(
        "Confirm your address",
        f"Somebody, probably you, asked for an account at {base}.\n\n"
        f"Confirm your address within a day:\n{base}/account#confirm={token}\n\n"
        "If it was not you, do nothing: the account can't be used.\n",
    )


def known(base: str) -> Message:
    """Answer a registration with an address that has an account."""
    return Message(
        "You have an account already",
        f"Somebody, probably you, asked for an account at {base}. There is one with this address.\n\n"
        f"Sign in, or choose a new password:\n{base}/account\n\n"
        "If it was not you, do nothing: nothing has changed.\n",
    )


def reset(base: str, token: str) -> Message:
    """Send a link to choose a new password."""
    return Message(
        "Choose a new password",
        f"Somebody, probably you, asked for a new password at {base}.\n\n"
        f"Choose it within an hour:\n{base}/account#reset={token}\n\n"
        "It ends all sessions. If it was not you, do nothing: the old password stays.\n",
    )
