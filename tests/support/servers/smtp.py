"""Run a mail server that keeps what it gets."""

import email
import email.policy
import socketserver
import ssl
import threading
from email.message import EmailMessage
from typing import Any, Self


class _Session(socketserver.StreamRequestHandler):
    server: "SmtpReceiver"

    def handle(self) -> None:
        self._say("220 mail.example ESMTP")
        while line := self.rfile.readline(2000).decode("latin-1").strip():
            verb = line.partition(" ")[0].upper()
            self.server.lines.append(line)
            if verb == "EHLO":
                offers = ["mail.example", *self.server.offers()]
                self._say(*(f"250{'-' if n < len(offers) else ' '}{offer}" for n, offer in enumerate(offers, 1)))
            elif verb == "STARTTLS" and self.server.context:
                self._say("220 go on")
                self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
                self.server.encrypted += 1
            elif verb == "DATA":
                self._say("354 go on")
                self._receive()
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            elif verb == "RCPT" and self.server.refuses:
                self._say("550 no")
            else:
                self._say("235 yes" if verb == "AUTH" else "250 yes")

    def finish(self) -> None:
        super().finish()
        # The server closes only the socket that it accepted.
        self.connection.close()

    def _receive(self) -> None:
        text = b""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            text += line.removeprefix(b".") if line.startswith(b"..") else line
        self.server.mails.append(email.message_from_bytes(text, policy=email.policy.default))

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        self.wfile.flush()


class SmtpReceiver(socketserver.ThreadingTCPServer):
    """SMTP on a free loopback port; with `context` it offers STARTTLS, and `refuses` every address if it is set."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context, self.refuses = context, False
        self.mails: list[EmailMessage] = []
        self.lines: list[str] = []
        self.encrypted = 0

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port

    def offers(self) -> list[str]:
        return ["STARTTLS", "AUTH PLAIN"] if self.context else ["AUTH PLAIN"]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()
