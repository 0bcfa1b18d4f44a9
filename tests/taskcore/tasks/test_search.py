"""Search: words in titles, descriptions and tags, against a plain model in Python."""

import asyncio
import itertools
import sys
import unicodedata
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskcore import Task, TaskStore, UserTasks, ValidationError
from taskcore.tasks.search import fold, validate_search
from taskcore.tasks.task_order import ORDERS, TaskOrder
from tests.inputs import WHITE_SPACE
from tests.sessions import until_blocked


@pytest.fixture
def tasks(store: TaskStore) -> UserTasks:
    return store.for_user(42)


async def found(tasks: UserTasks, query: str, **filters: Any) -> list[str]:
    """Return the titles that a search finds, oldest first; list, iterate and count agree."""
    page = await tasks.list(search=query, limit=1000, **filters)
    assert [task async for task in tasks.iterate(search=query, **filters)] == list(page)
    assert await tasks.count(search=query, **filters) == len(page)
    return [task.title for task in page][::-1]


# Queries and titles from public reports.


async def test_words_without_spaces_between_them_are_found(tasks: UserTasks) -> None:
    """TK-310: Mindwtr#780."""
    titles = ["準備搬家了", "列出需要處理的搬家物品", "搬家到新住處"]
    await tasks.create_many([{"title": title} for title in (*titles, "購入")])
    assert await found(tasks, "搬家") == titles
    assert await found(tasks, "購入") == ["購入"]


async def test_every_word_is_needed(tasks: UserTasks) -> None:
    """TK-310: joplin#3050."""
    await tasks.create("你好")
    await tasks.create("再见")
    await tasks.create("再见, 你好")
    assert await found(tasks, "你好 再见") == ["再见, 你好"]
    assert await found(tasks, " 你好\u3000再见 你好\n") == ["再见, 你好"]


CASELESS = {
    "sharp s": ("Straße", "STRASSE"),
    "capital sharp s": ("STRAẞE", "strasse"),
    "half-width katakana": ("ｶﾀｶﾅ", "カタカナ"),
    "half-width voiced katakana": ("ｶﾞｷﾞ", "ガギ"),
    "full-width letters": ("\uff34\uff21\uff38", "tax"),
    "accents": ("cafe\u0301", "café"),
    "capital accents": ("CAFÉ", "cafe\u0301"),
    "final sigma": ("ΟΔΟΣ", "οδος"),
    "Cyrillic": ("МОЛОКО", "молоко"),
    "ligature": ("ﬁx", "FIX"),
    "Korean in letters": ("한글", "한글"),
    "digits in circles": ("①", "1"),
    "ASCII": ("MiLK", "mIlk"),
}


@pytest.mark.parametrize("kind", CASELESS)
async def test_another_spelling_is_found(tasks: UserTasks, kind: str) -> None:
    """TK-310: either spelling finds the other, in every field."""
    for text, query in (CASELESS[kind], CASELESS[kind][::-1]):
        task = await tasks.create(text, key=text)
        described = await tasks.create("described", f"a\n{text}", key=f"{text} described")
        tagged = await tasks.create("tagged", tags=["a", text], key=f"{text} tagged")
        assert await found(tasks, query) == [task.title, "described", "tagged"]
        await tasks.delete_many([task.id, described.id, tagged.id])


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("100 %", ["100 % done", "100% done"]),
        ("100%", ["100% done"]),
        ("%", ["100 % done", "100% done"]),
        ("a_b", ["a_b"]),
        ("_", ["a_b"]),
        ("\\", ["C:\\new"]),
        ("\\n", ["C:\\new"]),
        ("'", ["it's"]),
        ('"', ['say "x"']),
        ("{", ["{}"]),
        ("x); --", ["x); --"]),
    ],
)
async def test_no_character_stands_for_others(
    tasks: UserTasks, query: str, titles: list[str]
) -> None:
    """TK-310."""
    for title in ("100 % done", "100% done", "100 done", "a_b", "a-b", "C:\\new", "C:/new"):
        await tasks.create(title)
    for title in ("it's", 'say "x"', "{}", "x); --"):
        await tasks.create(title)
    assert await found(tasks, query) == titles


# The places in which a word is found.


async def test_a_word_may_be_in_any_field_and_be_part_of_a_word(tasks: UserTasks) -> None:
    """TK-310."""
    await tasks.create("Household", "Milk and eggs", tags=["shop", "urgent"], project="Secret")
    for query in ("household", "HOUSE", "old", "egg", "shop", "house eggs urg", "d m k"):
        assert await found(tasks, query) == ["Household"]
    for query in ("houses", "milk bread", "secret", "milkand"):
        assert await found(tasks, query) == []


