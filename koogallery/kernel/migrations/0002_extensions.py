"""What the platform asks of PostgreSQL beyond its core; all three come with every distribution of it."""

from django.contrib.postgres.operations import BtreeGistExtension, TrigramExtension, UnaccentExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_initial")]

    operations = [TrigramExtension(), BtreeGistExtension(), UnaccentExtension()]
