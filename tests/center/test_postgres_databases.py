"""PostgreSQL: which databases a Center serves from, and what it says of the others."""

from __future__ import annotations

import sys

import pytest
from sqlalchemy import text
from tests.center.stores import adding, by_hand, do, driver
from tests.postgres import Cluster

from clearance.center.faults import DatabaseRefused
from clearance.center.records import Entry
from clearance.center.store.base import Tx, Use
from clearance.center.store.databases import open_store, shown

pytestmark = pytest.mark.postgres


def refused(address: str, use: Use = Use.SERVE) -> str:
    """Why it is not served from."""
    with pytest.raises(DatabaseRefused) as refusal:
        open_store(address, use)
    return str(refusal.value)


@pytest.mark.parametrize("use", list(Use))
def test_a_database_of_another_program_is_refused_and_left_alone(postgres_url: str, use: Use) -> None:
    with by_hand(postgres_url) as execute:
        execute("CREATE TABLE theirs (id INTEGER)")
        found = refused(postgres_url, use)
        tables = execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")

    assert "holds tables of another program (theirs), and was left alone" in found
    assert tables == [("theirs",)]


def test_tables_of_the_same_names_in_another_schema_are_never_meant(postgres_url: str) -> None:
    with by_hand(postgres_url) as execute:
        execute("CREATE SCHEMA ours")
        execute("CREATE TABLE public.schema_steps (number INTEGER)")
        execute("INSERT INTO public.schema_steps VALUES (99)")
        execute("CREATE TABLE public.actions (id INTEGER)")
    store = open_store(f"{postgres_url}&options=-csearch_path%3Dours,public")
    do(store, adding())
    store.close()

    with by_hand(postgres_url) as execute:
        assert execute("SELECT count(*) FROM ours.actions") == [(1,)]
        assert execute("SELECT count(*) FROM public.actions") == [(0,)]


def test_a_database_without_the_schema_to_work_in_is_refused(postgres_url: str) -> None:
    found = refused(f"{postgres_url}&options=-csearch_path%3Dnowhere")
    assert "there is no schema to work in" in found


def test_an_empty_database_is_nothing_to_read_from(postgres_url: str) -> None:
    assert "is empty. No Center has kept anything in it yet" in refused(postgres_url, Use.READ)


def test_a_database_that_cannot_hold_every_text_is_refused(cluster: Cluster) -> None:
    with cluster.database("ENCODING 'LATIN1'") as url:
        assert "keeps text as LATIN1" in refused(url)


def test_a_database_that_is_read_only_serves_readers_alone(postgres_url: str) -> None:
    open_store(postgres_url).close()
    address = f"{postgres_url}&options=-cdefault_transaction_read_only%3Don"

    assert "is read-only, as a standby is" in refused(address)
    open_store(address, Use.READ).close()


def test_a_server_that_answers_before_it_has_written_is_refused(cluster: Cluster, postgres_url: str) -> None:
    def set_fsync(value: str) -> None:
        with cluster.connect() as admin:
            admin.execute(f"ALTER SYSTEM SET fsync = {value}")
            admin.execute("SELECT pg_reload_conf()")
        while True:
            with cluster.connect() as admin:
                if admin.execute("SHOW fsync").fetchone() == (value,):
                    return

    set_fsync("off")
    try:
        assert "does not write to disk (fsync = off)" in refused(postgres_url)
    finally:
        set_fsync("on")


def test_commits_are_on_disk_before_they_are_answered_also_where_the_server_would_not_wait(postgres_url: str) -> None:
    def setting(tx: Tx) -> str:
        value: str = driver(tx).execute(text("SHOW synchronous_commit")).scalar_one()
        return value

    for asked, given in (("off", "on"), ("remote_apply", "remote_apply")):
        store = open_store(f"{postgres_url}&options=-csynchronous_commit%3D{asked}")
        assert do(store, setting) == given
        store.close()


def test_a_database_that_is_not_there_or_not_reached_is_refused_without_telling_the_password(cluster: Cluster) -> None:
    nowhere = "postgresql://ada:hunter2@127.0.0.1:1/center?sslpassword=hunter3"
    for address, words in ((nowhere, "refused"), (cluster.url("absent") + "&password=hunter2", "does not exist")):
        found = refused(address)
        assert words in found
        assert "hunter" not in found
        assert "Nothing was changed" in found


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("mysql://ada:hunter2@db/center", "mysql://ada:***@db/center: is no database that is known here"),
        ("postgresql+psycopg://db/center", "is no database that is known here"),
        ("postgresql://db/center?color=red", "invalid URI query parameter"),
    ],
)
def test_an_address_that_is_not_understood_is_refused(address: str, says: str) -> None:
    assert says in refused(address)


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        ("center.db", "center.db"),
        ("postgresql://db:5432/center", "postgresql://db:5432/center"),
        ("postgresql://ada@db/center", "postgresql://ada@db/center"),
        ("postgresql://ada:p:w@db,db2/center?a=b@c", "postgresql://ada:***@db,db2/center?a=b@c"),
        ("postgresql:///center?user=ada&password=pw&x=y", "postgresql:///center?user=ada&password=***&x=y"),
    ],
)
def test_an_address_is_printed_without_its_password(address: str, printed: str) -> None:
    assert shown(address) == printed


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "clearance.center.store.postgres")
    monkeypatch.delattr("clearance.center.store.postgres")

    assert refused("postgresql://db/center") == "PostgreSQL needs 'psycopg': pip install 'clearance[postgres]'"


@pytest.mark.parametrize("change", ["TRUNCATE audit", "INSERT INTO audit SELECT * FROM audit"])
def test_the_trail_cannot_be_emptied_or_forked(postgres_url: str, change: str) -> None:
    store = open_store(postgres_url)
    do(store, lambda tx: tx.append(Entry(1, "submit", "agent-1", 1)))
    store.close()

    with by_hand(postgres_url) as execute:
        with pytest.raises(Exception, match=r"append-only|unique"):
            execute(change)
        assert execute("SELECT count(*) FROM audit") == [(1,)]
