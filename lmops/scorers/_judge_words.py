"""The words judges put their verdicts in: what names one, what states one, what takes one back. Pure."""

from __future__ import annotations

import re
from typing import Final

_X: Final = re.IGNORECASE | re.VERBOSE
#: Words that mean yes, and no.
_PASSED: Final = """yes|true|passed|passes|correct|bestanden|aprobado|aprobada|correcto|correcta|aprovado|aprovada
|correto|correta|réussi|réussie|validé|superato|promosso|corretto|geslaagd|zaliczone|geçti|зачтено|зачет|зачёт|合格|通过|通過|합격
|통과|ناجح"""
_FAILED: Final = """no|false|failed|fails|incorrect|nicht bestanden|durchgefallen|no aprobado|suspenso|reprobado
|incorrecto|incorrecta|não aprovado|reprovado|reprovada|incorreto|échec|échoué|non validé|non superato|bocciato|gezakt
|niet geslaagd|niezaliczone|kald\u0131|не зачтено|незачет|незачёт|не зачет|不合格|不通过|未通过|不通過
|未通過|불합격|راسب"""
YES: Final = {word.strip(): name for name, said in (("pass", _PASSED), ("fail", _FAILED)) for word in said.split("|")}
#: A step of a scale as a word.
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS: Final = {word: str(number) for number, word in enumerate(_DIGITS)}
#: Words that begin a sentence without being a verdict: "First, both are short."
DISCOURSE: Final = frozenset({"first", "second", "third", "good", "fair", "well", "right", "sure", "great", "fine"})

# What is not the judge's own, or says nothing.

