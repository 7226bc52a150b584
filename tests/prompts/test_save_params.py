"""What a prompt or a judge is saved with is questioned at once, not when it is called first."""

import pytest

from lmops import scorers
from lmops.errors import UsageError


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"temp": 0}, "did you mean 'temperature'"),
        ({"max_token": 5}, "did you mean 'max_tokens'"),
        ({"Temperature": 0}, "did you mean 'temperature'"),
        ({"topp": 0.5}, "did you mean 'top_p'"),
        ({"stream": True}, "call stream"),
        ({"messages": []}, "the second argument"),
        ({"n": 3}, "one call gives one answer"),
    ],
)
def test_a_parameter_that_looks_misspelt_is_refused_at_the_save(ws, params, says):
    """With the one that is meant."""
    with pytest.raises(UsageError, match=says):
        ws.prompts.save("p", "Hi {{ name }}", params=params)
    with pytest.raises(UsageError, match=says):
        scorers.judge("j", "is right", model="m", params=params)
    assert ws.prompts.list().empty


def test_parameters_of_other_endpoints_are_kept(ws):
    """And what stands in extra_body is nobody's business."""
    params = {"top_k": 5, "my_own": 1, "extra_body": {"temp": 0}}
    assert ws.prompts.save("p", "Hi", params=params).params == params


@pytest.mark.parametrize("template", ["Hi {{ self }}", "{{ self.name }}", "{% if self %}x{% endif %}"])
def test_a_name_of_the_template_language_is_refused_at_the_save(ws, template):
    """It could never be given."""
    with pytest.raises(UsageError, match="'self' belongs to the template language"):
        ws.prompts.save("p", template)
