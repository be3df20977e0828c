"""PowerShell's tables and lists of certificates."""

import pytest

from serialfix.steps import Unreadable
from serialfix.windows.certificate_list import Certificate, read, store
from serialfix.windows.paste import Paste

A, B = "FEE449EE0E3965A5246F000E87FDE2A065FD89D4", "109F1CAED645BB78B3EA2B94C0697C740733031C"
TABLE = "Thumbprint                                Subject\n----------                                -------\n"


def found(text: str) -> tuple[Certificate, ...]:
    return read(Paste.of(text))[0]


def test_a_table_with_an_empty_and_a_cut_subject() -> None:
    rows = found(f"{TABLE}{A}\n{B}  CN=a, O=b c, L=…\n")
    assert [(one.subject, one.subject_cut) for one in rows] == [("", False), ("CN=a, O=b c, L=…", True)]


def test_usages_of_version_7_may_go_on_below() -> None:
    heading = (
        "Thumbprint                                Subject              EnhancedKeyUsageList\n"
        "----------                                -------              --------------------\n"
    )
    assert found(f"{heading}{A}  CN=DART              {{客户端身份验证, 服务器身份验证}}\n")[0].usages == (
        "客户端身份验证",
        "服务器身份验证",
    )
    rows = found(
        f"{heading}{A}  CN=DART              {{Client Authentication, Server\n{'':63}Authentication}}\n{B}  CN=x\n"
    )
    assert [(one.thumbprint, one.usages) for one in rows] == [
        (A, ("Client Authentication", "Server Authentication")),
        (B, None),
    ]


def test_other_columns_in_another_order() -> None:
    text = (
        "NotAfter            Thumbprint                               Subject\n"
        "--------            ----------                               -------\n"
        f"03.08.2025 10:11:12 {A} CN=vm1\n"
    )
    assert [(one.thumbprint, one.not_after, one.subject) for one in found(text)] == [
        (A, "03.08.2025 10:11:12", "CN=vm1")
    ]


@pytest.mark.parametrize("width", [66, 79, 80, 88, 120])
def test_lists_broken_by_the_width(width: int) -> None:
    subject = (
        "CN=vm1.contoso.example, OU=a very long name of a unit in the company, O=Contoso AG, L=Wien, S=X, C=AT" * 2
    )
    pieces = [subject[at : at + width - 15] for at in range(0, len(subject), width - 15)]
    value = f"\n{'':15}".join(piece.rstrip() for piece in pieces)
    text = (
        f"Subject      : {value}\nThumbprint   : {A}\nHasPrivateKey : True\nNotAfter     : 03.08.2025 10:11:12\n"
        f"DnsNameList  : {{vm1, vm2}}\n\nSubject      : CN=x\nThumbprint   : {B}\n"
    )
    first, second = found(text)
    assert (first.thumbprint, first.private_key, first.dns) == (A, True, ("vm1", "vm2"))
    assert first.subject == subject
    assert (second.thumbprint, second.subject, second.private_key) == (B, "CN=x", None)


def test_a_list_without_a_whole_thumbprint_is_said() -> None:
    certificates, unread = read(Paste.of(f"Thumbprint : {A}\n\nThumbprint : {B[:30]}\nSubject : CN=x\n"))
    assert [one.thumbprint for one in certificates] == [A]
    assert {item.why for item in unread} == {"a certificate without a whole thumbprint"}


def test_masked_thumbprints_are_none() -> None:
    certificates, unread = read(Paste.of(f"{TABLE}{'X' * 40}  CN=a\n"))
    assert (certificates, len(unread)) == ((), 1)


@pytest.mark.parametrize("label", ["PSParentPath", "Directory", "Verzeichnis"])
def test_the_store_is_named_above(label: str) -> None:
    text = f"   {label}: Microsoft.PowerShell.Security\\Certificate::LocalMachine\\My\n\n{TABLE}"
    assert store(Paste.of(text)) == "LocalMachine\\My"
    assert store(Paste.of(text + text.replace("\\My", "\\CA"))) is None


def test_an_answer_without_certificates_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        found("Get-ChildItem : Cannot find path")
