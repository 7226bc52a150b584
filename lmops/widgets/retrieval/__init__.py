"""The view of retrieval: two rankings side by side."""
