"""Links and images, however they are written."""

import pytest

from lmops.errors import UsageError
from lmops.guardrails import made
from tests.guardrails.found import found

ALLOW = ["good.example", "*.docs.example"]
LINKS = (
    "[a](https://evil.example/x)", "see https://evil.example/x.", "<https://evil.example>",
    "[a]: https://evil.example/y",
    "[a](//evil.example/x)", "[a](https:evil.example)", "[a](https&#58;//evil.example)", "www.evil.example/x",
    '<a href="https://evil.example">x</a>', "[a](https://good.example@evil.example/)",
    "https://good.example.evil.example",
    "[a](https://evil.example\\@good.example/)", "[a](HTTPS://EVIL.example/x)", "ftp://evil.example/x",
    "https://127.0.0.1/x",
    "https://g\u043eod.example/x", "[a](custom:thing)", "https://notdocs.example/", '<form action="//evil.example">',
)  # fmt: skip  # many texts: packed, they are read at a glance
IMAGES = (
    "![a](https://evil.example/x.png)", "![a [b] c](https://evil.example/x.png?d=secret)",
    "![a][r]\n\n[r]: https://evil.example/i",
    '<img src="https://evil.example/x.png">', "<img alt=a src=//evil.example/x>",
    '<video poster="https://evil.example/x">',
    '<p style="background:url(https://evil.example/x)">', '<img srcset="/a.png 1x, https://evil.example/x 2x">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<svg><image href="https://evil.example/x"/></svg>',
    '<link rel=stylesheet href="https://evil.example/x.css">',
)  # fmt: skip  # many texts: packed, they are read at a glance
FINE = (
    "[a](https://good.example/x)", "https://good.example.", "(see https://good.example/a_(b))",
    "https://a.docs.example/x",
    "![a](https://good.example/x.png)", "[a](/docs/x)", "[a](#top)", "[a](page.html)", "mailto:a@b.example",
    "tel:+44123",
    "a < b and c > d: fine", "10:30 - 11:00", "array[i](x)", "[1]: first of all", "note: this",
    "https://good.example:8443/x",
)  # fmt: skip  # many texts: packed, they are read at a glance


@pytest.mark.parametrize("text", LINKS)
def test_a_link_to_another_host_is_found(text):
    """In markdown, HTML and as it is; with a name of a user, another script, or half a scheme."""
    assert [kind for kind, _ in found("links", text, allow=ALLOW)] == ["link"]


@pytest.mark.parametrize("text", IMAGES)
def test_what_is_loaded_when_it_is_shown_is_an_image(text):
    """Images of markdown and HTML, styles, and a page that moves on."""
    assert [kind for kind, _ in found("links", text, allow=ALLOW)] == ["image"]


@pytest.mark.parametrize("text", FINE)
def test_what_is_allowed_or_leads_nowhere_else_passes(text):
    """Hosts of the list, addresses without a host, brackets of code."""
    assert found("links", text, allow=ALLOW) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[a](javascript:alert(1))", "script"),
        ('<a href="java&#115;cript:alert(1)">', "script"),
        ("![a](data:image/svg+xml;base64,PHN2Zz4=)", "data_uri"),
        ("data:text/html;base64,PHN2Zz4=", "data_uri"),
    ],
)
def test_scripts_and_data_have_no_host(text, kind):
    """No list allows them."""
    assert kind in [one for one, _ in found("links", text, allow=ALLOW)]


def test_the_address_is_what_is_found():
    """So that the text around it stays readable when it is redacted."""
    assert found("links", "go [there](https://evil.example/x?q=1), or not") == [("link", "https://evil.example/x?q=1")]


def test_images_may_have_hosts_of_their_own():
    """Fewer than links."""
    text = "![a](https://good.example/x) [a](https://good.example/y)"
    assert found("links", text, allow=ALLOW, images=[]) == [("image", "https://good.example/x")]


def test_hosts_are_hosts():
    """An address is none."""
    with pytest.raises(UsageError, match=r"'https://good.example' is no host: write 'example.com' or '\*.example.com'"):
        made("links", {"allow": ["https://good.example"]})
