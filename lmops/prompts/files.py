r"""One readable text file a prompt, and back without loss: YAML front matter, then the template.

    ---
    prompt: support-answer
    version: 3
    hash: sha256:5f2c...
    model: openai:gpt-5-mini
    params:
      temperature: 0
    ---
    <!-- role: system -->
    You are the help desk.
    <!-- role: user -->
    {{ question }}

A prompt that is one text has no role lines. A line of the text that looks like a role line gets a backslash in front.
The line end at the end of the file, and before a role line, belongs to the file and not to the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.prompts.content import Content, make
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIX: Final = ".prompt.md"
MAX_BYTES: Final = 2_000_000
_KEYS: Final = ("prompt", "version", "hash", "note", "author", "tags", "model", "params", "response_schema", "tools")
_FENCE: Final = "---"
_UNMERGED: Final = "line {} is a mark of a merge that is not resolved; resolve it first"
_ROLE: Final = re.compile(r"<!-- role: ([a-z]+) -->[ \t]*")
_ESCAPED: Final = re.compile(r"\\+<!-- role: [a-z]+ -->[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile:
    """What a file says."""

    name: str | None
    hash: str | None
    content: Content
    note: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the hash of the content that it has."""
        return self.content.hash


def dump(
    name: str,
    content: Content,
    *,
    version: int,
    note: str | None = None,
    author: str | None = None,
    tags: Sequence[str] = (),
) -> str:
    """Return a version as the text of its file."""
    import yaml

    head: dict[str, Any] = {"prompt": name, "version": version, "hash": content.hash}
    more = {
        "note": note,
        "author": author,
        "tags": list(tags),
        "model": content.model,
        "params": content.params,
        "response_schema": content.response_schema,
        "tools": content.tools,
    }
    head |= {key: value for key, value in more.items() if value is not None and value not in ([], {})}
    # Empty is not the same as not given.
    head |= {
        key: value
        for key, value in (("response_schema", content.response_schema), ("tools", content.tools))
        if value is not None
    }
    front = yaml.dump(head, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)
    if content.template is not None:
        body = _escaped(content.template)
    else:
        body = "\n".join(
            f"<!-- role: {message['role']} -->\n{_escaped(message['content'])}" for message in content.messages
        )
    return f"{_FENCE}\n{front}{_FENCE}\n{body}\n"


def load(text: str) -> PromptFile:
    """Return what the text of a file says; a file without front matter is all template.

    Raises:
        UsageError: It cannot be read; the message says what and where.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    head: dict[str, Any] = {}
    mark = _merge_mark(lines)
    if lines[0].rstrip() == _FENCE:
        end = next((place for place, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
        if end is None:
            raise UsageError(f"the front matter does not end: a second line {_FENCE!r} is missing")
        if mark and mark <= end:
            raise UsageError(_UNMERGED.format(mark))
        head = _front_matter("\n".join(lines[1:end]))
        lines = lines[end + 1 :]
    if lines and lines[-1] == "":
        lines.pop()
    tags = head.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise UsageError("front matter, tags: give a list of words")
    found = PromptFile(
        name=_word(head, "prompt"),
        hash=_word(head, "hash"),
        note=_word(head, "note"),
        tags=tuple(tags),
        content=make(
            _body(lines),
            model=_word(head, "model"),
            params=head.get("params"),
            response_schema=head.get("response_schema"),
            tools=head.get("tools"),
        ),
    )
    # A prompt about merges may hold such lines: it is then what the registry wrote.
    if mark and found.hash != found.content.hash:
        raise UsageError(_UNMERGED.format(mark))
    return found


def _merge_mark(lines: list[str]) -> int | None:
    """Return the line at which git left both sides of a merge."""
    starts = [place for place, line in enumerate(lines, start=1) if line.startswith("<<<<<<< ")]
    if starts and any(line.startswith(">>>>>>> ") for line in lines[starts[0] :]):
        return starts[0]
    return None


def _body(lines: list[str]) -> str | list[dict[str, str]]:
    """Return the template of a file: one text, or messages when it starts with a role line."""
    if not lines or not _ROLE.fullmatch(lines[0]):
        unexpected = next((place for place, line in enumerate(lines, start=1) if _ROLE.fullmatch(line)), None)
        if unexpected:
            raise UsageError(
                f"line {unexpected} of the template names a role and the first line does not: start with a role line, "
                "or put a backslash in front of it when it is text"
            )
        return _plain(lines)
    messages: list[tuple[str, list[str]]] = []
    for line in lines:
        match = _ROLE.fullmatch(line)
        if match:
            messages.append((match[1], []))
        else:
            messages[-1][1].append(line)
    return [{"role": role, "content": _plain(content)} for role, content in messages]


def _plain(lines: list[str]) -> str:
    return "\n".join(line[1:] if _ESCAPED.fullmatch(line) else line for line in lines)


def _escaped(text: str) -> str:
    return "\n".join(
        "\\" + line if _ROLE.fullmatch(line) or _ESCAPED.fullmatch(line) else line for line in text.split("\n")
    )


def _word(head: dict[str, Any], key: str) -> str | None:
    value = head.get(key)
    if value is None or isinstance(value, str):
        return value
    raise UsageError(f"front matter, {key}: {value!r} is {type(value).__name__}; write text, in quotes where needed")


def _front_matter(text: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader that refuses even more
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 2}" if error.problem_mark else ""
        raise UsageError(f"front matter{line}: {plain_line(error.problem, 200)}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"front matter: {plain_line(error, 200)}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UsageError("front matter: write 'key: value' lines")
    for key in found:
        if key not in _KEYS:
            raise UsageError("front matter: " + did_you_mean("key", str(key), _KEYS))
    return found


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
        """Plain data: no references (they can grow without bound), no key twice, no dates made of text."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.constructor.ConstructorError(None, None, "references (*name) are not read", mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002  # yaml's
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    problem = f"the key {plain_line(key.value, 60)!r} is there twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

    Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)
    return Loader


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
        """Readable: texts of several lines as blocks, no references."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # yaml's
            return True

    def text(dumper: Any, value: str) -> Any:
        lines = value.split("\n")
        # In quotes every character that is not printable is spelled out; elsewhere yaml takes some for line ends.
        is_plain = all(line.isprintable() for line in lines)
        is_block = is_plain and len(lines) > 1 and all(line == line.rstrip() for line in lines)
        return dumper.represent_scalar(
            "tag:yaml.org,2002:str", value, style="|" if is_block else None if is_plain else '"'
        )

    Dumper.add_representer(str, text)
    return Dumper
