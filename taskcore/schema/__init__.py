"""The database's roles, tables, policies and functions, and how a database gets them."""
