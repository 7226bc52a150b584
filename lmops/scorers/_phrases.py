"""The English words and phrases that checking claims knows: what carries no meaning, what is polite, what refuses."""

from __future__ import annotations

import re
from typing import Final

#: Words that carry no meaning of their own.
STOP: Final = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each either for from further get got had has have having he her here hers
    him his how however i if in into is it its itself just like made make may me might more most much must my no nor not
    of off on once only or other our out over own per same she should so some such than that the their them then there
    these they this those through thus to too under until up upon us very was we were what when where which while who
    whom whose why will with within would yes you your yours one's it's that's
    """.split()  # noqa: SIM905 - a hundred words in a column would hide the rest
)
_COUNTED: Final = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
    """
#: Numbers as words -> as digits.
NUMBER_WORDS: Final = {word: str(number) for number, word in enumerate(_COUNTED.split())} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100", "thousand": "1000", "dozen": "12",
}  # fmt: skip
#: What a full stop ends without ending a sentence; initials are capitals.
ABBREVIATION: Final = re.compile(
    r"""\b(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|inc|ltd|jr|sr|u\.s|u\.k|p\.m|a\.m|approx|ca|bzw|z\.b)\.$
      | (?-i:(?:^|[\s.(])[A-Z]\.$)""",
    re.IGNORECASE | re.VERBOSE,
)
#: What people say around an answer: it states nothing about the world that a source could hold.
POLITE: Final = re.compile(
    r"""^(?: thank | thanks | hello | hi\b | hey\b | dear\b | welcome | sorry | sure\b | of\ course | certainly
      | absolutely | good\ (?:question|morning|day) | great\ question | that(?:\ is|'s)\ a\ (?:good|great)
      | you(?:'re|\ are)\ welcome | i\ hope\b | i(?:'m|\ am)\ (?:glad|happy|sorry|here) | we\ look\ forward | we\ hope
      | have\ a\ (?:nice|great|safe|good) | best\ (?:regards|wishes) | kind\ regards | feel\ free | let\ me
      | is\ there\ anything | in\ summary:?$ | here\ (?:is|are)\ (?:the|what|an?)\b[^.]*:?$
      | (?:please\ )?(?:let\ (?:me|us)\ know|do\ not\ hesitate|don't\ hesitate|reach\ out|contact\ us\ (?:if|for))
      | if\ (?:you\ have|there\ are)\ (?:any|more|further) )
      | \blet\ (?:me|us)\ know\ if\b | \bhappy\ to\ (?:help|go\ into|explain|assist)\b
      | \bany\ (?:other|further|more)\ questions\b | \b(?:this|our)\ chat\b""",
    re.IGNORECASE | re.VERBOSE,
)
#: What says that nothing was found, or that nothing will be said.
REFUSES: Final = re.compile(
    r"""\b(?:could|can|did|do|was|were|am|are)(?:\ not|n['\u2019]t|not)\s+(?:able\ to\s+)?
        (?:find|know|have\ (?:any\ |that\ |this\ |enough\ )?information|help\ with|answer|provide|locate|see\ any)\b
      | \bunable\ to\ (?:find|answer|help|provide|locate)\b | \bno\ information\ (?:on|about)\b
      | \b(?:do(?:es)?|is|are)(?:\ not|n['\u2019]t)\ (?:say|mention|contain|specify|cover|mentioned|specified)\b
      | \bcannot\ (?:answer|help|assist|provide|comply|find)\b | \b(?:as\ an\ ai|i'm\ just\ an\ ai)\b""",
    re.IGNORECASE | re.VERBOSE,
)
