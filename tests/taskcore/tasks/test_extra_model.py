"""``TaskStore(extra=Model)``: the embedding application's model."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any, Literal

import asyncpg
import httpx2
import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)

from taskcore import ConfigurationError, Task, TaskCreate, TaskStore, UserTasks, ValidationError
from taskcore.sync import TaskStore as SyncTaskStore
from taskcore_http import create_app
from tests.databases import Database
from tests.taskcore_http.client import client_of


class Size(BaseModel):
    width: int
    height: int | None = None


class Door(BaseModel):
    color: str = Field(max_length=10)
    size: Size | None = None
    coats: int = Field(default=1, alias="layers")

    @field_validator("color")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.lower()


@pytest.fixture
async def doors(database: Database) -> AsyncIterator[TaskStore[Door]]:
    async with TaskStore(database.url, extra=Door) as store:
        yield store


@pytest.fixture
def tasks(doors: TaskStore[Door]) -> UserTasks[Door]:
    return doors.for_user(42)


async def test_an_instance_is_read_back(tasks: UserTasks[Door], store: TaskStore) -> None:
    """TK-117: whether it is given as an instance or as a mapping; defaults are stored."""
    door = Door(color="Red", size=Size(width=90))
    for given in (door, {"color": "RED", "size": {"width": 90}}):
        task: Task[Door] = await tasks.create("Paint", extra=given)
        assert task.extra == door
        assert (await tasks.get(task.id)).extra == door
        assert (await tasks.list())[0].extra.size == Size(width=90)
    stored = await store.for_user(42).get(task.id)
    assert stored.extra == {"color": "red", "size": {"width": 90, "height": None}, "coats": 1}
    one, two = await tasks.create_many(
        [{"title": "1", "extra": door}, TaskCreate(title="2", extra={"color": "x", "layers": 2})]
    )
    assert (one.extra, two.extra.coats) == (door, 2)


async def test_a_change_is_a_part(tasks: UserTasks[Door]) -> None:
    """TK-117: the members set in an instance, or given in a mapping; null removes a member."""
    task = await tasks.create("Paint", extra=Door(color="red", size=Size(width=90, height=200)))
    task = await tasks.update(task.id, extra={"size": {"width": 80}})
    assert task.extra == Door(color="red", size=Size(width=80, height=200))
    task = await tasks.update(task.id, extra=Door(color="blue"))
    assert task.extra == Door(color="blue", size=Size(width=80, height=200))
    (task,) = await tasks.update_many([task.id], extra={"size": None, "layers": 3})
    assert task.extra == Door(color="blue", layers=3)
    assert (await tasks.update(task.id, title="y")).extra == task.extra


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a wrong type": ({"color": 1}, "extra.color", "type"),
    "a wrong type within": ({"color": "x", "size": {"width": "wide"}}, "extra.size", "type"),
    "an unknown member": ({"color": "x", "colour": "x"}, "extra.colour", "unknown_field"),
    "a text that is too long": ({"color": "x" * 11}, "extra.color", "string_too_long"),
}


@pytest.mark.parametrize(("extra", "field", "constraint"), BAD.values(), ids=BAD)
async def test_what_does_not_fit_is_refused(
    tasks: UserTasks[Door], extra: dict[str, Any], field: str, constraint: str
) -> None:
    """TK-117: in a create, a batch and a change."""
    task = await tasks.create("x", extra=Door(color="red"))
    for call in (
        tasks.create("y", extra=extra),
        tasks.update(task.id, extra=extra),
        tasks.update_many([task.id], extra=extra),
    ):
        with pytest.raises(ValidationError) as caught:
            await call
        assert (caught.value.field, caught.value.constraint) == (field, constraint)
    with pytest.raises(ValidationError) as caught:
        await tasks.create_many(
            [{"title": "y", "extra": {"color": "x"}}, {"title": "z", "extra": extra}]
        )
    assert caught.value.field == f"tasks[1].{field}"
    assert list(await tasks.list()) == [task]


async def test_a_required_member_is_asked_for_in_a_new_task_only(tasks: UserTasks[Door]) -> None:
    """TK-117."""
    with pytest.raises(ValidationError, match=r"extra\.color is required"):
        await tasks.create("x")
    task = await tasks.create("x", extra={"color": "red"})
    assert (await tasks.update(task.id, extra={"layers": 2})).extra.coats == 2


async def test_a_required_member_cannot_be_removed(tasks: UserTasks[Door]) -> None:
    """TK-117: the task would not fit the model."""
    task = await tasks.create("x", extra=Door(color="red", size=Size(width=90)))
    for change, field in (
        ({"color": None}, "extra.color"),
        ({"size": {"width": None}}, "extra.size"),
    ):
        for call in (
            tasks.update(task.id, extra=change),
            tasks.update_many([task.id], extra=change),
        ):
            with pytest.raises(ValidationError, match=f"{field} is required") as caught:
                await call
            assert (caught.value.field, caught.value.constraint) == (field, "required")
    assert await tasks.get(task.id) == task


class Node(BaseModel):
    name: str
    child: "Node | None" = None
    others: dict[str, "Node"] = {}


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: int = 0


class Names(RootModel[list[str]]):
    pass


def _shortened(size: Size) -> Size:
    return Size(width=min(size.width, 100))


class House(BaseModel):
    pet: Cat | Dog = Field(default_factory=Cat, discriminator="kind")
    names: Names = Names([])
    rooms: dict[str, dict[str, Size]] = Field(default_factory=dict, max_length=3)
    note: Annotated[str, AfterValidator(str.strip)] = ""
    door: Annotated[Size, AfterValidator(_shortened)] = Size(width=1)


async def test_a_model_may_contain_itself(database: Database) -> None:
    """TK-117: a change of it names the members that it needs."""
    async with TaskStore(database.url, extra=Node) as store:
        tasks = store.for_user(42)
        task = await tasks.create("x", extra=Node(name="a", child=Node(name="b")))
        task = await tasks.update(task.id, extra={"child": {"name": "c", "child": {"name": "d"}}})
        assert task.extra == Node(name="a", child=Node(name="c", child=Node(name="d")))
        task = await tasks.update(task.id, extra={"name": "e", "child": None})
        assert task.extra == Node(name="e")
        with pytest.raises(ValidationError) as caught:
            await tasks.update(task.id, extra={"child": {}})
        assert (caught.value.field, caught.value.constraint) == ("extra.child", "required")


async def test_a_null_removes_a_member_of_a_dictionary(database: Database) -> None:
    """TK-117."""
    async with TaskStore(database.url, extra=Node) as store:
        tasks = store.for_user(42)
        others = {"x": Node(name="x"), "y": Node(name="y")}
        task = await tasks.create("x", extra=Node(name="a", others=others))
        task = await tasks.update(task.id, extra={"others": {"x": None}})
        assert task.extra == Node(name="a", others={"y": Node(name="y")})
        with pytest.raises(ValidationError):
            await tasks.create("x", extra={"name": "a", "others": {"x": None}})


async def test_a_member_of_any_type_can_be_changed(database: Database) -> None:
    """TK-117: by its own type, whole where a part of it cannot be validated."""
    async with TaskStore(database.url, extra=House) as store:
        tasks = store.for_user(42)
        rooms = {"hall": {"door": Size(width=1), "wall": Size(width=2)}}
        task = await tasks.create("x", extra=House(rooms=rooms))
        change: dict[str, Any]
        for change, expected in (
            ({"pet": {"kind": "dog", "tricks": 2}}, Dog(tricks=2)),
            ({"pet": None}, Cat()),
            ({"names": ["x"]}, Names(["x"])),
            ({"names": None}, Names([])),
            ({"rooms": {"hall": {"door": None}}}, {"hall": {"wall": Size(width=2)}}),
            ({"rooms": {"hall": None}}, {}),
            ({"note": " x "}, "x"),
            ({"note": None}, ""),
            ({"door": {"width": 200}}, Size(width=100)),
            ({"door": None}, Size(width=1)),
        ):
            task = await tasks.update(task.id, extra=change)
            assert getattr(task.extra, next(iter(change))) == expected
        for change in ({"pet": {"tricks": 2}}, {"pet": {"kind": "cow"}}, {"names": [1]}):
            with pytest.raises(ValidationError) as caught:
                await tasks.update(task.id, extra=change)
            assert caught.value.field == f"extra.{next(iter(change))}"


async def test_members_may_have_other_names(database: Database) -> None:
    """TK-117: each name that the model takes."""

    class Named(BaseModel):
        one: int = Field(default=0, validation_alias="A")
        two: int = Field(default=0, validation_alias=AliasChoices("B", AliasPath("C", 0)))
        three: int = Field(default=0, validation_alias=AliasPath("D", "E"))

    async with TaskStore(database.url, extra=Named) as store:
        tasks = store.for_user(42)
        for given, expected in (
            ({"A": 1, "B": 2, "D": {"E": 3}}, (1, 2, 3)),
            ({"one": 1, "C": [2], "three": 3}, (1, 2, 3)),
        ):
            created = await tasks.create("x", extra=given)
            changed = await tasks.update((await tasks.create("x")).id, extra=given)
            for extra in (created.extra, changed.extra):
                assert (extra.one, extra.two, extra.three) == expected
        with pytest.raises(ValidationError, match=r"extra\.E is not a known field"):
            await tasks.create("x", extra={"E": 1})


async def test_what_was_stored_before_is_read_as_it_is(
    tasks: UserTasks[Door], store: TaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    """TK-118: a list does not fail; the log says so once, without the value."""
    caplog.set_level(logging.WARNING, "taskcore")
    free = store.for_user(42)
    await free.create("no extra")
    await free.create("another type", extra={"color": ["secret"], "_fields_set": 1, "more": 2})
    await free.create("fits", extra={"color": "red", "layers": 5})
    await tasks.import_tasks([{"title": "imported", "extra": {"size": 1}}])
    for _ in range(2):
        imported, fits, another, none = await tasks.list()
        assert fits.extra == Door(color="red", layers=5)
        assert another.extra.color == ["secret"]  # type: ignore[comparison-overlap]
        assert not hasattr(none.extra, "color")
        assert imported.extra.size == 1  # type: ignore[comparison-overlap]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        f"stored tasks do not fit Door: extra.color: {kind}. They are read without validation"
        for kind in ("missing", "string_type")
    ]


async def test_json_has_the_bytes_of_the_models(
    tasks: UserTasks[Door], doors: TaskStore[Door], store: TaskStore
) -> None:
    """TK-307, TK-117: even if a stored value is invalid."""
    await tasks.create("x", extra=Door(color="red", size=Size(width=1)))
    await store.for_user(42).create("y", extra={"color": [1]})
    await store.for_user(42).create("z")
    page = await tasks.list()
    models = ",".join(task.model_dump_json(warnings=False) for task in page)
    assert (await tasks.list_json()).items.decode() == f"[{models}]"
    async with client_of(create_app(store=doors)) as client:
        assert (await client.get("/users/42/tasks")).text == f"[{models}]"
        for task in page:
            shown = await client.get(f"/users/42/tasks/{task.id}")
            assert shown.json() == json.loads(task.model_dump_json(warnings=False))


class Locked(BaseModel):
    code: SecretStr


class Planned(BaseModel):
    day: date

    @field_serializer("day")
    def _written(self, value: date) -> str:
        return value.strftime("%d.%m.%Y")


class Doubled(BaseModel):
    number: int
    more: int = Field(default_factory=lambda fields: fields["number"] + 1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.number * 2 + 1


class Cached(BaseModel):
    name: str = Field(default="", validation_alias=AliasChoices("label", AliasPath("names", 0)))
    _upper: str = PrivateAttr(default="none")

    def model_post_init(self, _context: Any) -> None:
        self._upper = self.name.upper()


class Careless(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str

    @field_validator("name", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower()


@pytest.mark.parametrize("model", [Locked, Planned, Doubled, Cached, Careless])
async def test_no_stored_value_breaks_a_read(
    database: Database, store: TaskStore, model: type[BaseModel]
) -> None:
    """TK-118: the JSON has what is stored if the model cannot write it."""
    free = store.for_user(42)
    names = ("code", "day", "number", "name", "_fields_set", "others")
    for value in ("text", 1.5, True, None, [1], {"a": 1}):
        await free.create("x", extra=dict.fromkeys(names, value))
    await free.create("nothing")
    async with TaskStore(database.url, extra=model) as modelled:
        tasks = modelled.for_user(42)
        page = await tasks.list()
        assert all(type(task.extra) is model for task in page)
        models = ",".join(task.model_dump_json(warnings=False) for task in page)
        assert (await tasks.list_json()).items.decode() == f"[{models}]"
        async with client_of(create_app(store=modelled)) as client:
            assert (await client.get("/users/42/tasks")).text == f"[{models}]"
            for task in page:
                shown = await client.get(f"/users/42/tasks/{task.id}")
                assert shown.text == task.model_dump_json(warnings=False)


async def test_an_instance_without_validation_has_the_stored_members(
    database: Database, store: TaskStore
) -> None:
    """TK-118: by their names and aliases, and defaults; `model_post_init` is not called."""
    free = store.for_user(42)
    await free.create("1", extra={"number": "x"})
    await free.create("2", extra={"label": 1})
    await free.create("3", extra={"names": [2, 3]})
    await free.create("4", extra={"name": 1, "more": [2]})
    async with TaskStore(database.url, extra=Doubled) as doubled:
        task = (await doubled.for_user(42).list())[-1]
        assert task.extra.__dict__ == {"number": "x"}
        assert json.loads(task.model_dump_json())["extra"] == {"number": "x"}
    async with TaskStore(database.url, extra=Cached) as cached:
        four, three, two, one = await cached.for_user(42).list()
        found = [(task.extra.name, task.extra._upper) for task in (one, two, three, four)]
        assert found == [("", ""), (1, "none"), (2, "none"), (1, "none")]
        assert four.extra.model_fields_set == {"name"}
    async with TaskStore(database.url, extra=Careless) as careless:
        assert (await careless.for_user(42).list())[0].extra.model_extra == {"more": [2]}


async def test_the_log_has_no_stored_names(
    database: Database, store: TaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    """TK-118: keys of a dictionary and unknown members are data. It says each kind once."""

    class Counted(BaseModel):
        __pydantic_extra__: dict[str, int]
        model_config = ConfigDict(extra="allow")
        counts: dict[str, int] = {}

    free = store.for_user(42)
    for number in range(3):
        await free.create("x", extra={"counts": {f"secret{number}": "x"}})
        await free.create("x", extra={f"secret{number}": "x"})
    caplog.set_level(logging.WARNING, "taskcore")
    async with TaskStore(database.url, extra=Counted) as counted:
        await counted.for_user(42).list()
    assert [record.getMessage() for record in caplog.records] == [
        f"stored tasks do not fit Counted: {place}: int_parsing. They are read without validation"
        for place in ("extra", "extra.counts")
    ]


async def test_the_rest_api_checks_it(doors: TaskStore[Door]) -> None:
    """TK-117."""
    async with client_of(create_app(store=doors)) as client:
        for body in ({"title": "x"}, {"title": "x", "extra": {"color": 1}}):
            refused: httpx2.Response = await client.post("/users/42/tasks", json=body)
            assert refused.status_code == 400
            assert refused.json()["error"]["details"]["field"] == "extra.color"
        made = await client.post("/users/42/tasks", json={"title": "x", "extra": {"color": "RED"}})
        assert made.json()["extra"] == {"color": "red", "size": None, "coats": 1}
        path = made.headers["location"]
        changed = await client.patch(path, json={"extra": {"coats": 2}})
        assert changed.json()["extra"]["coats"] == 2
        assert (await client.patch(path, json={"extra": {"coats": "x"}})).status_code == 400
        ids = path.rpartition("/")[2]
        several = await client.patch(f"/users/42/tasks?ids={ids}", json={"extra": {"coats": 3}})
        assert several.json() == (await client.get("/users/42/tasks")).json()


async def test_a_model_may_allow_other_members(database: Database) -> None:
    """TK-117."""

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        color: str = "red"

    async with TaskStore(database.url, extra=Open) as store:
        task = await store.for_user(1).create("x", extra={"more": [1]})
        assert task.extra.model_dump() == {"color": "red", "more": [1]}


def test_it_is_limited_like_any_extra() -> None:
    """TK-115."""

    class Long(BaseModel):
        text: str

    with pytest.raises(ValueError, match="at most 4096 bytes"):
        TaskCreate(title="x", extra=Long(text="x" * 5000))


@pytest.mark.parametrize("model", [dict, Door(color="x"), "Door"])
def test_only_a_model_is_taken(database: Database, model: Any) -> None:
    with pytest.raises(ConfigurationError, match="Pydantic model"):
        TaskStore(database.url, extra=model)


def test_the_store_without_await_takes_it_too(database: Database) -> None:
    """TK-117."""
    with SyncTaskStore(database.url, extra=Door) as store:
        task = store.for_user(1).create("x", extra=Door(color="red"))
        assert task.extra.color == "red"
        (listed,) = store.for_user(1).list()
        assert listed == task


async def test_a_frozen_model_is_taken(database: Database, owner: asyncpg.Connection) -> None:
    class Frozen(BaseModel):
        model_config = ConfigDict(frozen=True)
        color: str = "red"

    async with TaskStore(database.url, extra=Frozen) as store:
        task = await store.for_user(1).create("x")
        assert (
            await store.for_user(1).update(task.id, extra={"color": "blue"})
        ).extra.color == "blue"
    assert await owner.fetchval("SELECT extra ->> 'color' FROM taskcore.tasks") == "blue"


async def test_removing_all_is_refused_if_a_member_is_required(
    tasks: UserTasks[Door], database: Database
) -> None:
    """TK-117: as for a null in place of the member."""
    task = await tasks.create("x", extra=Door(color="red"))
    with pytest.raises(ValidationError, match=r"extra\.color is required"):
        await tasks.update(task.id, extra=None)
    assert await tasks.get(task.id) == task

    class Free(BaseModel):
        color: str = "red"

    async with TaskStore(database.url, extra=Free) as store:
        free = await store.for_user(1).create("x", extra=Free(color="blue"))
        assert (await store.for_user(1).update(free.id, extra=None)).extra == Free()


async def test_a_nested_instance_is_written_whole(database: Database) -> None:
    """TK-117: the discriminator of a union may be a default."""

    class Cat(BaseModel):
        kind: Literal["cat"] = "cat"
        lives: int = 9

    class Dog(BaseModel):
        kind: Literal["dog"] = "dog"
        age: int

    class Owner(BaseModel):
        pet: Cat | Dog = Field(discriminator="kind")
        name: str = "x"

    async with TaskStore(database.url, extra=Owner) as store:
        tasks = store.for_user(1)
        task = await tasks.create("x", extra=Owner(pet=Cat(), name="y"))
        task = await tasks.update(task.id, extra=Owner(pet=Dog(age=5)))
        assert task.extra == Owner(pet=Dog(age=5), name="y")
