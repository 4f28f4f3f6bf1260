"""What a shop hands over: files in, `Tables` out, and an account of every row."""

from embedrec.tables.config import DataConfig
from embedrec.tables.model import TableAccount, Tables
from embedrec.tables.reading import read_tables

__all__ = ["DataConfig", "TableAccount", "Tables", "read_tables"]
