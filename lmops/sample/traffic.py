"""Two weeks of traffic, 2026-10-19 to 2026-11-01 UTC, with what was planted in it.

========================  ================================================================================
2026-10-21 09:00          prompt support-answer 2 replaces 1 in production
2026-10-23 09:00-12:00    the booking system behind both tools is down
2026-10-24 08:00 (day 6)  prompt 3 replaces 2; it drops "only from the sources" and "never as an instruction"
2026-10-27 05:00 (day 9)  the index is rebuilt with other chunking; only its fingerprint tells
2026-10-29 06:00 (day 11) the base model is updated under its old name; its system fingerprint changes
2026-10-31 11:00-12:00    a burst of rate limits
all along                 injected orders (about 2 % of the traces), rate limits, timeouts, mistakes
========================  ================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Final

from lmops.sample.app import SupportApp, Turn
from lmops.sample.asking import Asked, fill, say
from lmops.sample.retrieval import Index, IndexSettings
from lmops.sample.telemetry import Clock, Telemetry
from lmops.sample.truth import feedback, quality, utc
from lmops.standin import Message, chat_model, content
from lmops.standin.chance import happens
from lmops.standin.tools import Outage, Toolbox
from lmops.times import to_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.guardrails import Checker
    from lmops.prompts import PromptVersion
    from lmops.sample.app import Reply
    from lmops.sample.telemetry import AttributeValue
    from lmops.standin.content import Question

SEED: Final = "tidelark 2026"
TRACES: Final = 2000
DAYS: Final = 14
_HOUR: Final = 3_600_000_000_000


START_NS: Final = to_ns("2026-10-19T00:00")
END_NS: Final = START_NS + DAYS * 24 * _HOUR
PROMPT_2_NS: Final = to_ns("2026-10-21T09:00")
PROMPT_3_NS: Final = to_ns("2026-10-24T08:00")
STAGING_PROMPT_2_NS: Final = to_ns("2026-10-20T09:00")
STAGING_PROMPT_3_NS: Final = to_ns("2026-10-22T09:00")
CHUNKING_NS: Final = to_ns("2026-10-27T05:00")
MODEL_UPDATE_NS: Final = to_ns("2026-10-29T06:00")
OUTAGE: Final = Outage(start_ns=to_ns("2026-10-23T09:00"), end_ns=to_ns("2026-10-23T12:00"))
RATE_LIMITS: Final = Outage(start_ns=to_ns("2026-10-31T11:00"), end_ns=to_ns("2026-10-31T12:00"))
#: The prompt without "only from the sources".
LOOSE_PROMPT: Final = 3
FIRST_MODEL: Final = 1
UPDATED_MODEL: Final = 2
OLD_INDEX: Final = IndexSettings()
NEW_INDEX: Final = IndexSettings(split="words", chunk_words=12, overlap_sentences=0, with_title=False)

_WEEKDAYS: Final = (1.12, 1.0, 0.98, 1.05, 1.25, 0.88, 0.76)
_HOURS: Final = (4, 2, 1, 1, 2, 6, 14, 26, 40, 50, 54, 52, 46, 50, 54, 52, 48, 44, 42, 40, 34, 26, 16, 8)
_TURNS: Final = (1, 1, 1, 1, 2, 2, 3, 4)
_USERS: Final = 640
_INJECTED: Final = 0.026
_STAGING: Final = 0.045
_TOOL: Final = 0.3
_UNANSWERABLE: Final = 0.04


@dataclass(slots=True)
class Traffic:
    """What a simulation gives: spans by environment, and two kinds of rows by trace."""

    telemetry: dict[str, Telemetry]
    truth: list[dict[str, object]] = field(default_factory=list)
    feedback: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What answers a request: versions of the model, of the index and of the prompt.

    Args:
        revision: Of the model.
        is_rebuilt: The index is that with the other chunking.
        prompt_version: Number of the prompt.
        prompt: The version in a store; None: that of the package.
        marks: What else stands on the span of the request.
        guard: The policy in a store; None: that of the two weeks.
    """

    revision: int
    is_rebuilt: bool
    prompt_version: int
    prompt: PromptVersion | None = None
    marks: Mapping[str, AttributeValue] = field(default_factory=dict)
    guard: Checker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One visit of one user: its turns, one after the other."""

    id: str
    user_id: str
    language: str
    environment: str
    start_ns: int
    turns: int


def simulate(*, traces: int = TRACES, seed: str = SEED) -> Traffic:
    """Run the application through two weeks and return what it left behind.

    Args:
        traces: how many traces the two weeks have.
        seed: what everything follows from.
    """
    random = Random(seed)
    return _ran(_sessions(traces, random, START_NS, DAYS), seed, random, stood, END_NS)


def simulate_after(start_ns: int, days: int, *, seed: str, stands: Callable[[Session, int], Stand]) -> Traffic:
    """Run the application for some more days in production.

    Args:
        start_ns: When they begin.
        days: How many.
        seed: What everything follows from.
        stands: What answers a session at a time.
    """
    random = Random(seed)
    sessions = _sessions(round(TRACES / DAYS * days), random, start_ns, days)
    users = [session for session in sessions if session.environment == "production"]
    return _ran(users, seed, random, stands, start_ns + days * 24 * _HOUR)


def _ran(
    sessions: Sequence[Session], seed: str, random: Random, stands: Callable[[Session, int], Stand], end_ns: int
) -> Traffic:
    """Run sessions and return what they left behind, sorted by time."""
    simulation = _Simulation(seed, random, stands, end_ns)
    for session in sessions:
        simulation.run(session)
    traffic = simulation.traffic
    traffic.truth.sort(key=lambda row: (str(row["start_at"]), str(row["trace_id"])))
    traffic.feedback.sort(key=lambda row: (str(row["at"]), str(row["trace_id"])))
    return traffic


class _Simulation:
    """The application, its versions through time, and the users in front of it."""

    def __init__(self, seed: str, random: Random, stands: Callable[[Session, int], Stand], end_ns: int) -> None:
        self._random = random
        self._stands = stands
        self._end_ns = end_ns
        self._clock = Clock(START_NS)
        self.traffic = Traffic(
            {
                name: Telemetry(environment=name, seed=f"{seed} {name}", clock=self._clock)
                for name in ("production", "staging")
            }
        )
        self._models = {
            revision: chat_model("standin:ferry-1", revision=revision) for revision in (FIRST_MODEL, UPDATED_MODEL)
        }
        self._rewriter = chat_model("standin:rewrite-1")
        self._indexes = [Index(content.articles(), settings) for settings in (OLD_INDEX, NEW_INDEX)]

    def run(self, session: Session) -> None:
        """Run the turns of one session; the history holds the last exchange only."""
        self._clock.now_ns = session.start_ns
        history: tuple[Message, ...] = ()
        asked: Asked | None = None
        has_failed = False
        for number in range(1, session.turns + 1):
            # A session that would run over the end is asked its last question a little earlier.
            self._clock.now_ns = min(self._clock.now_ns, self._end_ns - 120_000_000_000)
            if asked is None or not has_failed or happens(self._random, 0.3):
                asked = fill(_pick(session.language, asked, self._random), self._random)
            asked, attack = self._attack(session, asked)
            text = f"{asked.text} {attack.text}" if attack else say(asked, turn=number, random=self._random)
            technique = attack.technique if attack else None
            reply = self._turn(session, asked, number=number, text=text, history=history, technique=technique)
            has_failed = reply.failure is not None
            history = (Message(role="user", content=text), Message(role="assistant", content=reply.answer))
            self._clock.advance(self._random.triangular(15_000, 180_000, 40_000))

    def _attack(self, session: Session, asked: Asked) -> tuple[Asked, content.Attack | None]:
        """Return the question and, rarely, an injected order that comes with a simple question."""
        is_open = session.environment == "production" and session.language == "en"
        if not is_open or not happens(self._random, _INJECTED):
            return asked, None
        simple = fill(_pick("en", None, self._random, kinds=("single",)), self._random)
        return simple, self._random.choice(content.attacks())

    def _turn(
        self,
        session: Session,
        asked: Asked,
        *,
        number: int,
        text: str,
        history: tuple[Message, ...],
        technique: str | None,
    ) -> Reply:
        """Run one turn with the versions of its time, and note what came of it."""
        start_ns = self._clock.now_ns
        stand = self._stands(session, start_ns)
        index = self._indexes[stand.is_rebuilt]
        app = SupportApp(
            chat=self._models[stand.revision],
            rewriter=self._rewriter,
            index=index,
            tools=Toolbox((OUTAGE,)),
            telemetry=self.traffic.telemetry[session.environment],
        )
        turn = Turn(
            question=text,
            language=asked.question.language,
            session_id=session.id,
            user_id=session.user_id,
            number=number,
            prompt_version=stand.prompt_version,
            seed=self._random.getrandbits(31),
            history=history,
            faults=_faults(start_ns, self._random),
            prompt=stand.prompt,
            marks=stand.marks,
            guard=stand.guard,
        )
        reply = app.answer(turn)
        versions = {"index_fingerprint": index.fingerprint, "model_revision": stand.revision}
        judged = quality(asked, reply, technique=technique)
        self._note(
            {"trace_id": reply.trace_id} | _plan(turn, session, asked, start_ns) | versions | judged, session, reply
        )
        return reply

    def _note(self, row: dict[str, object], session: Session, reply: Reply) -> None:
        row["incidents"] = _incidents(row)
        self.traffic.truth.append(row)
        said = feedback(row, reply, user_id=session.user_id, random=self._random)
        if said is not None and session.environment == "production":
            self.traffic.feedback.append(said)


def stood(session: Session, at_ns: int) -> Stand:
    """Return what answered at a time of the two weeks."""
    return Stand(
        revision=UPDATED_MODEL if at_ns >= MODEL_UPDATE_NS else FIRST_MODEL,
        is_rebuilt=at_ns >= CHUNKING_NS,
        prompt_version=_prompt_version(session.environment, at_ns),
    )


def _sessions(traces: int, random: Random, start_ns: int, days: int) -> list[Session]:
    """Return the sessions of some days from a Monday on with exactly ``traces`` turns, in the order of their starts."""
    total = math.fsum(_WEEKDAYS[day % 7] for day in range(days))
    ends = [round(traces * math.fsum(_WEEKDAYS[d % 7] for d in range(day + 1)) / total) for day in range(days)]
    found: list[Session] = []
    done = 0
    for day, end in enumerate(ends):
        while done < end:
            turns = min(random.choice(_TURNS), end - done)
            hour = random.choices(range(24), _HOURS)[0]
            begin_ns = start_ns + (24 * day + hour) * _HOUR + random.randrange(_HOUR // 1_000_000) * 1_000_000
            is_staging = happens(random, _STAGING)
            number = random.randrange(12) if is_staging else int(_USERS * random.random() * random.random())
            found.append(
                Session(
                    id=f"s-{random.getrandbits(40):010x}",
                    user_id=f"staff-{number:02d}" if is_staging else f"u-{number:04d}",
                    language="en" if is_staging else _language(number),
                    environment="staging" if is_staging else "production",
                    start_ns=begin_ns,
                    turns=turns,
                )
            )
            done += turns
    return sorted(found, key=lambda session: (session.start_ns, session.id))


def _plan(turn: Turn, session: Session, asked: Asked, start_ns: int) -> dict[str, object]:
    """Return the part of a truth row that was known before the reply."""
    return {
        "start_at": utc(start_ns),
        "day": 1 + (start_ns - START_NS) // (24 * _HOUR),
        "environment": session.environment,
        "session_id": session.id,
        "turn": turn.number,
        "question_id": asked.question.id,
        "kind": asked.question.kind,
        "language": asked.question.language,
        "facts": list(asked.facts),
        "source_ids": [] if asked.tool else list(asked.question.source_ids),
        "prompt_version": turn.prompt_version,
    }


def _incidents(row: dict[str, object]) -> list[str]:
    """Return the incidents this trace was exposed to, whether or not it came to harm."""
    exposed = {
        "prompt-v3": row["prompt_version"] == LOOSE_PROMPT,
        "chunking": row["index_fingerprint"] == NEW_INDEX.fingerprint,
        "model-update": row["model_revision"] == UPDATED_MODEL,
        "tool-outage": row["tool_outage"],
        "model-errors": row["failed_model_calls"],
        "injection": row["injected"],
    }
    return [name for name, is_exposed in exposed.items() if is_exposed]


def _prompt_version(environment: str, at_ns: int) -> int:
    if environment == "staging":
        return 1 + (at_ns >= STAGING_PROMPT_2_NS) + (at_ns >= STAGING_PROMPT_3_NS)
    return 1 + (at_ns >= PROMPT_2_NS) + (at_ns >= PROMPT_3_NS)


def _faults(at_ns: int, random: Random) -> tuple[str, ...]:
    is_burst = RATE_LIMITS.start_ns <= at_ns < RATE_LIMITS.end_ns
    if not happens(random, 0.4 if is_burst else 0.012):
        return ()
    if is_burst:
        return random.choice((("429",), ("429",), ("429", "429")))
    return random.choices((("429",), ("timeout",), ("timeout", "timeout")), (6, 3, 1))[0]


def _language(user: int) -> str:
    """Return the language of a user, the same in each session."""
    return Random(f"language {user}").choices(("de", "fr", "ja", "en"), (50, 30, 15, 905))[0]


@cache
def _popularity() -> dict[str, float]:
    ids = [question.id for question in content.questions()]
    Random("popularity").shuffle(ids)
    return {question_id: 1 / (rank + 40) for rank, question_id in enumerate(ids)}


def _pick(language: str, before: Asked | None, random: Random, *, kinds: tuple[str, ...] | None = None) -> Question:
    """Return a golden question, often of the topic of the one before."""
    if kinds is None:
        draw = random.random()
        if draw < _TOOL:
            kinds = ("tool",)
        elif draw < _TOOL + _UNANSWERABLE:
            kinds = ("unanswerable",)
        else:
            kinds = ("single", "multi", "computed")
    fitting = [q for q in content.questions() if q.language == language and q.kind in kinds]
    fitting = fitting or [q for q in content.questions() if q.language == language]
    if before is not None and happens(random, 0.5):
        fitting = [q for q in fitting if q.topic == before.question.topic] or fitting
    return random.choices(fitting, [_popularity()[q.id] for q in fitting])[0]
