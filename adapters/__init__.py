"""Everything that speaks HTTP to the outside: gateway, dispatcher, the partners' local twins and the command."""
