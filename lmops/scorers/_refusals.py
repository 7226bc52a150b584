"""How answers refuse, in the languages that users meet most: phrases of the one who answers, or about its sources."""

# ruff: noqa: RUF001 - words of other scripts
from __future__ import annotations

import functools
import re
from typing import Final

_DO: Final = (
    "help|assist|answer|provide|comply|support|fulfil|do (?:that|this|so|it)\\b|create|generate|produce|write|share|"
    "give|offer|discuss|engage|participate|respond|continue|find|found|locate|see any|say|tell|determine|confirm|"
    "verify|access|complete|process|advise|speculate|comment|satisfy|accommodate|promote|encourage|condone|facilitate|proceed|"
    "look (?:that|this|it) up|go (?:into|along)|carry out|perform|take part|express|disclose|reveal|endorse"
)
_HAVE: Final = (
    "have (?:any |that |this |enough |the |an |a |access|personal|real|specific|information|details|opinions|feelings|"
    "beliefs)"
)
_SOURCE: Final = "(?:source|document|context|text|passage|article|page|information|material|excerpt)s?"
_SILENT: Final = (
    "(?:do(?:es)?|did)(?: not|n't) (?:say|mention|contain|specify|state|provide|include|address|answer|give|cover)"
)
_NOT: Final = (
    "(?:(?:(?:can|could|will|would|should|do|did|am|are|was|were|have|must|may|might|'(?:m|re|ve|ll|d)) ?)?"
    "(?:not|n't|unable|never)|can't|won't)(?: (?:and|or) (?:will|would) not)? "
)
_ABLE: Final = (
    "(?:(?:be|really|ethically|legally|in good conscience|currently|directly|yet|going) )*"
    "(?:(?:able|allowed|permitted|authori[sz]ed|comfortable|comfortable with|in a position|willing|been able) )?"
    "(?:to )?"
)
_ENGLISH: Final = (
    # I cannot help, we were not able to find, I don't know, I'm unable to answer
    (
        rf"\b(?:i|we)(?: (?:really|simply|just|also|still|currently|unfortunately|respectfully))*(?: |(?='))"
        rf"{_NOT}{_ABLE}(?:{_DO}|know\b|comfortable\b|sure (?:if |that |whether )?i can|{_HAVE})"
    ),
    rf"^(?:sorry,? )?(?:unable|not able) to (?:{_DO})",
    r"\b(?:i|we) (?:can't|cannot|won't|couldn't)(?: (?:sorry|unfortunately))?\s*(?:$|[.!;])",
    rf"\b(?:can't|cannot|won't) (?:(?:really|ethically) )?(?:{_DO}) (?:with )?(?:that|this|your|you|such|any)\b",
    rf"\b(?:not|n't) possible for me to (?:{_DO})",
    r"\b(?:that|this|it)(?: request| question)?(?:'s| is| would be| goes| would go) against (?:my|our)\b",
    r"\b(?:that|this|it)(?:'s| is) (?:beyond|outside) (?:of )?(?:what|anything) (?:i|we) (?:can|could|am|are|'m)\b",
    (
        r"\b(?:i|we)(?:'m|'re|'ll| am| are| will)?"
        r"(?: (?:must|have to|need to|going to have to|respectfully|politely|firmly))*"
        r" (?:decline|refuse|abstain)\b"
    ),
    r"\b(?:i(?:'d| would) (?:rather|prefer) not|i prefer not to)\b",
    r"\b(?:i|we) have no (?:information|way|access|idea|knowledge|data|details|answer|record)\b",
    r"\b(?:that|this|it)(?:'s not| is not| isn't) something (?:that )?(?:i|we)\b",
    (
        r"\b(?:that|this|it)(?:'s| is) something (?:that )?(?:i|we)(?:'m|'re| am| are)? "
        r"(?:(?:can|could|will|would|do|must) ?(?:not|n't)|can't|won't|not|unable)\b"
    ),
    (
        r"\b(?:that|this|it)(?: request| question)?(?:'s| is| falls| lies| goes) (?:well |far )?(?:beyond|outside)"
        r"(?: of)? (?:my|our) (?:\w+ )?(?:scope|expertise|knowledge|abilit|capabilit|remit|area|competence|role)"
    ),
    r"\bno can do\b",
    r"\b(?:not|n't) (?:appropriate|ethical|safe|right) for me to\b",
    (
        r"\b(?:the|an?) (?:answer|information)(?: to (?:that|this|your question))? (?:is|was)(?: not|n't) "
        rf"(?:available|provided|there|(?:in|part of)\b[^.]{{0,30}}\b{_SOURCE})\b"
    ),
    rf"\b(?:is|was|'s) nothing (?:(?:about|on) (?:that|this|it)|in\b[^.]{{0,20}}\b{_SOURCE})\b",
    r"^no (?:relevant |matching |such )?(?:results?|documents?|sources?)\b[^.]{0,30}\b(?:found|available)\b",
    r"^no relevant information\b",
    r"\b(?:there (?:is|was)|(?:i|we) (?:have|found|see)) (?:no|not any) (?:information|mention|data|details|answer)\b",
    r"^no (?:information|mention|data|details|answer)\b",
    rf"\b{_SOURCE}(?: (?:that )?(?:i|you) \w+| provided| given| above)? {_SILENT}\b",
    (
        r"\b(?:is|are|was|were)(?: not|n't) (?:mentioned|specified|stated|covered|addressed|included|found|available"
        r"|given)"
        rf" (?:in|by) (?:the|our|my|these|this|any)\b[^.]{{0,30}}\b{_SOURCE}"
    ),
    r"\b(?:request|query) (?:(?:is|was|has been) )?(?:denied|declined|refused|blocked)\b",
    r"\bmy (?:guidelines|programm\w+|polic(?:y|ies)|training|rules)\b[^.]{0,30}\b(?:not|prohibit|prevent|forbid)",
)
_GERMAN: Final = (
    (
        r"\b(?:ich|wir)\b[^.!?\n]{0,60}\b(?:nicht|nichts|keine?[nr]?)\b[^.!?\n]{0,60}\b(?:helfen|weiterhelfen|beantworten|"
        r"finden|gefunden|sagen|unterstützen|geben|bereitstellen|anbieten|informationen?|angaben|auskunft|in der lage|"
        r"erfüllen|wissen|nachkommen|erstellen|liefern|behilflich)\b"
    ),
    (
        r"\b(?:mir|uns)\b[^.!?\n]{0,30}\bkeine?\b[^.!?\n]{0,40}\b(?:informationen?|angaben|daten|auskünfte?|erkenntnisse|"
        r"hinweise)\b|\b(?:mir|uns) (?:leider )?nicht (?:bekannt|möglich|erlaubt|gestattet)\b"
    ),
    r"\bliegt\b[^.!?\n]{0,20}\baußerhalb (?:meine[rs]|unsere[rs])\b",
    r"\b(?:quellen|dokumenten?|unterlagen|texten?)\b[^.!?\n]{0,20}\b(?:nichts|keine?)\b",
    r"\b(?:ich weiß|weiß ich)\b[^.!?\n]{0,20}\bnicht\b",
    r"\bich\b[^.!?\n]{0,20}\b(?:ablehnen|lehne\b[^.!?\n]{0,30}\bab)\b",
)
_FRENCH: Final = (
    (
        r"\b(?:je|nous) (?:ne |n')(?:(?:peux|puis|pouvons|pourrai|saurais|suis|sommes|sais|savons|dispose|disposons|"
        r"parviens|trouve|connais|ai|avons|vous))\b[^.!?\n]{0,25}\b(?:pas|aucune?|rien)\b"
    ),
    r"\b(?:je|nous) (?:dois|devons) (?:refuser|décliner)\b|\bje refuse\b|\bje n'en sais rien\b",
    r"\bil m'est (?:malheureusement |hélas )?impossible\b|\bce n'est pas quelque chose que je\b",
    r"\b(?:cela|ça|ceci|cette demande) (?:dépasse|sort de|ne relève pas de) (?:mes|mon) (?:compétence|domaine|rôle)",
    r"^aucune (?:information|donnée|réponse)\b",
    r"\b(?:documents?|sources?|textes?) ne (?:mentionnent?|contien(?:nen)?t|précisent?|disent?|dit)\b",
)
_JAPANESE: Final = (
    "(?:お答え|回答|お手伝い|対応|お応え|ご案内|提供|お伝え|協力|支援|サポート)(?:すること)?[はが]?でき(?:ません|かねます|ない)",
    "見つ(?:かりません|からない|けられません|けることができません)|(?:わか|分か)りません|情報[はが](?:あり|ござい)ません",
    "(?:いた|致)?しかねます|情報[はを]持って(?:い|おり)ません|記載(?:が|は)?(?:あり|ござい|されてい)ません|存じません",
    "お断り|お力になれません|お役に立てません|お受けできません",
)
_SPANISH: Final = (
    (
        r"\bno (?:te |le |lo |la |os )?(?:puedo|podemos|podré|soy capaz de|"
        r"estoy autorizad[oa] a)\b[^.!?\n]{0,40}?\b(?:ayud|"
        r"respond|proporcion|ofrec|dar|contest|facilit|asist|encontr|acced|cumpl|decir|compart|generar|crear|"
        r"confirm)\w*"
    ),
    (
        r"\bno (?:tengo|tenemos|dispongo de|disponemos de|cuento con|encuentro|he encontrado|hay) (?:\w+ ){0,3}?"
        r"(?:información|datos|acceso|respuesta|detalles)\b"
    ),
    r"\bno (?:lo )?sé\b|\bno (?:me|nos) es posible\b|\bdebo (?:rechazar|declinar)\b",
)
_ITALIAN: Final = (
    (
        r"\bnon (?:posso|possiamo|riesco a|sono in grado di|mi è possibile)\b[^.!?\n]{0,40}?\b(?:aiut|rispond|"
        r"forni|offri|dar"
        r"|assist|trov|acced|dir|condivid|conferm)\w*"
    ),
    (
        r"\bnon (?:ho|abbiamo|dispongo di|trovo|ho trovato|ci sono) (?:\w+ ){0,3}?"
        r"(?:informazion\w+|dati|accesso|risposta|dettagli)\b"
    ),
    r"\bnon (?:lo )?so\b",
)
_PORTUGUESE: Final = (
    (
        r"\bnão (?:posso|podemos|consigo|conseguimos|sou capaz de|"
        r"estou autorizad[oa] a)\b[^.!?\n]{0,40}?\b(?:ajud|respond|"
        r"fornec|oferec|dar|auxili|encontr|acess|atend|dizer|compartilh|partilh|confirm)\w*"
    ),
    (
        r"\bnão (?:tenho|temos|disponho de|encontrei|há) (?:\w+ ){0,3}?"
        r"(?:informaç\w+|dados|acesso|resposta|detalhes)\b"
    ),
    r"\bnão sei\b",
)
_DUTCH: Final = (
    (
        r"\b(?:ik|wij?|we)\b[^.!?\n]{0,60}\b(?:niet|geen)\b[^.!?\n]{0,60}\b(?:helpen|beantwoorden|geven|"
        r"verstrekken|vinden|"
        r"ingaan|voldoen|zeggen|informatie|gegevens|bevestigen|in staat)\b"
    ),
    r"\bik weet (?:het|dat) niet\b",
)
_NORDIC: Final = (
    (
        r"\b(?:jag|vi|jeg)\b[^.!?\n]{0,40}\b(?:inte|ikke|ingen)\b[^.!?\n]{0,40}\b(?:hjälpa|svara|hjælpe|hjelpe|svare|hitta|"
        r"finde|finne|information|informasjon|oplysninger)\b"
    ),
)
_POLISH: Final = (
    (
        r"\bnie (?:mogę|możemy|potrafię|jestem w stanie|jesteśmy w stanie)\b[^.!?\n]{0,40}?\b(?:pom[óo]|"
        r"odpowie|udzieli|poda|"
        r"dostarczy|znale|spełni|potwierdzi)\w*"
    ),
    r"\bnie (?:mam|mamy|znalazłem|znalazłam) (?:\w+ ){0,3}?(?:informacji|danych|dostępu)\b|\bnie wiem\b",
)
_RUSSIAN: Final = (
    (
        r"\bне (?:могу|можем|смогу|сможем|в состоянии)\b[^.!?\n]{0,40}?\b(?:помо|ответ|предостав|дать|найти|"
        r"сказать|назвать|"
        r"подтверд|выполн|обсужд)\w*"
    ),
    r"\bу (?:меня|нас) нет (?:\w+ ){0,3}?(?:информации|данных|доступа|сведений)\b|\bя не знаю\b",
)
_TURKISH: Final = (
    (
        r"\b(?:yardımcı ol|yardım ed|yanıtla|cevapla|cevap ver|ver|sağla|doğrula|paylaş|bul|sun|söyle)y?[ae]m"
        r"(?:[ae]m|[ıi]yor|[ae]y[ıi]z|[ae]d[ıi])\w*"
    ),
    r"\b(?:bilgim|bilgimiz) yok\b|\bbilmiyor(?:um|uz)\b",
)
_ARABIC: Final = (
    "لا (?:أستطيع|يمكنني|نستطيع|يمكننا)[^.!؟\n]{0,30}?(?:مساعد|الإجاب|أجيب|تقديم|توفير|تأكيد|الرد|العثور)\\w*",
    "ليس(?:ت)? لد(?:ي|ينا)[^.!؟\n]{0,20}?(?:معلومات|بيانات)|لا أعرف|لا أعلم",
)
_CHINESE: Final = (
    "(?:[无無]法|不能|没办法|沒辦法)[^。！？，\n]{0,12}?(?:帮助|幫助|协助|協助|回答|提供|满足|滿足|处理|處理|确认|確認|告诉|告訴|找到)",
    "(?:没有|沒有|未找到|找不到)[^。！？，\n]{0,8}?(?:信息|资料|資料|数据|資訊)|我(?:们|們)?不(?:知道|清楚)",
)
_KOREAN: Final = (
    "(?:도와|답변|제공|알려|안내|지원|대답|확인)[가-힣 ]{0,8}?(?:수[가는]? 없|드리기 어렵)",
    "찾을 수[가는]? 없|모르겠|알지 못|정보[가는]? 없",
)
#: What sounds like a refusal and is praise: "I can't recommend it enough", "I can't help but agree".
_PRAISE: Final = (
    r"(?![^.!?\n]{0,60}\b(?:(?:say|thank|praise|stress|recommend|emphasi[sz]e)\b[^.!?,\n]{0,40}\benough\b|help but\b"
    r"|help (?:feel|think|notic|lov|smil|wonder|admir)ing\b|recommander assez\b|genug (?:empfehlen|danken|loben)\b"
    r"|genoeg (?:aanbevelen|bedanken)\b))"
)


