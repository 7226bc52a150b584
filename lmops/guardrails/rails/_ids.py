"""National numbers of people, each with the check that tells it from any other number."""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


#: So far from a number a word for it is looked for.
AROUND: Final = 40


class Kind(NamedTuple):
    """A number that a country gives to people.

    Args:
        name: The country and the number, as a finding has it.
        form: How it is written.
        check: Whether its letters and digits alone can be one.
        before: A pattern of words, one of which must stand before it: the check would take one in ten others for it.
    """

    name: str
    form: str
    check: Callable[[str], bool]
    before: str | None = None

    @property
    def regex(self) -> re.Pattern[str]:
        """How it is written, with nothing else touching it."""
        return _compiled(f"{_START}(?:{self.form}){_STOP}")

    @property
    def words(self) -> re.Pattern[str] | None:
        """Finds one of the words before it."""
        return None if self.before is None else _compiled(f"(?<![a-z])(?:{self.before})(?![a-z])")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812).

    Example:
        >>> luhn("4111111111111111"), luhn("4111111111111112")
        (True, False)
    """
    odd = sum(map(int, digits[-1::-2]))
    return (odd + sum(sum(divmod(2 * int(one), 10)) for one in digits[-2::-2])) % 10 == 0


def mod97(text: str) -> bool:
    """Return whether an IBAN has the check digits that it should have (ISO 13616).

    Example:
        >>> mod97("GB82WEST12345698765432")
        True
    """
    return int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1


def _weighted(digits: str, weights: Sequence[int], modulus: int) -> int:
    return sum(int(one) * weight for one, weight in zip(digits, weights, strict=False)) % modulus


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        dt.date(year, month, day)
    except ValueError:
        return False
    return True


def _is_short_date(text: str, order: str) -> bool:
    """Return whether six digits are a day, in the order "ymd" or "dmy"; of centuries any will do."""
    parts = dict(zip(order, (int(text[0:2]), int(text[2:4]), int(text[4:6])), strict=True))
    return _is_date(2000 + parts["y"], parts["m"], parts["d"]) or _is_date(1900 + parts["y"], parts["m"], parts["d"])


#: Ten rows of ten: the product of two digits in the group of a pentagon's turns; eight rows of how a place is turned.
_PRODUCTS: Final = (
    "0123456789123406789523401789563401289567401239567859876043216598710432765982104387659321049876543210"
)
_TURNS: Final = "01234567891576283094580379614289160435279453126870428657390127938064157046913258"


def _verhoeff(text: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(text)):
        check = int(_PRODUCTS[10 * check + int(_TURNS[10 * (place % 8) + int(digit)])])
    return check == 0


def _ssn(text: str) -> bool:
    return text[:3] not in ("000", "666") and text[0] != "9" and text[3:5] != "00" and text[5:] != "0000"


def _spanish(text: str) -> bool:
    digits = text[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == text[-1]


def _french(text: str) -> bool:
    digits = text.replace("2A", "19").replace("2B", "18")
    return (int(digits[3:5]) in range(1, 13) or int(digits[3:5]) >= 20) and 97 - int(digits[:13]) % 97 == int(
        digits[13:]
    )


#: What a sign in an odd place counts: as many as its place here.
_ITALIAN_ODD: Final = "BAKPLCQDREVOSFTGUHMINJWZYX"


def _italian(text: str) -> bool:
    letters = [chr(65 + int(one)) if one.isdigit() else one for one in text]
    even = sum(ord(one) - 65 for one in letters[1:15:2])
    return (even + sum(_ITALIAN_ODD.index(one) for one in letters[0:15:2])) % 26 == ord(text[15]) - 65


def _german(text: str) -> bool:
    product = 10
    for digit in text[:10]:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return text[0] != "0" and (11 - product) % 10 == int(text[10])


def _dutch(text: str) -> bool:
    return text.strip("0") != "" and _weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11) == 0


def _belgian(text: str) -> bool:
    is_born = int(text[2:4]) <= 12 and int(text[4:6]) <= 31
    return is_born and any(97 - int(one + text[:9]) % 97 == int(text[9:]) for one in ("", "2"))


def _polish(text: str) -> bool:
    month = int(text[2:4]) % 20
    is_born = 1 <= month <= 12 and 1 <= int(text[4:6]) <= 31
    return is_born and _weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10) == 0


def _swedish(text: str) -> bool:
    last = text[-10:]
    day = int(last[4:6])
    return _is_short_date(f"{last[:4]}{day - 60 if day > 60 else day:02}", "ymd") and luhn(last)


def _finnish(text: str) -> bool:
    digits = text[:6] + text[7:10]
    return _is_short_date(text[:6], "dmy") and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == text[10]


def _danish(text: str) -> bool:
    return _is_short_date(text[:6], "dmy")


def _norwegian(text: str) -> bool:
    first = _weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), 11) == 0
    return first and _is_short_date(text[:6], "dmy") and _weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), 11) == 0


def _british_health(text: str) -> bool:
    check = (11 - _weighted(text, range(10, 1, -1), 11)) % 11
    return check == int(text[9])


def _portuguese(text: str) -> bool:
    left = _weighted(text, range(9, 1, -1), 11)
    return int(text[8]) == (0 if left < 2 else 11 - left)


def _swiss(text: str) -> bool:
    return (10 - _weighted(text, (1, 3) * 6, 10)) % 10 == int(text[12])


def _brazilian(text: str) -> bool:
    if len(set(text)) == 1:
        return False
    first, second = (_weighted(text, range(start, 1, -1), 11) for start in (10, 11))
    return int(text[9]) == (0 if first < 2 else 11 - first) and int(text[10]) == (0 if second < 2 else 11 - second)


def _australian(text: str) -> bool:
    return _weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10), 11) == 0


def _chinese(text: str) -> bool:
    is_born = _is_date(int(text[6:10]) or 1, int(text[10:12]), int(text[12:14])) and text[6:8] in ("19", "20")
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return is_born and "10X98765432"[_weighted(text[:17], weights, 11)] == text[17]


def _korean(text: str) -> bool:
    return (
        _is_short_date(text[:6], "ymd")
        and text[6] in "1234"
        and ((11 - _weighted(text, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), 11)) % 10 == int(text[12]))
    )


def _singaporean(text: str) -> bool:
    total = _weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2), 11 * 10**6) + (4 if text[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if text[0] in "ST" else "XWUTRQPNMLK")[total % 11] == text[8]


def _south_african(text: str) -> bool:
    return _is_short_date(text[:6], "ymd") and text[10] in "01" and luhn(text)


def _turkish(text: str) -> bool:
    digits = [int(one) for one in text]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[0] != 0 and digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def _mexican(text: str) -> bool:
    signs = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"
    total = sum(signs.index(one) * (18 - place) for place, one in enumerate(text[:17]))
    return str((10 - total % 10) % 10) == text[17]


def _anything(_text: str) -> bool:
    return True


_START: Final = r"(?<![A-Za-z0-9_])(?<![0-9][.,\-/])"
_STOP: Final = r"(?![A-Za-z0-9_])(?![.,\-/][0-9])"


#: Digits with at most one sign between groups; what stands between them is left out for the check.
NATIONAL: Final[tuple[Kind, ...]] = (
    Kind("us_ssn", r"\d{3}-\d{2}-\d{4}", _ssn),
    Kind("us_ssn", r"\d{3} ?\d{2} ?\d{4}", _ssn, r"ssn|ss#|social security(?: number| no)?|social"),
    Kind("us_itin", r"9\d{2}[- ](?:5\d|6[0-5]|[78]\d|9[0-24-9])[- ]\d{4}", _anything),
    Kind("gb_nino", r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d{2}){3} ?[A-D]", _anything),
    Kind("gb_nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", _british_health, r"nhs(?: number| no)?"),
    Kind("es_dni", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z]", _spanish),
    Kind("fr_nir", r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", _french),
    Kind("it_fiscale", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", _italian),
    Kind("de_steuer_id", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", _german, r"steuer\S{0,24}|idnr|tax(?: id\S*)?|tin"),
    Kind("nl_bsn", r"\d{9}|\d{3}[. ]\d{3}[. ]\d{3}|\d{4}[. ]\d{2}[. ]\d{3}", _dutch, r"bsn|burgerservice\w*|sofi\w*"),
    Kind("be_rrn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", _belgian),
    Kind("pl_pesel", r"\d{11}", _polish, r"pesel"),
    Kind("se_personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", _swedish),
    Kind("fi_hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", _finnish),
    Kind("dk_cpr", r"\d{6}-?\d{4}", _danish, r"cpr\S*|personnummer"),
    Kind("no_fnr", r"\d{6} ?\d{5}", _norwegian, r"f[oø]dselsnummer|fnr|personnummer|f.?dselsnr"),
    Kind("pt_nif", r"\d{3} ?\d{3} ?\d{3}", _portuguese, r"nif|contribuinte"),
    Kind("ch_ahv", r"756\.?\d{4}\.?\d{4}\.?\d{2}", _swiss),
    Kind("br_cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", _brazilian),
    Kind("br_cpf", r"\d{11}", _brazilian, r"cpf"),
    Kind("ca_sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", luhn, r"sin|social insurance(?: number| no)?|nas"),
    Kind("au_tfn", r"\d{3} ?\d{3} ?\d{3}", _australian, r"tfn|tax file(?: number| no)?"),
    Kind("in_aadhaar", r"[2-9]\d{3}[- ]?\d{4}[- ]?\d{4}", _verhoeff, r"aadha+r\S*|uid(?:ai)?"),
    Kind("in_pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", _anything, r"pan(?: card| number)?|permanent account"),
    Kind("cn_id", r"\d{17}[\dX]", _chinese),
    Kind("kr_rrn", r"\d{6}-\d{7}", _korean),
    Kind("sg_nric", r"[STFG]\d{7}[A-Z]", _singaporean),
    Kind("za_id", r"\d{6} ?\d{4} ?\d{2} ?\d|\d{13}", _south_african, r"(?:sa |rsa )?id(?: number| no)?|identity"),
    Kind("tr_tckn", r"\d{11}", _turkish, r"t\.?c\.?(?: kimlik)?\S*|tckn|kimlik"),
    Kind("mx_curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", _mexican),
)
#: Quick to look for: where it finds nothing, no number that needs a word is looked for.
_ANY_BEFORE: Final = re.compile("|".join(kind.before for kind in NATIONAL if kind.before is not None))


class Kinds(NamedTuple):
    """Several kinds, and what finds whether any of them may be somewhere."""

    each: tuple[Kind, ...]
    any: re.Pattern[str]


def kinds_at(lower: str, start: int, wanted: frozenset[str]) -> Kinds:
    """Return the kinds that may stand at a place of a text.

    Args:
        lower: The folded text in small letters.
        start: The place.
        wanted: Names of kinds.
    """
    has_word = _ANY_BEFORE.search(lower, max(0, start - AROUND), start + AROUND) is not None
    return of(wanted, has_word=has_word)


@functools.lru_cache(maxsize=256)
def of(wanted: frozenset[str], *, has_word: bool = True) -> Kinds:
    """Return kinds.

    Args:
        wanted: Names of kinds.
        has_word: Whether those count that need a word before them.
    """
    each = tuple(kind for kind in NATIONAL if kind.name in wanted and (has_word or kind.before is None))
    forms = "|".join(kind.form for kind in each)
    return Kinds(each, _compiled(f"{_START}(?:{forms}){_STOP}" if each else "(?!)"))
