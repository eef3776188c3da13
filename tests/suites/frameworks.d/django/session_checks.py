"""What a connection keeps from one transaction to the next."""

import datetime

from checks import THREADS, check, must
from django.db import connection, connections, transaction
from django.db.backends.signals import connection_created
from django.db.utils import DatabaseError, InterfaceError, OperationalError
from django.utils import timezone
from model_checks import ROUNDS, in_threads
from settings import SETTINGS
from shop.models import Account, Entry


def ask(statement, using="default"):
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@check
def startup_options_hold():
    def work(_):
        for _ in range(ROUNDS):
            for name, value in SETTINGS.items():
                must(ask(f"SELECT current_setting('{name}')"), value, name)

    in_threads(work)


@check
def time_zones_are_their_aliases():
    noon = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone.utc)

    def work(number):
        account = Account.objects.get(name=f"holder {number}")
        entry = Entry.objects.create(account=account, amount=0, made=noon)
        for _ in range(ROUNDS):
            must(ask("SHOW timezone"), "UTC")
            must(ask("SHOW timezone", "tokyo"), "Asia/Tokyo")
            must(ask(f"SELECT made::text FROM shop_entry WHERE id = {entry.pk}", "tokyo"), "2026-07-01 21:00:00+09")
            must(Entry.objects.get(pk=entry.pk).made, noon)
            with timezone.override("America/New_York"):
                must(timezone.localtime(Entry.objects.get(pk=entry.pk).made).hour, 8)
                must(Entry.objects.filter(pk=entry.pk, made__hour=8).count(), 1)
        with transaction.atomic():
            ask("SELECT set_config('TimeZone', 'Asia/Tokyo', true)")
            must(ask("SHOW timezone"), "Asia/Tokyo")
        must(ask("SHOW timezone"), "UTC")
        entry.delete()

    in_threads(work)


@check
def settings_of_connection_created_hold():
    def receive(sender, connection, **_):
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = '3MB'; SET search_path = public, pg_temp; SET ROLE shop_clerk")

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'shop_clerk'")
        must(cursor.fetchone(), (1,))
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO shop_clerk")
    connection_created.connect(receive, weak=False, dispatch_uid="shop")

    def work(number):
        for _ in range(ROUNDS):
            with transaction.atomic():
                Account.objects.filter(name=f"holder {number}").update(detail={"number": number})
                must(ask("SELECT current_user"), "shop_clerk")
            must((ask("SHOW work_mem"), ask("SHOW search_path")), ("3MB", "public, pg_temp"))

    try:
        in_threads(work)
    finally:
        connection_created.disconnect(dispatch_uid="shop")
    must(ask("SELECT current_user"), "app")


@check
def set_of_a_request_is_its_own():
    def work(number):
        for n in range(ROUNDS):
            ask(f"SELECT set_config('shop.clerk', '{number}.{n}', false)")
            must(Account.objects.filter(name=f"holder {number}").count(), 1)
            must(ask("SELECT current_setting('shop.clerk')"), f"{number}.{n}")

    in_threads(work)


@check
def temporary_tables_and_locks_stay():
    def work(number):
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE basket (n int)")
            for n in range(5):
                cursor.execute("INSERT INTO basket VALUES (%s)", [n + number])
            must(ask("SELECT sum(n) FROM basket"), 5 * number + 10)
            cursor.execute("DROP TABLE basket")
            cursor.execute("SELECT pg_advisory_lock(4711)")
            must(ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"), 1)
            must(ask("SELECT pg_advisory_unlock(4711)"), True)

    in_threads(work)


@check
def constraints_are_deferred_and_checked():
    def work(number):
        try:
            with transaction.atomic():
                entry = Entry.objects.create(account_id=-1, amount=number)
                with transaction.atomic():
                    connection.check_constraints()
            raise AssertionError(f"entry {entry.pk} has no account")
        except DatabaseError:
            must(Account.objects.filter(name=f"holder {number}").count(), 1)
        with connection.constraint_checks_disabled():
            connection.check_constraints()

    in_threads(work)


@check
def lost_connections_are_told_and_replaced():
    connection.ensure_connection()
    must(connection.is_usable(), True)
    try:
        ask("SELECT pg_terminate_backend(pg_backend_pid())")
        raise AssertionError("it still answers")
    except (OperationalError, InterfaceError):
        must(connection.is_usable(), False)
    connection.close_if_unusable_or_obsolete()
    must(connection.connection, None)
    must(ask("SELECT current_setting('shop.branch')"), SETTINGS["shop.branch"])


@check
def old_connections_are_closed_between_requests():
    def work(number):
        mine = connections["default"]
        mine.ensure_connection()
        before = mine.connection
        mine.close_if_unusable_or_obsolete()
        assert mine.connection is before, "CONN_MAX_AGE is None"
        mine.set_autocommit(False)
        must(Account.objects.count(), THREADS)
        mine.rollback()
        mine.close_if_unusable_or_obsolete()
        assert mine.connection is None, "autocommit was changed"
        must(Account.objects.count(), THREADS)

    in_threads(work)
