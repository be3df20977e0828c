r"""Bytes of a pasted or redirected output to text: which encoding they are in.

Source: output-formats.md, head and "Distortions seen" 1: captures are UTF-8, UTF-16LE with BOM (``>`` of Windows
PowerShell) or an OEM page (``>`` of cmd; seen: 850, 866, 936, 1252). Which letters a page makes of a byte is Python's
own table; which page it was is told by which of them makes words (common knowledge).

>>> decode("Connexions actives\n  Proto  Adresse locale         Adresse distante       État\n".encode("cp850"))
Decoded(text='Connexions actives\n  Proto  Adresse locale         Adresse distante       État\n', encoding='cp850')
>>> decode("Активные подключения\n".encode("cp866")).encoding
'cp866'
"""

import codecs
import unicodedata
from dataclasses import dataclass

from serialfix.steps import Unreadable

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# In the order of preference where two pages make equally good words of the bytes.
_PAGES = ("cp850", "cp1252", "cp866", "cp1251", "cp936", "cp932", "cp949", "cp950", "cp852", "cp1250")
_SAMPLE = 4000
_WESTERN = frozenset("àâäãáåæçéèêëíìîïñóòôöõøœúùûüýÿßÄÖÜÀÂÁÃÅÆÇÉÈÊÍÎÑÓÔÕØÚÛ")
_CENTRAL = frozenset("ąćęłńśźżčďěňřšťůžőűĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽŐŰ")
# The most frequent characters of Chinese text and of Windows' own words: Korean bytes make other ones.
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能子那得于着下自之年过发后作里用道行所然家种事成方"
    "多经法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日者意无力它与长把机第公此已工使情明性知全三"
    "又关点正业外将两高间由问很最重并物手应向头文体相见被利什二等产或新制身果加合回特代内信表化位次度门任常先通原提立及比员"
    "解名处入条系题活更别数安报结反目太量再建务做接件计管期直资命指统区保形空则听路记类求据程取权设式完网络络适配器连协议址"
    "服册卡蓝牙线宽带电脑远桌证书键值状态端口进映像称暂缺错误找项"
)
_MARKS = frozenset("\xa0’‘“”«»–—…©®°·ºª¿¡§，。：；、（）「」・ー")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, and the encoding it was in. ``encoding`` ends with "?" where no encoding makes sense of the bytes."""

    text: str
    encoding: str


def decode(data: bytes) -> Decoded:
    """Find the encoding of ``data`` and decode it: byte order mark, UTF-16 without one, UTF-8, then OEM and ANSI pages.

    Bytes that no encoding explains are decoded as cp850 all the same, because what Windows' commands say in a language
    of its own is ASCII in every page; the encoding then ends with "?". Raises Unreadable for input without any text.
    """
    decoded = _decode(data)
    if not decoded.text.strip("\x00 \t\r\n\ufeff"):
        raise Unreadable("there is no text in it")
    return decoded


def _decode(data: bytes) -> Decoded:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _tolerant(data[len(mark) :], encoding)
    for encoding, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[0::2])):
        # Most of what Windows prints is ASCII, so every second byte of UTF-16 is 0; in any other encoding none is.
        if len(data) >= 8 and zeros.count(0) * 2 > len(zeros):
            return _tolerant(data, encoding)
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return Decoded(data.decode("utf-8", "replace"), "utf-8")
    best, page = max(((_score(data, page), page) for page in _PAGES), key=lambda pair: pair[0])
    return Decoded(data.decode(page, "replace"), page) if best > 0 else Decoded(data.decode("cp850"), "cp850?")


def _tolerant(data: bytes, encoding: str) -> Decoded:
    text = data.decode(encoding, "replace")
    return Decoded(text, encoding if "\ufffd" not in text else f"{encoding}?")


def _score(data: bytes, page: str) -> float:
    """How much the characters that are not ASCII look like words: at most 1 for each, negative for rubbish."""
    sample = b"\n".join(line for line in data.split(b"\n") if not line.isascii())[:_SAMPLE]
    text = sample.decode(page, "replace")
    total = count = 0.0
    for before, letter, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if not letter.isascii():
            count += 1
            total += _plausible(before, letter, after)
    return total / count if count else -1.0


def _plausible(before: str, letter: str, after: str) -> float:
    if letter in _MARKS:
        return 0.3
    if not letter.isalpha():
        return -2.0
    if letter.isupper() and before.islower():
        return -2.0
    script = _script(letter)
    neighbours = {_script(other) for other in (before, after) if other.isalpha()}
    if script == "latin":
        good = 0.9 if letter in _WESTERN else 0.5 if letter in _CENTRAL else -1.0
        return good if neighbours <= {"latin"} else -1.0
    if script == "cyrillic":
        return 1.0 if neighbours == {"cyrillic"} else 0.0 if not neighbours else -1.0
    if script == "kana":
        return 1.0 if unicodedata.east_asian_width(letter) == "W" else -1.0
    if script == "han":
        # A page of two bytes takes a letter of a western word with its accent.
        if before.islower() or after.islower():
            return -0.5
        return 1.2 if letter in _FREQUENT else 0.9 if _common(letter) else -0.2
    if script == "hangul":
        # Chinese read as Korean mixes both in one word; Korean read as Chinese makes frequent characters of all.
        return 1.0 if neighbours <= {"hangul"} else -0.5
    return -1.0


def _script(letter: str) -> str:
    if letter.isascii():
        return "latin"
    name = unicodedata.name(letter, "")
    for start, script in (
        ("LATIN", "latin"),
        ("CYRILLIC", "cyrillic"),
        ("HIRAGANA", "kana"),
        ("KATAKANA", "kana"),
        ("HALFWIDTH KATAKANA", "kana"),
        ("CJK", "han"),
        ("HANGUL", "hangul"),
    ):
        if name.startswith(start):
            return script
    return "other"


def _common(han: str) -> bool:
    """Whether the character is one of the frequent ones, which the first levels of GB 2312, Big5 and JIS hold."""
    for page, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("shift_jis", 0x88, 0x97)):
        try:
            encoded = han.encode(page)
        except UnicodeEncodeError:
            continue
        if len(encoded) == 2 and first <= encoded[0] <= last:
            return True
    return False
