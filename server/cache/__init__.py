"""The cache: token and binding views in Redis or in memory. Losing it, or its lies, cost nothing but speed."""
