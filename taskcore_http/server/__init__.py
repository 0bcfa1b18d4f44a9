"""Additions to uvicorn: protocol classes, deadlines and log filters."""
