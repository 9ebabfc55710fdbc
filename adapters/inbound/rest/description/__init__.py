"""The API described: `/openapi.json` and `/docs`, made of the routes, the protos' descriptors, comments and rules.

Made when somebody first asks; serving the API itself needs nothing of it.
"""
