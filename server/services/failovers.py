"""A restore or a failover under a core that runs: money stands still within a second, as it does after a restart."""

from collections.abc import Callable

from server.services import restores
from server.services.payment_house import PaymentHouse
from server.services.restores import Known

LOOK_S = 1.0


class Failovers:
    """The steward's chore: one core holds the accounts and puts in doubt what could have been sent; the others follow.

    `known` tells what this core knows of the history from outside of the database, `renew` makes this core forget what
    it remembers of an earlier one.
    """

    name = "failovers"
    interval = LOOK_S

    def __init__(
        self,
        house: PaymentHouse,
        known: Callable[[], Known],
        new_generation: Callable[[], str],
        renew: Callable[[], None],
    ) -> None:
        self._house = house
        self._known = known
        self._new_generation = new_generation
        self._renew = renew

    def wanted(self) -> bool:
        # Before the head is read: what is reached meanwhile is no fall.
        known = self._known()
        view = self._house.store.view
        generation, _, head = view.head()
        if restores.fell_back(known, generation, head):
            return True
        if generation != self._house.store.generation:
            # Another core was here first.
            self._renew()
        kept, present = view.database_identities()
        return restores.moved(kept, present)

    def step(self) -> bool:
        known = self._known()
        generation, _, head = self._house.store.view.head()
        if restores.check(self._house, known, generation, head, self._new_generation()):
            self._renew()
        return False
