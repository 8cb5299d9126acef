"""Finds the end of the serialized secret key in a JCEKS entry. Nothing is ever deserialized.

The object has no length in front, so its grammar has to be walked (Java Object Serialization Specification, chapter 6).
Only what `JceKeyStore.DeserializationChecker` lets through is walked: one sealed object whose fields are byte arrays,
strings and nulls. Such an object cannot nest, so there is no recursion and no depth to limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.errors import KeystoreUnreadableError
    from reconciler.keystores.java_data import JavaData

# `SealedObject` itself stands in files of JDK 1.4; current Java accepts only the first.
SEALED_CLASSES = ("com.sun.crypto.provider.SealedObjectForKeyProtector", "javax.crypto.SealedObject")
BYTE_ARRAY = "[B"

_STREAM_HEADER = b"\xac\xed\x00\x05"
_NULL, _REFERENCE, _CLASS, _OBJECT, _STRING, _ARRAY = 0x70, 0x71, 0x72, 0x73, 0x74, 0x75
_END_OF_ANNOTATIONS, _LONG_STRING = 0x78, 0x7C
_FIRST_HANDLE = 0x7E0000
_SERIALIZABLE = 0x02
_PRIMITIVE_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}
_MAX_SUPERCLASSES = 4
_MAX_FIELDS = 16


def skip_sealed_object(data: JavaData) -> None:
    """Move `data` from the beginning of a serialized sealed object to the first byte after it.

    Raises:
        KeystoreUnreadableError: it is cut off, or it is anything else than a sealed object.
    """
    _Walk(data).top_level()


class _ClassDescription:
    """The name of a class, the type codes of its fields in order, and its superclass."""

    __slots__ = ("fields", "name", "superclass")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: list[str] = []
        self.superclass: _ClassDescription | None = None


class _Walk:
    """One pass over one stream, with the handles that later parts of the stream refer back to."""

    def __init__(self, data: JavaData) -> None:
        self._data = data
        self._handles: list[_ClassDescription | None] = []  # None for objects, strings and arrays

    def top_level(self) -> None:
        if self._data.take(4) != _STREAM_HEADER:
            raise self._refused("it does not begin as a serialized object")
        if self._data.byte() != _OBJECT:
            raise self._refused("it is not an object")
        description = self._class_description(_MAX_SUPERCLASSES)
        if description is None or description.name not in SEALED_CLASSES:
            raise self._refused(f"its class is {description.name[:200] if description else None!r}")
        self._handles.append(None)
        self._field_values(description)

    def _class_description(self, superclasses_left: int) -> _ClassDescription | None:
        code = self._data.byte()
        if code == _NULL:
            return None
        if code == _REFERENCE:
            return self._known_class()
        if code != _CLASS or superclasses_left <= 0:
            raise self._refused(f"a class description was expected, code 0x{code:02x} is there")
        description = _ClassDescription(self._data.text())
        self._data.take(8)  # serialVersionUID
        self._handles.append(description)
        self._flags(description)
        self._field_names(description)
        if self._data.byte() != _END_OF_ANNOTATIONS:
            raise self._refused("its class carries annotations")
        description.superclass = self._class_description(superclasses_left - 1)
        return description

    def _flags(self, description: _ClassDescription) -> None:
        flags = self._data.byte()
        if flags != _SERIALIZABLE:
            raise self._refused(f"the class {description.name[:200]!r} writes itself (flags 0x{flags:02x})")

    def _field_names(self, description: _ClassDescription) -> None:
        count = self._data.unsigned_short()
        if count > _MAX_FIELDS:
            raise self._refused(f"the class {description.name[:200]!r} has {count} fields")
        for _ in range(count):
            code = chr(self._data.byte())
            if code not in _PRIMITIVE_SIZES and code not in "L[":
                raise self._refused(f"a field has the type code {code!r}")
            self._data.text()
            if code in "L[":
                self._value()  # the name of the field's class, itself a string object
            description.fields.append(code)

    def _field_values(self, description: _ClassDescription) -> None:
        for part in _superclass_first(description):
            for code in part.fields:
                if code in _PRIMITIVE_SIZES:
                    self._data.take(_PRIMITIVE_SIZES[code])
                else:
                    self._value()

    def _value(self) -> None:
        """A string, a byte array, null, or a reference to one that came before."""
        code = self._data.byte()
        if code == _NULL:
            return
        if code == _REFERENCE:
            self._handle()
        elif code == _STRING:
            self._handles.append(None)
            self._data.text()
        elif code == _LONG_STRING:
            self._handles.append(None)
            self._data.take(self._data.signed_long())
        elif code == _ARRAY:
            self._byte_array()
        else:
            raise self._refused(f"a field holds something with the code 0x{code:02x}")

    def _byte_array(self) -> None:
        description = self._class_description(1)
        if description is None or description.name != BYTE_ARRAY:
            raise self._refused("an array is not one of bytes")
        self._handles.append(None)
        self._data.array()

    def _known_class(self) -> _ClassDescription:
        description = self._handle()
        if description is None:
            raise self._refused("a reference that should name a class does not")
        return description

    def _handle(self) -> _ClassDescription | None:
        number = self._data.signed_int() - _FIRST_HANDLE
        if not 0 <= number < len(self._handles):
            raise self._refused("a reference leads nowhere")
        return self._handles[number]

    def _refused(self, reason: str) -> KeystoreUnreadableError:
        return self._data.damaged(f"a secret key is not the sealed object that Java accepts ({reason})")


def _superclass_first(description: _ClassDescription) -> list[_ClassDescription]:
    chain: list[_ClassDescription] = []
    current: _ClassDescription | None = description
    while current is not None and len(chain) < _MAX_SUPERCLASSES:
        chain.append(current)
        current = current.superclass
    return chain[::-1]