@pytest.mark.parametrize("text", ["a", "Ä"])
async def test_a_word_ends_with_its_field(tasks: UserTasks, text: str) -> None:
    """TK-310."""
    await tasks.create(text, text, tags=[text, f"{text}{text}{text}"])
    assert await found(tasks, text * 3) == [text]
    assert await found(tasks, text * 4) == []


async def test_a_search_goes_with_every_filter_and_order(tasks: UserTasks) -> None:
    """TK-310, TK-311."""
    for number, (title, due) in enumerate((("a Ä", "2026-12-02"), ("b Ä", "2026-12-01"))):
        await tasks.create(title, due=due, priority=1 + number, project="p", tags=["t"])
    await tasks.create("c Ä")
    await tasks.create("d", due="2026-11-30", priority=1, project="p", tags=["t"])
    orders: dict[TaskOrder, list[str]] = {
        "newest": ["c Ä", "b Ä", "a Ä"],
        "due": ["b Ä", "a Ä", "c Ä"],
        "priority": ["a Ä", "b Ä", "c Ä"],
    }
    for order in ORDERS:
        for completed in (None, False):
            listed: list[str] = []
            after = None
            while not listed or after is not None:
                page = await tasks.list(
                    order=order, search="ä", limit=1, after=after, completed=completed
                )
                listed += [task.title for task in page]
                after = page.next
            assert listed == orders[order]
        assert await tasks.count(search="ä", completed=True) == 0
    assert await found(tasks, "ä", project="p", tags=["t"], due_before="2026-12-02") == ["b Ä"]
    assert await found(tasks, "ä", priority_at_least=1) == ["a Ä"]


async def test_a_search_finds_nothing_of_another_users(store: TaskStore) -> None:
    """TK-310."""
    await store.for_user(43).create("Ärger", "secret", tags=["Öl"])
    await store.for_user(41).create("secret")
    for query in ("ärger", "secret", "öl"):
        assert await found(store.for_user(42), query) == []


# Queries that are refused.


@pytest.mark.parametrize(
    ("query", "constraint"),
    [
        ("", "non_empty"),
        (" \t\n", "non_empty"),
        (WHITE_SPACE, "non_empty"),
        ("a\x00", "no_nul"),
        ("a\ud800", "unicode"),
        ("x" * 201, "max_length"),
        (f" {'x' * 200}", "max_length"),
        (7, "type"),
        (b"x", "type"),
        (["x"], "type"),
    ],
)
async def test_a_search_that_cannot_be_used_is_explained(
    tasks: UserTasks, query: Any, constraint: str
) -> None:
    """TK-312."""
    limits = {"max": 200} if constraint == "max_length" else {}
    for call in (
        tasks.list(search=query),
        anext(tasks.iterate(search=query)),
        tasks.count(search=query),
    ):
        with pytest.raises(ValidationError) as caught:
            await call
        expected = {"field": "search", "constraint": constraint, **limits}
        assert caught.value.details == expected


async def test_of_a_very_long_folded_text_the_beginning_is_read(tasks: UserTasks) -> None:
    """TK-310: U+FDFA has 18 characters in its folded form."""
    await tasks.create("x", "\ufdfa" * 1_100 + " first " + "\ufdfa" * 100 + " last")
    assert await found(tasks, "first") == ["x"]
    assert await found(tasks, "last") == []


async def test_none_is_no_search_and_the_longest_one_is_taken(tasks: UserTasks) -> None:
    """TK-312."""
    await tasks.create("x" * 200)
    await tasks.create("b")
    assert len(await tasks.list(search=None)) == 2
    assert len(await tasks.list(search="x" * 200)) == 1
    assert len(await tasks.list(search="x " * 100)) == 1
    assert len(await tasks.list(search="\ufdfa" * 200)) == 0


# Any creates, batches, imports and changes.


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())[:20_000]


def has(task: Task, words: list[str]) -> bool:
    texts = [folded(text) for text in (task.title, task.description or "", *task.tags)]
    return all(any(word in text for text in texts) for word in words)


