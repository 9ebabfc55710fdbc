"""The keys of the core: what seals, signs and hashes. The only room that knows cryptography."""
