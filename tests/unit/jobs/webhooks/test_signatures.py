"""Webhooks are signed as Standard Webhooks says, and as version 0.1 did."""

import base64
import hmac
import re
import time
from typing import Any

import pytest

from services.jobs.webhooks.signatures import OLD_SIGNATURE, Signer, signing_key
from tests.support.waiting import ROOT

# The test vector of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SECONDS = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "a secret of some length"


def signed(*secrets: str) -> dict[str, str]:
    return dict(Signer(secrets, lambda: SECONDS + 0.9).headers(MESSAGE, BODY))


def test_known_message_has_the_known_signature() -> None:
    headers = signed(SECRET)
    assert headers["webhook-id"] == MESSAGE
    assert headers["webhook-timestamp"] == str(SECONDS)
    assert headers["webhook-signature"] == SIGNATURE


def test_secret_without_prefix_is_a_key_as_it_stands() -> None:
    content = f"{MESSAGE}.{SECONDS}.".encode() + BODY
    expected = base64.b64encode(hmac.digest(OTHER.encode(), content, "sha256")).decode()
    assert signed(OTHER)["webhook-signature"] == f"v1,{expected}"


def test_two_secrets_give_two_signatures_the_newest_first() -> None:
    signatures = signed(SECRET, OTHER)["webhook-signature"].split(" ")
    assert signatures == [SIGNATURE, signed(OTHER)["webhook-signature"]]


def test_old_header_is_signed_with_the_oldest_secret_as_text() -> None:
    expected = hmac.new(OTHER.encode(), b"%d.%s" % (SECONDS, BODY), "sha256").hexdigest()
    assert signed(SECRET, OTHER)[OLD_SIGNATURE] == f"t={SECONDS},v1={expected}"


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("fifteen letters", "at least 16"),
        ("whsec_not base64 at all, is it", "base64"),
        (f"whsec_{base64.b64encode(b'x' * 23).decode()}", "24 to 64"),
        (f"whsec_{base64.b64encode(b'x' * 65).decode()}", "24 to 64"),
    ],
)
def test_weak_or_malformed_secret_is_refused_and_not_repeated(secret: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        signing_key(secret)
    assert secret not in str(refused.value)


def test_sample_in_the_guide_accepts_only_genuine_webhooks() -> None:
    (sample,) = re.findall(r"```py\n(.*?)```", (ROOT / "docs/guides/jobs.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(sample, names)
    headers = dict(Signer([SECRET, OTHER]).headers(MESSAGE, BODY))
    assert names["is_genuine"](SECRET, headers, BODY)
    assert not names["is_genuine"](SECRET, headers, BODY + b" ")
    late = dict(Signer([SECRET], lambda: time.time() - 400).headers(MESSAGE, BODY))
    assert not names["is_genuine"](SECRET, late, BODY)