_TEXTS = st.text(
    st.sampled_from(
        "aAsSßẞéÉe\u0301\u0327ｶﾞカガiIİ\u0131Σς\u03c3木%_\\ \n\xa0\u3000\ufdfa\ufb01\u0345①Ǆ\xad1"
    )
    | st.characters(codec="utf-8", exclude_characters="\x00"),
    max_size=6,
)
_TITLES = _TEXTS.filter(lambda text: text.strip() != "")
_TAGS = st.lists(st.text("aAÄäßS木①é\u0301 ", min_size=1, max_size=2).filter(str.strip), max_size=3)
_NEW = st.fixed_dictionaries({"title": _TITLES}, optional={"description": _TEXTS, "tags": _TAGS})
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "title": _TITLES,
        "description": st.none() | _TEXTS,
        "tags": _TAGS,
        "add_tags": _TAGS,
        "remove_tags": _TAGS,
        "completed": st.booleans(),
    },
).filter(bool)
_STEPS = st.lists(
    st.tuples(st.just("create"), _NEW)
    | st.tuples(st.just("create_many"), st.lists(_NEW, min_size=1, max_size=3))
    | st.tuples(st.just("import_tasks"), st.lists(_NEW, min_size=1, max_size=3))
    | st.tuples(st.just("update"), st.tuples(st.integers(0, 9), _CHANGES))
    | st.tuples(st.just("update"), st.tuples(st.integers(0, 9), _CHANGES))
    | st.tuples(st.just("update_many"), _CHANGES),
    min_size=1,
    max_size=8,
)

_users = itertools.count(1000)


async def _take(tasks: UserTasks, step: str, given: Any) -> None:
    there = await tasks.list()
    match step:
        case "create":
            await tasks.create(**given)
        case "update" if there:
            place, changes = given
            await tasks.update(there[place % len(there)].id, **changes)
        case "update_many":
            await tasks.update_many([task.id for task in there], **given)
        case "create_many" | "import_tasks":
            await getattr(tasks, step)(given)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(steps=_STEPS, queries=st.lists(_TEXTS, max_size=3), data=st.data())
async def test_a_search_finds_what_has_the_words_and_nothing_else(
    store: TaskStore,
    owner: asyncpg.Connection,
    steps: list[tuple[str, Any]],
    queries: list[str],
    data: st.DataObject,
) -> None:
    """TK-310, TK-313: after any creates, batches, imports and changes."""
    tasks = store.for_user(next(_users))
    for step, given_ in steps:
        await _take(tasks, step, given_)
    there = await tasks.list()
    for task in there:
        text = data.draw(st.sampled_from([task.title, task.description or "x", *task.tags]))
        start = data.draw(st.integers(0, len(text) - 1))
        queries.append(text[start : data.draw(st.integers(start + 1, len(text)))])
    for query in queries:
        words = folded(query).split()
        if words:
            expected = [task for task in there if has(task, words)]
            assert [task async for task in tasks.iterate(search=query)] == expected
            assert await tasks.count(search=query) == len(expected)
    await assert_true(owner)


async def assert_true(owner: asyncpg.Connection) -> None:
    """Check that the text that a search reads of each row is that row's texts, folded."""
    rows = await owner.fetch(
        "SELECT title, description, tags, find, taskcore.task_text(t) AS text FROM taskcore.tasks t"
    )
    for title, description, tags, find, text in rows:
        parts = [part.replace("\n", " ") for part in map(folded, (title, description or "", *tags))]
        lines = "\n".join([*parts[:2], "\n".join(parts[2:])])
        if find is None:
            # Line breaks of a description are still there.
            assert text.replace("\n", " ") == lines.replace("\n", " ")
        else:
            assert find == text == lines


@pytest.mark.parametrize("text", ["Buy milk", "準備搬家了", "über"])
async def test_what_folding_leaves_alone_is_not_stored_twice(
    tasks: UserTasks, owner: asyncpg.Connection, text: str
) -> None:
    """TK-313."""
    task = await tasks.create(text, text, tags=[text])
    await tasks.update(task.id, title=f"{text} A", add_tags=["B"])
    await tasks.import_tasks([{"title": text}])
    await tasks.create_many([{"title": text}])
    assert await owner.fetchval("SELECT count(find) FROM taskcore.tasks") == 0
    assert len(await found(tasks, text)) == 3


