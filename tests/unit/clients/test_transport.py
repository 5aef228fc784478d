"""Requests of the Python client that are tried again."""

import httpx
import pytest

from clients.python.bgremove_client import ApiError, QuotaExceeded, Unavailable
from clients.python.bgremove_client.transport import Transport


def transport(slept: list[float], *answers: httpx.Response | Exception) -> Transport:
    """A transport that gets these answers in turn and notes its waits instead of waiting."""
    left = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    http = httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer))
    return Transport(http, retries=2, max_wait=30, sleep=slept.append)


def refused(status: int, seconds: str) -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": seconds}, json={"code": "busy", "error": "busy"})


def test_busy_service_is_asked_again_after_the_time_that_it_names() -> None:
    slept: list[float] = []
    sending = transport(slept, refused(503, "4"), refused(429, "8"), httpx.Response(200, text="done"))
    assert sending.send("GET", "/").text == "done"
    assert 4 <= slept[0] <= 5
    assert 8 <= slept[1] <= 10


@pytest.mark.parametrize("seconds", ["Wed, 21 Oct 2099 07:28:00 GMT", "\u00b2", "-1", "soon"])
def test_time_that_is_no_number_of_seconds_is_not_waited_for(seconds: str) -> None:
    slept: list[float] = []
    odd = httpx.Response(503, headers=[(b"Retry-After", seconds.encode())], json={"code": "busy"})
    assert transport(slept, odd, httpx.Response(200)).send("GET", "/").status_code == 200
    assert slept[0] < 1


def test_lost_connection_is_tried_again() -> None:
    slept: list[float] = []
    sending = transport(slept, httpx.ReadError("reset"), httpx.RemoteProtocolError("gone"), httpx.Response(200))
    assert sending.send("GET", "/").status_code == 200
    assert 0.5 <= slept[0] < 1 <= slept[1]


def test_request_that_took_too_long_is_not_tried_again() -> None:
    slept: list[float] = []
    with pytest.raises(Unavailable):
        transport(slept, refused(504, "1")).send("GET", "/")
    assert slept == []


def test_last_refusal_is_raised() -> None:
    slept: list[float] = []
    with pytest.raises(Unavailable):
        transport(slept, *[refused(503, "1")] * 3).send("GET", "/")
    assert len(slept) == 2


def test_long_wait_is_raised_with_its_seconds() -> None:
    slept: list[float] = []
    with pytest.raises(QuotaExceeded) as stopped:
        transport(slept, refused(429, "3600")).send("GET", "/")
    assert (stopped.value.retry_after, slept) == (3600, [])


def test_mistake_of_the_caller_is_not_tried_again() -> None:
    slept: list[float] = []
    with pytest.raises(ApiError, match="busy"):
        transport(slept, refused(400, "1")).send("GET", "/")
    assert slept == []


def test_text_of_an_error_reads_as_sentences() -> None:
    body = {"error": "There is no such option", "details": "'fromat' is not an option", "solution": "Correct its name"}
    assert str(ApiError(400, body)) == "There is no such option: 'fromat' is not an option. Correct its name"
    assert str(ApiError(502, {})) == "HTTP 502"
