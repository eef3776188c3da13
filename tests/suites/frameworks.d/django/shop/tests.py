"""What the test runner of Django offers, each used once. They run with `manage.py test`."""

import threading

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test import TestCase, TransactionTestCase, tag

from shop.models import Account, Entry


class Atomic(TestCase):
    """Each test is a savepoint in the transaction of its class."""

    @classmethod
    def setUpTestData(cls):
        cls.account = Account.objects.create(name="of the class")
        Entry.objects.bulk_create([Entry(account=cls.account, amount=n) for n in range(100)])

    def test_changes_are_seen(self):
        self.account.balance = 7
        self.account.save()
        Account.objects.create(name="of one test")
        self.assertEqual(Account.objects.count(), 2)

    def test_changes_of_other_tests_are_not(self):
        self.account.refresh_from_db()
        self.assertEqual(self.account.balance, 100)
        self.assertEqual(Account.objects.count(), 1)

    def test_queries_are_counted(self):
        with self.assertNumQueries(2):
            self.assertEqual(len(list(Entry.objects.iterator(chunk_size=10))), 100)
            self.assertEqual(Entry.objects.count(), 100)

    def test_errors_stay_in_their_savepoint(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            Account.objects.create(name="of the class")
        self.assertEqual(Account.objects.count(), 1)

    def test_on_commit_is_called(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            transaction.on_commit(lambda: Account.objects.create(name="after"))
        self.assertEqual(len(callbacks), 1)
        self.assertTrue(Account.objects.filter(name="after").exists())


class Flushed(TransactionTestCase):
    """Each test commits, and its tables are emptied behind it."""
    reset_sequences = True

    def test_one(self):
        self.assertEqual(Account.objects.create(name="first").pk, 1)
        with transaction.atomic():
            Account.objects.create(name="second")
        self.assertEqual(Account.objects.count(), 2)

    def test_other(self):
        self.assertEqual(Account.objects.count(), 0)
        self.assertEqual(Account.objects.create(name="first").pk, 1)

    def test_other_connections_see_it(self):
        Account.objects.create(name="shared")
        seen = []

        def look():
            seen.append(Account.objects.count())
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        self.assertEqual(seen, [1])

    def test_settings_hold(self):
        with connection.cursor() as cursor:
            cursor.execute("SET shop.clerk = 'tester'")
            for _ in range(5):
                cursor.execute("SELECT current_setting('shop.clerk'), current_setting('statement_timeout')")
                self.assertEqual(cursor.fetchone(), ("tester", "25s"))


@tag("serialized")
class Serialized(TransactionTestCase):
    """What migrations put there is back in each test."""
    serialized_rollback = True

    def test_one(self):
        self.assertEqual(User.objects.get().username, "keeper")
        User.objects.all().delete()

    def test_other(self):
        self.assertEqual(User.objects.get().username, "keeper")
        Account.objects.create(name="gone")


class Late(TestCase):
    def test_it_still_works(self):
        self.assertEqual(Account.objects.count(), 0)
