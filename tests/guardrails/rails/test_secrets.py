"""Keys of known shapes."""

import pytest

from lmops.errors import UsageError
from lmops.guardrails import made
from tests.guardrails.found import found, kinds

MIXED = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4"
HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
SECRETS = {
    "openai": [f"sk-proj-{MIXED}", f"sk-ant-api03-{MIXED}", f"sk-{MIXED}"],
    "google": [f"AIzaSy{MIXED[:33]}"],
    "huggingface": [f"hf_{MIXED[:34]}"],
    "llm": [f"gsk_{MIXED}", f"xai-{MIXED}", f"pplx-{MIXED}", f"nvapi-{MIXED}"],
    "aws": ["AKIAIOSFODNN7EXAMPLE", "ABIAIOSFODNN7EXAMPLE"],
    "github": [f"ghp_{MIXED[:36]}", f"github_pat_{MIXED}"],
    "gitlab": [f"glpat-{MIXED[:20]}", f"glcbt-{MIXED[:20]}"],
    "slack": [f"xoxb-123456789012-{MIXED[:24]}", f"hooks.slack.com/services/T0/B0/{MIXED[:24]}"],
    "stripe": [f"sk_live_{MIXED[:24]}"],
    "packages": [f"npm_{MIXED[:36]}", f"pypi-AgEIcHlwaS5vcmc{MIXED}"],
    "services": [f"SG.{MIXED[:22]}.{MIXED[:43]}", f"dop_v1_{HEX}{HEX}", f"AccountKey={MIXED[:44]}=="],
    "jwt": [f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{MIXED}"],
    "private_key": [f"-----BEGIN RSA PRIVATE KEY-----\n{MIXED}\n-----END RSA PRIVATE KEY-----"],
    "twilio": [f"AC{HEX}", f"SK{HEX}"],
    "mailchimp": [f"{HEX}-us12"],
    "telegram": [f"1234567890:AA{MIXED[:33]}"],
    "discord": [f"M{MIXED[:23]}.{MIXED[:6]}.{MIXED[:27]}"],
    "artifactory": [f"AKC{MIXED}"],
}
PLAIN = (
    "the password: required", "password = os.environ['PASSWORD']", "sk-learn is a library", "ask-me-anything-0815",
    "api_key: your key here", "commit 3f2a9c1b7d8e4f5061728394a5b6c7d8e9f00112", "a secret: nobody knows", "AC/DC",
    "task_id=0123456789abcdef0123456789abcdef", "the bearer of bad news", "disk-0123456789012345678", "e.g. M.Sc.",
)  # fmt: skip  # many texts: packed, they are read at a glance


@pytest.mark.parametrize(("kind", "secret"), [(kind, one) for kind, several in SECRETS.items() for one in several])
def test_a_secret_is_found_as_a_whole(kind, secret):
    """By its shape, in the middle of a text."""
    assert (kind, secret) in found("secrets", f"use {secret} please")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password: hunter2-hunter2", "hunter2-hunter2"),
        ('{"api_key": "Zk81_plain9"}', "Zk81_plain9"),
        ("https://h.example/?access_token=abc123def", "abc123def"),
        ("Authorization: Bearer 0123456789abcdef01", "0123456789abcdef01"),
        ("postgres://ada:s3cr3t-word@db.example/x", "s3cr3t-word"),
    ],
)
def test_what_is_given_out_as_a_secret_is_found_without_its_name(text, secret):
    """The word before it may stay."""
    assert secret in [one for _, one in found("secrets", text)]


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_words_are_no_secrets(text):
    """What only begins like one, or has no value."""
    assert found("secrets", text) == []


def test_kinds_are_those_that_there_are():
    """The nearest is named."""
    assert kinds("secrets", f"hf_{MIXED[:34]}", kinds=["aws"]) == []
    with pytest.raises(UsageError, match="did you mean 'openai'"):
        made("secrets", {"kinds": ["open_ai"]})
