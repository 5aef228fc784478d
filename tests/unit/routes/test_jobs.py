"""What the views of jobs read of a request."""

import pytest

from routes.jobs import MAX_PAGE, PAGE, page_size
from services.errors import BadOption


@pytest.mark.parametrize(("text", "size"), [("", PAGE), ("1", 1), ("007", 7), (str(MAX_PAGE), MAX_PAGE)])
def test_size_of_a_page_is_read(text: str, size: int) -> None:
    assert page_size(text) == size


@pytest.mark.parametrize("text", ["0", "101", "-1", "+5", "1.5", "٣", "000050000", "000100999999", "1" + "0" * 5000])
def test_page_of_another_size_is_refused(text: str) -> None:
    with pytest.raises(BadOption, match=f"a whole number from 1 to {MAX_PAGE}"):
        page_size(text)
