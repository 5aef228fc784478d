"""Sends email by SMTP, encrypted unless the operator says otherwise."""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from services.accounts.messages import Message

TIMEOUT_SECONDS: Final = 10.0
FORM: Final = "smtp://user:password@host:587, smtps://user:password@host:465, or smtp://host:25?tls=none"
PORTS: Final = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True)
class SmtpServer:
    """Where emails go: `starttls` refuses a server that does not offer it."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> "SmtpServer":
        """Read the setting `SMTP_URL`. Raises ValueError, without the URL: it may contain a password."""
        try:
            parts = urlsplit(url)
            query, port = parse_qs(parts.query, strict_parsing=bool(parts.query)), parts.port
        except ValueError:
            raise ValueError(f"Input should be {FORM}") from None
        plain = query == {"tls": ["none"]} and parts.scheme == "smtp"
        if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or (query and not plain):
            raise ValueError(f"Input should be {FORM}")
        if plain and parts.username:
            raise ValueError("a password is only sent encrypted: leave out tls=none, or the user")
        tls: Literal["starttls", "tls", "none"] = "none" if plain else "tls" if parts.scheme == "smtps" else "starttls"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port or PORTS[parts.scheme], tls, user, password)


class Mailer:
    """Sends plain texts from one address. Opens a connection for each."""

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`context` trusts certificates of authorities other than the system's."""
        self._server, self._sender, self._timeout, self._context = server, sender, timeout, context

    def send(self, to: str, content: Message) -> None:
        """Send one email. Raises OSError, which `smtplib.SMTPException` is."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, to, content.subject
        message["Date"], message["Message-ID"] = (
            formatdate(),
            make_msgid(domain=self._sender.rpartition("@")[2].strip("> ")),
        )
        # Out-of-office replies would go to nobody.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(content.text)
        # The content replaces such headers.
        message["Content-Language"] = content.language
        with self._connected() as smtp:
            if self._server.user:
                smtp.login(self._server.user, self._server.password)
            # The address as it was checked: a reader of headers may find another one in it (RFC 2047).
            smtp.send_message(message, to_addrs=[to])

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.tls == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout, context=self._trust())
        smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        if server.tls == "starttls":
            try:
                smtp.starttls(context=self._trust())
            except BaseException:
                smtp.close()
                raise
        return smtp

    def _trust(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()
