"""Load, decide, save: one function per RPC."""
