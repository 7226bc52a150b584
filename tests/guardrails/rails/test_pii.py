"""Personal data with a form, told by check digits and by the words around."""

import pytest

from lmops.errors import UsageError
from lmops.guardrails import made
from lmops.guardrails.rails._ids import NATIONAL, luhn, mod97
from tests.guardrails.found import found, kinds

THERE = {
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005", "6011111111111117"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "nl91 abna 0417 1643 00", "NO9386011117947"],
    "us_ssn": ["123-45-6789"],
    "gb_nino": ["AB123456C", "AB 12 34 56 C"],
    "es_dni": ["12345678Z", "X1234567L"],
    "fr_nir": ["1 85 05 78 006 084 91"],
    "it_fiscale": ["RSSMRA85T10A562S"],
    "be_rrn": ["85.07.30-033.28"],
    "se_personnummer": ["811218-9876"],
    "fi_hetu": ["131052-308T"],
    "ch_ahv": ["756.9217.0769.85"],
    "br_cpf": ["529.982.247-25"],
    "cn_id": ["11010519491231002X"],
    "kr_rrn": ["900101-1234568"],
    "sg_nric": ["S1234567D"],
    "mx_curp": ["HEGG560427MVZRRL04"],
    "phone": ["+44 20 7946 0958", "+1 (415) 555-2671", "(415) 555-2671", "415-555-2671 x12", "020 7946 0958",
        "+14155552671",
              "06 12 34 56 78", "0044 20 7946 0958", "+91 98765 43210"],
    "email": ["john.doe+tag@mail.example.co.uk", "o'neil@example.org", "user@b\u00fccher.example"],
    "ip": ["192.168.1.10", "2001:db8::8a2e:370:7334"],
}  # fmt: skip  # many texts: packed, they are read at a glance
BEHIND_A_WORD = {
    "SSN 123 45 6789": "us_ssn",
    "NHS number 943 476 5919": "gb_nhs",
    "Steuer-ID 86 095 742 719": "de_steuer_id",
    "BSN 111222333": "nl_bsn",
    "PESEL 44051401359": "pl_pesel",
    "CPR 010190-1234": "dk_cpr",
    "NIF 123456789": "pt_nif",
    "CPF 52998224725": "br_cpf",
    "SIN 046 454 286": "ca_sin",
    "TFN 123 456 782": "au_tfn",
    "Aadhaar 2341 2341 2346": "in_aadhaar",
    "PAN ABCPE1234F": "in_pan",
    "ID 8001015009087": "za_id",
    "TC kimlik 10000000146": "tr_tckn",
    "f\u00f8dselsnummer 01010012356": "no_fnr",
    "call me at 4155552671": "phone",
    "Tel.: 089/1234567": "phone",
    "you can ring 785 8949": "phone",
}
OTHER = (
    "Your order number is 4829104857.", "Order #123-456-7890 shipped on 2026-11-30.",
    "Order TL-2026-001234 is confirmed.",
    "Invoice 2024-0012-3456 of 01.02.2024", "invoice 811218-9876", "booking reference 4111-2222-3333",
    "customer 0049 1234 5678",
    "Version 3.11.0.2 is out; upgrade to 10.2.1.5", "numpy 1.26.4, build 20240115.1",
    "On 2024-01-02 10:30:00, 01/02/2024",
    "commit 3f2a9c1b7d8e4f5061728394a5b6c7d8e9f00112", "uuid 550e8400-e29b-41d4-a716-446655440000",
    "md5 d41d8cd98f00b204e9800998ecf8427e", "ISBN 978-3-16-148410-0", "revenue of 1,234,567,890.12",
    "4111 1111 1111 1112",
    "GB82 WEST 1234 5698 7654 33", "timestamps 1732972800 and 1732972800123", "52.520008, 13.404954", "000-12-3456",
    "our mobile app has 1 000 000 downloads", "Room 101-2345", "EAN 4006381333931", "std::vector<int> a::b::c", "@ada",
    "me@localhost", "npm i @scope/pkg@1.2.3", "git@github.com:org/repo.git", "127.0.0.1 and 255.255.255.0", "10:20:30",
    "https://ada:word@host.example/path", "lotto numbers: 04 12 23 34 41 49", "0 1 2 3 4 5 6 7 8 9 10 11 12",
    "90210-1234",
    "2024-11-30T12:34:56.789+01:00", "12345678A", "85.07.30-033.29", "529.982.247-24", "x = +1234567",
)  # fmt: skip  # many texts: packed, they are read at a glance


@pytest.mark.parametrize(("kind", "text"), [(kind, one) for kind, several in THERE.items() for one in several])
def test_what_has_a_form_is_found_as_a_whole(kind, text):
    """With the text around left alone."""
    assert found("pii", f"It is {text}, thanks.") == [(kind, text)]


@pytest.mark.parametrize(("text", "kind"), BEHIND_A_WORD.items(), ids=list(BEHIND_A_WORD.values()))
def test_bare_digits_need_a_word_before_them(text, kind):
    """The check alone would take one in ten other numbers for it."""
    assert kinds("pii", text) == [kind]
    assert kinds("pii", text[text.index(next(filter(str.isdigit, text))) :]) != [kind] or kind == "phone"


@pytest.mark.parametrize("text", OTHER)
def test_other_numbers_are_left_alone(text):
    """Orders, versions, dates, hashes, sums, and numbers whose check digit is wrong."""
    assert found("pii", text) == []


def test_each_national_number_is_tried():
    """None is in the table without a test."""
    assert {one.name for one in NATIONAL} - {"us_itin"} <= {*THERE, *BEHIND_A_WORD.values()}
    assert kinds("pii", "ITIN 900-70-0001") == ["us_itin"]


def test_hidden_digits_are_found_where_they_stand():
    """Full width and with zero-width signs between them."""
    text = "card \uff14111\u200b 1111 1111 1111 ok"
    assert found("pii", text) == [("card", text[5:-3])]


def test_only_what_is_asked_for_is_found():
    """By the names of kinds."""
    text = "a@b.example, 415-555-2671, 4111 1111 1111 1111"
    assert kinds("pii", text, kinds=["card"]) == ["card"]
    assert kinds("pii", text) == ["email", "phone", "card"]
    with pytest.raises(UsageError, match="no kind of personal data named 'cards'; did you mean 'card'"):
        made("pii", {"kinds": ["cards"]})


def test_check_digits_are_those_of_the_standards():
    """The examples of ISO/IEC 7812 and ISO 13616."""
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert mod97("GB82WEST12345698765432")
    assert not mod97("GB83WEST12345698765432")
