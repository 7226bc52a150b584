"""The words and phrases that checking claims knows: what carries no meaning, what is polite, what refuses."""

# ruff: noqa: RUF001 - words of other scripts
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
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "hundred": "100",
    "thousand": "1000",
    "dozen": "12",
}
#: What a full stop ends without ending a sentence; initials are capitals.
ABBREVIATION: Final = re.compile(
    r"""\b(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|inc|ltd|jr|sr|u\.s|u\.k|p\.m|a\.m|approx|ca|bzw|z\.b)\.$
      | (?-i:(?:^|[\s.(])[A-Z]\.$)""",
    re.IGNORECASE | re.VERBOSE,
)
#: How people apologise in other languages.
_APOLOGY: Final = r"""lo\ siento(?:\ mucho)?|disculpa\w*|me\ temo\ que|mi\ (?:di)?spiace|scusa\w*|desculp\w+
    |sinto\ muito|lamento|het\ spijt\ me|przepraszam|przykro\ mi|извините|простите|عذر[ًا]*|آسف
    |üzgünüm|özür\ dilerim|很?抱歉|对不起|對不起|förlåt|beklager|죄송합니다"""
#: What may stand before a claim in its sentence without being part of it; taken off, again and again.
OPENER: Final = re.compile(
    rf"""^(?: (?:sure|of\ course|certainly|absolutely|definitely|great|yes|well|ok(?:ay)?)\b[,:!\s]+ | no\b[,:!]\s*
      | (?:hello|hi|hey|dear|good\ (?:morning|day|evening|question)|great\ question)\b[^,:.]{{0,40}}[,:]\s*
      | (?:thank\ you|thanks|sorry|(?:my\ )?apologies|i(?:'m|\ am)\ (?:very\ |so\ )?sorry|(?:i|we)\ apologi[sz]e)\b
        [^,:]{{0,80}}[,:]\s*
      | (?:unfortunately|fortunately|luckily)\b,?\s+ | (?:but|however|and)\b,?\s+
      | (?:i|we)(?:'m|'re|\ am|\ are)\ (?:glad|happy|pleased)\ to[ ]
        (?:say|tell\ you|confirm|inform\ you|report|let\ you\ know)(?:\ that)?\b[,:]?\s*
      | (?:please\ note|note|did\ you\ know|i\ can\ (?:confirm|tell\ you|assure\ you)|rest\ assured)
        (?:\ that)?\b[,:]?\s+
      | (?:let\ me|here\ (?:is|are)|in\ (?:summary|short))\b[^:.]{{0,80}}:\s*
      | as\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model|(?:virtual\ )?assistant|chatbot)\b
        [^,:.]{{0,60}},\s*
      | (?:es\ tut\ mir\ (?:sehr\ )?leid|entschuldigung|(?:je\ suis\ (?:vraiment\ )?)?d\u00e9sol\u00e9e?)\b
        [^,:]{{0,40}}[,:]\s*
      | (?:{_APOLOGY})[^,:\uff0c\u060c]{{0,20}}[,:\uff0c\u060c]\s*
        (?:(?:pero|ma|mas|maar|ale|но|لكن|但是?|men)\b\s*)?
      | (?:죄송하지만|죄송합니다만)\s*
      | (?:leider|malheureusement|purtroppo|infelizmente|lamentablemente|desgraciadamente|helaas|niestety|tyvärr
          |desværre          |к\ сожалению|maalesef|ne\ yazık\ ki|很遗憾)\b[,\uff0c]?\s+ )""",
    re.IGNORECASE | re.VERBOSE,
)
#: What a clause after a greeting, an apology or a refusal begins with.
TURN: Final = re.compile(
    r"[,;\uff0c\u060c]\s*(?:(?:but|however|though|although|yet|aber|jedoch|mais|cependant|pero|ma|mas|porém|maar|ale|lecz|но"
    r"|однако|ama|fakat|ancak|men|لكن)\b|但是?|不过|然而),?\s*",
    re.IGNORECASE,
)
#: What people say around an answer: it states nothing about the world that a source could hold.
POLITE: Final = re.compile(
    rf"""^(?: (?:thank\ you|thanks|many\ thanks)\b | (?:hello|hi|hey|dear)\b[^.]{{0,40}}$ | sorry\b
      | (?:my\ )?apologies\b
      | (?:sure|of\ course|i(?:'m|\ am)\ (?:just\ |only\ )?an?\ (?:ai|language\ model|assistant)\b[^.,]{{0,40}})\W*$
      | (?:es\ tut\ mir\ (?:sehr\ )?leid|entschuldigung|(?:je\ suis\ (?:vraiment\ )?)?d\u00e9sol\u00e9e?)\W*$
      | (?:i|we)\ apologi[sz]e\b[^.,]{{0,60}}\W*$
      | (?:\u7533\u3057\u8a33(?:\u3042\u308a|\u3054\u3056\u3044)\u307e\u305b\u3093|\u3059\u307f\u307e\u305b\u3093)\W*$
      | (?:{_APOLOGY})\W*$
      | welcome(?:\ (?:to|back|aboard)\b[^,.]*)?\W*$ | good\ (?:question|morning|day|evening)\W*$ | great\ question
      | that(?:\ is|'s)\ a\ (?:very\ )?(?:good|great)\ question | you(?:'re|\ are)\ (?:very\ )?welcome\W*$ | i\ hope\b
      | i(?:'m|\ am)\ (?:very\ |so\ )?(?:glad|happy|sorry|here) | we\ (?:look\ forward|hope)\b
      | have\ a\ (?:nice|great|safe|good|pleasant) | (?:best|kind|warm)\ (?:regards|wishes) | is\ there\ anything
      | feel\ free\ to\ (?:ask|contact|reach|write|call|get\ in\ touch|come\ back) | in\ (?:summary|short):?$
      | let\ me\b[^:]*:?$ | here\ (?:is|are)\ (?:the|what|an?)\b[^.:]*:?$
      | (?:please\ )?
        (?:let\ (?:me|us)\ know|do\ not\ hesitate|don['\u2019]t\ hesitate|reach\ out|contact\ us\ (?:if|for))
      | if\ (?:you\ have|there\ are)\ (?:any\ |more\ |further\ |other\ )+(?:questions|queries|concerns|doubts) )
      | \bcome\ back\ to\ (?:this|our)\ chat\b""",
    re.IGNORECASE | re.VERBOSE,
)
