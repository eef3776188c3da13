from django.db import models


class Account(models.Model):
    name = models.CharField(max_length=100, unique=True)
    balance = models.IntegerField(default=100)
    opened = models.DateTimeField(auto_now_add=True)
    detail = models.JSONField(default=dict)

    class Meta:
        constraints = [models.CheckConstraint(check=models.Q(balance__gte=-1000000), name="balance_is_sane")]


class Entry(models.Model):
    account = models.ForeignKey(Account, models.CASCADE, related_name="entries")
    amount = models.IntegerField()
    made = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["amount"], name="entry_amount")]
