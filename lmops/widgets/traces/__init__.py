"""The trace browser."""