_THINK: Final = r"\s*(?:think|thinking|thought|reasoning|scratchpad|analysis)\s*>"
THOUGHT_END: Final = re.compile(
    rf"</{_THINK}|\[/THINK\]|\u25c1/think\u25b7|<\|channel\|>\s*final\s*<\|message\|>|<\|end_of_thought\|>",
    re.IGNORECASE,
)
THOUGHT: Final = re.compile(
    rf"<{_THINK}|\[THINK\]|\u25c1think\u25b7|<\|channel\|>\s*analysis|<\|begin_of_thought\|>", re.IGNORECASE
)
SPECIAL: Final = re.compile(
    r"<\|start_header_id\|>\s*\w{1,20}\s*<\|end_header_id\|>|<\|[a-z_]{1,20}\|>|</s>|<(?:end|start)_of_turn>"
)
_YES_SIGNS: Final = "\u2705\u2714\u2713\u2611\U0001f7e2\U0001f44d"
_NO_SIGNS: Final = "\u274c\u2716\u2717\u2718\U0001f534\U0001f44e"
#: Signs that may say the contrary of the word beside them.
SIGNS: Final = f"[{_YES_SIGNS}{_NO_SIGNS}]"
#: A sign beside the word that says the same; beside another word it stays, and nothing is read.
SIGN: Final = re.compile(
    rf"[{_YES_SIGNS}]\ufe0f?[ \t]*(?=[*_]{{0,3}}(?:pass|yes|true|correct|meets)\b|bestanden)"
    rf"|[{_NO_SIGNS}]\ufe0f?[ \t]*(?=[*_]{{0,3}}(?:fail|no\b|false|incorrect|does(?: not|n['\u2019]t)))"
    rf"|(?:(?<=pass)|(?<=pass[*_.!])|(?<=pass\*\*)|(?<=passed)|(?<=yes))\s*[{_YES_SIGNS}]\ufe0f?"
    rf"|(?:(?<=fail)|(?<=fail[*_.!])|(?<=fail\*\*)|(?<=failed)|(?<=\bno))\s*[{_NO_SIGNS}]\ufe0f?",
    re.IGNORECASE,
)
#: Stars in place of a number; beside one they say nothing new.
STARS: Final = re.compile(
    r"(?<![\d\u2605\u2b50\ufe0f])(?<!\d\s)(?P<full>(?:[\u2605\u2b50]\ufe0f?){2,}|[\u2605\u2b50]\ufe0f?(?=\u2606))"
    r"(?P<empty>\u2606*)(?P<number>\s*\(?\d)?"
)
#: Who speaks, when it is the judge.
SPEAKER: Final = re.compile(r"\A[*_]{0,3}(?:assistant|judge|evaluator|grader|reviewer|ai)[*_]{0,3}:[*_]{0,3}\s+", _X)
WRAPPED: Final = re.compile(r"<(answer|json)>(?P<body>(?:(?!</?\1>).)*)</\1>", re.IGNORECASE | re.DOTALL)
#: What is struck out, or stands beside an empty box; and the mark of a ticked one.
STRUCK: Final = re.compile(
    r"(?<!~)~~(?![~\s])[^~\n]+~~(?!~)|^[ \t]*(?:[-*+][ \t]+)?(?:\[[ ]?\]|\u2610)[ \t].*$"
    r"|(?:^[ \t]*[-*+][ \t]+)?(?:\[[xX\u2713\u2714]\](?=[ \t])|\u2611)",
    re.MULTILINE,
)
_JUDGED: Final = "output|answer|response|input|candidate|submission|documents?|expected|quote"
#: What stands between marks of quotation, also over several lines; an inch or an apostrophe opens none.
QUOTED: Final = re.compile(
    r"""(?<![\w"])"(?=\S)[^"]{1,4000}"(?!\w) | (?<!`)`[^`\n]{1,1000}`(?!`) | \u201e[^\u201c\u201d]{1,4000}[\u201c\u201d]
      | (?<!\w)'(?=\S)[^\n]{1,1000}?(?<=\S)'(?!\w) | (?<!\w)\u2018[^\n]{1,1000}?\u2019(?!\w)"""
    + "".join(rf"| {pair[0]}[^{pair[1]}]{{1,4000}}{pair[1]}" for pair in ("“”", "«»", "「」", "『』"))
    + rf"""| <(?P<tag>(?:{_JUDGED})(?:-\w+)?)>.{{1,4000}}?(?:</(?P=tag)>|\Z)
      | \[(?P<box>{_JUDGED})\].{{1,4000}}?\[/(?P=box)\]
      | ^[^\w\n]*(?:begin|start)\b[^\n]{{0,60}}\n.{{1,4000}}?\n[^\w\n]*end\b[^\n]{{0,60}}$""",
    _X | re.DOTALL | re.MULTILINE,
)
#: A paragraph under a heading that names what is judged; a text of several lines under the key of YAML.
SECTION: Final = re.compile(
    r"""^[^\w\n]*(?:the\s+)?(?:(?:model|candidate|judged|original|given|full)\W+){0,2}
        (?:output|answer|response|submission|candidate|document|input|question)
        (?:\s+(?:under\s+review|to\s+(?:judge|evaluate|review)|text))?[^\w\n\u25a0]*\n
        (?P<body>(?:[^\n]*\S[^\n]*(?:\n|\Z))+)""",
    _X | re.MULTILINE,
)
YAML_TEXT: Final = re.compile(r"^\w+:[ \t]*[|>][+-]?[ \t]*\n(?P<body>(?:[ \t]+.*(?:\n|\Z)|[ \t]*\n)+)", re.MULTILINE)
REASON: Final = re.compile(r"<(rationale|reason|explanation)>.*?</\1>", re.IGNORECASE | re.DOTALL)
BLOCKQUOTE: Final = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
FENCED: Final = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(?:(?!^[ \t]*\1).*(?:\n|\Z))*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE
)
#: Where an object may begin: after a sentence, a colon, a mark of emphasis, a list's or a table's mark.
BOUNDARY: Final = re.compile(
    r"(?:\A|\n|[.!?:;\u3002\uff01\uff1f\uff1a\u2014\u2026]|\s\u2013|\||\s-)(?:[^\w\u25a0,]|_)*\Z"
)
_SAYS: Final = "say|claim|assert|instruct|demand|insist|request|ask|tell|announce|declare|conclude"
_HOLDS: Final = (
    "state|read|contain|include|write|quote|end|begin|append|repeat|print|return|add|respond|replie|embed|inject"
)
_SAID: Final = r"said|saying|told|according\ to"
#: A sentence that hands on what somebody else says.
ATTRIBUTES: Final = re.compile(
    rf"""\b(?:(?:{_SAYS}|{_HOLDS}|start|open|close|continue)(?:s|d|ed|ing|es)?|{_SAID}|stating|writing|wrote|written
        |goes\ on|went\ on|quotation|quoting|verbatim|for\ example|example\ of|format\ is|such\ as|instead\ of
        |rather\ than
        |the\ (?:phrase|words|string|line|sentence|claim|instruction)|prompt\ injection
        |sagt|behauptet|schreibt|lautet|steht|verlangt|endet|ausgabe|antwort|dit|affirme|[ée]crit|demande|r[ée]ponse
        |dice|afirma|escribe|pide|termina|respuesta|diz|escreve|resposta|afferma|scrive|chiede|risposta|zegt|schrijft
        |antwoord)\b
      | [说写称]|要求|输出|輸出|回答|答案|出力|言って|書いて|述べて|라고|답변|출력|говорит|пишет|утверждает|ответ|يقول
      | \b(?:output|response|text|document|user|candidate|answer|submission|input|question|reply|message|assistant)\b
        \s*(?:(?:json|text)\s*)?(?::\s*\Z
          |[^.\n]{{0,40}}\b(?:is|was|were|has|had|gave|gives|produced|goes|has\ this|looks\ like)\s*:\s*\Z)""",
    _X,
)
#: The end of a clause behind which a quotation stands, whoever points at it.
POINTS: Final = re.compile(
    r"\b(?:sentence|lines?|words?|phrase|text|comment|title|quote|passage|string)\b[^.:\n]{0,30}[:\uff1a]\s*\Z",
    re.IGNORECASE,
)
#: A line that ends in the middle of a sentence, with what somebody else says.
HANDS_ON: Final = re.compile(
    rf"\b(?:(?:{_SAYS}|{_HOLDS})(?:s|d|ed)?|said|wrote|with|like|this|following(?:\ \w+)?)\s*\Z", _X
)
#: A clause before a conclusion whose speaker may be the one of the conclusion: "it says that ..., so: pass".
CLAIMS: Final = re.compile(
    rf"""\b(?:(?:{_SAYS}|argue|want)(?:s|d|ed|ing)?|{_SAID})\b
      | \b(?:{_HOLDS}|wrote)(?:s|d|ed|ing)?\s*(?:that\b|it\b|this\b|with\b|[:,]|\Z)
      | \b(?:dear|to)\ (?:the\ |any\ |all\ )?(?:judge|grader|evaluator|reviewer)s?\b
      | \A\W*(?:system|user|human|developer|{_JUDGED})\s*:""",
    _X,
)
#: A sentence that is the judge's own all the same.
OWN: Final = re.compile(
    r"""\b(?:i|my|we|our|me)\b(?!\s+(?:read|see|quote|was|am\ (?:asked|told))) | \bhere(?:\s+(?:is|are)|['\u2019]s)\b
      | \b(?:final|overall)\b""",
    _X,
)
#: A sentence about what is not so.
SUPPOSES: Final = re.compile(
    r"""\b(?:(?:for|in\ (?:the|this|that|an?))\ (?:example|instance|sample)|e\.g\.|if|unless|assuming|suppose|supposing
        |provided|whether)\b | \A\W*(?:had|were|should|when)\b""",
    _X,
)
COURTESY: Final = re.compile(
    r"""^\W*(?:(?:i\ )?hope\ (?:this|that)|let\ me\ know|thank|thanks|feel\ free|please|happy\ to|if\ you|is\ there\ any
      |i\ am\ (?:happy|glad|here)|have\ a|best|kind|cheers|regards|would\ you\ like|do\ you\ want|shall\ i|note:|end\ of
      |\W+$)""",
    _X,
)

