"""The facts of a finished item, stored as JSON in its row and read back typed."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator


class ResultFacts(BaseModel):
    """The recorded facts of an item's result: sizes in px and bytes, timings in ms.

    The field names are keys in the database: renaming one makes the rows of older versions unreadable.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: str
    mimetype: str
    width: int
    height: int
    bytes: int
    original_format: str
    original_width: int
    original_height: int
    original_bytes: int
    model: str
    confidence: float
    timings_ms: dict[str, float]
    frames: int = 1
    duration_ms: int | None = None


class ResultFactsColumn(TypeDecorator[ResultFacts]):
    """A JSON column that holds `ResultFacts`."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: ResultFacts | None, dialect: Dialect) -> dict[str, object] | None:  # noqa: ARG002
        """Convert facts to a JSON object."""
        return value.model_dump() if value else None

    def process_result_value(self, value: dict[str, object] | None, dialect: Dialect) -> ResultFacts | None:  # noqa: ARG002
        """Convert a stored JSON object to facts."""
        return ResultFacts.model_validate(value) if value else None
