"""Settings that lie in Secrets Manager: an emulator plays it, and a stand-in the extension beside a function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from local.servers import free_port
from medic_core import config, credentials
from medic_core.credentials import Keeper, SecretText, Server, here
from medic_core.errors import Unavailable
from tests.built.secrets_extension import SESSION_TOKEN, SecretsExtension
from tests.fixtures.aws import Emulator

CANARY = "s3cret-of-this-test"
Keep = Callable[[str], str]


@pytest.fixture
def extension() -> Iterator[SecretsExtension]:
    found = SecretsExtension()
    yield found
    found.stop()


@pytest.fixture
def keeper(extension: SecretsExtension, aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Keeper(str(extension.port), SESSION_TOKEN)


@pytest.fixture
def keep(aws: Emulator) -> Keep:
    """Have Secrets Manager keep a text; returns its ARN."""

    def make(text: str) -> str:
        made = aws.client("secretsmanager").create_secret(Name=uuid4().hex, SecretString=text)
        return str(made["ARN"])

    return make


def change(aws: Emulator, arn: str, text: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)


@pytest.mark.parametrize("written", ["", "xoxb-1", "https://hooks.example.com/x", "arn:aws:sqs:us-east-1:1:queue"])
def test_what_is_written_out_is_what_it_says(written: str) -> None:
    secret = SecretText(written, Keeper())
    assert (secret.value, bool(secret), secret.is_elsewhere) == (written, bool(written), False)


@pytest.mark.parametrize(
    ("content", "field", "value"),
    [
        (CANARY, "", CANARY),
        (json.dumps({"TOKEN": CANARY}), ":TOKEN", CANARY),
        (json.dumps({"TOKEN": CANARY}), ":TOKEN::", CANARY),
        (json.dumps({"TOKEN": f" {CANARY}\n"}), ":TOKEN", CANARY),
        (json.dumps({"TOKEN": CANARY}), ":OTHER", ""),
        (json.dumps({"TOKEN": None}), ":TOKEN", ""),
    ],
)
def test_what_lies_elsewhere_is_found_whole_or_by_its_field(
    keeper: Keeper, keep: Keep, content: str, field: str, value: str
) -> None:
    secret = SecretText(keep(content) + field, keeper)
    assert secret.is_elsewhere
    assert secret.value == value


def test_a_secret_that_has_no_fields_is_told_without_showing_it(keeper: Keeper, keep: Keep) -> None:
    with pytest.raises(Unavailable) as raised:
        _ = SecretText(keep(CANARY) + ":TOKEN", keeper).value
    assert CANARY not in str(raised.value)


def test_it_never_shows_itself(keeper: Keeper, keep: Keep) -> None:
    elsewhere = SecretText(keep(CANARY), keeper)
    assert elsewhere.value == CANARY
    for shown in (repr(elsewhere), repr(SecretText(CANARY, keeper)), repr(keeper), repr(Server("", elsewhere))):
        assert CANARY not in shown


def test_the_extension_is_asked_once_and_boto3_where_it_cannot_say(
    keeper: Keeper, keep: Keep, extension: SecretsExtension
) -> None:
    known, unknown = keep("old"), keep("of the service")
    extension.secrets[known] = "of the extension"
    assert [keeper.read(known) for _ in range(3)] == ["of the extension"] * 3
    assert extension.asked == [known]
    assert keeper.read(unknown) == "of the service"
    extension.is_starting = True
    another = keep("while it starts")
    assert keeper.read(another) == "while it starts"


def test_after_a_while_it_is_read_again_and_what_cannot_be_read_stays(
    keeper: Keeper, keep: Keep, aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(credentials.time, "monotonic", lambda: clock[0])
    arn = keep("first")
    assert keeper.read(arn) == "first"
    change(aws, arn, "second")
    assert keeper.read(arn) == "first"
    clock[0] += credentials.REMEMBERED_SECONDS
    assert keeper.read(arn) == "second"
    change(aws, arn, "third")
    clock[0] += credentials.REMEMBERED_SECONDS
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert keeper.read(arn) == "second"
    with pytest.raises(Unavailable):
        Keeper().read(arn)


def test_read_anew_passes_every_memory_but_not_again_and_again(
    keeper: Keeper, keep: Keep, aws: Emulator, extension: SecretsExtension, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(credentials.time, "monotonic", lambda: clock[0])
    arn = keep("first")
    extension.secrets[arn] = "first"
    secret = SecretText(arn, keeper)
    change(aws, arn, "second")
    assert (secret.value, secret.renewed(), secret.value) == ("first", "second", "second")
    change(aws, arn, "third")
    assert secret.renewed() == "second"
    clock[0] += credentials.ANEW_SECONDS
    assert secret.renewed() == "third"


@pytest.mark.parametrize(
    ("url", "who", "full"),
    [
        ("postgresql://db:5432/medic?sslmode=require", {"username": "medic", "password": "a"}, "medic:a@db:5432"),
        ("postgresql://db/medic", {"username": "m@x", "password": "p@/:? %40"}, "m%40x:p%40%2F%3A%3F%20%2540@db/"),
        ("rediss://cache:6379/0", {"username": "medic", "password": "a"}, "rediss://medic:a@cache:6379/0"),
        ("postgresql://other@db/medic", {"username": "medic", "password": "a"}, "//medic:a@db/medic"),
        ("postgresql://medic@db/medic", {}, "//medic@db/medic"),
    ],
)
def test_a_server_is_reached_as_who_the_secret_says(keeper: Keeper, url: str, who: dict[str, str], full: str) -> None:
    assert full in Server(url, SecretText(json.dumps(who), keeper)).full_url()


def test_without_credentials_the_url_says_all() -> None:
    assert here("postgresql://a:b@c/d").full_url() == "postgresql://a:b@c/d"
    assert not here("")


def test_settings_read_nothing_before_they_are_asked(keep: Keep, extension: SecretsExtension) -> None:
    arn = keep(json.dumps({"SLACK_API_TOKEN": "xoxb-1"}))
    extension.secrets[arn] = json.dumps({"SLACK_API_TOKEN": "xoxb-1"})
    settings = config.from_environment(
        {
            "SLACK_API_TOKEN": f"{arn}:SLACK_API_TOKEN",
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(extension.port),
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
        }
    )
    assert extension.asked == []
    assert settings.slack_api_token.value == "xoxb-1"
    assert not re.search("xoxb", repr(settings))
