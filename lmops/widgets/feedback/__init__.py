"""The views of feedback."""
