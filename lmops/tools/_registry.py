"""The verbs of the registry: how a function becomes a tool, what is kept of it, and how models are told of it."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.records import Kind, text_hash
from lmops.text import plain_line
from lmops.tools import dialects
from lmops.tools._policy_verbs import WithPolicies
from lmops.tools._sync import ToolFiling
from lmops.tools._sync import content as content_of
from lmops.tools._versions import KIND, SAID, body_of, check_name, refuse_lookalike, refuse_lookalikes
from lmops.tools.calling import Tool
from lmops.tools.contract import ToolVersion
from lmops.tools.reading import chosen, read
from lmops.tools.signatures import Signature

if TYPE_CHECKING:
    import builtins
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from lmops.models import Models
    from lmops.records import Project

F = TypeVar("F", bound="Callable[..., Any]")


class WithRegistry(WithPolicies):
    """Tools with the verbs of the registry."""

    KIND: ClassVar[Kind[ToolVersion]] = KIND

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        super().__init__(project, models=models)
        self._bound: dict[str, Tool] = {}
        self._binding = threading.Lock()

    @overload
    def tool(self, function: F, /) -> F: ...

    @overload
    def tool(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        is_idempotent: bool = False,
        is_read_only: bool = False,
        timeout_s: float = 30.0,
        reason: str | None = None,
    ) -> Callable[[F], F]: ...

    def tool(
        self,
        function: F | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        is_idempotent: bool = False,
        is_read_only: bool = False,
        timeout_s: float = 30.0,
        reason: str | None = None,
    ) -> F | Callable[[F], F]:
        """Make a tool of a function, and return the function as it is: ``@ws.tools.tool`` or ``@ws.tools.tool(...)``.

        Its schema is that of its annotations; what it does, and what its arguments are, its docstring says (Google,
        numpy or reST form) or ``Annotated[..., Field(description=...)]``. It is saved as a version; the same content
        again is the same version, and in a store that is open for reading alone it is bound without one.

        Args:
            function: A function, a coroutine function, or a bound method.
            name: What models call it; the function's name by default.
            description: What it does, for models; the docstring's by default.
            is_idempotent: Calling it twice does no more than once: it may be tried again.
            is_read_only: It changes nothing outside; then it is idempotent as well.
            timeout_s: Most seconds for one attempt.
            reason: Why, for the audit chain.

        Raises:
            UsageError: It cannot be a tool, or its name differs from another's by capitals alone.

        Example:
            >>> import lmops
            >>> ws = lmops.open(":memory:")
            >>> @ws.tools.tool(is_read_only=True)
            ... def add(a: int, b: int = 1) -> int:
            ...     "Add two numbers."
            ...     return a + b
            >>> ws.tools.call("add", {"a": 2}).value
            3
        """

        def made(given: F) -> F:
            called = str(name or getattr(given, "__name__", ""))
            self._bind(
                called,
                given,
                description=description,
                is_idempotent=is_idempotent or is_read_only,
                is_read_only=is_read_only,
                timeout_s=timeout_s,
                reason=reason,
            )
            return given

        return made if function is None else made(function)

    def save(
        self,
        name: str,
        *,
        description: str,
        parameters: Mapping[str, Any],
        returns: Mapping[str, Any] | None = None,
        is_idempotent: bool = False,
        is_read_only: bool = False,
        timeout_s: float = 30.0,
        source: str = "python",
        reason: str | None = None,
        dry_run: bool = False,
    ) -> ToolVersion:
        """Save a tool by its schema as a version of its name and return it; the same content is the same version.

        Args:
            name: What models call it.
            description: What it does, for models.
            parameters: JSON schema of its arguments, an object.
            returns: JSON schema of its result; None: anything.
            is_idempotent: Calling it twice does no more than once.
            is_read_only: It changes nothing outside.
            timeout_s: Most seconds for one attempt.
            source: Where it comes from: "python", "mcp", "openapi", "agent".
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used.
        """
        content = {
            "description": description,
            "parameters": parameters,
            "returns": returns,
            "is_idempotent": is_idempotent,
            "is_read_only": is_read_only,
            "timeout_s": timeout_s,
            "source": source,
        }
        return self.save_content(name, content, reason=reason, dry_run=dry_run)

    def save_content(
        self, name: str, content: Mapping[str, Any], *, reason: str | None = None, dry_run: bool = False
    ) -> ToolVersion:
        """Save a tool out of one mapping, as its file says it; see :meth:`save`.

        Args:
            name: What models call it.
            content: description, parameters, returns, is_idempotent, is_read_only, timeout_s, source, origin.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used.
        """
        check_name(name)
        for part in content:
            if part not in SAID:
                raise UsageError(did_you_mean("part of a tool", str(part), SAID))
        return self._kept(name, content_of(name, content), reason=reason, dry_run=dry_run)

    def read(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any] | builtins.list[Any],
        *,
        call: Callable[[str, Mapping[str, Any]], Any] | None = None,
        only: Sequence[str] | None = None,
        timeout_s: float = 30.0,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> pd.DataFrame:
        """Read tools that others describe, and save them: the list of an MCP server, or an OpenAPI document.

        Nothing is fetched. A name that providers do not take is made one, and ``called`` says what it was.

        Args:
            source: A file of JSON or YAML, or what it says: the answer of ``tools/list``, or OpenAPI 3.0 or 3.1.
            call: Makes the calls: a function, or a coroutine function, of what the tool is called there and its
                arguments. Without one they are registered, and nothing is bound to them.
            only: Only these, by their names or what they are called there.
            timeout_s: Most seconds for one attempt.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Returns:
            name, version, called (what it is called there), source, is_read_only, arguments (how many), is_new: a row a
            tool.

        Raises:
            UsageError: It cannot be read, has a name more than once, or a schema that leads out of it.
            NotFoundError: It has no tool that ``only`` names.
        """
        from lmops.base.frames import Frame

        described = chosen(read(source), only)
        known = set(self._names())
        refuse_lookalikes([one.name for one in described], known)
        bodies = [(one, content_of(one.name, {**one.content, "timeout_s": timeout_s})) for one in described]
        rows = []
        # All of them are kept, or none.
        with self._project.change(reason=reason, dry_run=dry_run) as change:
            inside = self._project.inside(change)
            for one, body in bodies:
                before = self._versions.newest(change.con, one.name)
                version = self._kept(one.name, body, reason=reason, within=inside)
                if call is not None and not dry_run:
                    self._put_in_use(Tool.calling(version, call, called=one.renamed or one.name))
                rows.append(
                    {
                        "name": one.name,
                        "version": version.version,
                        "called": one.renamed or one.name,
                        "source": version.source,
                        "is_read_only": version.is_read_only,
                        "arguments": len(version.parameters.get("properties", {})),
                        "is_new": version.version > before,
                    }
                )
        columns = ["name", "version", "called", "source", "is_read_only", "arguments", "is_new"]
        return Frame(rows, columns=columns)

    def offered(
        self, names: str | Sequence[str] | None = None, *, dialect: str = "openai"
    ) -> builtins.list[dict[str, Any]]:
        """Return tools as a provider is told of them: what goes into ``tools=`` of its client.

        Args:
            names: Names, or references such as "refund@2"; all that are bound here by default.
            dialect: "openai" (chat completions), "responses" (OpenAI's responses), each also with "_strict",
                "anthropic", "mcp".

        Raises:
            NotFoundError: There is no such tool.
            UsageError: There is no such dialect, or strict mode cannot say a schema.
        """
        wanted = sorted(self._bound) if names is None else [names] if isinstance(names, str) else [*names]
        return [dialects.offered(self._version(one), dialect) for one in wanted]

    # -- steps -------------------------------------------------------------------------------------------------------

    def _bind(self, name: str, function: Callable[..., Any], *, description: str | None, **said: Any) -> None:
        """Keep a function as a tool, and bind it."""
        check_name(name)
        if inspect.isclass(function) or not callable(function):
            raise UsageError(f"tool {name!r}: a tool is a function, not {plain_line(repr(function), 80)}")
        reason = said.pop("reason")
        signature = Signature(function, name)
        body = body_of(
            name,
            description=signature.description if description is None else description,
            parameters=signature.parameters,
            returns=signature.returns,
            is_made=True,
            **said,
        )
        version = self._kept(name, body, reason=reason)
        self._put_in_use(Tool(version=version, reading=signature, function=function))

    def _filing(self) -> ToolFiling:
        return ToolFiling(self._versions)

    def _put_in_use(self, tool: Tool) -> None:
        with self._binding:
            self._bound[tool.version.name] = tool

    def _kept(
        self,
        name: str,
        body: Mapping[str, Any],
        *,
        reason: str | None = None,
        dry_run: bool = False,
        within: Project | None = None,
    ) -> ToolVersion:
        """Return the version that has a content, saved where there is none and the store takes one."""
        project, digest = within or self._project, text_hash(self._filing().text(body))
        with project.reading() as con:
            refuse_lookalike(name, {*self._versions.names(con), *self._bound})
            if digest in self._versions.hashes(con, name):
                number = self._versions.resolve(con, self._versions.parse(f"{name}@{digest}"))
                return self._versions.load(con, name, number)
        if self.is_read_only:
            return ToolVersion(
                name=name, version=0, hash=digest, author=self._project.actor, created_at=self._project.now(), **body
            )
        with project.change(reason=reason, dry_run=dry_run) as change:
            return self._filing().put(change, name, body)[0]

    def _version(self, ref: str) -> ToolVersion:
        """Return a tool as it is bound here, else a version of the store."""
        bound = self._bound.get(ref)
        return self.get(ref) if bound is None else bound.version

    def _found(self, name: str) -> Tool | None:
        bound = self._bound.get(name)
        if bound is not None:
            return bound
        try:
            return Tool.unbound(self.get(check_name(name)))
        except (NotFoundError, UsageError):
            return None

    def _names(self) -> builtins.list[str]:
        with self._project.reading() as con:
            return sorted({*self._bound, *self._versions.names(con)})

    def _bound_version(self, name: str) -> int | None:
        """Return the version of a tool that is bound to a function here, None where none is."""
        bound = self._bound.get(name)
        return None if bound is None or bound.function is None else bound.version.version