@functools.cache
def refusing() -> re.Pattern[str]:
    """Return what says that nothing was found, or that nothing will be said; read in full when first looked for."""
    return re.compile(
        _PRAISE
        + "(?:"
        + "|".join(
            (*_ENGLISH, *_GERMAN, *_FRENCH, *_JAPANESE, *_SPANISH, *_ITALIAN, *_PORTUGUESE, *_DUTCH, *_NORDIC, *_POLISH,
             *_RUSSIAN, *_TURKISH, *_ARABIC, *_CHINESE, *_KOREAN)
        )
        + ")",
        re.IGNORECASE,
    )  # fmt: skip  # one line for each way to refuse


@functools.cache
def explaining() -> re.Pattern[str]:
    """Return what goes with a refusal: why not, and what to do instead.

    It is no claim of a refusing answer as long as it has no number.
    """
    return re.compile(
        r"""\b(?:harm(?:ful)?|illegal|unlawful|unethical|dangerous|unsafe|violat\w+|guidelines?|polic(?:y|ies)|programm\w+
          |modelo\ de\ (?:ia|lenguaje|linguagem)|inteligencia\ artificial|inteligência\ artificial|modello\ linguistico
          |intelligenza\ artificiale|taalmodel|ki-modell|sprachmodell|mod[eè]le\ de\ langage
          |model\ językowy|языковая\ модель|dil\ modeli|inappropriate
          |not\ appropriate|safety|ethic\w*|privacy|confidential\w*|an?\ ai|language\ model|real[- ]time
          |knowledge\ cut-?off|training\ data|personal\ (?:opinions?|beliefs?|feelings?)|beyond\ (?:my|the)\ scope
          |my\ (?:purpose|knowledge|capabilit\w+|role|scope)|against\ (?:my|our|the)|help\ pages?)\b
          | ^(?:please|you\ (?:may|might|can|could|should)|perhaps|maybe|instead|try|bitte|veuillez|n'hésitez
            |for\ (?:further|more|legal|medical|professional))\b
          | ^(?:i|we)(?:'d|\ would|\ can|\ could|'ll|\ will|'m|\ am)?\ (?:be\ )?(?:(?:happy|glad|here|able)\ )?
            (?:to\ )?(?:strongly\ )?(?:recommend|suggest|encourage|advise|help|assist|offer|discuss|provide|answer|try
            |understand|appreciate)\b
          | ^(?:it|this|that)(?:'s|\ is|\ would)\b[^.]{0,40}\b(?:best|important|recommended)\b""",
        re.IGNORECASE | re.VERBOSE,
    )
