"""remove.bg's API, version 1.0: its JSON bodies and headers."""

from collections.abc import Mapping
from typing import Final

import pybase64
from pydantic import BaseModel, ConfigDict

from services.dialects.removebg import LARGEST, RemoveBgOptions, classification
from services.imaging.layout import fitted_size
from services.imaging.options import Options
from services.imaging.pipeline import Result

# Of callers without a monthly quota. Some clients stop or warn where one of these figures is low.
BALANCE: Final = 99_999


class Body(BaseModel):
    """A JSON object with exactly these keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class JsonResult(Body):
    result_b64: str
    foreground_top: int
    foreground_left: int
    foreground_width: int
    foreground_height: int


class JsonAnswer(Body):
    """A result as base64 in JSON."""

    data: JsonResult

    @classmethod
    def of(cls, result: Result) -> "JsonAnswer":
        """Return the body for a result."""
        box = result.foreground
        return cls(
            data=JsonResult(
                result_b64=pybase64.b64encode(result.data).decode("ascii"),
                foreground_top=box.top,
                foreground_left=box.left,
                foreground_width=box.width,
                foreground_height=box.height,
            )
        )


class Credits(Body):
    subscription: int = BALANCE
    payg: int = BALANCE
    enterprise: int = BALANCE
    total: int = BALANCE


class FreeCalls(Body):
    free_calls: int = BALANCE
    sizes: str = "all"


class Attributes(Body):
    credits: Credits = Credits()
    api: FreeCalls = FreeCalls()


class AccountData(Body):
    attributes: Attributes = Attributes()


class Account(Body):
    """The balance. Exactly these keys: the official Ruby client takes no others and needs all of them."""

    data: AccountData = AccountData()

    @classmethod
    def of(cls, remaining: int | None) -> "Account":
        """Return the balance of a key with this many images left in its month; None: it has no quota."""
        if remaining is None:
            return cls()
        credits_ = Credits(subscription=remaining, payg=0, enterprise=0, total=remaining)
        return cls(data=AccountData(attributes=Attributes(credits=credits_, api=FreeCalls(free_calls=remaining))))


class Improvement(Body):
    """The receipt for an image that was offered for improvement."""

    id: str


def headers(result: Result, asked: RemoveBgOptions) -> Mapping[str, str]:
    """Return the headers of a result: its size, the size of `size=full`, the subject's box and class."""
    max_width, max_height = _largest(result, asked.options)
    box = result.foreground
    numbers = {
        "X-Width": result.width,
        "X-Height": result.height,
        "X-Max-Width": max_width,
        "X-Max-Height": max_height,
        "X-Foreground-Top": box.top,
        "X-Foreground-Left": box.left,
        "X-Foreground-Width": box.width,
        "X-Foreground-Height": box.height,
        "X-Credits-Charged": 0,
    }
    found = {name: str(number) for name, number in numbers.items()}
    if asked.level != "none":
        found["X-Type"] = classification(asked, result.model)
    return found


def _largest(result: Result, options: Options) -> tuple[int, int]:
    """Return the size that `size=full` would give; of a crop only its own size is known."""
    if options.crop:
        return result.width, result.height
    return fitted_size(result.original_width, result.original_height, Options(max_pixels=LARGEST))
