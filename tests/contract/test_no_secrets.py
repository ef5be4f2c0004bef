"""No file that git knows holds anybody's secret. What tests need is made up, and looks it."""

from __future__ import annotations

import base64
import re

import pytest

from tests.contract.test_house import ROOT, tracked

#: What opens something, by the shape that its maker gave it. The group is the secret itself.
SHAPES = {
    "a key of Medic": r"mdk_[a-z0-9]{4,32}_([A-Za-z0-9_-]{43,128})",
    "a sealing key of Medic": r"MEDIC_[A-Z_]*KEYS?\W{1,4}([A-Za-z0-9+/_-]{43}=)",
    "a secret of Standard Webhooks": r"whsec_([A-Za-z0-9+/]{32,88}={0,2})",
    "an access key of AWS": r"\b(?:AKIA|ASIA)([A-Z0-9]{16})\b",
    "a secret key of AWS": r"(?i)aws_?secret\w*\W{1,5}([A-Za-z0-9+/]{40})\b",
    "a token of Slack": r"xox[abeoprs]-([A-Za-z0-9-]{20,})",
    "a webhook of Slack": r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/([A-Za-z0-9]{24})",
    "a signing secret of Slack": r"(?i)signing_secret\W{1,5}([0-9a-f]{32})\b",
    "a key of PagerDuty": r"(?i)(?:routing|integration|service)_key\W{1,5}([0-9a-z]{32})\b",
    "a token of PagerDuty": r"(?i)token\W{1,3}token=([A-Za-z0-9_+-]{20})\b",
    "a token of GitHub": r"\bgh[opsur]_([A-Za-z0-9]{36})",
    "a signed token": r"\beyJ[A-Za-z0-9_-]{10,}\.(eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*([A-Za-z0-9+/=\s]{64,})",
    "a password in a URL": r"(?:postgres(?:ql)?|rediss?|amqps?)://[^\s:@/{}]*:([^\s:@/{}$<>]{16,})@",
}
#: One letter again and again, or a run of letters as they come, is nobody's secret.
FEWEST_LETTERS = 12
#: Made up by who documents them, and said to be.
MADE_UP = re.compile(r"EXAMPLE|abcdefgh|ABCDEFGH|a1B2c3D4|0123456|1234567")


def is_made_up(secret: str) -> bool:
    """Whether it says so itself, also in base64: chance spells no words."""
    if len(set(secret)) < FEWEST_LETTERS or MADE_UP.search(secret):
        return True
    try:
        return base64.b64decode(secret, validate=True).decode().isprintable()
    except ValueError:
        return False


def secrets_in(text: str) -> list[str]:
    """What of a text opens something, by kind. The secret itself is not repeated."""
    return [kind for kind, shape in SHAPES.items() for found in re.finditer(shape, text) if not is_made_up(found[1])]


def test_no_file_holds_a_secret() -> None:
    texts = {path: path.read_text(errors="replace") for path in tracked() if path.suffix != ".png"}
    found = {str(path.relative_to(ROOT)): kinds for path, text in texts.items() if (kinds := secrets_in(text))}
    assert found == {}


#: Put together here, so that this file does not find itself.
LETTERS = "q7Zw" + "Rt2Xk9" + "LmB4vN8s" + "Yc1Hd6Jf3Gp5" + "QaUeKzTi0oWx"
HEX = "9f86d081" + "884c7d65" + "9a2feaa0" + "c55ad015"
PLANTED = {
    "a key of Medic": "mdk_abcd1234_" + LETTERS + "ABCDE",
    "a sealing key of Medic": "MEDIC_SECRETS_KEY=" + LETTERS + "Z=",
    "a secret of Standard Webhooks": "whsec_" + LETTERS,
    "an access key of AWS": "AKIA" + "Q7ZWRT2XK9LMB4VN",
    "a secret key of AWS": "aws_secret_access_key = " + LETTERS[:40],
    "a token of Slack": "xoxb-" + "2718281828-" + LETTERS[:24],
    "a webhook of Slack": "https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/" + LETTERS[:24],
    "a signing secret of Slack": "SLACK_SIGNING_SECRET=" + HEX,
    "a key of PagerDuty": '"routing_key": "' + HEX + '"',
    "a token of PagerDuty": "Authorization: Token token=" + LETTERS[:20],
    "a token of GitHub": "ghp_" + LETTERS[:36],
    "a signed token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiJtZWRpYyJ9." + LETTERS,
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----\n" + LETTERS + LETTERS,
    "a password in a URL": "postgresql://medic:" + LETTERS[:20] + "@db.example.com/medic",
}


@pytest.mark.parametrize("kind", SHAPES)
def test_one_that_is_planted_is_found(kind: str) -> None:
    assert secrets_in(f"x = 1\n{PLANTED[kind]}\n") == [kind]


@pytest.mark.parametrize("kind", SHAPES)
def test_and_none_where_it_is_left_out(kind: str) -> None:
    spoken = PLANTED[kind]
    for secret in (LETTERS, LETTERS[:40], LETTERS[:36], LETTERS[:24], LETTERS[:20], HEX, "Q7ZWRT2XK9LMB4VN"):
        spoken = spoken.replace(secret, "…")
    assert secrets_in(spoken) == []
