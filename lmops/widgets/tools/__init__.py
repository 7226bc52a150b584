"""The desk of calls that wait for somebody's yes."""
