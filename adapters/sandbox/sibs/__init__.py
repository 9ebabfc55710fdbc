"""The twin of the SIBS acquirer: configuration API, encrypted notifications, status inquiry."""
