"""Pages of a list."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Page(BaseModel, Sequence[Item], Generic[Item]):
    """Some items of a list, as a sequence: iterate, index, or take its ``len``.

    Attributes:
        items: The items.
        next: The cursor of the next page (``after=page.next``); None on the last page.
    """

    model_config = ConfigDict(frozen=True)

    items: tuple[Item, ...]
    next: str | None

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        return self.items[index]
