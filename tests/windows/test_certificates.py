"""certutil -store: fields by their order, in every language; a certificate without its hash is not reported."""

import pytest

from serialfix.steps import Unreadable
from serialfix.windows.certificates import parse, read_paste
from tests.windows.samples import failed, good, partial

HASH = "2f02901dcff083ed3dbb6cb0a15bbfee6002b1a8"
UNIQUE = "f686aace6942fb7f7ceb231212eef4a4_7989b711-2e3f-4107-9aae-fb8df2e3b958"
LABELS = {
    "en": "Certificate|Serial Number:|Issuer:|NotBefore:|NotAfter:|Subject:|Cert Hash(sha1):"
    "|Key Container|Unique container name:|Provider",
    "de": "Zertifikat|Seriennummer:|Aussteller:|Nicht vor:|Nicht nach:|Antragsteller:|Zertifikathash(sha1):"
    "|Schlüsselcontainer|Eindeutiger Containername:|Anbieter",
    "fr": "Certificat|Numéro de série\xa0:|Émetteur\xa0:|NotBefore\xa0:|NotAfter\xa0:|Objet\xa0:"
    "|Hach. cert. (sha1)\xa0:|Conteneur de clé|Nom de conteneur unique\xa0:|Fournisseur",
    "zh": "证书|序列号:|颁发者:|NotBefore:|NotAfter:|使用者:|证书哈希(sha1):|密钥容器|唯一容器名称:|提供程序",
}


def entry(language: str = "en", number: int = 0, shown: str = HASH, key: bool = True) -> str:
    title, serial, issuer, before, after, subject, sha1, container, unique, provider = LABELS[language].split("|")
    lines = [
        f"================ {title} {number} ================",
        f"{serial} 1d2e3f",
        f"{issuer} CN=ca, DC=contoso, DC=example",
        f" {before} 01.02.2025 10:11",
        f" {after} 03.08.2025 10:11",
        f"{subject} CN=vm1.contoso.example",
        f"{sha1} {shown}",
    ]
    if key:
        lines += [
            f"  {container} = TSSecKeySet1",
            f"  {unique} {UNIQUE}",
            f"  {provider} = Microsoft Software Key Storage Provider",
        ]
    return "\n".join(lines) + "\n"


END = "CertUtil: -store command completed successfully.\n"


@pytest.mark.parametrize("language", LABELS)
def test_fields_by_their_order(language: str) -> None:
    found = read_paste(f'my "Personal"\n{entry(language)}{END}')
    one = found.certificates[0]
    assert (one.thumbprint, one.serial, one.issuer) == (HASH, "1d2e3f", "CN=ca, DC=contoso, DC=example")
    assert (one.subject, one.not_before, one.not_after) == (
        "CN=vm1.contoso.example",
        "01.02.2025 10:11",
        "03.08.2025 10:11",
    )
    assert (one.private_key, one.container, one.unique_container) == (True, "TSSecKeySet1", UNIQUE)
    assert (found.store, found.unread) == ("my", ())


def test_the_hash_of_windows_7_is_in_pairs() -> None:
    assert read_paste(entry(shown=bytes.fromhex(HASH).hex(" "))).certificates[0].thumbprint == HASH


def test_no_container_is_not_the_same_as_no_key() -> None:
    assert read_paste(entry(key=False)).certificates[0].private_key is None
    assert read_paste(entry(key=False) + "Missing stored keyset\n").certificates[0].private_key is False


@pytest.mark.parametrize("shown", ["XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", HASH[:-1], HASH + "0", ""])
def test_a_certificate_without_its_hash_is_said(shown: str) -> None:
    found = read_paste(entry(number=0) + entry(number=1, shown=shown) + END)
    assert len(found.certificates) == 1
    assert any("without its (sha1) hash" in item.why for item in found.unread)


def test_a_lost_line_leaves_the_order_unknown() -> None:
    text = "\n".join(line for line in entry().split("\n") if "NotBefore" not in line)
    one = read_paste(text).certificates[0]
    assert (one.thumbprint, one.subject, one.not_after) == (HASH, None, None)


def test_hashes_of_names_and_keys_are_not_the_certificate_s() -> None:
    other = "aa" * 20
    text = entry().replace("Cert Hash", f"  Name Hash(sha1): {other}\nKey Id Hash(sha1): {other}\nCert Hash")
    assert [one.thumbprint for one in read_paste(text).certificates] == [HASH]


def test_failures_and_empty_stores() -> None:
    refused = read_paste("CertUtil: -store command FAILED: 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)\n")
    assert (refused.certificates, len(refused.errors)) == ((), 1)
    empty = read_paste(f'Remote Desktop "Remotedesktop"\n{END}')
    assert (empty.certificates, empty.errors, empty.store) == ((), (), "Remote Desktop")


def test_the_strict_form_reads_exact_output_only() -> None:
    text = f'my "Personal"\n{entry()}{END}'
    assert parse(good(text))[0].thumbprint == HASH
    for wrong in (
        good("noise\n" + text),
        failed(text),
        partial(text),
        good(""),
        good("CertUtil: FAILED: 0x80070005\n"),
    ):
        with pytest.raises(Unreadable):
            parse(wrong)
