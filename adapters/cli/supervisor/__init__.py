"""`mintmark serve`: one subprocess per role, watched, restarted, and ended with it."""
