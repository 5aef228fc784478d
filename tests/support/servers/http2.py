"""Send one request over HTTP/2, also one that a client library would not send, and read an answer that comes early."""

import contextlib
import select
import ssl

import httpx
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

Headers = list[tuple[str, str]]
STREAM = 1


def exchange(connection: ssl.SSLSocket, headers: Headers, body: bytes = b"") -> httpx.Response:
    """Send the headers unchanged, and as much of the body as the server takes before it answers."""
    # As they are given: some are wrong on purpose.
    unchecked = H2Configuration(
        header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
    )
    client = H2Connection(unchecked)
    client.initiate_connection()
    client.send_headers(STREAM, headers, end_stream=not body)
    connection.sendall(client.data_to_send())
    left = memoryview(body)
    fields: list[tuple[str, str]] = []
    content = b""
    while True:
        size = min(client.local_flow_control_window(STREAM), client.max_outbound_frame_size, len(left))
        if size:
            client.send_data(STREAM, bytes(left[:size]), end_stream=size == len(left))
            left = left[size:]
            # The server may have closed; its answer is still to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(client.data_to_send())
            if not connection.pending() and not select.select([connection], [], [], 0)[0]:
                continue
        received = connection.recv(65536)
        assert received, "closed without an answer"
        for event in client.receive_data(received):
            if isinstance(event, ResponseReceived):
                fields = [(str(name), str(value)) for name, value in event.headers or []]
            elif isinstance(event, DataReceived):
                content += event.data or b""
                client.acknowledge_received_data(event.flow_controlled_length or 0, STREAM)
            elif isinstance(event, StreamEnded):
                return httpx.Response(int(fields[0][1]), headers=fields[1:], content=content)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(client.data_to_send())
