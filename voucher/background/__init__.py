"""Work that nobody asks for: the registry of jobs, and the thread that runs them beside gunicorn where the database is SQLite."""
