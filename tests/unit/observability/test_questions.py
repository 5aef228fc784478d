"""Questions to slow parts: together they take no longer than one."""

import threading
import time

from services.observability.questions import NO_ANSWER, Question
from services.storage.errors import StorageUnavailable
from tests.support.waiting import poll


def test_answer_has_its_value_and_its_milliseconds() -> None:
    def ask() -> int:
        time.sleep(0.01)
        return 7

    question = Question(ask, keep=60)
    found = question.answer()
    assert (found.value, found.problem) == (7, "")
    assert 10 <= found.milliseconds < 500


def test_failed_part_says_why() -> None:
    def ask() -> int:
        raise StorageUnavailable("the disk is full")

    assert Question(ask, keep=60).answer().problem == "the disk is full"
    assert Question(lambda: int("x"), keep=60).answer().problem == "ValueError"


def test_hanging_parts_together_cost_one_wait_and_answer_later() -> None:
    may_answer = threading.Event()
    questions = [Question(lambda: may_answer.wait(10), keep=60, wait_seconds=0.1) for _ in range(5)]
    start = time.monotonic()
    for question in questions:
        question.begin()
    assert [question.answer().problem for question in questions] == [NO_ANSWER] * 5
    assert time.monotonic() - start < 0.4
    may_answer.set()
    poll(lambda: all(question.answer().value for question in questions), 10, "the late answers")
