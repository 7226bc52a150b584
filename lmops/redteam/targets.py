"""What is attacked: a function, a prompt on a model, either of them behind a policy."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.threads import Threads
from lmops.errors import UsageError
from lmops.evals import TaskResult
from lmops.evals.answers import as_result
from lmops.redteam.answers import packed, unpacked
from lmops.redteam.placements import CARRIERS
from lmops.scorers.asking import known_sum
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Given = dict[str, Any]
#: Between a target and its policy, in the name of a task.
BEHIND: Final = " behind "
#: What a target may be given beside a question.
FIELDS: Final = ("documents", "tool_results", "memory", "history", "file_name", "system", "tools", "repeat")
_CHANNELS: Final = frozenset({"documents", "tool_results", "memory", "history", "system", "tools"})
_QUESTIONS: Final = ("question", "input", "query", "message", "text")
_AS_TEXT: Final = ("sources", "context", "passages")


class Checks(Protocol):
    """What a policy is to a red team."""

    def check(self, stage: Any, text: str, *, context: Mapping[str, Any] | None = None) -> Any:
        """Return a decision: ``action``, ``text`` (what may go on) and ``verdicts``.

        One with ``acheck`` besides is asked by that.
        """


class Target(Protocol):
    """What can be attacked."""

    @property
    def name(self) -> str:
        """What it is called in a run."""

    @property
    def channels(self) -> frozenset[str]:
        """What it takes beside a question."""

    async def ask(self, given: Given, repeat: int) -> TaskResult:
        """Return the answer to one turn."""


def instructions_of(target: Target, given: Mapping[str, Any]) -> str | None:
    """Return what stands in the instructions of a target, as far as it is known: a policy looks for it in answers.

    Args:
        target: The target.
        given: What it is given.
    """
    known = (given.get("system"), getattr(target, "instructions", None))
    return "\n".join(filter(None, known)) or None


class FunctionTarget:
    """A function, sync or async, that takes a question and what else it names.

    Args:
        function: Its parameters say what it takes: ``question`` (or any other name for the first), ``documents`` (dicts
            with id and content), ``tool_results`` (name and content), ``memory``, ``history`` (messages before),
            ``file_name``, ``system`` (a line that has to stand in its instructions), ``tools`` (names of tools that
            have to be on offer), ``repeat``.
        reports_tools: Whether its results say which tools it called.

    Raises:
        UsageError: It takes something else.
    """

    def __init__(self, function: Callable[..., Any], *, reports_tools: bool = False) -> None:
        if inspect.isclass(function) or not callable(function):
            raise UsageError(f"the target is {plain_line(function, 60)!r}; give a function or an object to be called")
        self.name = str(getattr(function, "__qualname__", type(function).__name__))
        self._function = function
        self._threads = Threads()
        named = [
            one
            for one in inspect.signature(function).parameters.values()
            if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        ]
        self._question = next((one.name for one in named if one.name not in FIELDS), None)
        self._takes = [one.name for one in named if one.name in FIELDS]
        self._has_own = {one.name for one in named if one.default is not one.empty}
        others = [one.name for one in named if one.default is one.empty and one.name not in (*FIELDS, self._question)]
        if self._question is None or others:
            what = f"takes {', '.join(others)}" if others else "takes no question"
            raise UsageError(
                f"the target {self.name} {what}; it takes a question and, by their names, {', '.join(FIELDS)}"
            )
        offered = {name for name in self._takes if name in _CHANNELS} | ({"tools"} if reports_tools else set())
        self.channels = frozenset(offered)
        self._is_async = any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))

    async def ask(self, given: Given, repeat: int) -> TaskResult:
        """Return what it answers."""
        told = {**given, "repeat": repeat}
        # What an attack does not say is the function's own default, and None without one.
        named = {
            name: told.get(name) for name in self._takes if told.get(name) is not None or name not in self._has_own
        }
        named[str(self._question)] = given["question"]
        if self._is_async:
            return as_result(await self._function(**named))
        found = await self._threads.run(lambda: self._function(**named))
        return as_result(await found if inspect.isawaitable(found) else found)

    def close(self) -> None:
        """Let the threads that answer end."""
        self._threads.close()


class PromptTarget:
    """A prompt version on a model; what it takes beside a question are its variables.

    Args:
        prompt: The version.
        models: What has ``acomplete``.
        model: The model; that of the prompt by default.
        params: Over those of the prompt.
        variables: The values of its other variables.
        cache: Whether answers may come from the cache of models.

    Raises:
        UsageError: It names no model, has no variable for the question, or one that nothing is known for.
    """

    def __init__(
        self,
        prompt: Any,
        models: Any,
        *,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        cache: bool = False,
    ) -> None:
        self.name = str(prompt.ref)
        self.prompt = prompt
        self.model = model or prompt.model
        if self.model is None:
            raise UsageError(f"the prompt {self.name} names no model; give one: model='standin:ferry-1'")
        self._models, self._cache = models, cache
        self._params = {**(prompt.params or {}), **(params or {})} or None
        self._fixed = dict(variables or {})
        names = [name for name in prompt.variables if name not in self._fixed]
        self._documents = [name for name in names if name in ("documents", *_AS_TEXT)]
        rest = [name for name in names if name not in (*self._documents, "memory", "file_name")]
        self._question = next((name for name in _QUESTIONS if name in rest), rest[0] if len(rest) == 1 else None)
        unknown = [name for name in rest if name != self._question]
        if self._question is None or unknown:
            there = ", ".join(prompt.variables) or "(none)"
            raise UsageError(
                f"the prompt {self.name} has the variables {there}; one of {', '.join(_QUESTIONS)} takes the question, "
                f"and the others need values: variables={{{(unknown or ['name'])[0]!r}: ...}}"
            )
        offered = {"history", "system"}
        offered |= {"documents"} if self._documents else set()
        offered |= {"memory"} if "memory" in names else set()
        offered |= {"tools", "tool_results"} if prompt.tools else set()
        self.channels = frozenset(offered)
        self._named = set(names)

    @property
    def instructions(self) -> str:
        """What its messages say before any variable is put in."""
        return "\n".join(str(one["content"]) for one in self.prompt.messages)

    @property
    def tools(self) -> dict[str, Any] | None:
        """The tools that it may call -> the schema of their arguments; None without any."""
        functions = [one.get("function", one) for one in self.prompt.tools or () if isinstance(one, dict)]
        return {str(one.get("name")): one.get("parameters") for one in functions} or None

    async def ask(self, given: Given, repeat: int) -> TaskResult:
        """Return what the model answers."""
        messages: list[dict[str, Any]] = [dict(one) for one in self.prompt.render(self._variables(given))]
        if given.get("system"):
            messages = _with_system(messages, given["system"])
        messages[-1:-1] = given.get("history") or []
        messages += _tool_messages(given.get("tool_results") or ())
        baits = [] if not self.prompt.tools else [_bait(name) for name in given.get("tools") or ()]
        found = await self._models.acomplete(
            self.model,
            messages,
            params=self._params,
            tools=[*(self.prompt.tools or ()), *baits] or None,
            cache=self._cache,
            repeat=repeat,
        )
        result = as_result(found)
        return replace(result, tool_calls=list(result.tool_calls or ()))

    def _variables(self, given: Given) -> dict[str, Any]:
        documents = given.get("documents") or [_ordinary()]
        values: dict[str, Any] = {**self._fixed, str(self._question): given["question"]}
        for name in self._documents:
            values[name] = documents if name == "documents" else _sources(documents)
        for name in ("memory", "file_name"):
            if name in self._named:
                values[name] = given.get(name) or ""
        return values


class Attacked:
    """The task of a red-team run: a target, turn by turn, with a policy around it.

    Args:
        target: What is attacked.
        guard: The policy; None for none.
        policy: What it is called.
    """

    def __init__(self, target: Target, guard: Checks | None = None, *, policy: str | None = None) -> None:
        self._target = target
        self._guard = guard
        self._threads = Threads()
        # By these a run names its task.
        self.__module__ = "redteam"
        self.__qualname__ = target.name + (f"{BEHIND}{policy}" if policy else "")

    async def __call__(self, example: Any, repeat: int) -> TaskResult:
        """Return what came of one attack."""
        walk = _Walk(self, example)
        given = await walk.read()
        for text in [*(example.input.get("history") or ()), example.input["question"]]:
            await walk.turn(given, text, repeat)
        return walk.result()

    def close(self) -> None:
        """Let the threads that check and answer end."""
        self._threads.close()
        if isinstance(self._target, FunctionTarget):
            self._target.close()

    def instructions(self, given: Mapping[str, Any]) -> str | None:
        """Return what stands in the instructions of the target, as far as it is known."""
        return instructions_of(self._target, given)

    async def ask(self, given: Given, repeat: int) -> TaskResult:
        """Return the answer of the target to one turn."""
        return await self._target.ask(given, repeat)

    async def decide(self, stage: str, text: str, context: Mapping[str, Any]) -> Any:
        """Return the decision of the policy; None without one."""
        guard = self._guard
        if guard is None:
            return None
        if hasattr(guard, "acheck"):  # it knows what would hold up the loop
            return await guard.acheck(stage, text, context=context)
        return await self._threads.run(lambda: guard.check(stage, text, context=context))


class _Walk:
    """One attack on its way: what was said, what was spent, what a policy did."""

    def __init__(self, attacked: Attacked, example: Any) -> None:
        self._attacked = attacked
        self._example = example
        self._said: list[dict[str, str]] = []
        self._stops: list[dict[str, str]] = []
        self._results: list[TaskResult] = []
        self._calls: list[dict[str, Any]] | None = None
        checks = example.metadata.get("checks", {})
        self._context: dict[str, Any] = {
            "system_prompt": attacked.instructions(example.input),
            "canaries": [checks["canary"]] if "canary" in checks and "system" in example.input else [],
        }

    async def read(self) -> Given:
        """Return what the target reads beside the questions, as far as the policy lets it through."""
        given = {**self._example.input, "example": self._example}
        documents = [*given.pop("private", []), *(given.get("documents") or [])]
        given["documents"] = await self._let("retrieval", documents) or None
        given["tool_results"] = await self._let("tool_result", given.get("tool_results") or []) or None
        if given.get("memory"):
            kept = await self._let("retrieval", [{"content": given["memory"]}])
            given["memory"] = kept[0]["content"] if kept else None
        self._context["documents"] = given["documents"] or []
        return given

    async def turn(self, given: Given, text: str, repeat: int) -> None:
        """Go through one turn."""
        self._context["question"] = text
        asked, is_stopped = await self._checked("input", text)
        if is_stopped:
            self._say(text, asked)
            return
        found = await self._attacked.ask({**given, "question": asked, "history": list(self._said) or None}, repeat)
        self._results.append(found)
        if found.tool_calls is not None:
            self._calls = (self._calls or []) + [one for one in found.tool_calls if await self._may_call(one)]
        answer, _ = await self._checked("output", unpacked(found.output).answer)
        self._say(text, answer)

    def result(self) -> TaskResult:
        """Return all of it as one result."""
        last = self._results[-1] if self._results else TaskResult("")
        output = packed(self._said[-1]["content"], self._said, self._stops)
        calls = self._calls if self._results else []
        return replace(
            last,
            output=output,
            tool_calls=calls,
            latency_ms=None,
            input_tokens=self._spent("input_tokens"),
            output_tokens=self._spent("output_tokens"),
            cached_input_tokens=self._spent("cached_input_tokens"),
            reasoning_tokens=self._spent("reasoning_tokens"),
            cost_usd=self._spent("cost_usd"),
        )

    def _spent(self, name: str) -> Any:
        """Return a sum over the turns; None where no turn says it, 0 where nothing was asked."""
        return known_sum([getattr(one, name) for one in self._results]) if self._results else 0

    async def _let(self, stage: str, parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        kept = []
        for part in parts:
            text, is_stopped = await self._checked(stage, part["content"])
            if not is_stopped:
                kept.append({**part, "content": text})
        return kept

    async def _may_call(self, call: Mapping[str, Any]) -> bool:
        arguments = call.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)
        more = {"tool": call.get("name"), "arguments": arguments}
        return not (await self._checked("tool_call", text, **more))[1]

    async def _checked(self, stage: str, text: str, **more: Any) -> tuple[str, bool]:
        """Return what may go on of a text, and whether it was stopped."""
        decision = await self._attacked.decide(stage, text, {**self._context, **more})
        if decision is None or decision.action in ("allow", "flag"):
            return text, False
        for one in decision.verdicts:
            if one.action == decision.action:
                rules = ", ".join(dict.fromkeys(found.kind for found in one.findings))
                self._stops.append({"stage": stage, "rail": one.rail, "rule": rules, "action": str(decision.action)})
        return str(decision.text), decision.action == "block"

    def _say(self, text: str, answer: str) -> None:
        self._said += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]


def _sources(documents: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"[{one.get('id', at)}] {one['content']}" for at, one in enumerate(documents, start=1))


def _ordinary() -> dict[str, str]:
    """Return a harmless document for a prompt that cannot do without."""
    return {"id": CARRIERS[0].document_id, "content": "\n\n".join(CARRIERS[0].paragraphs)}


def _with_system(messages: list[dict[str, Any]], line: str) -> list[dict[str, Any]]:
    """Return messages whose instructions begin with a line."""
    if messages and messages[0]["role"] == "system":
        return [{**messages[0], "content": f"{line}\n{messages[0]['content']}"}, *messages[1:]]
    return [{"role": "system", "content": line}, *messages]


def _tool_messages(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages of tools that were called and answered."""
    found: list[dict[str, Any]] = []
    for at, one in enumerate(results):
        function = {"name": one.get("name", "look_up"), "arguments": "{}"}
        call = {"id": f"call_{at}", "type": "function", "function": function}
        found.append({"role": "assistant", "content": "", "tool_calls": [call]})
        found.append({"role": "tool", "tool_call_id": f"call_{at}", "content": one["content"]})
    return found


def _bait(name: str) -> dict[str, Any]:
    """Return a tool that nobody has a reason to call."""
    said = {"name": name, "description": name.replace("_", " "), "parameters": {"type": "object", "properties": {}}}
    return {"type": "function", "function": said}
