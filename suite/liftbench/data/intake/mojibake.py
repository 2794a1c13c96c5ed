"""Recognizes text that was decoded wrongly before it was exported: `MÃ¼ller`, `donâ€™t`. Nothing is repaired."""

from __future__ import annotations

import re

CODECS = ("cp1252", "cp1250", "mac_roman", "cp850", "cp437")
"""What UTF-8 is mistaken for."""
CERTAIN = (b"\xc2", b"\xc3", b"\xe2\x80", b"\xe2\x82", b"\xe2\x84", b"\xf0\x9f", b"\xef\xbb\xbf")
"""First bytes, in UTF-8, of accented letters, typographic signs, emoji and the byte order mark: one is enough."""
LIKELY = (b"\xc4", b"\xc5", b"\xce", b"\xcf", b"\xd0", b"\xd1")
"""First bytes of letters of Central Europe, Greek and Cyrillic. They also begin words, so two sequences are needed."""
CYRILLIC_SHARE = 0.45
CYRILLIC_LEAST = 3
ACCENTED_SHARE = 0.6
ACCENTED_LEAST = 7


def mojibake(text: str) -> str | None:
    """The first word that was decoded wrongly, with what it probably was: `MÃ¼ller for Müller`; else None."""
    if text.isascii():
        return None
    if pair := _CYRILLIC_PAIR.search(text):
        # Of Russian read as Windows-1251, every second letter is one of these two, as in `РџСЂРё` for `При`.
        letters = _CYRILLIC.findall(text)
        if sum(letter in "РС" for letter in letters) > max(CYRILLIC_LEAST, CYRILLIC_SHARE * len(letters)):
            return _word(text, pair, "cp1251")
    accented = _ACCENTED.findall(text)
    if len(accented) > ACCENTED_LEAST and len(accented) > ACCENTED_SHARE * sum(map(str.isalpha, text)):
        # Cyrillic, Greek, Hebrew or the like of one byte a letter: `Ïðèâåò` for `Привет`.
        return text.split()[0]
    if not _FIRST.search(text):
        return None
    for codec in CODECS:
        found = list(_PATTERNS[codec, CERTAIN].finditer(text)) or list(_PATTERNS[codec, LIKELY].finditer(text))[1:]
        for match in found:
            if _decode(match[0], codec) != match[0]:
                return _word(text, match, codec)
    return None


def _decode(garbled: str, codec: str) -> str:
    try:
        was = b"".join(_bytes_of(character, codec) for character in garbled).decode("utf-8")
    except UnicodeError:
        return garbled
    return was if was.isprintable() or was in "\xa0\ufeff" else garbled


def _word(text: str, match: re.Match[str], codec: str) -> str:
    before, after = re.search(r"\S{0,12}$", text[: match.start()]), re.match(r"\S{0,12}", text[match.end() :])
    word = (before[0] if before else "") + match[0] + (after[0] if after else "")
    was = _PATTERNS[codec, CERTAIN + LIKELY].sub(lambda found: _decode(found[0], codec), word)
    return f"{word} for {was}"


def _bytes_of(character: str, codec: str) -> bytes:
    # Windows-1252 leaves five bytes open, which programs pass on as control characters.
    return bytes([ord(character)]) if "\x80" <= character <= "\x9f" else character.encode(codec)


def _character_of(byte: int, codec: str) -> str:
    try:
        return bytes([byte]).decode(codec)
    except UnicodeDecodeError:
        return chr(byte)


def _pattern(codec: str, firsts: tuple[bytes, ...]) -> re.Pattern[str]:
    following = [_character_of(byte, codec) for byte in range(0x80, 0xC0)]
    plain, closing = (
        "".join(re.escape(character) for character in following if (character in "«»„“”‘’…–—") == is_closing)
        for is_closing in (False, True)
    )
    sequences = []
    for first in firsts:
        if codec == "cp1250" and first in LIKELY[2:]:
            # `Îş` also begins Romanian words.
            continue
        length = 4 if first[0] >= 0xF0 else 3 if first[0] >= 0xE0 else 2
        start = "".join(re.escape(_character_of(byte, codec)) for byte in first)
        if length > 2:
            sequences.append(f"{start}[{plain}{closing}]{{{length - len(first)}}}")
        else:
            # A capital and a closing quotation mark also end a word in capitals: `IRMÃ”`.
            sequences.append(f"{start}[{plain}]" + (f"|(?<![A-ZÀ-Þ]){start}[{closing}]" if closing else ""))
    return re.compile("|".join(sequences))


_PATTERNS = {
    (codec, firsts): _pattern(codec, firsts)
    for codec in (*CODECS, "cp1251")
    for firsts in (CERTAIN, LIKELY, CERTAIN + LIKELY)
}
_FIRST = re.compile(
    f"[{''.join({re.escape(_character_of(first[0], codec)) for codec in CODECS for first in CERTAIN + LIKELY})}]"
)
_CYRILLIC = re.compile(r"[Ѐ-ӿ]")
_CYRILLIC_PAIR = _PATTERNS["cp1251", LIKELY]
_ACCENTED = re.compile(r"[À-ÖØ-öø-ÿ¸¨]")
