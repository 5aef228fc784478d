"""Email through a real server on loopback: encryption, sign-in, headers, and the setting's forms."""

import datetime
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.accounts.mail import Mailer, SmtpServer
from services.accounts.messages import Message
from tests.support.servers.smtp import SmtpReceiver


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[SmtpReceiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SmtpReceiver(context) as server:
        yield server


def test_mail_goes_out_encrypted_and_signed_in(encrypted: SmtpReceiver, certificate: Path) -> None:
    server = SmtpServer.parse(f"smtp://ann:p%40ss@localhost:{encrypted.port}")
    trust = ssl.create_default_context(cafile=str(certificate))
    Mailer(server, "Cut-outs <noreply@cut.example>", context=trust).send("a@x.y", Message("Grüße", "Hallo\n.\nEnde\n"))
    (mail,) = encrypted.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == ("a@x.y", "Cut-outs <noreply@cut.example>", "Grüße")
    assert mail.get_content().replace("\r\n", "\n") == "Hallo\n.\nEnde\n"
    assert mail["Message-ID"].endswith("@cut.example>")
    assert mail["Date"]
    assert encrypted.encrypted == 1
    # The password went out after the encryption had begun.
    assert [line.partition(" ")[0] for line in encrypted.lines][:4] == ["ehlo", "STARTTLS", "ehlo", "AUTH"]


def test_server_of_an_unknown_authority_gets_no_mail(encrypted: SmtpReceiver) -> None:
    with pytest.raises(ssl.SSLError):
        Mailer(SmtpServer.parse(f"smtp://localhost:{encrypted.port}"), "n@x.y").send("a@x.y", Message("s", "t"))
    assert encrypted.mails == []


def test_server_without_encryption_gets_mail_only_where_the_setting_says_so() -> None:
    with SmtpReceiver() as server:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            Mailer(SmtpServer.parse(f"smtp://127.0.0.1:{server.port}"), "n@x.y").send("a@x.y", Message("s", "t"))
        Mailer(SmtpServer.parse(f"smtp://127.0.0.1:{server.port}?tls=none"), "n@x.y").send("a@x.y", Message("s", "t"))
        assert len(server.mails) == 1


def test_silent_server_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}?tls=none"
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            Mailer(SmtpServer.parse(url), "n@x.y", timeout=0.1).send("a@x.y", Message("s", "t"))


def test_envelope_has_the_address_as_it_was_given() -> None:
    with SmtpReceiver() as server:
        mailer = Mailer(SmtpServer.parse(f"smtp://127.0.0.1:{server.port}?tls=none"), "n@x.y")
        mailer.send("=?utf-8?q?b=40evil.example=2C?=@x.y", Message("s", "t"))
        assert [line for line in server.lines if line.lower().startswith("rcpt")] == [
            "rcpt TO:<=?utf-8?q?b=40evil.example=2C?=@x.y>"
        ]


def test_header_can_not_be_ended_by_a_value() -> None:
    mailer = Mailer(SmtpServer.parse("smtp://127.0.0.1:9?tls=none"), "n@x.y")
    with pytest.raises(ValueError, match="linefeed"):
        mailer.send("a@x.y", Message("s\r\nBcc: b@x.y", "t"))


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 587, "starttls")),
        ("smtps://u:p@mail.example", SmtpServer("mail.example", 465, "tls", "u", "p")),
        ("smtp://box:25?tls=none", SmtpServer("box", 25, "none")),
    ],
)
def test_setting_is_read(url: str, server: SmtpServer) -> None:
    assert SmtpServer.parse(url) == server


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://x", "smtp://", "smtp://x:port", "smtp://x?tls=maybe", "smtps://x?tls=none", "smtp://x/y"],
)
def test_wrong_setting_is_explained_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"smtp://user:password@host:587"):
        SmtpServer.parse(url)


def test_password_never_goes_out_in_the_clear() -> None:
    with pytest.raises(ValueError, match="only sent encrypted") as found:
        SmtpServer.parse("smtp://u:hunter2@x:25?tls=none")
    assert "hunter2" not in str(found.value)