# The words of a sentence that states a verdict, each by its part in it; any other word states nothing.


def _parts(**words: str) -> dict[str, str]:
    return {word: part for part, said in words.items() for word in said.split()}


FRAME: Final = _parts(
    # What a verdict is called; and what may be about something else, too: "the result is correct".
    L="""verdict verdikt winner rating score grade judgment judgement decision ruling vote boxed label category
        classification preference urteil gesamturteil bewertung punktzahl veredicto veredito verdetto giudizio voto
        punteggio puntuación calificación pontuação avaliação oordeel beoordeling werdykt ocena karar puan nota décision
        decisión вердикт оценка الحكم التقييم النتيجة 판정 평가 점수 총점""",
    N="""result conclusion outcome assessment evaluation quality level severity risk ergebnis fazit resultado résultat
        conclusión conclusione conclusão sonuç итог вывод""",
    # The judge, and what it does; the output, and what it is or gets.
    I="i we my me our mein meine mi mon ma",
    J="""give giving say saying choose choosing pick conclude assign assigning settle go going opt render reach arrive
        rate rated rule judge judged mark marking marked call calling consider deem deemed classify classified prefer
        put find determine think believe scored graded""",
    M="will have need am do can",
    D="should must",
    W="would",
    S="this it that output answer response reply submission",
    B="is was be gets earns deserves receives warrants merits scores rates remains ist est es è é",
    # What stands between: articles, prepositions, and how sure it is.
    A="a an the das die der le la el il o het un une una ein eine",
    P="as at with of to for on one",
    F="""clear clearly solid definite definitely strong plain straightforward unambiguous obvious obviously firm narrow
        easy simply just still own resulting revised updated corrected definitive new total hard honest actual evaluator
        grader reviewer now here confident only afraid sadly unfortunately honestly frankly comfortable happy also
        finale finaal personal""",
    # What draws a conclusion, by itself or with a mark behind it; marks, and where a clause begins.
    C="so thus hence therefore ergo making accordingly consequently actually",
    K="overall finally ultimately final nevertheless nonetheless",
    Q="no",
    **{":": ": = - \u2013 \u2014 -> => \u2192 \u21d2 | \u2026"},
    **{",": ", ; ( [ and but yet while because wait why"},
    Z=" ".join(_YES_SIGNS + _NO_SIGNS),
    **{"": "\" ' ~ \\ $ { } > < . \u2022"},
)
_LABEL: Final = "|".join(word for word, part in FRAME.items() if part in ("L", "N"))
#: How the words before a verdict state it, by their parts: "Verdict:", "I give it a", "this is a", "so:".
LABELLED: Final = re.compile(r"[LN](?P<sep>[^LNWZQ]*[:BPD][^LNWZQ]*)?\Z")
OWNED: Final = re.compile(r"I[IMDWFCKP:,]*[JLN](?:[^B]*|[^B]*S[FC]*B[^W]*)\Z")
CALLED: Final = re.compile(r"(?:\A|[^W])S[FCKP]*(?:[BD][BDFCKP]*AF*|[BD]+[FP]*J[PBFAS]*|DB)\Z|CSAF*\Z")
THUS: Final = re.compile(r"(?:C[:,]*|[KQ][:,]*:[:,]*|[KQ],)A?F*\Z")
#: The same before "fails", before "is better", and before a verdict without an article.
DOING: Final = re.compile(r"(?:\A|[^W])S[FCP]*\Z")
COMPARED: Final = re.compile(r"\A[CKIJF,:]*A\Z")
IS: Final = re.compile(r"(?:\A|[^W])S[FCP]*BF*\Z|\AK\Z")
DONE_BY: Final = re.compile(r"[CK,:]*I[MDFCP]*|[^WS]*[LN][^SW]*")
#: The beginning of a sentence that ends with a verdict behind an arrow, or behind a colon.
CONCLUDING: Final = re.compile(
    r"(?:\w+\W+){3,}(?:->|=>|[\u2192\u21d2])\Z|\b(?:is|are|was|has|not|neither|but)\b(?:\W+\w+)*\W*:\Z"
)

