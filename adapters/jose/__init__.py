"""What partners and we sign and encrypt: the only room of the gateway that knows JOSE."""
