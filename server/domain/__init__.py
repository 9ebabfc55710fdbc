"""Only thinks: things, facts and a time in; the new thing and what happened out, or a refusal."""
