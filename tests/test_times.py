"""Times: exact both ways, in UTC, and refused in words."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.errors import UsageError
from lmops.times import from_ns, to_ns


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 - with a zone each
def test_a_time_comes_back_as_it_was_stored(moment):
    """No microsecond is lost on the way through the store, before 1970 or after 2100, in any zone."""
    assert from_ns(to_ns(moment)) == moment.astimezone(UTC)


@pytest.mark.parametrize("text", ["2026-01-31T14:30:00Z", "2026-01-31 14:30", " 2026-01-31T15:30:00+01:00 "])
def test_text_without_a_zone_is_utc(text):
    """ISO texts with and without a zone name the same moment."""
    assert from_ns(to_ns(text)) == datetime(2026, 1, 31, 14, 30, tzinfo=UTC)


def test_what_is_no_time_is_refused_with_how_to_write_one():
    """The message shows what was given, safe to print, and what would work."""
    with pytest.raises(UsageError, match=r"'yesterday\[U\+001B\]' is not a time; write it as 2026-01-31"):
        to_ns("yesterday\x1b")
