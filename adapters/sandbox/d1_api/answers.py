"""D1's error bodies."""

from starlette.responses import JSONResponse, Response

INVALID, MISSING = "INVALID_FIELD", "MISSING_FIELD"


class CallRefused(Exception):
    """The call is answered with an error."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text

    def answer(self) -> Response:
        """401 has no body, as D1's."""
        if self.status == 401:
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        return JSONResponse({"error": self.code, "message": self.text}, self.status)
