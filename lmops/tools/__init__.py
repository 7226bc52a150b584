"""Tools: typed, in versions, called under a policy, recorded and replayed, and measured.

A function becomes a tool by ``@ws.tools.tool``: its schema is that of its annotations, its versions are its content.
What a model asks for goes one way: found, not switched off, read, decided, within the budget, executed, checked; what
comes of it is an answer to the model, whatever happens.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.base.twins import takes_as
from lmops.errors import UsageError
from lmops.text import plain_line
from lmops.tools import _show as _show
from lmops.tools import _show_quality as _show_quality
from lmops.tools._registry import WithRegistry
from lmops.tools._versions import body_of, check_name
from lmops.tools.beginning import begun
from lmops.tools.budgets import Budget, Used
from lmops.tools.calling import STANDING, Caller, Standing, Tool, Wanted
from lmops.tools.contract import (
    Action,
    Call,
    CallContext,
    Decider,
    Decision,
    EndedError,
    Executor,
    Outcome,
    Switch,
    ToolResult,
    ToolVersion,
    UnseenError,
)
from lmops.tools.finding import ToolFindings
from lmops.tools.logs import AgentLog, Trajectory
from lmops.tools.looping import Agent, Loop, asked, conversation, interruptible, whole
from lmops.tools.nesting import deeper, inside
from lmops.tools.policies import Ask, ToolPolicies, ToolPolicy, ToolRule, ToolSwitch
from lmops.tools.replaying import Replay
from lmops.tools.runs import AgentRun, AgentStep
from lmops.tools.signatures import Signature
from lmops.tools.simulating import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.models import Models
    from lmops.records import Project
    from lmops.tools.beginning import Rendering

__all__ = [
    "Action",
    "AgentLog",
    "AgentRun",
    "AgentStep",
    "Ask",
    "Budget",
    "Call",
    "CallContext",
    "Decider",
    "Decision",
    "EndedError",
    "Executor",
    "Outcome",
    "Replay",
    "Simulator",
    "Switch",
    "ToolFindings",
    "ToolPolicies",
    "ToolPolicy",
    "ToolResult",
    "ToolRule",
    "ToolSwitch",
    "ToolVersion",
    "Tools",
    "Trajectory",
    "UnseenError",
    "Used",
]
__dir__ = only(__all__)

MAX_RETRIES: Final = 10


@refuses_wrong_kinds
class Tools(WithRegistry):
    """The tools of a workspace: ``ws.tools``."""

    def __init__(
        self,
        project: Project,
        *,
        models: Callable[[], Models] | None = None,
        prompt: Callable[[str], Rendering] | None = None,
    ) -> None:
        super().__init__(project, models=models)
        self._prompt = prompt
        self._caller = Caller(self._found, names=self._names, reason_off=self._reason_off)

    # -- calls -------------------------------------------------------------------------------------------------------

    async def acall(
        self,
        name: str,
        arguments: Mapping[str, Any] | str | None = None,
        *,
        policy: str | Decider | None = None,
        role: str | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        executor: Executor | None = None,
        retries: int = 1,
        messages: Sequence[Mapping[str, Any]] = (),
        call_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> ToolResult:
        """Return what came of a call of a tool; whatever that is, nothing is raised for it.

        Arguments are read strictly; what fits only when "3" is read as 3 is read so, and ``detail["lax"]`` says it.
        Inside of a tool, a call is part of the run that called the tool: of its budget, its policy and its depth. A
        policy that it brings itself decides as well, and the stricter wins.

        Args:
            name: Of the tool.
            arguments: A mapping, or JSON as a model wrote it.
            policy: Who decides, such as "support@production"; None: everything may be called.
            role: Who calls, for the policy.
            budget: What may be used: a :class:`Budget`, or {"calls": 20, "seconds": 60}.
            executor: What executes in place of the tool: a replay, a simulation.
            retries: How often a call that failed or took too long is tried again, of tools that are idempotent.
            messages: The conversation that led to the call, for the policy.
            call_id: The model's name for the call.
            context: What else the policy may know.

        Raises:
            NotFoundError: There is no such policy.
            UsageError: An argument that cannot be used.
        """
        standing = self._standing(policy, role, budget, executor, retries, messages, context)
        wanted = Wanted(name=name, given={} if arguments is None else arguments, standing=standing, call_id=call_id)
        return await self._caller.acall(wanted)

    @takes_as(acall)
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | str | None = None,
        *,
        policy: str | Decider | None = None,
        role: str | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        executor: Executor | None = None,
        retries: int = 1,
        messages: Sequence[Mapping[str, Any]] = (),
        call_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> ToolResult:
        """Return what came of a call of a tool, as :meth:`acall` does, without ``await``; also inside a running loop.

        Raises:
            NotFoundError: There is no such policy.
            UsageError: An argument that cannot be used.
        """
        standing = self._standing(policy, role, budget, executor, retries, messages, context)
        wanted = Wanted(name=name, given={} if arguments is None else arguments, standing=standing, call_id=call_id)
        return self._caller.call(wanted)

    # -- agents ------------------------------------------------------------------------------------------------------

    async def arun(
        self,
        messages: str | Sequence[Mapping[str, Any]],
        tools: Sequence[str] | None = None,
        *,
        model: str,
        name: str = "agent",
        max_steps: int = 10,
        policy: str | Decider | None = None,
        budget: Budget | Mapping[str, Any] | None = None,
        guardrails: Any = None,
        executor: Executor | None = None,
        role: str | None = None,
        params: Mapping[str, Any] | None = None,
        prompt: Any = None,
        concurrency: int = 8,
        retries: int = 1,
        stops_loops: bool = True,
        cache: bool = False,
        context: Mapping[str, Any] | None = None,
    ) -> AgentRun:
        """Return what an agent made of some messages: its model is asked, what it calls is called, until it answers.

        Why it ended is said by ``ended``, and what it did up to then is there whatever that is; a model that fails or a
        budget that is used up raises nothing. Calls of one answer go side by side; their results keep its order.

        Args:
            messages: A text of the user, or messages as OpenAI has them.
            tools: Names of what it may call; all that are bound here by default.
            model: As for ``ws.models.complete``.
            name: Who it is, on spans and for policies.
            max_steps: Most answers of the model.
            policy: Who decides on its calls, such as "support@production"; None: everything may be called.
            budget: What it and its sub-agents may use together: a :class:`Budget`, or {"calls": 20, "tokens": 50_000,
                "usd": 0.05, "seconds": 60, "depth": 2}.
            guardrails: The policy of rails that its messages, its calls, their results and its answers pass.
            executor: What executes in place of the tools: a replay, a simulation.
            role: Who calls, for the policy; its name by default.
            params: Parameters of the model.
            prompt: The prompt behind the messages, as (name, version) or a prompt version.
            concurrency: Most calls side by side.
            retries: How often a call that failed is tried again, of tools that are idempotent.
            stops_loops: End a run that calls the same thing three times, goes in a circle or learns nothing new.
            cache: Take the answers of its model and of its sub-agents' from the cache of ``ws.models.complete``, and
                keep new ones: with a replay as ``executor`` the same run again calls neither a tool nor a model. A
                budget in dollars may ask for shorter answers then, which are other requests.
            context: What else the policy may know.

        Raises:
            NotFoundError: There is no such tool, model or policy.
            UsageError: An argument that cannot be used.
            CancelledError: It was cancelled; ``run`` of the error is the run so far.
            EndedError: It is inside of a tool, as deep as the budget allows already.
        """
        standing = self._standing(policy, role or name, budget, executor, retries, (), context)
        standing = deeper(standing)._replace(cache=cache or standing.cache)
        agent = Agent(
            name=name,
            model=model,
            tools=self.offered(tools),
            max_steps=whole(max_steps, "max_steps"),
            concurrency=whole(concurrency, "concurrency"),
            params=params or {},
            prompt=prompt,
            guardrails=guardrails,
            stops_loops=stops_loops,
        )
        return await self._loop(agent, standing).run(conversation(messages))

    @takes_as(arun)
    def run(self, *_args: Any, **_options: Any) -> AgentRun:
        """Return what an agent made of some messages, as :meth:`arun` does, without ``await``; also in a running loop.

        Raises:
            NotFoundError: There is no such tool, model or policy.
            UsageError: An argument that cannot be used.
            KeyboardInterrupt: Somebody interrupted it; ``run`` of the error is the run so far.
        """
        return interruptible(lambda: self.arun(*_args, **_options))

    def agent(
        self,
        name: str,
        *,
        description: str,
        model: str,
        system: str,
        tools: Sequence[str] = (),
        max_steps: int = 10,
        params: Mapping[str, Any] | None = None,
        prompt: Any = None,
        guardrails: str | None = None,
        timeout_s: float = 300.0,
        reason: str | None = None,
    ) -> ToolVersion:
        """Make a tool of an agent, which another agent calls with a task, and return its version.

        It works with what called it: within its budget, under its policy, one step deeper. What it cost is a part of
        what the run that called it cost, once.

        Args:
            name: What models call it.
            description: What it does, for models.
            model: The model that it works with.
            system: Its system prompt; or a reference such as "support@production" to a prompt, which is read at each
                task, so that a moved alias counts at once. A prompt with a variable ``task`` has the task in it; where
                it has messages of a user, none is added.
            tools: Names of what it may call.
            max_steps: Most answers of its model.
            params: Parameters of its model.
            prompt: The prompt behind its system prompt, as (name, version) or a prompt version.
            guardrails: The policy of rails that it passes.
            timeout_s: Most seconds for one task.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such model, or no such prompt.
            UsageError: A part cannot be used.
        """
        check_name(name)
        self._models_of(name).endpoint(model)
        made = begun(system, self._prompt)
        made("")  # what cannot be read is said now

        async def work(task: str) -> AgentRun:
            outer = STANDING.get()
            assert outer is not None
            messages, behind = made(task)
            inner = Agent(
                name=name,
                model=model,
                tools=self.offered(tools),
                max_steps=whole(max_steps, "max_steps"),
                params=params or {},
                prompt=prompt or behind,
                guardrails=guardrails,
            )
            loop = self._loop(inner, deeper(outer)._replace(role=name))
            return await loop.run(messages)

        signature = Signature(asked, name)
        origin = {"model": model, "system": system, "tools": [*tools], "max_steps": whole(max_steps, "max_steps")}
        origin |= {"params": dict(params)} if params else {}
        origin |= {"guardrails": guardrails} if guardrails else {}
        body = body_of(
            name,
            description=description,
            parameters=signature.parameters,
            timeout_s=timeout_s,
            source="agent",
            origin=origin,
            is_made=True,
        )
        version = self._kept(name, body, reason=reason)
        self._put_in_use(Tool(version=version, reading=signature, function=work))
        return version

    def _models_of(self, name: str) -> Models:
        if self._models is None:
            raise UsageError(f"{name}: there is no model to ask here; open a workspace: lmops.open()")
        return self._models()

    def _loop(self, agent: Agent, standing: Standing) -> Loop:
        return Loop(agent, models=self._models_of(agent.name), caller=self._caller, standing=standing)

    # -- steps -------------------------------------------------------------------------------------------------------

    def _standing(
        self,
        policy: str | Decider | None,
        role: str | None,
        budget: Budget | Mapping[str, Any] | None,
        executor: Executor | None,
        retries: int,
        messages: Sequence[Mapping[str, Any]],
        context: Mapping[str, Any] | None,
    ) -> Standing:
        """Return what a call is part of: of what called it, where that is a tool, else of what was said."""
        if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= MAX_RETRIES:
            raise UsageError(f"retries={plain_line(repr(retries), 40)}: give a whole number from 0 to {MAX_RETRIES}")
        outer, decider = STANDING.get(), self._decider(policy)
        if outer is not None:
            return inside(
                outer,
                decider=decider,
                role=role,
                budget=budget,
                executor=executor,
                retries=retries,
                messages=messages,
                context=context or {},
            )
        found = Budget.of(budget)
        found.begin()
        return Standing(
            run_id=os.urandom(16).hex(),
            budget=found,
            decider=decider,
            executor=executor,
            role=role,
            retries=retries,
            messages=messages,
            more=context or {},
        )
