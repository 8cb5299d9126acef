"""A value that must not be seen: passwords, tokens and private keys travel in it and never print."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:  # noqa: PLW1641  # unhashable on purpose: see the docstring
    """Bytes whose printed form is always ``***``; `reveal` is the one way to the content.

    It can be compared (in constant time) but neither hashed, pickled nor formatted, so that it does not end up in a
    digest, a cache or a message by accident.
    """

    __slots__ = ("_content",)

    def __init__(self, content: bytes | str) -> None:
        """Wrap `content`; text is kept as UTF-8."""
        self._content = content.encode() if isinstance(content, str) else bytes(content)

    def reveal(self) -> bytes:
        """The content as bytes."""
        return self._content

    def text(self) -> str:
        """The content as text.

        Raises:
            UnicodeDecodeError: the content is not UTF-8. The exception is re-raised without the content in it.
        """
        try:
            return self._content.decode()
        except UnicodeDecodeError as error:
            # The original exception carries the whole content in its `object` attribute.
            raise UnicodeDecodeError("utf-8", b"", 0, 0, error.reason) from None

    @property
    def is_printable_ascii(self) -> bool:
        """Whether every Java takes it for a password: others go through encodings that differ between versions."""
        return all(0x20 <= octet <= 0x7E for octet in self._content)

    def __bool__(self) -> bool:
        return bool(self._content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._content, other._content)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be pickled or copied into another process")