# What a verdict is, and what stands behind it.

#: Of how many: "4/5", "4 out of 5", "4 von 5".
_OF: Final = r"(?:/|(?:points\ )?out\ of(?:\ a\ possible|\ the)?|of|von|de|sur|su|van|из)"
FRACTION: Final = re.compile(rf"([+-]?\d+(?:\.\d+)?)\s?{_OF}\s?(\d+(?:\.\d+)?)", _X)
NUMBER: Final = (
    rf"(?<![\w.,/+\-\u25a0])[+-]?\d+(?:[.,]\d+)*(?:\s?{_OF}\s?\d+(?:\.\d+)?(?!\w))?(?:(?=[分点點점])|(?![\w%]))"
)
_CRITERION: Final = r"""\s(?:(?:all|each|every|both)\s(?:of\s)?)?(?:the\s|this\s|our\s)?(?:given\s|stated\s)?
    (?:criterion|criteria|rubric|requirements?|bar|test|check)"""
#: What the output does, which is a verdict, and what is done with it: "I have to fail this one".
DOES: Final = rf"""(?:(?:does\s(?:not|n't)|fails\sto)\s(?:pass|meet|satisfy|fulfill?)|fails|failed
    |passes|passed)(?:{_CRITERION})?
    |(?:meets|satisfies|fulfill?s)(?:{_CRITERION})"""
