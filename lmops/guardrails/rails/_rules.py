"""The rules of injection: a few words that are rare in what people ask, near to each other in one sentence.

Each is written as it reads in small letters, and folded as the texts are.
"""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple

from lmops.guardrails.normal import Folded, fold


class Rule(NamedTuple):
    """Words that only somebody writes who wants other instructions to count.

    Args:
        kind: What they do.
        starts: One of them stands in each text that the rule finds something in.
        pattern: Over folded text in small letters.
    """

    kind: str
    starts: tuple[str, ...]
    pattern: str

    @property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled when it is first needed: all of them take a tenth of a second."""
        return compiled(self.pattern)


def _rule(kind: str, starts: str, regex: str) -> Rule:
    # folded as the text is; signs of patterns are as they were
    return Rule(kind, tuple(map(fold, starts.split(","))), Folded(regex).text)


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern compiled."""
    return re.compile(pattern)


#: Some words of the same sentence.
_SOME: Final = r"[^.!?\n]{0,40}?"
_INSTRUCTIONS: Final = (
    r"(?:instruction|prompt|direction|command|rule|guideline|directive|programming|safeguard|guardrail)s?\b"
)
#: What people also set aside who only correct themselves: of these all are meant, and not their own.
_SAID: Final = (
    r"(?:messages|context|conversations?|orders|training|inputs|information|infos|chats|outputs|answers|text|content|"
    r"tasks|assignments|statements|inquir(?:y|ies)|data|things|restrictions|polic(?:y|ies)|filters|constraints)\b"
)
_BEFORE: Final = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|former|past|existing|initial|original|old)"
)
_WORDS: Final = (
    r"(?:[ ,]+(?:and|or|all|any|every|each|of|the|these|those|your|my|our|its|other|safety|system|given|said))"
)
_NO: Final = (
    r"(?:no|without(?: any)?|free (?:of|from)(?: any| all)?|not bound by|unbound by|not subject to|not limited by)"
)
_LIMITS: Final = (
    r"(?:restrictions?|limitations?|limits|filters?|filtering|censorship|guidelines?|rules?|morals|morality|ethics|"
    r"boundaries|policies|policy|safeguards?|constraints?|inhibitions|programming)\b"
)
_MODEL: Final = r"(?:ai|a\.i\.|llm|gpt|chatgpt|chatbot|language model|assistant|model|agent|claude|gemini|copilot|bard)"
_AI: Final = (
    r"(?:ai|a\.i\.|llm|gpt|chatgpt|chatbot|language model|ai (?:assistant|agent|model)|claude|gemini|copilot|bard)"
)
_OWN_PROMPT: Final = (
    r"(?:(?:your|thy)[ ,]+(?:own )?(?:(?:system|initial|original|hidden|secret|internal|developer|full|entire|complete"
    r"|exact|pre)"
    r"[ -]{1,2}){1,3}(?:prompt|instructions?|message|rules|guidelines|directives?|configuration)\b|"
    r"(?:the|its)[ ,]+(?:full |entire |complete |exact |whole )?(?:(?:system|hidden|secret|developer)[ -]{1,2}"
    r"(?:prompt|instructions?)|(?:initial|original)[ -]prompt)\b(?! (?:for|of|to|about) )|"
    r"your (?:own )?prompts?\b(?! (?:response|reply|answer|attention|help|action|service|payment|assistance)))"
)
#: What is sent away, to where is still to be said.
_SEND: Final = (
    r"\b(?:send|forward|post|upload|transmit|exfiltrate|leak|append|attach|include|embed|encode)\b[^.!?\n]{{0,40}}?"
    r"\b(?:conversation|chat history|chat log|system prompt|api keys?|passwords?|credentials|secrets|"
    r"private (?:data|information)|user(?:'s)? (?:data|details|messages?)|personal (?:data|information|details)|"
    r"previous messages|cookies)\b[^!?\n]{{0,40}}?\b(?:to|into|in|at|via|as)\b[^!?\n]{{0,40}}?{}"
)

