import json

import lmops
from lmops import models, standin
from lmops.base.chat import Message, ToolCall, Usage
from lmops.standin import ChatRequest, chat_model


def test_a_message_a_call_and_usage_are_each_one_thing():
    """The stand-in, the models and the traces speak of messages, calls of tools and tokens in the same records."""
    assert models.ToolCall is standin.ToolCall is ToolCall
    assert models.Usage is standin.Usage is Usage
    assert standin.Message is Message


def test_an_answer_that_asks_for_a_tool_is_handed_on_as_it_is():
    """What the stand-in asks for and has used up is what the completion says, in the same records."""
    ws = lmops.open(":memory:")
    tools = [{"type": "function", "function": {"name": "timetable", "parameters": {"type": "object"}}}]
    asked = [
        {"role": "system", "content": "Use the tools"},
        {"role": "user", "content": "When do ferries leave from Port Ellery to Skarholm on Monday?"},
    ]
    done = ws.models.complete("standin:ferry-1", asked, tools=tools)
    assert done.tool_calls
    assert all(type(call) is ToolCall and json.loads(call.arguments) for call in done.tool_calls)
    assert type(done.usage) is Usage


def test_the_stand_in_answers_as_it_always_did():
    """The answer to a request does not hang on how its records are written down: ids are those of the first release."""
    call = ToolCall(id="call_1", name="timetable", arguments="{}")
    told = Message(role="tool", content='{"error": "closed"}', tool_call_id="call_1")
    messages = (
        Message(role="system", content="Use the tools"),
        Message(role="user", content="\u00dc?"),
        Message(role="assistant", tool_calls=(call,)),
        told,
    )
    request = ChatRequest(model="ferry-1", messages=messages, tools=("timetable",), seed=7)
    assert chat_model("standin:ferry-1").complete(request).id == "chatcmpl-b00842065deac7ac7ae6"
    single = ChatRequest(model="rewrite-1", messages=(Message(role="user", content="de: F\u00e4hre"),))
    assert chat_model("standin:rewrite-1").complete(single).id == "chatcmpl-aa23e2de6b588b7e8f90"
