"""Input of commands: options, files, Ctrl-C, and questions at the terminal."""
