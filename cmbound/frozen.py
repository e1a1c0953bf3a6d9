"""What a record holds cannot be changed: read-only mappings, sequences and arrays, compared and hashed by what is in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import FrozenInstanceError, fields
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from cmbound.threads import LOCK, alone

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that cannot be changed: it prints, pickles and becomes JSON as a dict does, and has a hash.

    ``dict(x)``, ``x.copy()`` and ``{**x, ...}`` give an ordinary dict.

    >>> FrozenDict({"d": 64})["d"]
    64
    """

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = (), /) -> None:
        super().__init__({key: frozen(x) for key, x in dict(items).items()})

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("this mapping is read-only; change a copy: dict(x)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and content(self) == content(FrozenDict(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(content(self))

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)


class Deferred(Mapping[K, V]):
    """A read-only mapping whose values are made when they are first asked for, each by a function without arguments.

    It compares and pickles as the :class:`FrozenDict` of its values does.

    >>> squares = Deferred({"two": lambda: 2 * 2})
    >>> squares["two"], list(squares)
    (4, ['two'])
    """

    __slots__ = ("_makers", "_values")

    def __init__(self, makers: Mapping[K, Callable[[], V]], /) -> None:
        self._makers = dict(makers)
        self._values: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        if key not in self._values:
            with LOCK:  # two threads must not build one expression at a time
                if key not in self._values:
                    self._values[key] = frozen(self._makers[key]())
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._makers

    def __iter__(self) -> Iterator[K]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and content(self) == content(FrozenDict(other))

    def __hash__(self) -> int:
        return hash(content(self))

    def __reduce__(self) -> Any:
        return FrozenDict, (dict(self),)


_KNOWN: dict[type, Callable[[Any], Any] | None] = {}
"""By type: what makes a copy that cannot be changed; None where nothing in it can be."""


def frozen(value: Any) -> Any:
    """``value`` where nothing in it can be changed: of what can be, a copy that cannot."""
    kind = type(value)
    if kind not in _KNOWN:
        _KNOWN[kind] = _freezing(kind)
    freeze = _KNOWN[kind]
    return value if freeze is None else freeze(value)


def _freezing(kind: type) -> Callable[[Any], Any] | None:
    """What makes a copy that cannot be changed of a value of this type; None where nothing in it can be."""
    if issubclass(kind, FrozenDict | Deferred):
        return None
    if kind in (list, tuple):
        return _frozen_sequence
    if issubclass(kind, dict) or kind.__name__ == "mappingproxy":
        return FrozenDict
    if issubclass(kind, set):
        return frozenset
    return read_only if _is_array(kind) else None


def _frozen_sequence(value: Iterable[Any]) -> tuple[Any, ...]:
    for x in value:
        if _KNOWN.get(type(x), frozen) is not None:
            return tuple([frozen(x) for x in value])
    return tuple(value)


def thawed(value: Any) -> Any:
    """``value`` with ordinary dicts and lists in the place of read-only ones: JSON-ready data, free to be changed."""
    if isinstance(value, dict):
        return {key: thawed(x) for key, x in value.items()}
    return [thawed(x) for x in value] if isinstance(value, list | tuple) else value


def read_only(array: Any) -> Any:
    """The array itself if nobody can write to it, else a copy to which nobody can."""
    if not array.flags.writeable and (array.base is None or not getattr(array.base, "flags", array.flags).writeable):
        return array
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def _is_array(value: Any) -> bool:
    # no record has to import numpy for this; a numpy number has no items to set
    return hasattr(value, "setflags") and hasattr(value, "__setitem__")


def content(value: Any) -> Any:
    """What is compared and hashed in the place of ``value``: equal content has one form, NaN and arrays included."""
    if isinstance(value, FrozenDict | Deferred):
        return frozenset((key, content(x)) for key, x in value.items())
    if type(value) is tuple:
        return tuple(map(content, value))
    if _is_array(value):
        return value.dtype.str, value.shape, tuple(value.ravel()) if value.dtype.hasobject else value.tobytes()
    if isinstance(value, partial):  # equal where it calls the same with the same
        return value.func, content(value.args), content(FrozenDict(value.keywords))
    if hasattr(value, "dtype") and hasattr(value, "item"):
        value = value.item()  # a numpy number compares with a tuple element by element
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value


class _Later:
    """Stands for a field of a record until that is asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def later(make: Callable[[], V]) -> V:
    """To be given for a field of a record (one without a default), which is then computed when it is first asked for.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, eq=False)
    ... class Square(Record):
    ...     side: int
    ...     area: int
    >>> Square(3, later(lambda: 3 * 3)).area
    9
    """
    return cast(V, _Later(make))


class Record:
    """Base of the frozen dataclasses whose fields may hold mappings, sequences or arrays.

    Decorate with ``@dataclass(frozen=True, eq=False)``. Records of one class are equal where all their fields are, also after a
    way through another process. Fields may be given by :func:`later`.
    """

    def __post_init__(self) -> None:
        held = self.__dict__
        for name in self._names():
            given = held.get(name)
            kind = type(given)
            if kind is _Later:
                held.setdefault("_later", {})[name] = held.pop(name).make
            elif _KNOWN.get(kind, frozen) is not None:
                held[name] = frozen(given)

    def __setattr__(self, name: str, value: object) -> None:  # of a subclass that adds no field
        raise FrozenInstanceError(f"cannot assign to {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete {name!r}")

    if not TYPE_CHECKING:  # to which every name would be one of the record's

        def __getattr__(self, name: str) -> Any:
            if name not in type(self)._names():
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            return self._made(name)

    @alone
    def _made(self, name: str) -> Any:
        held = self.__dict__
        if name not in held:  # another thread may have been first
            held[name] = frozen(held["_later"][name]())
            del held["_later"][name]
        return held[name]

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        known: tuple[str, ...] | None = cls.__dict__.get("_field_names")
        if known is None:
            known = cls._field_names = tuple(x.name for x in fields(cls))  # type: ignore[attr-defined, arg-type]
        return known

    def _compared(self) -> tuple[Any, ...]:
        """What makes two records equal."""
        return tuple([getattr(self, name) for name in self._names()])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or not isinstance(other, Record):
            return NotImplemented
        pairs = zip(self._compared(), other._compared(), strict=True)
        return all(x is y or content(x) == content(y) for x, y in pairs)  # mostly the first ones differ, or are the same

    def __hash__(self) -> int:
        known = self.__dict__.get("_hash")
        if known is None:  # statements and profiles are keys of caches, asked for again and again
            known = hash((type(self), content(self._compared())))
            object.__setattr__(self, "_hash", known)
        return int(known)

    def __reduce__(self) -> Any:
        # through the constructor: what comes back is checked and frozen again, and no hash of another process comes with it
        return type(self), tuple(getattr(self, name) for name in self._names())
