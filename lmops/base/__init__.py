"""The ground: what every room stands on and nobody has of its own."""
