"""What a call to an issuer's own system may come to besides an answer.

DirectoryFailure       a Problem: D1 is told so
  DirectoryNotFound    404: the issuer's system says that there is none
  DirectoryForbids     403: it may not be told
  DirectoryUnavailable 503: everything else; D1 may ask again
"""

from adapters.inbound.problems import FORBIDDEN, NOT_FOUND, Problem, unavailable


class DirectoryFailure(Problem):
    """No answer that D1 could be told. Endpoints may let it pass."""


class DirectoryNotFound(DirectoryFailure):
    """There is none."""

    def __init__(self) -> None:
        super().__init__(NOT_FOUND)


class DirectoryForbids(DirectoryFailure):
    """It may not be told."""

    def __init__(self) -> None:
        super().__init__(FORBIDDEN)


class DirectoryUnavailable(DirectoryFailure):
    """It was not asked, did not answer in time, failed, or answered what cannot be."""

    def __init__(self) -> None:
        super().__init__(unavailable("The issuer's system does not answer right now; try again"))
