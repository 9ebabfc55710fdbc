"""The command `mintmark`: a client of the gRPC API, and what starts and watches the roles."""