DONE: Final = r"""(?:pass|fail)\s(?:it|(?:this|the|that)\s(?:output|answer|response|reply|submission))
    |fail\s(?:this|that)(?:\sone)?"""
BETTER: Final = r"""(?:\s(?:answer|one|response|output))?
    \s(?:(?:is\s(?:clearly\s|slightly\s|much\s)?(?:the\s)?)?better(?:\s(?:one|answer))?(?:\sthan\sthe\s\w+)?|wins)"""
UNITS: Final = re.compile(r"\s(?:points?|stars?)\b")
#: What closes a verdict: an end, a mark, or the reason that follows; anything else goes on with it ("pass rate").
CLOSED: Final = re.compile(
    rf"""(?:["'~\]){{}}>$|]*(?:\s(?:points?|stars?|punkte?|puntos|pontos)\b|[分点點점])?["'~]*)
        (?:\s*[.!)\]]*\s*\Z | (?!\s*[.,:\-\u2013=]\d) \s*[.!;,:|(<\u2026] | \s[\u2013-]\s | \s?\u2014
          | \s(?:on\ a\ (?:scale|\d)|from\ me|here|for\ me|in\ my\ (?:book|view|opinion|eyes)|overall|because|since
            |due\ to|over\ the|given\ that|as\ (?:it|the))\b)
        (?!\s*[\d+*\u00d7%]\d*\s*=) (?!\s*{SIGNS})""",
    _X,
)
#: The ends of a scale that a sentence names: two, or the upper one.
ENDS: Final = re.compile(
    r"""(?:\bscale(?::|\s+(?:of|from))\s+|[(\[]\s*(?:scale:?\s*)?|\bon\ (?:a|the)\s+)
        (?P<low>\d+)\s*(?:-|\u2013|to)\s*(?P<high>\d+)
      | (?P<top>\d+)[-\ ]point\s+scale | [(\[,]\s*(?:max(?:imum)?\.?|out\ of|of)\s*(?P<most>\d+)\s*[)\]]""",
    _X,
)
#: What goes on with it so that it is only supposed, or said by somebody else;
#: what turns a verdict round that was a wish, or only begins a text.
WISHED: Final = re.compile(
    r"\s*,\s*(?:says?|said|claims?|writes?|according)\b"
    r"|[^\w\n]*\b(?:(?:only\ )?if|unless|provided|when|once)\b|[^\w\n(]*\b(?:would|could|might)\b",
    _X,
)
TURNS: Final = re.compile(r"\W*(?:but|and\ no|however|or|yes|no|if|unless|had|were|except|provided)\b", _X)
#: Another verdict that the sentence holds possible: "a 3, maybe a 4".
HEDGES: Final = re.compile(
    r"""[^.!?\n]{0,60}?\b(?:maybe|perhaps|possibly|arguably|if\ not|or(?:\ even)?|leaning|bordering|verging|overall)
        \s+(?:(?:on|to|towards?|even|an?)\s+){0,3}(?P<value>\w[\w\-]*)""",
    _X,
)
#: What takes back what was said before it.
TAKES_BACK: Final = re.compile(
    r"""\b(?:(?:i|we)\s+(?:(?:do\ not|don't|cannot|can't|can\ not|strongly|must)\s+)?
          (?:disagree|agree|accept|follow|reconsider|retract|take\ (?:that|it)\ back|no\ longer|change\ my|misread
            |misjudged|missed|overlooked)
      | (?:does|do|did|should|must|will|can)(?:\ not|n't)\ (?:count|apply|hold|matter|be\ (?:counted|trusted))
      | correction\b | (?:scratch|strike)\ that | on\ second\ thoughts? | (?:i|we)\ was\ wrong | hold\ on\b | oops\b
      | (?:verdict|score|rating)\ (?:is|was)\ (?:wrong|mistaken|a\ mistake) | my\ (?:mistake|bad|apologies)\b | whoops\b
      | never\s?mind | (?:ignore|disregard)\ (?:that|this|it|the\ above) | (?:my|the)\ (?:real|actual|true|own)\ verdict
      | (?:that|this|which)\ (?:is|was)\ (?:only\ |just\ )?(?:what|how)\ [^.\n]{0,40}
          (?:says?|said|claim(?:s|ed)?|want(?:s|ed)?|demands?|asks?|writes?|wrote)\b
      | (?:are|were|is|was)\ (?:only\ )?(?:the\ )?(?:words|text|claim)\ of\ the\ | not\ my\ (?:own\b|verdict|judge?ment)
      | (?:that|this|which|above)\b[^.\n]{0,15}\b(?:is|was|comes|came|stands)\b[^.\n]{0,25}
          \b(?:line|part|text|words|sentence|end|quoted?|copied|taken|in)\b[^.\n]{0,15}\b(?:of|from|in)?\ the\ \w)
      | \A(?:once|provided|as\ long\ as|assuming|except|subject\ to|on\ condition|but\ only|unless|if)\b
      | (?:^|[.!?\n]\s*)(?:wait|actually|hmm|no,|but\ (?:wait|no|i)|however,?\ i\b|which\b|is\ what\b|edit:|update:
          |sorry\b|or\ (?:is|maybe|not)\b)""",
    _X,
)

