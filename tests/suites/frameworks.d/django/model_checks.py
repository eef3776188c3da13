"""Migrations, models and transactions."""

import io
import random

import checks
from checks import THREADS, check, must
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.models import Count, F, Sum
from django.db.utils import DatabaseError
from django.test import Client
from shop.models import Account, Entry

ROUNDS = 10


def in_threads(work, count=THREADS):
    def with_its_connections(number):
        try:
            return work(number)
        finally:
            connections.close_all()

    return checks.in_threads(with_its_connections, count)


def total():
    return Account.objects.aggregate(all=Sum("balance"))["all"]


@check
def migrations_go_up_down_and_up_again():
    quiet = {"verbosity": 0, "interactive": False}
    call_command("migrate", **quiet)
    call_command("migrate", "shop", "zero", **quiet)
    must([table for table in connection.introspection.table_names() if table.startswith("shop_")], [])
    call_command("migrate", **quiet)
    call_command("makemigrations", check=True, dry_run=True, **quiet)
    plan = io.StringIO()
    call_command("showmigrations", "shop", stdout=plan)
    must(plan.getvalue().split(), ["shop", "[X]", "0001_initial", "[X]", "0002_keeper"])


@check
def models_are_made_found_changed_and_deleted():
    def work(number):
        account = Account.objects.create(name=f"holder {number}", detail={"text": "snö", "number": number})
        for n in range(ROUNDS):
            account.entries.create(amount=n)
            must(Account.objects.get(name=account.name).detail["number"], number)
            Account.objects.filter(pk=account.pk).update(balance=F("balance") + 1)
            account.refresh_from_db()
            must(account.balance, 101 + n)
        must(account.entries.aggregate(sum=Sum("amount"), count=Count("*")), {"sum": 45, "count": ROUNDS})
        must(Account.objects.filter(detail__number=number).prefetch_related("entries").get().entries.all()[3].amount, 3)
        must(account.entries.filter(amount=3).delete()[0], 1)
        must(Account.objects.get_or_create(name=account.name)[1], False)
        must(Account.objects.update_or_create(name=account.name, defaults={"balance": 100})[1], False)

    in_threads(work)
    must(total(), 100 * THREADS)


@check
def atomic_blocks_and_nested_savepoints():
    before = total()

    def work(number):
        for n in range(ROUNDS):
            try:
                with transaction.atomic():
                    Account.objects.filter(name=f"holder {number}").update(balance=F("balance") + 7)
                    try:
                        with transaction.atomic():
                            Account.objects.create(name=f"holder {number}")
                        raise AssertionError("a name was taken twice")
                    except IntegrityError:
                        must(Account.objects.filter(name=f"holder {number}").count(), 1)
                    with transaction.atomic():
                        Entry.objects.create(account=Account.objects.get(name=f"holder {number}"), amount=1000)
                        with transaction.atomic(savepoint=False):
                            must(connection.in_atomic_block, True)
                    mark = transaction.savepoint()
                    Account.objects.create(name=f"more {number}.{n}")
                    transaction.savepoint_rollback(mark)
                    raise KeyError
            except KeyError:
                pass
        must(Account.objects.filter(name__startswith=f"more {number}.").count(), 0)

    in_threads(work)
    must(Entry.objects.filter(amount=1000).count(), 0)
    must(total(), before)


@check
def select_for_update_moves_money_and_loses_none():
    before = total()

    def work(number):
        chosen = random.Random(number)
        for _ in range(ROUNDS):
            with transaction.atomic():
                names = [f"holder {n}" for n in chosen.sample(range(THREADS), 2)]
                giver, taker = Account.objects.select_for_update().filter(name__in=names).order_by("pk")
                giver.balance -= 5
                taker.balance += 5
                Account.objects.bulk_update([giver, taker], ["balance"])

    in_threads(work)
    must(total(), before)


@check
def nowait_and_skip_locked():
    with transaction.atomic():
        Account.objects.select_for_update().get(name="holder 0")

        def work(_):
            with transaction.atomic():
                must(Account.objects.select_for_update(skip_locked=True).filter(name="holder 0").count(), 1)
                must(list(Account.objects.select_for_update(skip_locked=True).filter(name="holder 0")), [])
            try:
                with transaction.atomic():
                    Account.objects.select_for_update(nowait=True).get(name="holder 0")
                raise AssertionError("it was locked")
            except DatabaseError:
                must(Account.objects.filter(name="holder 0").count(), 1)

        in_threads(work)


@check
def bulk_work():
    def work(number):
        made = Account.objects.bulk_create([Account(name=f"bulk {number}.{n}", balance=n) for n in range(300)],
                                           batch_size=100)
        must(len({account.pk for account in made}), 300)
        Account.objects.bulk_create([Account(name=f"bulk {number}.{n}") for n in range(300)], ignore_conflicts=True)
        mine = Account.objects.filter(name__startswith=f"bulk {number}.")
        must(mine.count(), 300)
        must(sum(mine.values_list("balance", flat=True)), 44850)
        must(mine.delete()[0], 300)

    in_threads(work)


@check
def iterators_outside_transactions():
    """Cursors WITH HOLD, since autocommit has no transaction for others. See: chunked_cursor() of the backend."""
    def work(number):
        seen = 0
        for entry in Entry.objects.order_by("pk").iterator(chunk_size=20):
            seen += 1
            if seen % 50 == 0:
                must(Account.objects.filter(pk=entry.account_id).count(), 1)
        must(seen, THREADS * (ROUNDS - 1))
        early = Entry.objects.iterator(chunk_size=5)
        next(early)
        early.close()
        must(len(list(zip(Account.objects.iterator(2), Entry.objects.iterator(3)))), THREADS)

    in_threads(work)


@check
def iterators_inside_transactions():
    def work(number):
        with transaction.atomic():
            seen = 0
            for entry in Entry.objects.iterator(chunk_size=20):
                seen += 1
                if seen % 50 == 0:
                    Account.objects.filter(pk=entry.account_id).count()
            must(seen, THREADS * (ROUNDS - 1))

    in_threads(work)


@check
def serializable_aliases_are_retried():
    def work(_):
        for _ in range(5):
            while True:
                try:
                    with transaction.atomic(using="strict"), connections["strict"].cursor() as cursor:
                        cursor.execute("SHOW transaction_isolation")
                        must(cursor.fetchone(), ("serializable",))
                        account = Account.objects.using("strict").get(name="holder 1")
                        account.balance += 1
                        account.save()
                    break
                except OperationalError as failure:
                    must(failure.__cause__.pgcode, "40001")

    before = total()
    in_threads(work, 4)
    must(total(), before + 20)


@check
def requests_are_answered():
    def work(number):
        client = Client()
        for n in range(1, 6):
            must(client.get(f"/pay/holder {number}/2").json(), {"paid": 2 * n, "branch": "north"})

    before = total()
    in_threads(work)
    must(total(), before + 10 * THREADS)
