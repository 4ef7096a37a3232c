"""Marks instead of masks: more pieces of text are counted and ranked without reading half the catalogue.

Search stays right with the rows there are; `manage.py rebuild_search` marks them. What the version before reads and
writes stays in the tables, with a default. Facet rows are read within milliseconds: starting parallel workers would
take longer than the work they share.
"""

from __future__ import annotations

import django.contrib.postgres.fields
from django.db import migrations, models

from catalog.models.search import NO_MARKS

FORMER = [
    ("productsearch", "frequent"),
    ("productfacet", "frequent"),
    ("searchprofile", "frequent_words"),
    ("searchprofile", "frequent_trigrams"),
]
SETTINGS = """
    ALTER TABLE catalog_productsearch ALTER COLUMN frequent SET DEFAULT 0;
    ALTER TABLE catalog_productfacet ALTER COLUMN frequent SET DEFAULT 0;
    ALTER TABLE catalog_searchprofile ALTER COLUMN frequent_words SET DEFAULT '{}',
        ALTER COLUMN frequent_trigrams SET DEFAULT '{}';
    ALTER TABLE catalog_productfacet SET (parallel_workers = 0);
"""
FORMER_SETTINGS = """
    ALTER TABLE catalog_productsearch ALTER COLUMN frequent DROP DEFAULT;
    ALTER TABLE catalog_productfacet ALTER COLUMN frequent DROP DEFAULT;
    ALTER TABLE catalog_searchprofile ALTER COLUMN frequent_words DROP DEFAULT,
        ALTER COLUMN frequent_trigrams DROP DEFAULT;
    ALTER TABLE catalog_productfacet RESET (parallel_workers);
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SETTINGS, FORMER_SETTINGS)],
            state_operations=[migrations.RemoveField(model, field) for model, field in FORMER],
        ),
        migrations.AddField(
            "productsearch", "marks", models.BinaryField(default=NO_MARKS, db_default=NO_MARKS, max_length=120)
        ),
        migrations.AddField(
            "productfacet", "marks", models.BinaryField(default=NO_MARKS, db_default=NO_MARKS, max_length=120)
        ),
        migrations.AddField("productfacet", "popularity", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddIndex("productfacet", models.Index(fields=["-popularity", "-product_id"], name="facet_popular")),
        migrations.AddField(
            "searchprofile",
            "frequent_pieces",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(max_length=40), db_default=[], default=list, size=None
            ),
        ),
    ]
