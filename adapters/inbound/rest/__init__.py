"""REST for internal services: every public RPC at `/v1/...`, and the document that describes it.

routes.py says which RPC is where; everything else follows from the protos. The caller's own access token goes to the
core's public listener, which decides; the gateway's own identity is never used here.
"""
