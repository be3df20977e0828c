from dataclasses import replace

from serialfix.simulator.arm_request import Reply

from .test_arm import CONNECT, JSON, NOW, PORT, VM, ask, code, make


def test_what_stops_the_console() -> None:
    arm = make()
    arm.it.boot_diagnostics = False
    reply = ask(arm, CONNECT, "POST", headers=JSON)
    assert reply.body is not None
    assert (reply.status, reply.body["error"]["message"]) == (400, "Boot diagnostics settings for 'WEB01' is disabled")

    body = {"properties": {"diagnosticsProfile": {"bootDiagnostics": {"enabled": True}}}}
    assert ask(arm, VM, "PATCH", headers=JSON, body=body).status == 200
    assert ask(arm, CONNECT, "POST", headers=JSON).status == 200

    assert ask(arm, VM + "/powerOff", "POST").status == 202
    assert ask(arm, CONNECT, "POST", headers=JSON, now=NOW + 3).status == 200  # stopped passes, deallocated does not
    assert ask(arm, VM + "/deallocate", "POST", now=NOW + 3).status == 202
    reply = ask(arm, CONNECT, "POST", headers=JSON, now=NOW + 6)
    assert reply.body is not None
    assert reply.status == 400
    assert reply.body["error"]["message"] == (
        "The VM power state is deallocated. Azure Serial Console will not function when the VM is deallocated"
    )


def test_an_operation_is_long_running() -> None:
    arm = make(lasts=2.0)
    reply = ask(arm, VM + "/restart", "POST")
    assert reply.status == 202
    path, _, query = reply.headers["Azure-AsyncOperation"].removeprefix("https://127.0.0.1:1").partition("?")
    assert query.startswith("api-version=")
    again = ask(arm, VM + "/start", "POST", now=NOW + 1)
    assert (again.status, code(again)) == (409, "Conflict")
    for now, status in ((NOW + 1, "InProgress"), (NOW + 2, "Succeeded")):
        body = ask(arm, path, now=now).body
        assert body is not None
        assert body["status"] == status
    assert ask(arm, VM + "/start", "POST", now=NOW + 2).status == 202
    assert code(ask(arm, VM + "/restart")) == "HttpMethodNotAllowed"


def test_a_vm_that_is_off_cannot_restart() -> None:
    arm = make()
    ask(arm, VM + "/deallocate", "POST")
    assert code(ask(arm, VM + "/restart", "POST", now=NOW + 9)) == "OperationNotAllowed"
    assert ask(arm, VM + "/start", "POST", now=NOW + 9).status == 202


def test_the_serial_port_resource() -> None:
    arm = replace(make(), connected=lambda: True)
    body = ask(arm, PORT).body
    assert body is not None
    assert body["properties"] == {"state": "enabled", "connectionState": "active"}
    assert ask(arm, PORT, "PUT", headers=JSON, body={"properties": {"state": "disabled"}}).status == 201
    assert ask(arm, CONNECT, "POST", headers=JSON).status == 409
    assert code(ask(arm, PORT, "PUT", headers=JSON, body={"properties": {"state": "sideways"}})) == "BadRequest"


def test_connect_needs_its_content_type_and_the_answer_varies() -> None:
    seen = set()
    for seed in range(30):
        for headers in ({}, {"content-type": "application/octet-stream"}):
            reply = ask(make(seed), CONNECT, "POST", headers=headers)
            seen.add((reply.status, code(reply)))
    assert seen == {(415, "UnsupportedMediaType"), (400, "BadRequest")}


def test_connect_gives_a_connection_string() -> None:
    assert ask(make(), CONNECT, "POST", headers=JSON) == Reply(200, {"connectionString": "wss://127.0.0.1:1/x/client"})
