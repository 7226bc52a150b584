"""What every widget shares: the skin, its messages, lists, keys and static forms."""
