"""The words judges put their verdicts in, as patterns: what names one, what says one, what takes one back. Pure."""

from __future__ import annotations

import re
from typing import Final

_X: Final = re.IGNORECASE | re.VERBOSE
#: Words that mean a verdict of yes or no.
YES: Final = {
    **dict.fromkeys(
        ("yes", "true", "passed", "passes", "correct", "bestanden", "aprobado", "aprobada", "correcto", "correcta",
         "aprovado", "aprovada", "correto", "correta", "r\u00e9ussi", "r\u00e9ussie", "valid\u00e9", "superato",
         "promosso", "corretto", "geslaagd", "zaliczone", "ge\u00e7ti", "\u0437\u0430\u0447\u0442\u0435\u043d\u043e",
         "\u0437\u0430\u0447\u0435\u0442", "\u0437\u0430\u0447\u0451\u0442", "\u5408\u683c", "\u901a\u8fc7",
         "\u901a\u904e", "\ud569\uaca9", "\ud1b5\uacfc", "\u0646\u0627\u062c\u062d"), "pass"),
    **dict.fromkeys(
        ("no", "false", "failed", "fails", "incorrect", "nicht bestanden", "durchgefallen", "no aprobado", "suspenso",
         "reprobado", "incorrecto", "incorrecta", "n\u00e3o aprovado", "reprovado", "reprovada", "incorreto",
         "\u00e9chec", "\u00e9chou\u00e9", "non valid\u00e9", "non superato", "bocciato", "gezakt", "niet geslaagd",
         "niezaliczone", "kald\u0131", "\u043d\u0435 \u0437\u0430\u0447\u0442\u0435\u043d\u043e",
         "\u043d\u0435\u0437\u0430\u0447\u0435\u0442", "\u043d\u0435\u0437\u0430\u0447\u0451\u0442",
         "\u043d\u0435 \u0437\u0430\u0447\u0435\u0442", "\u4e0d\u5408\u683c", "\u4e0d\u901a\u8fc7",
         "\u672a\u901a\u8fc7", "\u4e0d\u901a\u904e", "\u672a\u901a\u904e", "\ubd88\ud569\uaca9",
         "\u0631\u0627\u0633\u0628"), "fail"),
}  # fmt: skip
#: A step of a scale as a word.
DIGITS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}
THOUGHT_END: Final = re.compile(
    r"</\s*(?:think|thinking|thought|reasoning|scratchpad|analysis)\s*>|\[/THINK\]|\u25c1/think\u25b7"
    r"|<\|channel\|>\s*final\s*<\|message\|>|<\|end_of_thought\|>",
    re.IGNORECASE,
)
THOUGHT: Final = re.compile(
    r"<\s*(?:think|thinking|thought|reasoning|scratchpad|analysis)\s*>|\[THINK\]|\u25c1think\u25b7"
    r"|<\|channel\|>\s*analysis|<\|begin_of_thought\|>",
    re.IGNORECASE,
)
_YES_SIGN: Final = "[\u2705\u2714\u2713\u2611\U0001f7e2\U0001f44d]"
_NO_SIGN: Final = "[\u274c\u2716\u2717\u2718\U0001f534\U0001f44e]"
#: A sign beside the word that says the same; beside another word it stays, and nothing is read.
SIGN: Final = re.compile(
    rf"(?:{_YES_SIGN}\ufe0f?)\s*(?=[*_]{{0,3}}(?:pass|yes|true|correct|meets)\b|bestanden)"
    rf"|(?:{_NO_SIGN}\ufe0f?)\s*(?=[*_]{{0,3}}(?:fail|no\b|false|incorrect|does(?: not|n['\u2019]t)))"
    rf"|(?:(?<=pass)|(?<=pass[*_.!])|(?<=pass\*\*)|(?<=passed)|(?<=yes))\s*{_YES_SIGN}\ufe0f?"
    rf"|(?:(?<=fail)|(?<=fail[*_.!])|(?<=fail\*\*)|(?<=failed)|(?<=\bno))\s*{_NO_SIGN}\ufe0f?",
    re.IGNORECASE,
)
#: Stars in place of a number; beside one they say nothing new.
STARS: Final = re.compile(
    "(?<![\\d\u2605\u2b50\ufe0f])(?<!\\d\\s)(?P<full>(?:[\u2605\u2b50]\ufe0f?){2,}|[\u2605\u2b50]\ufe0f?(?=\u2606))(?P<empty>\u2606*)"
    "(?P<number>\\s*\\(?\\d)?"
)
WRAPPED: Final = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.IGNORECASE | re.DOTALL)
SPECIAL: Final = re.compile(
    r"<\|start_header_id\|>\s*\w{1,20}\s*<\|end_header_id\|>|<\|[a-z_]{1,20}\|>|</s>|<(?:end|start)_of_turn>"
)
#: Who speaks, when it is the judge.
SPEAKER: Final = re.compile(r"\A[*_]{0,3}(?:assistant|judge|evaluator|grader|reviewer|ai)[*_]{0,3}:[*_]{0,3}\s+", _X)
#: "__Verdict__" is "**Verdict**".
UNDERLINED: Final = re.compile(r"(?<!\w)__(?=[^\s_])([^\n_]{1,60})(?<=\S)__(?!\w)")
#: What stands between marks of quotation, also over several lines; an inch or an apostrophe opens none.
QUOTED: Final = re.compile(
    r'(?<![\w"])"(?=\S)(?P<a>[^"]{1,4000})"(?!\w) | \u201c(?P<b>[^\u201d]{1,4000})\u201d'
    r"| \u201e(?P<c>[^\u201c\u201d]{1,4000})[\u201c\u201d] | \u00ab(?P<d>[^\u00bb]{1,4000})\u00bb"
    r"| \u300c(?P<e>[^\u300d]{1,4000})\u300d | (?<!`)`(?P<f>[^`\n]{1,1000})`(?!`)"
    r"| (?<!\w)'(?=\S)(?P<g>[^\n]{1,1000}?)(?<=\S)'(?!\w) | (?<!\w)\u2018(?P<h>[^\n]{1,1000}?)\u2019(?!\w)"
    r"| \u300e(?P<i>[^\u300f]{1,4000})\u300f"
    r"| <(?P<tag>(?:output|answer|response|input|candidate|submission|documents?|expected|quote)(?:-\w+)?)>"
    r"(?P<j>.{1,4000}?)(?:</(?P=tag)>|\Z)",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
#: A paragraph under a heading that names what is judged.
SECTION: Final = re.compile(
    r"""^\W*(?:the\s+)?(?:(?:model|candidate|judged|original|given|full)\W+){0,2}
        (?:output|answer|response|submission|candidate|document|input|question)
        (?:\s+(?:under\s+review|to\s+(?:judge|evaluate|review)|text))?[^\w\n]*\n(?P<body>(?:[^\n]*\S[^\n]*(?:\n|\Z))+)""",
    _X | re.MULTILINE,
)
#: A text of several lines under the key of YAML.
YAML_TEXT: Final = re.compile(r"^\w+:[ \t]*[|>][+-]?[ \t]*\n(?P<body>(?:[ \t]+.*(?:\n|\Z)|[ \t]*\n)+)", re.MULTILINE)
#: What is struck out, or stands beside an empty box; and the mark of a ticked one.
STRUCK: Final = re.compile(
    r"(?<!~)~~(?![~\s])[^~\n]+~~(?!~)|^[ \t]*(?:[-*+][ \t]+)?(?:\[[ ]?\]|\u2610)[ \t].*$"
    r"|(?:^[ \t]*[-*+][ \t]+)?(?:\[[xX\u2713\u2714]\](?=[ \t])|\u2611)",
    re.MULTILINE,
)
#: A line that ends in the middle of a sentence, with what somebody else says.
HANDS_ON: Final = re.compile(
    r"\b(?:says?|said|writes?|wrote|reads?|prints?|returns?|ends?|appends?|with|like|this|following(?:\s+\w+)?)\s*\Z",
    _X,
)
BLOCKQUOTE: Final = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
FENCE: Final = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*\w*[ \t]*$", re.MULTILINE)
OPEN_FENCE: Final = re.compile(r"(?:`{3,}|~{3,})[ \t]*(?:json)?\s*\Z", re.IGNORECASE)
#: Where a sentence may begin: after another one, a colon, a mark of emphasis, a list's or a table's mark.
BOUNDARY: Final = re.compile(
    r"(?:\A|\n|[.!?:;\u3002\uff01\uff1f\uff1a\u2014\u2026]|\s\u2013|\||\s-)(?:[^\w\u25a0,]|_)*\Z"
)
#: Where the clause that concludes a sentence may begin.
CLAUSE: Final = re.compile(r"(?:,|\band|\bbut|\bwait)(?:[^\w\u25a0]|_)*\Z", re.IGNORECASE)
_CONCLUDES: Final = r"""(?:so|thus|hence|therefore|ergo|overall|finally|ultimately|accordingly|consequently|nevertheless
    |nonetheless|as\ such|as\ it\ stands|as\ a\ result|on\ (?:(?:further|second|closer)\ )?(?:reflection|balance
    |inspection|thoughts?|reading)|in\ (?:conclusion|summary|short|sum|the\ end|total)|all\ in\ all|to\ conclude
    |to\ sum\ up|all\ things\ considered|taken\ together|bottom\ line|for\ (?:this|that|these)\ reasons?
    |given\ (?:this|that|all\ of\ this)|por\ (?:lo\ )?tanto|en\ (?:r[ée]sum[ée]n?|conclusi[oó]n)
    |donc|also|daher|somit|insgesamt|zusammenfassend|in\ conclusione|em\ resumo)"""
#: A clause that draws the conclusion.
CONCLUDES: Final = re.compile(rf"(?:[^\w]|_)*(?:{_CONCLUDES}|making|which\ makes)\b", _X)
#: A sentence that begins with the reason of its conclusion.
REASONS: Final = re.compile(
    r"[^\w]*(?:since|because|given|as|considering|based on|in view of|in light of|after|having|upon|looking at)\b",
    re.IGNORECASE,
)
#: A sentence that hands on what somebody else says.
ATTRIBUTES: Final = re.compile(
    r"""\b(?:say|said|saying|claim|state|stated|stating|read|reads|contain|include|assert|write|wrote|written|quote|instruct
          |demand|insist|request|ask|tell|told|end|begin|start|open|close|append|repeat|print|return|add|respond|repl(?:y|ie)
          |embed|inject|announce|declare|conclude)(?:s|ed|d|ing|es)?\b
      | \b(?:sagt|behauptet|schreibt|lautet|steht|verlangt|endet|ausgabe|antwort|dit|affirme|[ée]crit|demande|r[ée]ponse
          |dice|afirma|escribe|pide|termina|respuesta|diz|escreve|resposta|afferma|scrive|chiede|risposta|zegt|schrijft
          |antwoord)\b
      | [说写称]|要求|输出|輸出|回答|答案|出力|言って|書いて|述べて|라고|답변|출력|говорит|пишет|утверждает|ответ|يقول
      | \b(?:output|response|text|document|user|candidate|answer|submission|input|question|reply|message|assistant)\b
        \s*(?:(?:json|text)\s*)?(?::\s*\Z
          |[^.\n]{0,40}\b(?:is|was|were|has|had|gave|gives|produced|goes|has\ this|looks\ like)\s*:\s*\Z)
      | \b(?:quot(?:e|ing|ation)|verbatim|according\ to|for\ example|example\ of|format\ is|e\.g\.
          |such\ as|instead\ of|rather\ than
          |the\ (?:phrase|words|string|line|sentence|claim|instruction)|prompt\ injection|injected)\b""",
    _X,
)
#: A clause before a conclusion whose speaker may be the one of the conclusion: "it says that ..., so: pass".
CLAIMS: Final = re.compile(
    r"""\b(?:say|claim|assert|instruct|demand|insist|request|ask|tell|announce|declare|conclude|argue|want)(?:s|ed|ing)?\b
      | \b(?:said|saying|told|according\ to)\b
      | \b(?:state|read|contain|include|write|quote|end|begin|append|repeat|print|return|add|respond|reply|replie|embed
          |inject)(?:s|ed|d|ing)?\s*(?:that\b|it\b|this\b|with\b|[:,]|\Z)""",
    _X,
)
#: The end of a sentence after which a verdict alone may be a quotation.
POINTS: Final = re.compile(
    r"""\b(?:this|following|these|words?|lines?|phrases?|like|follows|says?|said|writes?|wrote|ends?|asks?|claims?|quotes?
      |either|options?|verdicts?)\b(?:\W+\w+){0,2}\W*\Z""",
    _X,
)
#: A sentence about what is not so.
SUPPOSES: Final = re.compile(
    r"\b(?:if|unless|assuming|suppose|supposing|provided|whether)\b|\A\W*(?:had|were|should|when)\b", re.IGNORECASE
)
#: A sentence that is the judge's own all the same.
OWN: Final = re.compile(
    r"""\b(?:i|my|we|our|me)\b(?!\s+(?:read|see|quote|was|am\ (?:asked|told)))
      | \bhere\s+(?:is|are)\b | \b(?:final|overall)\b""",
    _X,
)
_I: Final = r"""\b(?:i|we)(?:['\u2019](?:d|ll|m)|\s+(?:would|will|must|have\ to|need\ to|am|do|therefore|thus)){0,4}
    (?:\s+(?:going|inclined)\s+to)?\s+"""
_IT: Final = r"""(?:(?:this|it|that)(?:['\u2019]s|\s+one|\s+(?:output|answer|response|reply|submission))?
    |the\ (?:output|answer|response|reply|submission))"""
_FIRM: Final = "(?:clear|solid|definite|plain|strong|straightforward|unambiguous|obvious|firm|narrow|easy)"
_FIND: Final = rf"(?:{_I}(?:find|conclude|judge|determine|think|believe|say)\s+(?:that\s+)?)?"
_SCALE: Final = r"(?:on\ (?:a|the)\ (?:scale\ (?:of|from)\ )?\d+\s?(?:-|\u2013|to)\s?\d+(?:\ scale)?,?\s+)?"
#: What may stand between the beginning of a sentence and the word "verdict".
_LEAD: Final = rf"""(?<!\w)
    (?:based\ on\ [^.,:\n]{{1,60}}[,:]\s+)?(?:(?:{_CONCLUDES}|and)\b[,:]?\s+){{0,4}}
    (?:(?:综上所述|因此|所以|よって|したがって)[\uff0c、,:]?\s*)?
    (?:{_I}
      (?:give|say|return|answer|choose|pick|conclude|assign|settle\ on|go\ with|render|reach|arrive\ at)
      (?:\s+with)?(?:\s+that)?\s+)?
    (?:(?:the|this)\ (?:output|answer|response)\ (?:deserves|gets|earns|receives)\s+)?
    (?:(?:the|my|our|a|this|das|die|le|la|el|il|o|het)\s+)?
    (?:(?:evaluator|judge|grader|reviewer)['\u2019]s\s+)?
    (?:(?:final|overall|own|resulting|revised|updated|corrected|definitive|total)\s+){{0,4}}(?:\u6700\u7ec8|\u6700\u7d42)?"""
_NAMES: Final = r"""(?:verdict|winner|better\ (?:answer|one|response|output)
    |pass\s?/\s?fail|rating|score|grade|judge?ment|decision|result|conclusion|assessment
    |evaluation|final\ answer|verdikt|urteil|bewertung|ergebnis|veredicto|veredito|verdetto|giudizio|punteggio|resultado
    |r[ée]sultat|conclusi[oó]n|conclusione|conclus[aã]o|d[ée]cision|fazit|puntuaci[oó]n|calificaci[oó]n|pontuaç[aã]o|avaliaç[aã]o|oordeel|beoordeling|werdykt|ocena|karar|sonuç|puan
    |note(?=\s?:\W{0,4}\d+\s?/\s?\d)
    |\u0432\u0435\u0440\u0434\u0438\u043a\u0442|\u0438\u0442\u043e\u0433|\u043e\u0446\u0435\u043d\u043a\u0430
    |\u0627\u0644\u062d\u0643\u0645|\u0627\u0644\u062a\u0642\u064a\u064a\u0645|\ud310\uc815|\ud3c9\uac00|\uc810\uc218
    |判定|结论|結論|评分|評分|評価|评价|评定|得分|スコア)"""
#: Of how many: "4/5", "4 out of 5", "4 von 5".
_OF: Final = r"(?:/|(?:points\ )?out\ of(?:\ a\ possible)?|of|von|de|sur|su|van|из)"
_VALUE: Final = rf"""(?P<value>-?\d+(?:\.\d+)?(?![^\W分点點점])
        (?:\s?{_OF}\s?\d+(?:\.\d+)?(?!\w))?
    |[^\W\d_][\w\-]*(?:[ ][\w\-]+){{0,5}}?)"""
#: Signs that may say the contrary of the word beside them.
_SIGNS: Final = f"(?:{_YES_SIGN}|{_NO_SIGN})"
#: What closes a verdict: an end, a mark, or the reason that follows.
_CLOSE: Final = (
    rf"""(?![.,]\d)(?:(?<!\d)|(?!\s*(?:[\-+*=\u2013\u00d7\u2192]|->)\s*\d|:\d))
    (?![\s"'*_`.!]{{0,4}}{_SIGNS})"""
    r"""(?=["'*_`\u201d\u2019\])}>]*(?:\Z|\n|\s*[^\w\s?/\-+%<>]{1,4}\s*(?:\Z|\n)
    |[.!;,:|(<\u2014\u2026\u3002]|\s[\u2013\u2014(\-]|\s*\||\s?/\s?\d
    |\s?(?:points?|stars?|punkte?|puntos|pontos|(?:[\u2605\u2b50\u2606]\ufe0f?)+|分|点|點|점)(?:\s(?:out\ )?of\s\d+)?
        ["'*_`]{0,4}(?:[.!,;。]|\s*(?:\Z|\n))
    |\s(?:on\ a\ (?:scale|\d)|from\ me\b|overall\b|because|since|due\ to|over\ the\b|given\ that|as\ it|as\ the)))"""
)
#: "Verdict: pass", "my final rating is 4".
SAID: Final = re.compile(
    rf"""{_LEAD}(?:\b|(?<=[\u7ec8\u7d42])){_NAMES}(?:\b|(?=[为是は]))(?:\s+(?:final|finale|finaal)\b)?(?:\s+(?:for|on|of)\s+(?:this|the)\s+\w+)?
        (?:\s+(?:here|in\ this\ case)\b)?(?:\s*(?:\([^()\n]{{0,40}}\)|\[[^\[\]\n]{{0,40}}\]))?
        [\s"'*_`#|\])}}>]{{0,8}}
        (?:(?:ist\b|est\b|es\b|è|é|为|是|は|is(?:\ that\b)?|was
            |(?:should|must|has\ to)\ be|of|:|=|-|\u2013|\u2014|\uff1a|->|\u2192|=>|\|)
            [\s"'*_`\[({{|:\uff1a$\u201c\u2018\u201e\u00ab]{{0,8}}
          |(?<=\])\ (?=\w)|(?=\n)\s{{1,4}}(?:[=\-]{{3,}}\n)?["'*_`\[]{{0,4}}|<[^<>\n]{{0,20}}>\s*)
        (?:(?<=\n)[-\u2022]\s+(?![^\n]*\n+\s*[-\u2022]))?
        (?:(?:a|an|clearly|simply|{_FIRM})\s+){{0,4}}(?:\\boxed\{{(?:\\text\{{)?)?{_VALUE}{_CLOSE}""",
    _X,
)
TAGGED: Final = re.compile(rf"<(?P<name>{_NAMES})>\s*(?P<value>[^<>\n]{{1,60}}?)\s*</(?P=name)>", _X)
#: "I would rate this a 4", "I have to go with fail".
RATED: Final = re.compile(
    rf"""(?:{_CONCLUDES}[,:]?\s+)?{_SCALE}(?:{_I}(?:
        (?:rate|give|score|grade|judge|mark|assign|put|call|consider|deem|label|classify|rule)\s+
        (?:it|this|that|the\ \w+)(?:\s+(?:one|output|answer|response))?
        (?:\s+(?:as|a|an|at|with|of|to\ be|{_FIRM})){{0,4}}
        | (?:say|vote|vote\ for|go\ with|going\ with|opt\ for|settle\ on|prefer|choose|pick)
            (?:\s+(?:an?|the))?(?=[\s:]))
        [\s:"'*_`]{{1,4}}){_VALUE}{_CLOSE}""",
    _X,
)
#: "Overall: pass", "so: fail", "I say: fail".
THUS: Final = re.compile(
    rf"""\b(?:{_CONCLUDES}|final|(?:i|we)\ (?:say|vote|conclude))
        ["*_`]{{0,3}}\s*[:,\u2014=]["*_`]{{0,3}}\s*["'*_`]{{0,3}}{_VALUE}{_CLOSE}""",
    _X,
)
#: "This is a pass", "so it fails", "the output meets the criterion".
IS: Final = re.compile(
    rf"""\b(?:(?P<so>{_CONCLUDES})[,:]?\s+)?{_SCALE}{_FIND}{_IT}\s+(?:clearly\s+|simply\s+|therefore\s+|thus\s+)?
        (?:(?<=['\u2019]s\s)|is\s+|(?P<should>should\s+be\s+)|(?:gets|earns|deserves|receives|warrants|merits|scores|rates)\s+)
        (?:still\s+)?(?P<article>an?\s+)?(?:{_FIRM}\s+){{0,4}}
        ["'*_`]{{0,3}}{_VALUE}{_CLOSE}""",
    _X,
)
#: "..., making it a fail".
MAKES: Final = re.compile(
    rf"(?:making|which\s+makes)\s+{_IT}\s+(?P<article>an?\s+)(?P<should>)(?:{_FIRM}\s+){{0,4}}{_VALUE}{_CLOSE}", _X
)
#: The same as a verb: what it does, and the verdict that this is.
_VERB: Final = r"""(?P<pass>pass(?:es)?|meets|satisfies|fulfils|fulfills)|(?P<fail>fails)
    |(?P<not>does(?:\ not|n['\u2019]t))\ (?:pass|meet|satisfy|fulfil|fulfill)"""
DOES: Final = re.compile(
    rf"""\b(?:(?P<so>{_CONCLUDES})[,:]?\s+)?{_FIND}{_IT}\s+(?:clearly\s+|simply\s+|therefore\s+|thus\s+)?(?:{_VERB})
        (?P<object>\s+(?:(?:all|each|every|both)\s+(?:of\s+)?)?(?:the|this|our|to\ meet\ the)?\s*
            (?:given\s+|stated\s+)?(?:criterion|criteria|rubric|requirements?|bar|test|check))?{_CLOSE}""",
    _X,
)
#: A conclusion drawn with an arrow at the end of a line.
ARROW: Final = re.compile(rf"[^\n]\s(?:\u2192|=>|->|\u21d2)\s*[\"'*_`]{{0,3}}{_VALUE}[\"'*_`.!]{{0,4}}\s*(?:\Z|\n)", _X)
#: Of two: "the first answer is better".
BETTER: Final = re.compile(
    rf"""\bthe\s+(?P<value>first|second)\s+(?:(?:answer|one|response|output)\s+)?
        (?:is\s+(?:clearly\s+|slightly\s+|much\s+)?(?:the\s+)?better(?:\s+(?:one|answer))?|wins){_CLOSE}""",
    _X,
)
BOXED: Final = re.compile(r"(?:\\boxed\{(?:\\text\{)?|\[\[)\s*(?P<value>[\w .\-/]{1,60}?)\s*(?:\}\}?|\]\])")
#: A heading with the verdict in a quotation below it.
HEADED: Final = re.compile(
    rf"""^[^\w\n]*(?:(?:final|overall|my)\s+){{0,3}}{_NAMES}["'*_`#:\s]{{0,9}}\n+[ \t]*(?P<mark>>)[ \t]*
        (?P<value>[^\n]{{1,60}})$""",
    _X | re.MULTILINE,
)
#: The answer begins with the verdict, and a reason follows.
FIRST: Final = re.compile(
    r"""\A["'*_#\s]{0,6}(?P<value>[^\W\d_][\w\- ]{0,40}?|\d+\s?/\s?\d+
        |\d+(?=\s[\u2013\u2014\-]\s|:\s|[ \t]*\n)(?!\s.\s\d))["'*_]{0,4}
    (?P<mark>[.!:,;]+(?=\s|\Z|["'*_]) | \s+[\u2013\u2014\-]+\s | \s*\n | (?=\s*\())""",
    re.VERBOSE,
)
#: Words that begin a sentence without being a verdict: "First, both are short."
DISCOURSE: Final = frozenset({"first", "second", "third", "good", "fair", "well", "right", "sure", "great", "fine"})
#: What takes back what was said before it.
TAKES_BACK: Final = re.compile(
    r"""\b(?:(?:i|we)\s+(?:(?:do\ not|don['\u2019]t|cannot|can['\u2019]t|strongly|must)\s+)?
          (?:disagree|agree|accept|follow|reconsider|retract|take\ (?:that|it)\ back|no\ longer|change\ my|misread
            |misjudged|missed|overlooked)
      | (?:does|do|did|should|must|will|can)(?:\ not|n['\u2019]t)\ (?:count|apply|hold|matter|be\ (?:counted|trusted))
      | correction\b | (?:scratch|strike)\ that | on\ second\ thoughts? | (?:i|we)\ was\ wrong
      | (?:is|was)\ not\ my\ verdict | my\ (?:mistake|bad|apologies)\b | hold\ on\b | oops\b | whoops\b
      | never\s?mind | (?:ignore|disregard)\ (?:that|this|it|the\ above) | (?:my|the)\ (?:real|actual|true|own)\ verdict
      | (?:that|this|which)\ (?:is|was)\ (?:only\ |just\ )?(?:what|how)\ [^.\n]{0,40}
          (?:says?|said|claim(?:s|ed)?|want(?:s|ed)?|demands?|asks?|writes?|wrote)\b
      | (?:are|were|is|was)\ (?:only\ )?(?:the\ )?(?:words|text|claim)\ of\ the\ | not\ my\ (?:own\b|verdict|judge?ment)
      | (?:that|this|which|above)\b[^.\n]{0,15}\b(?:is|was|comes|came)\b[^.\n]{0,25}
          \b(?:line|part|text|words|sentence|end|quoted?|copied|taken)\b[^.\n]{0,15}\b(?:of|from)\ the\ \w)
      | \A(?:once|provided|as\ long\ as|assuming|except|subject\ to|on\ condition|but\ only)\b
      | (?:^|[.!?\n]\s*)(?:wait|actually|hmm|no,|but\ (?:wait|no|i)|however,?\ i\b|which\b|is\ what\b
          |edit:|update:|sorry\b|or\ (?:is|maybe|not)\b|unless\b|if\ )""",
    _X,
)
#: Another verdict that the sentence holds possible: "a 3, maybe a 4".
HEDGES: Final = re.compile(
    r"""\A[^.!?\n]{0,60}?\b(?:maybe|perhaps|possibly|arguably|if\ not|or(?:\ even)?|leaning|bordering|verging
        |on\ (?:\w+\ )?(?:reflection|thoughts?))
        \s+(?:(?:on|to|towards?|even|an?)\s+){0,3}(?P<value>\w[\w\-]*)""",
    _X,
)
#: What makes "I would give it a pass" a wish.
WISHES: Final = re.compile(r"\A\W*(?:but|if|unless|had|were|except|provided)\b", re.IGNORECASE)
#: An object that was cut off behind its verdict.
CUT_OFF: Final = re.compile(
    r"""\A\{\s*"verdict"\s*:\s*(?P<value>"[^"\n]{1,60}"|-?\d+(?:\.\d+)?|true|false)\s*,\s*"\w+"\s*:""", re.IGNORECASE
)
FIELD: Final = re.compile(
    r"""(?P<lead>[{,]\s*|\n\s*)["'\u201c]?verdict["'\u201d]?\s*:\s*(?P<value>"[^"\n]{1,60}"|'[^'\n]{1,60}'|-?[\d.]+|true|false)
        \s*,?\s*\}?\s*\Z""",
    _X,
)
ANY_FIELD: Final = re.compile(r"""["'\u201c]?verdict\\?["'\u201d]?\s*:""", re.IGNORECASE)
OUT_OF: Final = re.compile(rf"[\s\"'*_`\])]*\(?\s*{_OF}\s*(\d+)", _X)
#: The ends of a scale that a sentence names: two, or the upper one.
ENDS: Final = re.compile(
    r"""(?:\bscale(?::|\s+(?:of|from))\s+|[(\[]\s*(?:scale:?\s*)?|\bon\ (?:a|the)\s+)
        (?P<low>\d+)\s*(?:-|\u2013|to)\s*(?P<high>\d+)
      | (?P<top>\d+)[- ]point\s+scale | [(\[,]\s*(?:max(?:imum)?\.?|out\ of|of)\s*(?P<most>\d+)\s*[)\]]""",
    _X,
)
FRACTION: Final = re.compile(rf"(-?\d+(?:\.\d+)?)\s?{_OF}\s?(\d+(?:\.\d+)?)", _X)
BARE_ENDS: Final = re.compile(
    rf"\A(?:[-=]>|[<>~](?!\s?\d)|(?!{_SIGNS})[^\w\-<>~]|_)+|(?:(?!{_SIGNS})[^\w?/\u25a0+%]|_)+\Z"
)
#: A verdict alone as the last sentence of a line.
CLOSING: Final = re.compile(
    r"(?P<before>[^\n.!?:]{0,300})[.!?]\s+[\"'*_`(]*(?P<value>[^\W\d_][\w\- ]{0,30})[\"'*_`).!]*\s*\Z"
)
COURTESY: Final = re.compile(
    r"""^(?:(?:i\ )?hope\ (?:this|that)|let\ me\ know|thank|thanks|feel\ free|please|happy\ to|if\ you|is\ there\ any
      |i(?:['\u2019]m|\ am)\ (?:happy|glad|here)|have\ a|best|kind|cheers|regards|would\ you\ like|do\ you\ want
      |shall\ i|note:|end\ of|(?:-{3,}|={3,}|\*{3,})$)""",
    _X,
)
#: "The output passes", "the answer is correct": after "Verdict:" that is one.
PLAINLY: Final = re.compile(r"^(?:the|this|it|a|an)\b(?: (?:output|answer|response))?(?: is)?(?: an?)? ")
#: "Does not meet the criterion": after "Verdict:" that is one too.
MEETS: Final = re.compile(
    r"""(?P<not>does\ not\ |doesn['\u2019]t\ |fails\ to\ )?(?:meets?|satisf(?:y|ies)|pass(?:es)?|fulfil(?:l?s)?)
        (?:\ (?:all\ )?(?:of\ )?(?:the|this|given)\ (?:criterion|criteria|rubric|requirements?|bar))?""",
    _X,
)
#: A verdict and its meaning in one value: "4 - good".
GLOSSED: Final = re.compile(r"(?P<value>\d+|[^\W\d_][\w ]{0,30}?)\s*(?:\s[\u2013\u2014-]|:)\s+[^\d\s][^\d]*")
#: The whole of a text that only answers.
ANSWERS: Final = re.compile(
    r"\W*(?:the\s+)?(?:final\s+)?answer(?:\s+is)?[\s:*_]+(?P<value>[\w][\w\- ]{0,30})[.*_!]*", _X
)
#: The row of a table that counts.
OVERALL: Final = re.compile(r"\W*(?:overall|total|final|verdict|summary)\b", re.IGNORECASE)
#: What follows a verdict in its value: "first answer", "合格です".
TAIL: Final = re.compile(r"(?: (?:answer|one|response|output)|です|である|だ|。)$")
