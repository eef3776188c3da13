"""The tables of the shop, and how its engines are made."""

import os

from sqlalchemy import Column, ForeignKey, Integer, String, create_engine, event, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL
from sqlalchemy.orm import declarative_base, relationship

THREADS = int(os.environ["THREADS"])
SETTINGS = {"statement_timeout": "25s", "work_mem": "3MB", "shop.branch": "north"}
Base = declarative_base()


class Account(Base):
    __tablename__ = "accounts"
    id = Column(Integer, primary_key=True)
    name = Column(String, unique=True, nullable=False)
    balance = Column(Integer, nullable=False, default=100)
    version = Column(Integer, nullable=False)
    entries = relationship("Entry", back_populates="account", cascade="all, delete-orphan")
    __mapper_args__ = {"version_id_col": version, "eager_defaults": True}


class Entry(Base):
    __tablename__ = "entries"
    id = Column(Integer, primary_key=True)
    account_id = Column(ForeignKey("accounts.id"), nullable=False, index=True)
    amount = Column(Integer, nullable=False)
    detail = Column(JSONB, nullable=False, server_default="{}")
    made = Column(String, server_default=func.current_setting("shop.branch", True))
    account = relationship("Account", back_populates="entries")


def address(driver):
    return URL.create(f"postgresql+{driver}", host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]),
                      username=os.environ["PGUSER"], password=os.environ["PGPASSWORD"],
                      database=os.environ["PGDATABASE"])


def configure(connection, _):
    """Once for each connection of the pool, as the manual of SQLAlchemy shows it."""
    autocommit, connection.autocommit = connection.autocommit, True
    with connection.cursor() as cursor:
        for name, value in SETTINGS.items():
            cursor.execute(f"SET SESSION {name} = '{value}'")
    connection.autocommit = autocommit


def make_engine(**options):
    options = {"pool_size": THREADS + 2, "max_overflow": 0, "pool_timeout": 20, **options}
    engine = create_engine(address("psycopg2"), **options)
    event.listen(engine, "connect", configure)
    return engine
