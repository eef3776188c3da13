from django.db import connection, transaction
from django.db.models import F
from django.http import JsonResponse

from shop.models import Account, Entry


def pay(request, name, amount):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(name=name)
        Account.objects.filter(pk=account.pk).update(balance=F("balance") + amount)
        Entry.objects.create(account=account, amount=amount)
    request.session["paid"] = request.session.get("paid", 0) + amount
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('shop.branch')")
        (branch,) = cursor.fetchone()
    return JsonResponse({"paid": request.session["paid"], "branch": branch})
