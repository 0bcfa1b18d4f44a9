"""Authentication: the caller of a request, and the verification of tokens."""
