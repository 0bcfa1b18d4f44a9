"""One user's tasks."""
