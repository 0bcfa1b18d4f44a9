"""Output of commands: fields, lists, JSON, and progress bars."""
