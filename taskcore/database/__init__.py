"""Statements sent to PostgreSQL: connections, retries, and what a failure means."""
