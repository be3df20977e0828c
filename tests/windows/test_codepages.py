"""The encoding of a paste is found from its bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Unreadable
from serialfix.windows.codepages import decode

TEXTS = {
    "de": "Lokale Adresse   ABHÖREN\nÜberprüfung für Größe, Zertifikat gültig bis, Nächste Schritte\n",
    "fr": "Connexions actives  État\nImpossible d'obtenir les informations de propriétaire, clé privée à vérifier\n",
    "es": "Dirección local   Dirección remota\nNo se puede obtener información de propiedad, señal, año\n",
    "pt": "Conexões ativas  Endereço local\nNão é possível obter informações\n",
    "ru": "Активные подключения\n  Имя    Локальный адрес        Внешний адрес          Состояние       PID\n",
    "zh": "活动连接\n  协议  本地地址          外部地址        状态           PID\n无法获取所有权信息\n",
    "ja": "アクティブな接続\n  プロトコル  ローカル アドレス  外部アドレス  状態\n所有者情報を取得できません\n",
    "ko": "활성 연결\n  프로토콜  로컬 주소              외부 주소              상태            PID\n",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("de", "cp850"),
        ("de", "cp1252"),
        ("fr", "cp850"),
        ("fr", "cp1252"),
        ("es", "cp850"),
        ("es", "cp1252"),
        ("pt", "cp850"),
        ("ru", "cp866"),
        ("ru", "cp1251"),
        ("zh", "cp936"),
        ("ja", "cp932"),
        ("ko", "cp949"),
        *((language, encoding) for language in TEXTS for encoding in ("utf-8", "utf-16-le", "utf-16-be")),
    ],
)
def test_each_page_is_recognised_by_the_words_it_makes(language: str, encoding: str) -> None:
    text = "  TCP    0.0.0.0:3389           0.0.0.0:0              LISTENING       1044\n" * 10 + TEXTS[language]
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_decides_and_is_no_text(encoding: str) -> None:
    assert decode(TEXTS["ja"].encode(encoding)).text == TEXTS["ja"]


def test_utf8_cut_inside_a_letter_is_still_utf8() -> None:
    decoded = decode("ABHÖREN ABHÖ".encode()[:-1])
    assert (decoded.encoding, decoded.text) == ("utf-8", "ABHÖREN ABH\ufffd")


def test_bytes_that_make_no_sense_are_marked() -> None:
    assert decode(b"TCP a\xb0b\xb1c\xb2d \xf7 0.0.0.0:1").encoding.endswith("?")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n \x00"])
def test_nothing_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match="no text"):
        decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_become_text(data: bytes) -> None:
    try:
        decoded = decode(data)
    except Unreadable:
        assert not data.strip(b"\x00 \t\r\n\xef\xbb\xbf\xfe\xff")
    else:
        decoded.text.encode("utf-8")
