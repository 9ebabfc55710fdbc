"""The rules of the house, each shown to hold, and where it can be, to be noticed when broken."""