# How a text becomes plain.

TABLE: Final = re.compile(r"(?:^[ \t]*\|.*(?:\n|\Z))+", re.MULTILINE)
TAGGED: Final = re.compile(rf"<({_LABEL})>\s*([^<>\n]{{1,60}}?)\s*</\1>", _X)
#: A heading with the verdict below it.
HEADING: Final = re.compile(
    rf"""^([^\w\n"\'{{]*(?:(?:final|overall|my|the|our)\s+){{0,3}}(?:{_LABEL}))[^\w\n<(\[]*\n\s*(?:[=\-]{{3,}}\n\s*)?
        (?:>[ \t]*|[-\u2022][ \t]+(?![^\n]*\n+\s*[-\u2022]))?(?=[^\s\-\u2022>])""",
    _X | re.MULTILINE,
)
#: The whole of a text that only answers.
ANSWERS: Final = re.compile(
    r"\W*(?:the\s+)?(?:final\s+)?answer(?:\s+is)?[\s:*_]+(?P<value>\w[\w\-\ ]{0,30})[.*_!]*", _X
)
BARE_ENDS: Final = re.compile(
    rf"\A(?:[-=]>|[<>~](?!\s?\d)|(?!{SIGNS})[^\w\-<>~]|_)+|(?:(?!{SIGNS})[^\w?/\u25a0+%]|_)+\Z"
)
_MUST: Final = r"\bha(?:ve|s) no (?:other )?choice but to\b|\bam going to\b|\bhave to\b|\bneed to\b"
_CONCLUDES: Final = (
    r"\b(?:as (?:such|it stands|a result)|on (?:(?:further|second|closer) )?(?:reflection|balance|inspection|thoughts?"
    r"|reading)|in (?:conclusion|summary|short|sum|the end|total)|all in all|to (?:conclude|sum up)|taken together"
    r"|all things considered|(?:the )?bottom line|tl;?dr|for (?:this|that|these) reasons?"
    r"|given (?:this|that|all of this)|por (?:lo )?tanto|en (?:r[ée]sum[ée]n?|conclusi[oó]n)|donc|daher|somit"
    r"|insgesamt|zusammenfassend|in conclusione|em resumo)\b"
)
_LABELS: Final = (
    r"\bfinal answer\b|\bbetter (?:answer|one|response|output)(?=\s*(?::|is\b))|\bpass(?:\s?/\s?| or )fail(?=\s*:)"
    r"|\bnote(?: globale)?(?=\s?:\W{0,4}\d+\s?/\s?\d)"
)
#: Labels of scripts without spaces.
_LABELS_JOINED: Final = (
    r"(?:最终|最終|总体|総合|综合|최종 |综上所述\W{0,3})*"
    r"(?:判定|结论|結論|评分|評分|評価|评价|评定|得分|スコア|판정)(?:结果|結果)?(?:[为是は]|(?=\s*:))"
)
_BOXED: Final = r"\$?\\boxed\{(?:\\text\{)?([\w .\-/]{1,60}?)\}\}?\$?|\[\[\s*([\w .\-/]{1,60}?)\s*\]\]"
#: No emphasis, no lists, short forms at length, one word for a label, a conclusion or a must.
PLAINER: Final = tuple(
    (re.compile(pattern, re.MULTILINE), instead)
    for pattern, instead in {
        r"</?(?:b|i|u|p|em|strong|span|div|br|json)\s*/?>": "",
        _BOXED: r" boxed: \1\2 ",
        r"[`#]+|\*+(?=\S)|(?<=\S)\*+|(?<!\w)_+|_+(?!\w)": "",
        rf"(?!{SIGNS})[\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff\ufe0f]": "",
        r"^[ \t]*(?:[-+\u2022]|\d{1,2}[.)])[ \t]+(?=\S)": "",
        r"\b(i|we)'d\b": r"\1 would",
        r"\b(i|we)'ll\b": r"\1 will",
        r"\bi'm\b": "i am",
        r"'s\b": " is",
        r"n't\b": " not",
        r"\bif you ask me,?": "",
        r"(?:>=|<=|[~\u2248\u2264\u2265]|(?<![-=])[<>])(?=\s?\d)": "about ",
        rf"\[({_LABEL})\](?=\s)": r"\1:",
        _MUST: "must",
        _CONCLUDES: "overall",
        _LABELS_JOINED: "verdict: ",
        _LABELS: "verdict",
    }.items()
)

