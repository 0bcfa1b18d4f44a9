"""The peer that tutorials teach: SQLModel, a session an operation, add, commit, refresh."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from sqlalchemy import BigInteger, Column, DateTime, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.benchmarks.server import OWNER


def _now() -> datetime:
    return datetime.now(UTC)


def _moment(name: str) -> Any:
    return Field(
        default_factory=_now, sa_column=Column(name, DateTime(timezone=True), nullable=False)
    )


class TextbookTask(SQLModel, table=True):
    """A task whose id the database makes."""

    metadata = MetaData(schema="textbook")
    __tablename__ = "tasks"

    id: int | None = Field(default=None, sa_type=BigInteger, primary_key=True)
    user_id: int = Field(sa_type=BigInteger)
    title: str
    description: str | None = None
    completed: bool = False
    version: int = 1
    created_at: datetime = _moment("created_at")
    updated_at: datetime = _moment("updated_at")
    completed_at: datetime | None = Field(
        default=None, sa_column=Column("completed_at", DateTime(timezone=True))
    )


def textbook_engine(url: str, size: int) -> AsyncEngine:
    """Make an engine with as many connections as the other peers have."""
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://"),
        pool_pre_ping=True,
        pool_size=size,
        max_overflow=0,
    )


async def create(
    session: AsyncSession, user_id: int, title: str, description: str | None
) -> TextbookTask:
    task = TextbookTask(user_id=user_id, title=title, description=description)
    session.add(task)
    await session.commit()
    await session.refresh(task)
    return task


async def get(session: AsyncSession, user_id: int, task_id: int) -> TextbookTask | None:
    statement = select(TextbookTask).where(
        TextbookTask.user_id == user_id, TextbookTask.id == task_id
    )
    return (await session.exec(statement)).first()


async def newest(session: AsyncSession, user_id: int, limit: int) -> Sequence[TextbookTask]:
    statement = (
        select(TextbookTask)
        .where(TextbookTask.user_id == user_id)
        .order_by(col(TextbookTask.id).desc())
        .limit(limit)
    )
    return (await session.exec(statement)).all()


class Textbook:
    """Every operation in a session of its own, as in a request of a tutorial."""

    name: ClassVar[str] = "textbook"
    role: ClassVar[str] = OWNER

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, size: int) -> AsyncIterator[Self]:
        engine = textbook_engine(url, size)
        try:
            yield cls(engine)
        finally:
            await engine.dispose()

    async def create(self, user_id: int, title: str, description: str) -> TextbookTask:
        async with AsyncSession(self._engine) as session:
            return await create(session, user_id, title, description)

    async def get(self, user_id: int, task_id: int) -> TextbookTask:
        async with AsyncSession(self._engine) as session:
            task = await get(session, user_id, task_id)
            assert task is not None
            return task

    async def newest(self, user_id: int, limit: int) -> Sequence[TextbookTask]:
        async with AsyncSession(self._engine) as session:
            return await newest(session, user_id, limit)

    async def update(self, user_id: int, task_id: int, title: str) -> TextbookTask:
        async with AsyncSession(self._engine) as session:
            task = await get(session, user_id, task_id)
            assert task is not None
            task.title = title
            task.version += 1
            task.updated_at = _now()
            session.add(task)
            await session.commit()
            await session.refresh(task)
            return task

    async def delete(self, user_id: int, task_id: int) -> None:
        async with AsyncSession(self._engine) as session:
            task = await get(session, user_id, task_id)
            assert task is not None
            await session.delete(task)
            await session.commit()
