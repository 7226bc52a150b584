"""Numbers as people read them: one form each for money, durations, shares, tokens, sizes and counts.

The widgets say the same in ``widgets/kit/dom.js``; a test holds both to one table.
"""

from __future__ import annotations

from typing import Final

_SECOND: Final = 1_000.0
_MINUTE: Final = 60 * _SECOND
#: below it an amount has no digit that is shown
_LEAST_USD: Final = 1e-6


def money(usd: float | None) -> str:
    """Return an amount in US dollars: two decimals from a dollar on, four from a cent on, six below; "" for None.

    Example:
        >>> money(1234.5), money(0.0123), money(0.0021), money(0.0), money(-0.5), money(4e-8)
        ('$1,234.50', '$0.0123', '$0.002100', '$0', '-$0.5000', '<$0.000001')
    """
    if usd is None:
        return ""
    if usd < 0:
        return f"-{money(-usd)}"
    if usd == 0:
        return "$0"
    if usd < _LEAST_USD / 2:
        return f"<${_LEAST_USD:.6f}"
    return f"${usd:,.{2 if usd >= 1 else 4 if usd >= 0.01 else 6}f}"


def duration(ms: float | None) -> str:
    """Return a time in milliseconds in the unit that suits it; "" for None.

    Example:
        >>> duration(0.5), duration(812), duration(2_310), duration(185_000), duration(7.3e6), duration(7e8)
        ('0.5 ms', '812 ms', '2.31 s', '3 m 05 s', '2.0 h', '8.1 d')
    """
    if ms is None:
        return ""
    if ms < 0:
        return f"-{duration(-ms)}"
    if ms < _SECOND - 0.5:
        return f"{ms:.2g} ms" if 0 < ms < 1 else f"{ms:.0f} ms"
    if ms < _MINUTE - 50:
        return f"{ms / _SECOND:.{2 if ms < 9_995 else 1}f} s"
    minutes, rest = divmod(round(ms / _SECOND), 60)
    if minutes < 120:
        return f"{minutes} m {rest:02} s"
    return f"{minutes / 60:.1f} h" if minutes < 2_880 else f"{minutes / 1_440:.1f} d"


def share(rate: float | None, *, signed: bool = False) -> str:
    """Return a rate in 0..1 in per cent, a difference of rates (``signed``) in percentage points; "" for None.

    Example:
        >>> share(0.5), share(0.0004), share(-0.03, signed=True)
        ('50.0 %', '0.04 %', '-3.0 pp')
    """
    if rate is None:
        return ""
    digits = 2 if 0 < abs(rate) < 0.001 else 1
    return f"{100 * rate:{'+' if signed else ''}.{digits}f} {'pp' if signed else '%'}"


def amount(value: float | None, unit: str, *, signed: bool = False) -> str:
    """Return a number in the unit of a metric, a difference with its sign; "?" for None.

    Example:
        >>> amount(0.125, "share"), amount(-0.03, "share", signed=True), amount(1250.4, "tokens", signed=True)
        ('12.5 %', '-3.0 pp', '+1,250')
    """
    if value is None:
        return "?"
    if unit == "share":
        return share(value, signed=signed)
    sign = "-" if value < 0 else "+" if signed and value > 0 else ""
    if unit == "ms":
        return f"{sign}{duration(abs(value))}"
    return f"{sign}{money(abs(value))}" if unit == "usd" else f"{sign}{abs(value):,.4g}"


def tokens(given: int | None, made: int | None) -> str:
    """Return how many tokens went in and came out; "?" stands for what is not known, "" when neither is.

    Example:
        >>> tokens(1204, 310), tokens(16, None)
        ('1,204 → 310 tok', '16 → ? tok')
    """
    if given is None and made is None:
        return ""
    return f"{'?' if given is None else f'{given:,}'} → {'?' if made is None else f'{made:,}'} tok"


def size(count: int) -> str:
    """Return how large a file is, in the unit that suits it.

    Example:
        >>> size(1), size(812), size(34_210), size(3_400_000), size(1_250_000_000)
        ('1 byte', '812 bytes', '34.2 kB', '3.4 MB', '1.2 GB')
    """
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return counted(count, "byte")


def counted(number: int, noun: str) -> str:
    """Return a number of things.

    Example:
        >>> counted(1, "span"), counted(2000, "span")
        ('1 span', '2,000 spans')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
