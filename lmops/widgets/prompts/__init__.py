"""What changed in a prompt, how versions behaved, and the playground."""
