"""What search reads: one prepared row per product on sale, narrow facet rows, a vocabulary and its profile.

Rebuilt by `catalog.operations.indexing`; nothing here is the truth about a product.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.rules.marks import WIDTH

NO_MARKS = bytes(WIDTH)


class ProductSearch(models.Model):
    """The prepared text of a product on sale, as `catalog.rules.words` normalises it.

    `document` is matched by trigrams, `tokens` by whole words and Chinese pairs, `marks` has a bit for each of the
    profile's frequent pieces that stands in it (`catalog.rules.marks`). `facets` are its keys; `categories`, `method`,
    `modes`, `supervised`, `trial` say the same in columns that PostgreSQL keeps statistics of. `price_key` is its
    lowest price in ten-thousandths of the site's currency. `card` is what lists show.
    """

    product_id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=260)
    name_zh = models.CharField(max_length=260, blank=True)
    document = models.TextField()
    tokens = SearchVectorField()
    marks = models.BinaryField(max_length=WIDTH, default=NO_MARKS, db_default=NO_MARKS)
    facets = ArrayField(models.IntegerField())
    categories = ArrayField(models.IntegerField())
    method = models.SmallIntegerField()
    modes = ArrayField(models.SmallIntegerField())
    supervised = models.BooleanField()
    trial = models.BooleanField()
    seller_id = models.BigIntegerField()
    popularity = models.PositiveIntegerField(default=0)
    released = models.DateTimeField()
    price_key = models.BigIntegerField(null=True)
    card = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("search row")
        indexes = [
            GinIndex(fields=["document"], name="search_document", opclasses=["gin_trgm_ops"], fastupdate=False),
            GinIndex(fields=["tokens"], name="search_tokens", fastupdate=False),
            models.Index(fields=["name"], name="search_name", opclasses=["text_pattern_ops"]),
            models.Index(fields=["-popularity", "-product_id"], name="search_popular"),
            models.Index(fields=["-released", "-product_id"], name="search_newest"),
            models.Index(fields=["price_key", "-product_id"], name="search_price"),
        ]

    def __str__(self) -> str:
        return self.name


class ProductFacet(models.Model):
    """What facets and the most popular of frequent words are read from: short rows, one per product and category."""

    product_id = models.BigIntegerField(db_index=True)
    seller_id = models.BigIntegerField()
    price_key = models.BigIntegerField(null=True)
    popularity = models.PositiveIntegerField(default=0, db_default=0)
    key = models.IntegerField()
    marks = models.BinaryField(max_length=WIDTH, default=NO_MARKS, db_default=NO_MARKS)

    class Meta:
        verbose_name = _("facet row")
        constraints = [models.UniqueConstraint(fields=["product_id", "key"], name="facet_once")]
        indexes = [models.Index(fields=["-popularity", "-product_id"], name="facet_popular")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.key}"


class Vocabulary(models.Model):
    """A word that products on sale use, and how many of them."""

    word = models.CharField(max_length=40, primary_key=True)
    products = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("vocabulary word")
        indexes = [GinIndex(fields=["word"], name="vocabulary_trigrams", opclasses=["gin_trgm_ops"], fastupdate=False)]

    def __str__(self) -> str:
        return self.word


class SearchProfile(models.Model):
    """The pieces so frequent that an index would read half the catalogue, by their place in the marks."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    frequent_pieces = ArrayField(models.CharField(max_length=40), default=list, db_default=[])
    built_at = models.DateTimeField()

    class Meta:
        verbose_name = _("search profile")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="search_profile_single")]

    def __str__(self) -> str:
        return f"{len(self.frequent_pieces)} frequent pieces"