async def test_two_writers_at_once_leave_what_belongs_to_both(
    tasks: UserTasks, application: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    """TK-313: the first changes the title and a tag, the second waits, and adds a tag."""
    task = await tasks.create("Ähre", "Straße", tags=["Ölig", "x"])
    async with application.transaction():
        await application.fetch(
            "SELECT FROM taskcore.task_update_v1(42, $1, 5, NULL, $2)",
            task.id,
            '{"title": "plain", "add_tags": ["Über"], "remove_tags": ["x"], '
            '"folds": {"tags": {"Über": "über"}}}',
        )
        calls = (
            tasks.update(task.id, add_tags=["Ähre"], remove_tags=["Ölig"]),
            tasks.update(task.id, description="GRÖSSE"),
        )
        waiting = [asyncio.create_task(call) for call in calls]
        await until_blocked(owner)
    await asyncio.gather(*waiting)
    stored = await tasks.get(task.id)
    assert (stored.title, stored.description, stored.tags) == ("plain", "GRÖSSE", ("Ähre", "Über"))
    await assert_true(owner)
    for query in ("plain", "größe", "ähre", "über"):
        assert await found(tasks, query) == ["plain"]
    for query in ("strasse", "ölig", "x"):
        assert await found(tasks, query) == []


async def test_tags_that_fold_to_one_text_are_apart(
    tasks: UserTasks, owner: asyncpg.Connection
) -> None:
    """TK-313: removing one tag leaves the text of the other."""
    task = await tasks.create("x", tags=["Ä", "ä"])
    await tasks.update(task.id, remove_tags=["Ä"])
    assert await found(tasks, "ä") == ["x"]
    await tasks.update(task.id, add_tags=["A"], remove_tags=["ä"])
    assert await found(tasks, "ä") == []
    await assert_true(owner)


async def test_a_caller_who_folds_nothing_leaves_nothing_stale(
    tasks: UserTasks, application: asyncpg.Connection
) -> None:
    """TK-313: the database folds ASCII letters, and no old text stays."""
    task = await tasks.create("Ärger", "Öl", tags=["Über"])
    await application.fetch(
        "SELECT FROM taskcore.task_update_v1(42, $1, 5, NULL, $2)",
        task.id,
        '{"title": "NEW Äpfel", "description": null, "tags": ["TAG"], "find": "lies\\n\\n"}',
    )
    assert await found(tasks, "new Äpfel") == []
    for query in ("new", "tag"):
        assert await found(tasks, query) == ["NEW Äpfel"]
    for query in ("ärger", "öl", "über", "lies"):
        assert await found(tasks, query) == []


async def test_a_change_of_something_else_leaves_it(
    tasks: UserTasks, owner: asyncpg.Connection
) -> None:
    """TK-313."""
    task = await tasks.create("Ärger", "Öl\nund Üppig", tags=["Über"])
    await tasks.update(task.id, completed=True)
    assert await found(tasks, "ärger öl üppig über") == ["Ärger"]
    again = await tasks.update(task.id, title="Ärger", add_tags=["Über"])
    assert again.version == 2
    await assert_true(owner)


async def test_the_longest_texts_are_stored(tasks: UserTasks, owner: asyncpg.Connection) -> None:
    """TK-313: folding makes at most 18 characters of one."""
    tags = [chr(0x4E00 + number) + "\ufdfa" * 49 for number in range(20)]
    await tasks.create("\ufdfa" * 500, "\ufdfa" * 5000, tags=tags)
    await assert_true(owner)
    assert max(len(fold(chr(code))) for code in range(0xE000, sys.maxunicode + 1)) == 18


@pytest.mark.parametrize("find", ["x", "x\n", "x\n\na\nb", "x" * 50_001 + "\n\n"])
async def test_the_database_refuses_what_cannot_be_a_tasks_text(
    application: asyncpg.Connection, find: str
) -> None:
    """TK-109, TK-313."""
    with pytest.raises(asyncpg.CheckViolationError):
        await application.fetch(
            "SELECT FROM taskcore.task_create_v1(42, 5000, 5, jsonb_build_object("
            "'title', 'x', 'tags', '[\"a\"]'::jsonb, 'find', $1::text))",
            find,
        )


def test_folding_an_ascii_text_is_lower_case() -> None:
    """TK-310: the short cut for ASCII texts has the same result."""
    text = "".join(map(chr, range(128)))
    assert fold(text) == folded(text) == text.lower()


def test_the_words_of_a_query_are_folded_and_the_longest_is_first() -> None:
    """TK-310: the longest word is looked for first, because it rules out most tasks."""
    assert validate_search("b Straße a B\u3000ÄÄ") == ["strasse", "ää", "b", "a"]


async def test_the_condition_is_part_of_the_query(owner: asyncpg.Connection) -> None:
    """TK-311: PostgreSQL inlines it instead of calling a function for each task."""
    await owner.execute("SET search_path = pg_catalog; SET plan_cache_mode = force_generic_plan")
    await owner.execute(
        "PREPARE searched(text[]) AS SELECT FROM taskcore.tasks AS t"
        " WHERE taskcore.task_fits(t, NULL, '{}', NULL, NULL, NULL, $1)"
    )
    plan = "\n".join(
        row[0] for row in await owner.fetch("EXPLAIN (VERBOSE) EXECUTE searched('{x}')")
    )
    assert "strpos(" in plan
    assert "task_fits" not in plan
    assert "task_text" not in plan
