"""Who is asking: the user of a request."""
