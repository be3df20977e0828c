import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import sids
from serialfix.simulator.sids import UnknownAccount

ACCOUNTS = {"S-1-5-21-1-2-3-500": "ops"}


def test_a_services_sid_is_the_measured_one() -> None:
    # rdp-repair.md 0.2 gives it, read from a live machine
    measured = "S-1-5-80-4022436659-1090538466-1613889075-870485073-3428993833"
    assert sids.service_sid("sessionenv") == measured
    assert sids.name_of(measured, {}, "WEB01") == r"NT SERVICE\SessionEnv"


@given(st.sampled_from([*sids.NAMES, *sids.SERVICE_NAMES, *ACCOUNTS]))
def test_names_and_sids_go_both_ways(sid: str) -> None:
    name = sids.name_of(sid, ACCOUNTS, "WEB01")
    assert sids.sid_of(name, ACCOUNTS, "WEB01") == sid
    assert sids.sid_of(name.swapcase(), ACCOUNTS, "WEB01") == sid
    assert sids.sid_of("*" + sid, {}, "") == sid


def test_an_unknown_name_is_an_error_and_an_unknown_sid_its_own_name() -> None:
    with pytest.raises(UnknownAccount):
        sids.sid_of("VORDEFINIERT\\Administratoren", ACCOUNTS, "WEB01")
    assert sids.name_of("S-1-5-21-9-9-9-1001", ACCOUNTS, "WEB01") == "S-1-5-21-9-9-9-1001"


def test_tokens() -> None:
    assert sids.LOCAL_SYSTEM.is_system
    assert sids.SESSION_ENV.is_system
    assert not sids.administrator("S-1-5-21-1-2-3-500", "x").is_system
    assert sids.NETWORK_SERVICE in sids.TERM_SERVICE.sids
    assert sids.ADMINISTRATORS not in sids.TERM_SERVICE.sids
