"""A long time under an even load: nothing is lost meanwhile, and nothing grows that should not."""
