"""What search reads: one prepared document per product on sale, narrow facet rows, a vocabulary.

The database keeps no reference to products here, and the rows are rebuilt by `catalog.operations.indexing`.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils.translation import gettext_lazy as _


class ProductSearch(models.Model):
    """The prepared text of a product on sale: normalised, one blank around every word.

    `document` is matched by trigrams; `tokens` holds whole words and Chinese bigrams; `from_price` is the lowest unit
    price in the site's currency.
    """

    product_id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=260)
    document = models.TextField()
    tokens = SearchVectorField()
    popularity = models.PositiveIntegerField(default=0)
    released = models.DateTimeField()
    from_price = models.DecimalField(max_digits=23, decimal_places=8, null=True)
    card = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("search row")
        indexes = [
            GinIndex(fields=["document"], name="search_document", opclasses=["gin_trgm_ops"]),
            GinIndex(fields=["tokens"], name="search_tokens"),
            models.Index(fields=["name"], name="search_name", opclasses=["text_pattern_ops"]),
            models.Index(fields=["-popularity", "-product_id"], name="search_popular"),
            models.Index(fields=["-released", "-product_id"], name="search_newest"),
            models.Index(fields=["from_price", "product_id"], name="search_price"),
        ]

    def __str__(self) -> str:
        return self.name


class ProductFacet(models.Model):
    """What facets count: fixed-width columns only. `categories` of a product stand in rows of their own.

    `packed` holds delivery method, billing modes, supervised, trial and price band in one number.
    """

    product_id = models.BigIntegerField()
    category_id = models.IntegerField()
    parent_id = models.IntegerField()
    seller_id = models.IntegerField()
    packed = models.IntegerField()
    from_price = models.DecimalField(max_digits=23, decimal_places=8, null=True)

    class Meta:
        verbose_name = _("facet row")
        constraints = [models.UniqueConstraint(fields=["product_id", "category_id"], name="facet_once")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.category_id}"


class Vocabulary(models.Model):
    """Every word that products on sale use, with the number of products that use it."""

    word = models.CharField(max_length=40, primary_key=True)
    products = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("vocabulary word")
        indexes = [GinIndex(fields=["word"], name="vocabulary_trigrams", opclasses=["gin_trgm_ops"])]

    def __str__(self) -> str:
        return self.word
