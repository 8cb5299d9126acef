"""RC2 with 40 effective bits in CBC mode (RFC 2268): what Java and OpenSSL encrypted certificates with for decades.

cryptography offers RC2 with 128 bits only. Nothing is protected by 40 bits; this is here to read and to keep what old
files are. Decryption works on all blocks at once: each of the four 16-bit words of every block is one lane of a large
integer, which makes it a few hundred operations for a whole file instead of a few hundred for each block.
"""

from __future__ import annotations

BLOCK = 8
KEY_OCTETS = 5

# RFC 2268, section 2: a permutation of 0..255 derived from the digits of pi.
_PI = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32"
    "bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed708e8eade8052eef784aa72ac354d6a2a"
    "961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2e"
    "c5f3db47e5a59c770aa62068fe7fc1ad"
)
_SHIFTS = (1, 2, 3, 5)
# After which of the 16 mixing rounds a mashing round follows (section 3.1).
_MASHED_AFTER = (4, 10)


def _expand(key: bytes) -> list[int]:
    """The 64 words of the expanded key (section 2); 40 effective bits."""
    table = bytearray(key)
    for i in range(len(key), 128):
        table.append(_PI[(table[i - 1] + table[i - len(key)]) & 0xFF])
    table[128 - KEY_OCTETS] = _PI[table[128 - KEY_OCTETS]]
    for i in reversed(range(128 - KEY_OCTETS)):
        table[i] = _PI[table[i + 1] ^ table[i + KEY_OCTETS]]
    return [table[i] | table[i + 1] << 8 for i in range(0, 128, 2)]


def encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """CBC over whole blocks; block by block, since each needs the one before."""
    words, chained, blocks = _expand(key), int.from_bytes(iv, "little"), []
    for start in range(0, len(plaintext), BLOCK):
        block = chained ^ int.from_bytes(plaintext[start : start + BLOCK], "little")
        state = _encrypt_block(words, [block >> shift & 0xFFFF for shift in (0, 16, 32, 48)])
        chained = state[0] | state[1] << 16 | state[2] << 32 | state[3] << 48
        blocks.append(chained.to_bytes(BLOCK, "little"))
    return b"".join(blocks)


def _encrypt_block(words: list[int], r: list[int]) -> list[int]:
    for turn in range(16):
        for i, shift in enumerate(_SHIFTS):
            last = r[i - 1]
            mixed = r[i] + words[4 * turn + i] + (last & r[i - 2]) + (~last & r[i - 3]) & 0xFFFF
            r[i] = (mixed << shift | mixed >> 16 - shift) & 0xFFFF
        if turn in _MASHED_AFTER:
            for i in range(4):
                r[i] = r[i] + words[r[i - 1] & 63] & 0xFFFF
    return r


def decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """CBC over whole blocks, all of them at once."""
    words, lanes = _expand(key), _Lanes(len(ciphertext) // BLOCK)
    r = [lanes.gather(ciphertext, i) for i in range(4)]
    for turn in reversed(range(16)):
        if turn in _MASHED_AFTER:
            for i in reversed(range(4)):
                r[i] = lanes.subtract(r[i], lanes.look_up(words, r[i - 1]))
        for i, shift in reversed(tuple(enumerate(_SHIFTS))):
            last, mixed = r[i - 1], lanes.rotate_right(r[i], shift)
            mixed = lanes.subtract(mixed, lanes.ones * words[4 * turn + i])
            mixed = lanes.subtract(mixed, last & r[i - 2])
            r[i] = lanes.subtract(mixed, (last ^ lanes.mask) & r[i - 3])
    chained = int.from_bytes(iv + ciphertext[:-BLOCK], "little")
    return (int.from_bytes(lanes.scatter(r), "little") ^ chained).to_bytes(len(ciphertext), "little")


class _Lanes:
    """Arithmetic modulo 2^16 on `count` numbers in one integer, 32 bits apart so that nothing runs over."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.ones = int.from_bytes(b"\x01\x00\x00\x00" * count, "little")
        self.mask = self.ones * 0xFFFF
        self.carry = self.ones << 16

    def gather(self, blocks: bytes, word: int) -> int:
        """Word number `word` of every block."""
        octets = bytearray(4 * self.count)
        octets[0::4], octets[1::4] = blocks[2 * word :: BLOCK], blocks[2 * word + 1 :: BLOCK]
        return int.from_bytes(octets, "little")

    def scatter(self, words: list[int]) -> bytes:
        """The blocks again."""
        blocks = bytearray(BLOCK * self.count)
        for i, word in enumerate(words):
            octets = word.to_bytes(4 * self.count, "little")
            blocks[2 * i :: BLOCK], blocks[2 * i + 1 :: BLOCK] = octets[0::4], octets[1::4]
        return bytes(blocks)

    def subtract(self, one: int, other: int) -> int:
        """The difference, lane by lane."""
        return ((one | self.carry) - other) & self.mask

    def rotate_right(self, word: int, shift: int) -> int:
        """Each lane rotated within its 16 bits."""
        return (word >> shift | word << 16 - shift) & self.mask

    def look_up(self, table: list[int], word: int) -> int:
        """For each lane the entry of `table` that its low six bits name."""
        low = word.to_bytes(4 * self.count, "little")[0::4]
        octets = bytearray(4 * self.count)
        octets[0::4] = low.translate(bytes(table[i & 63] & 0xFF for i in range(256)))
        octets[1::4] = low.translate(bytes(table[i & 63] >> 8 for i in range(256)))
        return int.from_bytes(octets, "little")
