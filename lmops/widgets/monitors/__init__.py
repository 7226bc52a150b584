"""The monitors on a page."""
