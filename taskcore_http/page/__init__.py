"""The page: a user's tasks in a browser, over the public REST API."""
