"""The partners' local twins. Part one: Thales D1 and its TSH, as they call us."""
