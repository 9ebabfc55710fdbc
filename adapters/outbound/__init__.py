"""The dispatcher: everything that calls partners."""
