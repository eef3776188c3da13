"""Data, a new column, and an index that cannot be made in a transaction."""

from django.contrib.auth.hashers import make_password
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def add_keeper(apps, _):
    apps.get_model("auth", "User").objects.create(username="keeper", password=make_password("secret"))


def remove_keeper(apps, _):
    apps.get_model("auth", "User").objects.filter(username="keeper").delete()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RunPython(add_keeper, remove_keeper),
        migrations.AddField(model_name="account", name="detail", field=models.JSONField(default=dict)),
        AddIndexConcurrently(model_name="entry", index=models.Index(fields=["amount"], name="entry_amount")),
    ]
