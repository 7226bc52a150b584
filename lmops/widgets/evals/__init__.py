"""The eval explorer."""
