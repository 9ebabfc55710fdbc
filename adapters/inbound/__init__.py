"""The gateway: everything that partners and OAuth clients call over HTTP."""