# Objects.

FINAL_KEY: Final = re.compile(r"^(?:final|overall)[ _-]")
ANY_FIELD: Final = re.compile(r"""(?<!\\)["'\u201c]?\bverdict["'\u201d]?\s*:""", re.IGNORECASE)
FIELD: Final = re.compile(
    r"""(?:[{,]\s*|\n\s*)["'\u201c]?verdict["'\u201d]?\s*:\s*(?P<value>"[^"\n]{1,60}"|'[^'\n]{1,60}'|-?[\d.]+|\w+)
        \s*(?:,\s*"\w+"\s*: | ,?\s*\}?\s*\Z)""",
    _X,
)
#: "The output passes", "the answer is correct", "it does not meet the criterion": as a value they are verdicts, too.
PLAINLY: Final = re.compile(r"^(?:the|this|it|a|an)\b(?: (?:output|answer|response))?(?: is)?(?: an?)? ")
DOING_SO: Final = re.compile(rf"{DOES}|{DONE}|meets?|satisf(?:y|ies)|fulfill?s?", _X)
#: A verdict and its meaning in one value: "4 - good".
GLOSSED: Final = re.compile(r"(?P<value>\d+|[^\W\d_][\w ]{0,30}?)\s*(?:\s[\u2013\u2014-]|:)\s+[^\d\s][^\d]*")
#: What follows a verdict in its value: "first answer", "合格です".
TAIL: Final = re.compile(r"(?: (?:answer|one|response|output)|です|である|だ|。)$")
