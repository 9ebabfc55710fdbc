"""What an assertion says, and which paths can be that of a token's details."""

from typing import Any

import pytest

from server.domain.d1_accounts import DEFAULT_DETAILS_PATH, DEFAULT_TOKEN_PATH, D1Api, DetailsFields, path_problem

NOW_S = 1_764_000_000


def api(**stated: Any) -> D1Api:
    given = {"issuer": "", "subject": "", "audience": "", "assertion_life": 900, **stated}
    return D1Api(
        base_url="https://d1.example",
        token_path=DEFAULT_TOKEN_PATH,
        key_id="k",
        token_details_path=DEFAULT_DETAILS_PATH,
        token_details_fields=DetailsFields(),
        **given,
    )


def test_an_assertion_is_from_the_past_and_not_good_for_longer_than_d1_takes() -> None:
    claims = api().claims("MGW_000001", NOW_S * 1_000_000 + 999_999, "id-1")
    assert claims == {"iss": "MGW_000001", "iat": NOW_S - 10, "exp": NOW_S + 890, "jti": "id-1"}


def test_what_is_stated_is_said() -> None:
    claims = api(issuer="i", subject="s", audience="a", assertion_life=60).claims("MGW_000001", 0, "id-1")
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("i", "s", "a")
    assert int(claims["exp"]) - int(claims["iat"]) == 60


@pytest.mark.parametrize(
    "path", [DEFAULT_DETAILS_PATH, "/{tokenId}", "/v1/tokens/{tokenId}:details", "/a/{merchantId}.{tokenId}/b"]
)
def test_a_path_with_the_token_in_it_will_do(path: str) -> None:
    assert path_problem(path) == ""


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/tokens", "{tokenId}", "//{tokenId}", "/{tokenId}/", "/./{tokenId}", "/{tokenId}/.."),
        *("/{tokenId}?x=1", "/{tokenId}#x", "/%2e/{tokenId}", "/a b/{tokenId}", "/{tokenId}/{other}", "/{}/{tokenId}"),
        *("/{tokenId}/{", "/{tokenId[0]}/{tokenId}", "https://x/{tokenId}", "/ü/{tokenId}", "/{tokenId}\n"),
    ],
)
def test_any_other_will_not(path: str) -> None:
    assert path_problem(path)
