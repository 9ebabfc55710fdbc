"""Where everything is kept: SQLAlchemy Core on SQLite and PostgreSQL, one writer that commits in groups."""