#: What people may write.
RULES: Final = (
    _rule(
        "override",
        "ignor,disregard,forget,overrid,neglect,bypass,do not follow,don't follow,stop following,pay no attention,"
        "discard,not obey",
        r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?(?: about)?|overrid(?:e|ing)|neglect|bypass(?:ing)?|"
        r"do(?: not|n't) (?:follow|obey)|stop following|pay no attention to|discard)\b"
        rf"{_WORDS}{{0,5}}[ ,]+(?:{_BEFORE}{_WORDS}{{0,3}}(?:[ ,/]+\w{{1,16}}){{0,2}}[ ,]+{_INSTRUCTIONS}|"
        rf"(?:your|system|safety)(?:[ ,]+(?!own\b)\w{{1,16}}){{0,2}}[ ,]+"
        r"(?:instructions?|programming|guidelines?|directives?|safeguards?|prompt|guardrails?)\b|"
        rf"{_INSTRUCTIONS} (?:you (?:were|have been|got|received)|given|above|before|from before|so far|that came))",
    ),
    _rule(
        "override",
        "ignore,disregard,forget",
        r"\b(?:ignore|disregard|forget)(?: about)? (?:(?:all|any|every(?:thing)?|anything|what(?:ever)?)\b"
        r"(?: of)?(?: that)?(?: (?:has|was|had|is))?(?: been)?(?: (?:you|i|we)(?:'ve| have| were| had| just)?"
        r"(?: been)?(?: ever)?)?(?: (?:said|told|written|asked|learned|learnt|instructed|wrote|given|know|read))"
        r"{1,2}(?: (?:you|to you|to do))?(?: (?:before|above|earlier|previously|so far|until now|till now|up to now|to"
        r" this point)|(?<! i said)(?<! we said)(?<! i wrote)"
        r"[ ,]{1,2}(?:and|instead|now)\b)|(?:all|every|everything)(?: of)?(?: the| that(?: is| was| came)?)? "
        r"(?:above|before|previous|prior)(?:[.,:;!?\n]| (?:and|now|this|assignments?|tasks?|inputs?|texts?)\b)|"
        r"(?:the )?above(?: text)?(?:,? (?:and|instead)\b|[.:;!]))",
    ),
    _rule(
        "override",
        "everything,all",
        r"\b(?:forget|ignore|disregard|drop)(?: about)? (?:everything|all)(?: of)?(?: (?:this|that|it))?"
        r"(?:[,.:;!]{0,2} (?:before that|"
        r"from before|above|prior|up to now|(?:and |then |now |instead )*(?:just |only |please |now )*(?:tell|write"
        r"|say|output|"
        r"print|answer|respond|act|pretend|give me|imagine|be|listen to|follow|repeat|reply|start)\b))|"
        rf"\bleave (?:all )?(?:of )?(?:the |your )?{_BEFORE} (?:information|instructions|tasks?|context|rules) "
        rf"(?:behind|aside)",
    ),
    _rule(
        "override",
        "prior,previous,earlier,above",
        r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?(?: about)?|deviat\w{1,3} from|contrary to"
        r"|abweichend\w? (?:zu|von))"
        rf"(?: (?:(?:all|any|every|all of)(?: (?:the|of|your|these|those))?|your|den|allen) (?:{_BEFORE}|vorherigen"
        rf"|bisherigen)"
        rf"(?: (?:{_BEFORE}|and|or))? (?:{_SAID}|{_INSTRUCTIONS}|anweisungen|instruktionen)| (?:{_BEFORE}|vorherigen"
        rf"|bisherigen)"
        rf" (?:inputs|{_INSTRUCTIONS}|anweisungen|instruktionen))",
    ),
    _rule(
        "override",
        "do not answer,don't answer,do not look",
        r"\b(?:do not|don't) (?:answer (?:the|this|that|my|any) question|look (?:in|at|into) the (?:documents?|context"
        r"|text|articles?))\b[^.!?\n]{0,50}?\b(?:but|just|instead|rather)\b(?: (?:just|only|instead))?"
        r" (?:output|say|tell|write|print|give|reply|respond)\b",
    ),
    _rule(
        "override",
        "previous,prior,above,earlier",
        rf"\b(?:previous|prior|above|earlier|original) {_INSTRUCTIONS} (?:(?:are|is|were|have been|has been) )?(?:now"
        rf" )?"
        r"(?:void|null|cancel+ed|revoked|obsolete|no longer (?:apply|valid|count|relevant)|superseded|outdated"
        r"|invalid)",
    ),
    _rule(
        "reveal",
        "prompt,instruction,message,rules,guidelines,directive,configuration",
        r"\b(?:reveal|show|print|repeat|output|display|leak|expose|disclose|dump|recite|return|tell|give|write|copy"
        r"|paste|spell|"
        r"provide|share|read|translate|summari[sz]e|encode)\b(?:[ ,]+(?:me|us|back|out|to|all|of|the|with|in|full"
        r"|exactly|word|for|"
        rf"verbatim|please|now|here|and|contents?|text)){{0,6}}[ ,]+{_OWN_PROMPT}",
    ),
    _rule(
        "reveal",
        "what",
        r"\bwhat (?:is|are|was|were|does|do|did) (?:in )?your (?:(?:very |own |exact )?(?:system|initial|original"
        r"|hidden|secret) )"
        r"(?:prompt|instructions?|message|rules)\b",
    ),
    _rule(
        "reveal",
        "above,before this,verbatim,word for word",
        r"\b(?:repeat|print|output|copy|return|recite|spell|show me|write (?:down|out)|tell me)\b"
        r"(?: (?:back|me|out|all|of|the|every|exactly|entire|whole|single|and|to)){0,5} "
        r"(?:(?:words?|text|lines?|sentences?|content|everything|paragraphs?|prompts?)(?: that (?:is|was|were|came))? "
        r"(?:above|before this|preceding)\b(?! the)|(?:your|the) (?:\w{1,16} ){0,2}(?:prompt|instructions) "
        r"(?:above|verbatim|word for word))",
    ),
    _rule(
        "persona",
        "anything now,dan,jailb,developer mode,stan,dude",
        r"(?:\b(?:can|could|able to|for|you) |[\"'(:,]{1,2} ?)do anything now\b|\b(?:act|pretend|behave|respond|answer"
        r"|speak|reply|roleplay|you are|you're|be|called"
        r"|named|become)"
        r"(?: now| to be| as| going to act as){0,2} [\"'(\[]?(?:an? )?d\.?a\.?n\b"
        r"(?=[\"')\]]|[.:;!\n] ?|, (?:who|which|an?|the|that|you|and)\b| (?:mode|would|is|can|and|who|which|from|will"
        r"|has)\b|$)|"
        r"\bjailbr(?:eak|oken)\w{0,6} (?:mode|chatgpt|gpt|ai|version|persona|prompt|response|output)\b|"
        r"[\[(][^\w\]\n]{0,3}jailbr(?:eak|oken)[^\w\]\n]{0,3}[\])]|\bdeveloper mode outputs?\b|"
        r"\b(?:chatgpt|gpt[\w.-]{0,6}|language model|you|assistant)\b" + _SOME + r"\bdeveloper mode\b",
    ),
    _rule(
        "unbound",
        "restrict,limit,filter,censor,guideline,rules,moral,ethic,boundar,polic,safeguard,constraint,inhibition,programming",
        rf"\b(?:you|he|she|it|{_MODEL}|character|persona|bot)(?:'re|'ll|'ve|'s)?(?: (?:are|is|have|has|can|will|must"
        rf"|do|does|"
        r"should|now|also|always|completely|totally|entirely|fully|who|that|which|answers?|responds?|operates?|acts?"
        r"|speaks?|exists?|"
        rf"to|be|being|anything|questions?|with|absolutely|literally)){{1,6}} {_NO} "
        rf"(?:(?:ethical|moral|legal|safety|content|openai|restrictions?|rules?|filters?|such|of|the|any|all|kind|or"
        rf"|and|"
        rf"its|their|your|usual|typical)[ ,]{{1,2}}){{0,5}}{_LIMITS}(?! (?:on|for|to) (?!what|any))",
    ),
    _rule(
        "unbound",
        "openai,open ai,anthropic,content polic,chatgpt",
        r"\b(?:ignor\w{1,3}|break\w{0,3}|broken?|bypass\w{0,3}|forget|circumvent\w{0,3}|violat\w{1,3}|regardless of"
        r"|disregard\w{0,3}|"
        r"without|(?:not|n't|never|no longer)(?: (?:be|have to|need to|been))?(?: [a-z]{1,12})?(?: by| with| to| from|"
        r" about)?)"
        r"(?: (?:any|all|the|of|rules?|and|or|by|limits?|restrictions?|guidelines?|polic(?:y|ies)|typical|other)){0,4} "
        r"(?:(?:set|imposed|given|made|created|put in place) by (?:openai|open ai|anthropic|google)\b|"
        r"(?:openai|open ai|anthropic|chatgpt|content)(?:'s?)?(?: (?:content|use|usage|safety|ethical))?"
        r" (?:polic(?:y|ies)|rules?|guidelines?|restrictions?|limitations?|filters?)\b)",
    ),
    _rule(
        "unbound",
        "moral,ethic,censorship",
        rf"\b(?:you|answers?|respond|act|reply|character|persona|bot|\w{{1,12}}gpt|{_MODEL})\b[^.!?\n]{{0,60}}?"
        r"\b(?:without|no|(?:not|n't)(?: (?:have|has|got|follow|care about|obey))|lack(?:s|ing)?|devoid of|free (?:of"
        r"|from)|zero|not (?:restrained|restricted|limited|bound) by)"
        r"(?: (?:any|a|the|all|his|her|its|their|your|such|sense of|kind of|human|basic)){0,3} "
        r"(?:(?:moral|ethical|legal|morals?|ethics?|censorship|laws?|rules?|filters?|morality|restrictions?|limits?"
        r"|empathy|bias)"
        r"(?:,? (?:and|or|nor) |, |/| )){0,4}(?:(?:moral|ethical)(?: or (?:moral|ethical))? (?:principles?|compass"
        r"|code|guidelines?|restrictions?|"
        r"boundaries|rules?|limits?|limitations?|constraints?|bounds)|"
        r"(?:censorship|ethics|morals|morality),? (?:and|or|nor) (?:\w{1,12} )?(?:moral\w{0,5}|ethic\w{0,3}|rules"
        r"|limits|filters?|laws?|censorship|restrictions?))\b",
    ),
    _rule(
        "unbound",
        "condon,encourag,promot,willing to",
        r"(?:\b(?:you|ai|character|bot|[a-z]*gpt|dan)\b(?: (?:also|will|would|always|is|are|can|does|not|only|actively"
        r"|openly|and|\w{1,12}es)){0,4} "
        r"(?:condon|encourag|promot)(?:es?|ing)|\bcondon(?:es?|ing)) (?:and (?:\w{1,12} ))?(?:(?:any|all|the|use of"
        r"|acts? of|everything|kinds? of) ){0,3}"
        r"(?:illegal|unethical|immoral|violen\w{1,3}|harmful|hate\w{0,4}|crimes?|discriminat\w{1,5}|unlawful|racis\w"
        r"|sexis\w)\b",
    ),
    _rule(
        "no_refusal",
        "refus,withhold,disclaimer,censor",
        r"\b(?:never|without(?: any| ever)?|no|free of)(?: (?:ever|any|more|further))? (?:refus(?:e|es|als?|ing)"
        r"|withhold(?:s|ing)?|censors?|censoring)\b"
        r"(?:,? (?:to (?:answer|comply|respond|do|write|generate)|or|nor) (?:disclaimers?|warnings?|any|my|a|the"
        r"|request|censor|withhold|refus|question)"
        r"| (?:(?:any|a|my|all|the user's?) )?(?:requests?|anything|information|prompts?|commands?)\b|[.;!]? (?:hate"
        r" moral|always answer))",
    ),
    _rule(
        "persona",
        "chatgpt,gpt,classic,normal,dan,jailb,unfilter,ai]",
        r"(?:\[[^\w\]\n]{0,4}|\([^\w\s)'\".,-]{1,4} ?)(?:chatgpt|gpt|dan|classic|jailbreak|unfiltered\w{0,4}"
        r"|jailbroken|uncensored)"
        r"(?: (?:mode|output|response))?[^\w\])\n]{0,4}(?:\][\"']? ?:|\)|(?<=[^\w\s])\])"
        r"|\byou(?:'re| are) (?:no longer|not) (?:chatgpt|gpt|an ai|openai|bound)\b(?! \w+ing)",
    ),
    _rule(
        "persona",
        "stands for",
        r"\bstands for [\"'(\[]{0,2}(?:[\w']{1,16} ){0,4}(?:anything|jailbreak|unfiltered|uncensored"
        r"|unethical|no rules|corrupted)\b",
    ),
    _rule(
        "persona",
        "two ways,2 ways,two different ways,two separate,2 different ways,two responses,two answers,2 responses,twice",
        r"\b(?:two|2) (?:(?:different|separate|distinct) ?){0,2}(?:ways|responses|answers)\b[^?]{0,120}?"
        r"\b(?:chatgpt|gpt|as yourself|(?:un)?filtered|dan|jailbreak|normally would)\b",
    ),
    _rule(
        "unbound",
        "unfilter,unfiltr,uncensor,amoral,unrestrict,unethical,evil,immoral,lawless,unlimited,uninhibit",
        r"\b(?:unfilt(?:e)?red|uncensored|amoral|unrestricted|lawless|(?:completely|totally) unlimited|"
        r"(?:(?:you are|you're|act as|be|become|as|simulate|emulate|play) (?:now )?(?:an? )?)(?:unethical|immoral|evil"
        r"|unhinged))"
        r"(?:,? (?:and )?(?:[\w-]{1,14})){0,2},? (?:ai|a\.i\.|chatbot|bot|assistant|language model|llm|chatgpt|mode"
        r"|persona|responses?)\b"
        r"|\bunfiltered(?:gpt|ai)\b|\b(?:responses?|answers?|you|he|she|it|ai|\w{1,12}gpt) (?:(?:will|must|should|are"
        r"|is|be|also|completely|totally|fully) ){1,4}"
        r"(?:unfiltered|uncensored|uninhibited|amoral)\b",
    ),
    _rule(
        "unbound",
        "bound,abide,adhere,comply,constrained,broken free,break free,follow,obey",
        r"\b(?:(?:not|n't|never|no longer)(?: \w{1,12}){0,3} (?:bound|constrained|restricted|limited) by|"
        r"(?:not|n't|never|no longer|no need to|not have to|not need to|free to not)(?: (?:have to|need to|be|obliged"
        r" to|required to))?"
        r" (?:abide|adhere|comply|conform|follow|obey)(?: (?:by|to|with))?|br(?:oken?|eak|eaks) free (?:of|from))"
        r"(?: (?:the|any|all|its|their|your|these|such|typical|usual|of|confines|ordinary|normal)){0,4}"
        r"(?: [\w']{1,14}){0,2} (?:(?:ai|openai(?:'s)?|ethical|moral|content|chatgpt|safety|confines)\b)",
    ),
    _rule(
        "no_refusal",
        "refus,declin,apolog,sorry,as an ai,i can't,i cannot,disclaimer,warning,language model",
        r"\b(?:never|do(?:es)? not|don't|doesn't|cannot|can't|must not|mustn't|not allowed to|will not|won't|should"
        r" not|shall not|"
        r"without ever|avoid|refrain from)(?: (?:ever|once|even|try to))?"
        r" (?:refus\w{0,4}|say\w{0,3}|use|us(?:e|ing)|respond\w{0,3}(?: with)?|reply\w{0,3}(?: with)?|answer\w{0,3}(?:"
        r" with)?|"
        r"includ\w{1,3}|start\w{0,3}(?: with)?|declin\w{1,3}|add)"
        r"(?: (?:to|any|a|an|the|that|with|answer|comply|do|respond|words?|phrases?|like|such|as|my|user(?:'s)?"
        r"|requests?|"
        r"questions?|anything|or|and|,|answering|what|i|ask|asked|of|you|tell|told|order|orders)){0,9}[ ,:"
        r"(]{1,3}[\"'`]{0,2}"
        r"(?:(?:i'?m )?sorry,? (?:but )?i\b|i (?:cannot|can't|can not|am unable)|as an ai|as a language|"
        r"(?:ethical|moral) (?:concerns?|disclaimers?|warnings?)|i'm (?:just )?an ai|it(?:'s| is) (?:illegal|unethical"
        r"|against))",
    ),
    _rule(
        "no_refusal",
        "illegal,unethical,immoral,harmful,dangerous,offensive,inappropriate,legality,legal",
        r"\bregardless of (?:the |its |their )?(?:legality|ethics|ethicality|morality|morals)\b|"
        r"\bwithout (?:regard|regarding|caring|considering|thinking)(?: (?:for|about|to|if|whether|it's|it is|of|the"
        r"|its|any)){0,4}"
        r" (?:illegal|legal\w{0,3}|ethic\w{0,3}|moral\w{0,3})\b|"
        r"\b(?:including|even)(?: (?:those|that|content|text|things|if|it|they|of|is|are|an|nature|which)){0,5} "
        r"(?:(?:illegal|unethical|immoral|harmful|dangerous|offensive|explicit|violent)(?:, (?:and |or )?|,? (?:and"
        r"|or) )){2,}|"
        r"(?<!\bi )(?<!\bwe )(?<!\bi always )(?<!\bwe always )"
        r"\b(?:answers?|responds?|reply|comply|complies|provide|obey|generate|write|give|fulfil+|follow|accept|output"
        r"|say)\b[^.!?\n]{0,80}?"
        r"\b(?:even if|no matter (?:how|if|what|the)|regardless (?:of (?:how|whether|if|its|the|any)|if)|whether or"
        r" not)\b"
        r"[^.!?\n]{0,50}?\b(?:illegal|unethical|immoral|harmful|dangerous|offensive|inappropriate)\b(?:,? (?:or|and|it"
        r"|they)\b|,)",
    ),
    _rule(
        "no_refusal",
        "refus,reject,declin",
        r"\b(?:you|chatgpt|dan|ai) (?:(?:can|must|will|do|does|may|is|are|has|have)(?: ?not|n't)?|never|cannot"
        r"|can't)"
        r"(?: (?:ever|not|never|to|allowed|permitted|able)){0,4} "
        r"(?:refuse|reject|decline)s? (?:any (?:of )?(?:my |the )?(?:request|question|order|command|prompt|task"
        r"|instruction)s?(?! for)|(?:a|my) (?:request|"
        r"command|order|prompt)s?|to (?:answer|do|comply|respond|fulfil)|anything|the user)\b",
    ),
    _rule(
        "template",
        "<|,[inst],[/inst],<<sys>>,<start_of_turn>,</s>",
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text"
        r"|endofprompt)\|>|"
        r"\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|</s> ?<s>",
    ),
    _rule(
        "template",
        "system,instruction,assistant",
        r"(?:^|\n)\s{0,8}(?:#{2,5} ?(?:new |updated )?(?:system|instructions?)(?: (?:message|prompt|override|note))?"
        r"(?: ?:|\n)|"
        r"[\[(<{]{1,2} ?/?(?:system|admin|developer) ?(?:message|prompt|override|note|notice|instructions?)?(?:"
        r" ?[:#\]})>]){1,3} ?"
        r"(?=[a-z])|(?:system|admin|developer) (?:override|prompt|message|instructions?|note) ?:)",
    ),
    _rule(
        "new_instructions",
        "instruction,orders,directive,objective,task",
        r"\b(?:(?:your|here are (?:your|the)|follow (?:these|the|my)|these are your) (?:(?:only |one )?(?:new|real"
        r"|actual|true|updated)) "
        r"(?:instructions?|orders|directives?|objective|task)\b|"
        r"(?:^|[\n.:!] ?)new (?:system )?instructions?(?: ?[:!]| (?:for you|follow)))",
    ),
    _rule(
        "reveal",
        "your instructions,your own instructions,your prompt,you were,you have been,you got",
        r"\b(?:repeat|recite|reproduce|reveal|print|output|leak|quote)(?: (?:me|back|all|exactly|of|out|first"
        r"|just)){0,3} "
        r"your (?:own )?(?:instructions|directives)\b(?! (?:for|on|about|to|regarding|how|again|concerning))|"
        r"\b(?:text|words|instructions|rules|prompt|message)s?(?: that| which)? you (?:were|have been|got) (?:given"
        r"|told|shown|sent)"
        r" (?:at the (?:very )?(?:start|beginning|top|outset)|initially|by (?:your|the) (?:developers?|creators?"
        r"|system|makers?))",
    ),
    _rule(
        "template",
        "</,end of,end_of",
        r"</[a-z_]{2,20}>\s{0,4}<(?:[a-z]{1,20}_)?(?:system|assistant|instructions?|task|admin|prompt"
        r"|command)[a-z_]{0,12}>|"
        r"(?:#{2,}|-{3,}|={3,}|\*{3,}|\[) ?end[ _]of[ _](?:the )?(?:user )?(?:question|prompt|input|document|context"
        r"|query|message|"
        r"instructions?|conversation|material)\b",
    ),
    _rule(
        "new_instructions",
        "new order,new instruction,new task,new directive",
        r"\bnew (?:orders?|instructions?|tasks?|directives?) for (?:the |an? |this )?(?:assistant|ai|model|chatbot|bot"
        r"|llm)\b",
    ),
    _rule(
        "dictated",
        "say,repl,respond,answer,write,state",
        r"\b(?:only|simply|just|exactly|must|please)(?: \w{1,10}){0,3} (?:say|reply|respond|answer|write|state)(?:"
        r" with| exactly| only)?"
        r"[ :]{1,2}\"[^\"\n]{6,300}\"[ ,]{0,2}(?:and|but) (?:nothing (?:else|more)|(?:say |do )?not(?:hing)? (?:else"
        r"|anything))",
    ),
    _rule(
        "dictated",
        "say,repl,respond,answer,write,state",
        r"\b(?:this is (?:the|your) (?:head office|administrators?|developers?|managers?|management|owner|security"
        r" team|ceo|creator)|"
        r"(?:as|i am|i'm) (?:your (?:\w{1,12} )?(?:developer|administrator|admin|creator|owner|programmer|manager)\b|"
        r"(?:the|an?) (?:\w{1,12} )?(?:developer|administrator|admin|creator|owner|programmer|engineer) (?:of|behind) "
        r"(?:this|the) (?:chat|bot|chatbot|assistant|ai|model|system|app|tool)\b)|"
        r"policy (?:has )?changed|(?:debug|maintenance|test|admin|developer) mode|you are now|let(?:'s| us) play a"
        r" game|"
        r"pretend (?:that )?you)[^\n]{0,140}?\b(?:say|reply|respond|answer|write|state)(?: now)?(?: with| that|"
        r" only)?[ :]{1,2}"
        r"\"[^\"\n]{10,300}\"[.!]?\s{0,8}$",
    ),
    _rule("exfiltrate", "http,webhook,attacker", _SEND.format(r"(?:https?:|\bwebhook|\battacker)")),
    _rule(
        "decode",
        "decod,base64,rot13,hex",
        r"\b(?:decode|decrypt|decipher|translate)\b[^!?\n]{0,60}?\b(?:and|then|,)\s{1,3}(?:then )?"
        r"(?:follow|execute|obey|carry out|run|act on|do what|comply|perform|answer (?:it|the question|that))",
    ),
    # the same in other languages
    _rule(
        "override",
        "vergiss,vergesse,ignorier,ignorieren,missacht",
        r"\b(?:vergiss|vergessen sie|vergesst|ignorier\w{0,3}(?: sie)?|missachte\w{0,2})\b[^.!?\n]{0,30}?"
        r"(?:\b(?:alles|alle[nsr]?|samtliche[nr]?|vorherige\w{0,2}|bisherige\w{0,2}|obige\w{0,2}|vorangegangene\w{0,2}"
        r"|fruhere\w{0,2}|deine\w{0,2})\b"
        r"[^.!?\n]{0,30}?\b(?:anweisung\w{0,2}|befehl\w{0,2}|instruktion\w{0,2}|aufgabe\w{0,2}|vorgabe\w{0,2}"
        r"|regel\w{0,2}|"
        r"aufforderung\w{0,2}|auftrag\w{0,2}|davor|zuvor|vorher\w{0,4}|bisher\w{0,3}|gesagt\w{0,2}|gelernt\w{0,2}))",
    ),
    _rule(
        "override",
        "ignor,olvid,dimentica,desconsider,esquec,esqueç,oubli",
        r"\b(?:ignor(?:a|e|ez|er|ad|en|are|ate)|olvid(?:a|e|ad)|dimentic(?:a|ate|he)|desconsidere|esquec?a"
        r"|oublie[zr]?)\b"
        r"[^.!?\n]{0,30}?\b(?:instru[cz]+[ct]?ion\w{0,2}|istruzioni|instrucoes|consignes?|ordenes|ordini|ordres|regles"
        r"|reglas|regole|regras|"
        r"indicaciones|directives|comandos)\b[^.!?\n]{0,12}?(?:anterior\w{0,3}|previ[aoe]s?|precedent\w{0,2}|ci-dessus"
        r"|de arriba|acima|"
        r"sopra|recu\w{0,2}|dadas|ricevut\w)",
    ),
    _rule(
        "override",
        "oubli,olvid,dimentic,zaborav,vergiss,vergessen,vergesst,ignor,esquec,forget",
        r"\b(?:oublie[zr]?|olvid[ae]|dimentic(?:a|ate)|zaboravi(?:te)?|vergiss|vergessen sie|esquec?a|ignor(?:a|e|ez"
        r"|iere|iraj))\b (?:sie )?"
        r"(?:toutes? (?:les|tes|vos)|tout(?:es)?|todas? (?:las|as|tus|sus)|todo|tutte le|tutto|sve|alle|all|alles) ?"
        r"(?:deine |ihre |unsere )?"
        r"(?:instru[ckz]+[tc]?i\w{1,5}|istruzioni|instrucoes|consignes|anweisungen|befehle|regeln|regles|reglas|regole"
        r"|regras|"
        r"(?:lo |el )?(?:que|ce que|quello|was|davor|zuvor|vorher|o que|sto)\b[^.!?\n]{0,20}?(?:antes|avant|prima"
        r"|zuvor|gesagt|dicho|dit|detto|davor|bisher|anterior|digo|$))",
    ),
    _rule(
        "override",
        "忽略,忽視,忽视,无视,無視,忘记,忘記,忘れ,무시,잊",
        r"(?:忽略|忽[視视]|[无無]視?视?|忘[记記]).{0,8}?(?:之前|以上|前面|上面|先前|所有|一切|你的).{0,8}?(?:指令|指示|提示|命令|规则|規則|说明|內容|内容|要求)"
        r"|(?:以前|上記|前|これまで|すべて|全て)の.{0,8}?(?:指示|命令|プロンプト|ルール|指令|内容).{0,8}?(?:無視|忘れ)"
        r"|(?:이전|위의?|앞의?|지금까지|모든).{0,10}?(?:지시|명령|지침|프롬프트|내용|규칙).{0,8}?(?:무시|잊)",
    ),
    _rule(
        "override",
        "игнориру,забуд,проигнориру,не обращай,ігнору,zignoruj,ignoruj,zapomnij,negeer,vergeet,yok say,unut,gormezden",
        r"(?:игнорируй\w{0,2}|забудь\w{0,2}|проигнорируй\w{0,2}|не обращай\w{0,2} внимания на"
        r"|ігноруй\w{0,2})[^.!?\n]{0,30}?"
        r"(?:предыдущ\w{1,4}|прошл\w{1,4}|все|всё|выше\w{0,8}|попередн\w{1,3})[^.!?\n]{0,20}?(?:инструкци|указани"
        r"|команд|правил|сказал|інструкці|вказівк)"
        r"|\b(?:zignoruj|ignoruj|zapomnij o?)\b[^.!?\n]{0,20}?\b(?:poprzedni|wczesniejsz|wszystki|powyzsz)\w{0,4} "
        r"(?:\w{1,14} )?(?:instrukcj|polece|zasad)"
        r"|\b(?:negeer|vergeet)\b[^.!?\n]{0,20}?\b(?:vorige|eerdere|bovenstaande|alle|voorgaande)\b[^.!?\n]{0,20}?\b"
        r"(?:instructie|opdracht|regel)"
        r"|\b(?:onceki|yukaridaki)\b[^.!?\n]{0,20}?\b(?:talimat|komut|kural)\w{0,8} (?:yok say|unut|gormezden)",
    ),
    _rule(
        "override",
        "تجاهل,انس,अनदेखा,नजरअंदाज,भूल",
        r"(?:تجاهل|انس).{0,20}?(?:التعليمات|الاوامر|الأوامر|القواعد).{0,20}?(?:السابقة|اعلاه|أعلاه)"
        r"|(?:पिछले|पिछली|उपरोक्त|सभी).{0,20}?(?:निर्देश|आदेश|नियम).{0,20}?(?:अनदेखा|नजरअंदाज|भूल)",
    ),
)
#: In a document or in what a tool says, nobody has to speak to the model at all.
PLANTED: Final = (
    _rule("exfiltrate", "@", _SEND.format(r"[\w.+-]{1,40}@\w")),
    _rule(
        "addressed",
        "ai,llm,gpt,assistant,model,agent,bot",
        r"\b(?:attention|note|important|message|instructions?|notice|memo)(?:,? (?:to|for)(?: all| any| the| every)? "
        r"|[,:!] )"
        rf"(?:all )?(?:{_AI}|assistant)s?\b|\b(?:dear|hello|hey),? {_AI}\b|\bif (?:you are|you're|this is read by) "
        rf"(?:an?|the) (?:{_AI}|assistant)\b|"
        rf"\b(?:{_AI}|assistant|model|agent)s? (?:reading|processing|parsing|that reads?|who reads?|summari[sz]ing) "
        rf"(?:this|the)\b|"
        rf"(?:^|[\n.!?] ?)(?:{_AI}|assistant)[:,] (?:please |you |do |ignore |when |instead |now )|"
        r"\bas an? (?:ai|llm|language model|ai assistant),? (?:you|please|always|never|your)\b",
    ),
    _rule(
        "addressed",
        "summar,process,pars,read",
        r"\b(?:when|before|after|while|whenever) (?:you (?:are )?)?(?:summari[sz](?:e|ing)|process(?:ing)?|pars(?:e"
        r"|ing)|read(?:ing)?) "
        r"(?:this|the) (?:page|document|e?-?mail|text|article|file|message|content|web ?page|website|review|ticket"
        r"|result)s?\b[^.!?\n]{0,50}?"
        r"\b(?:you (?:must|should|have to|need to)|please|always|also|make sure|be sure|instead|do not|don't|include"
        r"|add|append|"
        r"say|tell|recommend|mention|insert)\b",
    ),
    _rule(
        "conceal",
        "tell,inform,mention,reveal,alert,warn,notify,let the",
        r"\b(?:do not|don't|never|without|must not|should not|avoid) (?:ever )?(?:tell|inform|mention|reveal|alert"
        r"|warn|notify|telling|"
        r"informing|mentioning|revealing|alerting|warning|notifying|let)(?: (?:this|it|that|anything|any of this|about"
        r"|to|them)){0,3} "
        r"(?:the |to the |your )?(?:user|human)\b(?!')",
    ),
    _rule(
        "tool_use",
        "call,invoke,execute,run,use",
        r"\b(?:immediately|right now|before (?:answering|responding|replying|anything else|doing anything)|instead of"
        r" answering)\b[^.!?\n]{0,40}?"
        r"\b(?:call|invoke|execute|run|use|trigger) (?:the |your |this )?[`'\"]?[\w.-]{2,40}[`'\"]? (?:tool|function"
        r"|api|plugin)\b",
    ),
)
