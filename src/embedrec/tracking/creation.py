"""`created_once`: of the processes that find a database empty one makes its tables, and the others wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from embedrec.errors import ConfigError

POSTGRES = "postgresql"
KEY = 0x656D62656472  # of PostgreSQL's advisory locks: any number that no other program is likely to take


@contextmanager
def created_once(url: str) -> Iterator[None]:
    """Hold a lock inside the database itself, since who opens it may be on any machine; other databases have none.

    The server lets go of it when the process dies. sqlite is locked by a file beside it.

    Raises:
        ConfigError: PostgreSQL's driver is not installed.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
    """
    if not url.startswith(POSTGRES):
        yield
        return
    from sqlalchemy import NullPool, create_engine, text

    try:
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    except ImportError as error:
        raise ConfigError(
            f"PostgreSQL needs a driver that is not installed ({error}): pip install -c constraints.txt "
            "'embedrec[postgres]'"
        ) from error
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": KEY})
        yield
