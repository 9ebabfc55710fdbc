"""The twin of D1's own API: its token endpoint and the details of tokens."""
