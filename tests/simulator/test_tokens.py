import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.tokens import AUDIENCE, Tokens, basic_login, grant

TOKENS = Tokens("11111111-2222-4333-8444-555555555555")
NOW = 1_795_000_000.0


def test_a_token_has_the_shape_and_claims_of_an_arm_token() -> None:
    header, claims, signature = TOKENS.issue("azureuser", NOW).split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"typ": "JWT", "alg": "HS256"}
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert read["aud"] == AUDIENCE == "https://management.azure.com/"
    assert read["exp"] - read["iat"] == 3600
    assert read["tid"] == TOKENS.tenant
    assert signature


@given(st.floats(0, 3599), st.floats(3600, 1e6))
def test_it_is_good_for_an_hour(within: float, after: float) -> None:
    token = TOKENS.issue("u", NOW)
    assert TOKENS.trouble(token, NOW + within) is None
    assert TOKENS.trouble(token, NOW + after) == "expired"


@given(st.data())
def test_any_change_of_a_token_is_noticed(data: st.DataObject) -> None:
    token = TOKENS.issue("u", NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != token[at]))
    assert TOKENS.trouble(token[:at] + letter + token[at + 1 :], NOW) == "invalid"


@given(st.text(max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    assert TOKENS.trouble(text, NOW) == ("invalid" if text else "missing")


def test_another_simulators_token_is_good_only_with_any_token() -> None:
    foreign = Tokens("other").issue("u", NOW)
    assert TOKENS.trouble(foreign, NOW) == "invalid"
    assert Tokens("mine", any_token=True).trouble(foreign, NOW + 1e9) is None


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password", "username": "azureuser", "password": "pa ss&="},
        {"grant_type": "password", "username": "AzureUser", "password": "pa ss&="},
        {"grant_type": "client_credentials", "client_id": "azureuser", "client_secret": "pa ss&="},
    ],
)
def test_the_announced_login_gets_a_token(form: dict[str, str]) -> None:
    status, body = grant(TOKENS, form, "azureuser", "pa ss&=", NOW)
    assert (status, body["token_type"], body["expires_in"]) == (200, "Bearer", 3600)
    assert TOKENS.trouble(body["access_token"], NOW) is None


@given(st.dictionaries(st.sampled_from(["grant_type", "username", "password", "client_id"]), st.text(max_size=12)))
def test_every_other_form_is_refused(form: dict[str, str]) -> None:
    status, body = grant(TOKENS, form, "azureuser", "right", NOW)
    assert status == 400
    assert body["error"] in {"invalid_grant", "unsupported_grant_type"}
    assert body["error_description"]
    assert "access_token" not in body


def test_a_wrong_password_is_an_invalid_grant() -> None:
    form = {"grant_type": "password", "username": "azureuser", "password": "Right"}
    assert grant(TOKENS, form, "azureuser", "right", NOW)[1]["error"] == "invalid_grant"


def test_a_basic_header_is_read() -> None:
    assert basic_login("Basic " + base64.b64encode(b"user:pa:ss").decode()) == ("user", "pa:ss")
    assert basic_login("Basic ?") is None
    assert basic_login("Bearer x") is None
