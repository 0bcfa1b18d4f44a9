"""``taskctl``: the task store for administrators and scripts."""
