"""A script: complete every open task whose title begins with a word.

pip install 'taskcore[embedded]'
python examples/script.py 42 Buy
"""

import sys

from taskcore.sync import TaskStore


def main(user_id: int, word: str) -> None:
    """Complete the tasks and print their titles."""
    with TaskStore() as store:
        tasks = store.for_user(user_id)
        for task in tasks.iterate(completed=False):
            if task.title.startswith(word):
                tasks.update(task.id, completed=True)
                print(task.title)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
