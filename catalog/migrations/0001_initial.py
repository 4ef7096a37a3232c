from decimal import Decimal

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import koogallery.kernel.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0001_initial"),
        ("kernel", "0002_extensions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=80)),
                ("name_zh", models.CharField(blank=True, max_length=80)),
                ("summary", models.CharField(blank=True, max_length=160)),
                ("summary_zh", models.CharField(blank=True, max_length=160)),
                ("icon", models.CharField(blank=True, max_length=40)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="catalog.category",
                    ),
                ),
            ],
            options={
                "verbose_name": "category",
                "verbose_name_plural": "categories",
                "ordering": ["position", "code"],
            },
        ),
        migrations.CreateModel(
            name="DemandRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("answered", "Answered")], default="open", max_length=10
                    ),
                ),
                ("subject", models.CharField(max_length=120)),
                ("description", models.TextField()),
                ("email", models.EmailField(max_length=254)),
                ("searched_for", models.CharField(blank=True, max_length=120)),
                ("made_at", models.DateTimeField()),
                ("answer", models.TextField(blank=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="demands",
                        to="identity.account",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="demands",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "demand",
                "verbose_name_plural": "demands",
                "ordering": ["-made_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=60, unique=True)),
                ("slug", models.SlugField(max_length=120, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("on_sale", "On sale"),
                            ("hidden", "Hidden"),
                            ("suspended", "Taken off sale"),
                            ("removed", "Removed"),
                        ],
                        default="draft",
                        max_length=12,
                    ),
                ),
                ("state_reason", models.CharField(blank=True, max_length=300)),
                (
                    "delivery_method",
                    models.CharField(
                        choices=[
                            ("image", "Image"),
                            ("saas", "SaaS"),
                            ("license", "License"),
                            ("professional_service", "Professional service"),
                            ("hardware", "Hardware"),
                            ("content_service", "Content service"),
                            ("consulting_service", "Consulting service"),
                            ("cloud_host", "Cloud host"),
                            ("api", "API"),
                        ],
                        max_length=24,
                    ),
                ),
                ("supervised", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=120)),
                ("name_zh", models.CharField(blank=True, max_length=120)),
                ("summary", models.CharField(blank=True, max_length=300)),
                ("summary_zh", models.CharField(blank=True, max_length=300)),
                ("overview", models.TextField(blank=True)),
                ("overview_zh", models.TextField(blank=True)),
                ("introduction", models.TextField(blank=True, verbose_name="introduction (rich)")),
                ("introduction_zh", models.TextField(blank=True)),
                ("usage_guide", models.TextField(blank=True, verbose_name="usage guide (rich)")),
                ("usage_guide_zh", models.TextField(blank=True)),
                ("user_guide_file", models.FileField(blank=True, upload_to="products/guides/")),
                ("logo", models.ImageField(blank=True, upload_to="logos/products/")),
                ("support_hours", models.CharField(blank=True, max_length=120)),
                ("support_hours_zh", models.CharField(blank=True, max_length=120)),
                ("support_zone", models.CharField(default="GMT+08:00", max_length=40)),
                ("support_hotline", models.CharField(blank=True, max_length=60)),
                ("support_email", models.EmailField(blank=True, max_length=254)),
                ("support_scope", models.TextField(blank=True)),
                ("support_scope_zh", models.TextField(blank=True)),
                ("eula", models.TextField(blank=True)),
                ("eula_zh", models.TextField(blank=True)),
                (
                    "sales_regions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=2), blank=True, default=list, size=None
                    ),
                ),
                ("request_template", models.FileField(blank=True, upload_to="products/requests/")),
                ("request_attachment_required", models.BooleanField(default=False)),
                ("delivery_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("acceptance_criteria", models.TextField(blank=True)),
                ("acceptance_criteria_zh", models.TextField(blank=True)),
                ("handover_text", models.TextField(blank=True)),
                ("handover_text_zh", models.TextField(blank=True)),
                ("supports_change", models.BooleanField(default=False)),
                ("supports_auto_renewal", models.BooleanField(default=False)),
                ("trial_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "contact_data",
                    models.CharField(
                        choices=[
                            ("none", "None"),
                            ("mobile", "Mobile number"),
                            ("email", "E-mail address"),
                            ("iam_user_name", "IAM user name"),
                        ],
                        default="none",
                        max_length=16,
                    ),
                ),
                ("limit_per_account", models.PositiveIntegerField(blank=True, null=True)),
                ("one_at_a_time", models.BooleanField(default=False)),
                ("max_items", models.PositiveIntegerField(default=1)),
                ("stock", models.PositiveIntegerField(blank=True, null=True)),
                ("platform_fee_percent", models.DecimalField(decimal_places=2, default=Decimal("10.00"), max_digits=5)),
                (
                    "interface_version",
                    models.CharField(
                        blank=True, choices=[("", "None"), ("1", "1.0"), ("2", "2.0")], default="", max_length=1
                    ),
                ),
                ("interface_url", models.CharField(blank=True, max_length=500)),
                ("interface_key", koogallery.kernel.fields.EncryptedTextField(blank=True)),
                ("image_reference", models.CharField(blank=True, max_length=200)),
                ("security_group_rules", models.JSONField(blank=True, default=list)),
                ("stack_template", models.TextField(blank=True)),
                ("created_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("changed_at", models.DateTimeField()),
                ("popularity", models.PositiveIntegerField(default=0)),
                ("content_digest", models.CharField(blank=True, max_length=64)),
                ("categories", models.ManyToManyField(blank=True, related_name="products", to="catalog.category")),
            ],
            options={
                "verbose_name": "product",
                "verbose_name_plural": "products",
                "ordering": ["-pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ProductFacet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product_id", models.BigIntegerField(db_index=True)),
                ("seller_id", models.BigIntegerField()),
                ("frequent", models.BigIntegerField(default=0)),
                ("price_key", models.BigIntegerField(null=True)),
                ("key", models.IntegerField()),
            ],
            options={
                "verbose_name": "facet row",
                "constraints": [models.UniqueConstraint(fields=("product_id", "key"), name="facet_once")],
            },
        ),
        migrations.CreateModel(
            name="ProductImage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file", models.ImageField(upload_to="products/images/")),
                ("caption", models.CharField(blank=True, max_length=160)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="images", to="catalog.product"
                    ),
                ),
            ],
            options={
                "verbose_name": "product image",
                "verbose_name_plural": "product images",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="ProductSearch",
            fields=[
                ("product_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=260)),
                ("name_zh", models.CharField(blank=True, max_length=260)),
                ("document", models.TextField()),
                ("tokens", django.contrib.postgres.search.SearchVectorField()),
                ("frequent", models.BigIntegerField(default=0)),
                ("facets", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ("categories", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ("method", models.SmallIntegerField()),
                ("modes", django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ("supervised", models.BooleanField()),
                ("trial", models.BooleanField()),
                ("seller_id", models.BigIntegerField()),
                ("popularity", models.PositiveIntegerField(default=0)),
                ("released", models.DateTimeField()),
                ("price_key", models.BigIntegerField(null=True)),
                ("card", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "search row",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["document"], name="search_document", opclasses=["gin_trgm_ops"]
                    ),
                    django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=["tokens"], name="search_tokens"),
                    models.Index(fields=["name"], name="search_name", opclasses=["text_pattern_ops"]),
                    models.Index(fields=["-popularity", "-product_id"], name="search_popular"),
                    models.Index(fields=["-released", "-product_id"], name="search_newest"),
                    models.Index(fields=["price_key", "-product_id"], name="search_price"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchProfile",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "frequent_words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), default=list, size=None
                    ),
                ),
                (
                    "frequent_trigrams",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=3), default=list, size=None
                    ),
                ),
                ("built_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "search profile",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="search_profile_single")],
            },
        ),
        migrations.CreateModel(
            name="Seller",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=60, unique=True)),
                ("slug", models.SlugField(max_length=80, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Pending approval"), ("approved", "Approved"), ("rejected", "Rejected")],
                        default="pending",
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("name_zh", models.CharField(blank=True, max_length=120)),
                ("introduction", models.TextField(blank=True)),
                ("introduction_zh", models.TextField(blank=True)),
                ("email", models.EmailField(max_length=254, verbose_name="customer-service e-mail")),
                ("phone", models.CharField(blank=True, max_length=40, verbose_name="customer-service phone")),
                ("hours", models.CharField(blank=True, max_length=120, verbose_name="service hours")),
                ("hours_zh", models.CharField(blank=True, max_length=120)),
                (
                    "zone",
                    models.CharField(default="GMT+08:00", max_length=40, verbose_name="zone of the service hours"),
                ),
                ("website", models.URLField(blank=True)),
                ("logo", models.ImageField(blank=True, upload_to="logos/sellers/")),
                ("company", models.CharField(blank=True, max_length=160)),
                ("contact_name", models.CharField(blank=True, max_length=120)),
                ("licence_file", models.FileField(blank=True, upload_to="sellers/licences/")),
                ("tax_number", models.CharField(blank=True, max_length=60)),
                ("bank_account", koogallery.kernel.fields.EncryptedTextField(blank=True)),
                ("applied_at", models.DateTimeField(blank=True, null=True)),
                ("review_due_at", models.DateTimeField(blank=True, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("rejection_reason", models.CharField(blank=True, max_length=500)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seller", to="identity.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "seller",
                "verbose_name_plural": "sellers",
                "ordering": ["name", "pk"],
            },
        ),
        migrations.AddField(
            model_name="product",
            name="seller",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="products", to="catalog.seller"
            ),
        ),
        migrations.CreateModel(
            name="Sku",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=120)),
                ("choices", models.JSONField(blank=True, default=dict)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="skus", to="catalog.product"
                    ),
                ),
            ],
            options={
                "verbose_name": "SKU",
                "verbose_name_plural": "SKUs",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="PricePlan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "billing_mode",
                    models.CharField(
                        choices=[
                            ("PERIOD", "Yearly/Monthly"),
                            ("ONE_TIME", "One-time"),
                            ("ON_DEMAND", "Pay-per-use"),
                            ("ON_DEMAND_PKG", "Pay-per-use package"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "model",
                    models.CharField(
                        choices=[
                            ("flat", "Flat price"),
                            ("linear", "Unit price × quantity"),
                            ("tiered", "Tiered: the whole quantity at its band's price"),
                            ("volume", "Volume: the whole quantity at its band's price"),
                            ("sku", "Price per specification"),
                        ],
                        default="flat",
                        max_length=8,
                    ),
                ),
                (
                    "term_unit",
                    models.CharField(blank=True, choices=[("month", "Month"), ("year", "Year")], max_length=5),
                ),
                (
                    "lengths",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), blank=True, default=list, size=None
                    ),
                ),
                ("usage_unit", models.CharField(blank=True, max_length=40, verbose_name="usage unit (one)")),
                ("usage_units", models.CharField(blank=True, max_length=40, verbose_name="usage unit (many)")),
                ("usage_unit_zh", models.CharField(blank=True, max_length=40)),
                ("package_quota", models.DecimalField(blank=True, decimal_places=4, max_digits=18, null=True)),
                ("package_months", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "overflow",
                    models.CharField(
                        blank=True,
                        choices=[("stop", "Service stops"), ("price", "Further use is charged")],
                        max_length=5,
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "sku",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="plans", to="catalog.sku"
                    ),
                ),
            ],
            options={
                "verbose_name": "price plan",
                "verbose_name_plural": "price plans",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="ChangePath",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_upgrade", models.BooleanField(default=False)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="change_paths", to="catalog.product"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="paths_from", to="catalog.sku"
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="paths_to", to="catalog.sku"
                    ),
                ),
            ],
            options={
                "verbose_name": "change path",
                "verbose_name_plural": "change paths",
            },
        ),
        migrations.CreateModel(
            name="Specification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=60)),
                ("name", models.CharField(max_length=120)),
                ("name_zh", models.CharField(blank=True, max_length=120)),
                ("description", models.CharField(blank=True, max_length=300)),
                ("description_zh", models.CharField(blank=True, max_length=300)),
                ("limit_per_account", models.PositiveIntegerField(blank=True, null=True)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="specifications", to="catalog.product"
                    ),
                ),
            ],
            options={
                "verbose_name": "specification",
                "verbose_name_plural": "specifications",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.AddField(
            model_name="sku",
            name="specification",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="skus", to="catalog.specification"
            ),
        ),
        migrations.CreateModel(
            name="Attribute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40)),
                (
                    "kind",
                    models.CharField(choices=[("enumeration", "Enumeration"), ("quantity", "Quantity")], max_length=12),
                ),
                ("name", models.CharField(max_length=80)),
                ("name_zh", models.CharField(blank=True, max_length=80)),
                ("unit", models.CharField(blank=True, max_length=40, verbose_name="unit (many)")),
                ("unit_one", models.CharField(blank=True, max_length=40, verbose_name="unit (one)")),
                ("unit_zh", models.CharField(blank=True, max_length=40)),
                ("minimum", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                ("maximum", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                ("step", models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "specification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attributes",
                        to="catalog.specification",
                    ),
                ),
            ],
            options={
                "verbose_name": "attribute",
                "verbose_name_plural": "attributes",
                "ordering": ["position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="StandingDiscount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("share", models.DecimalField(decimal_places=4, max_digits=5)),
                ("valid_from", models.DateTimeField()),
                ("valid_to", models.DateTimeField(blank=True, null=True)),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="standing_discounts",
                        to="identity.account",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="standing_discounts",
                        to="catalog.product",
                    ),
                ),
            ],
            options={
                "verbose_name": "standing discount",
                "verbose_name_plural": "standing discounts",
                "ordering": ["-valid_from", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="StockMovement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("order_number", models.CharField(max_length=40, unique=True)),
                ("count", models.PositiveIntegerField()),
                ("taken_at", models.DateTimeField()),
                ("given_back_at", models.DateTimeField(blank=True, null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stock_movements",
                        to="catalog.product",
                    ),
                ),
            ],
            options={
                "verbose_name": "stock movement",
                "verbose_name_plural": "stock movements",
            },
        ),
        migrations.CreateModel(
            name="Vocabulary",
            fields=[
                ("word", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("products", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name": "vocabulary word",
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["word"], name="vocabulary_trigrams", opclasses=["gin_trgm_ops"]
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AttributeOption",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40)),
                ("name", models.CharField(max_length=80)),
                ("name_zh", models.CharField(blank=True, max_length=80)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "attribute",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="options", to="catalog.attribute"
                    ),
                ),
            ],
            options={
                "verbose_name": "option",
                "verbose_name_plural": "options",
                "ordering": ["position", "pk"],
                "constraints": [models.UniqueConstraint(fields=("attribute", "code"), name="option_code")],
            },
        ),
        migrations.CreateModel(
            name="PlanPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                (
                    "unit_price",
                    koogallery.kernel.fields.UnitPriceField(decimal_places=8, default=Decimal("0"), max_digits=23),
                ),
                ("bands", models.JSONField(blank=True, default=list)),
                ("length_prices", models.JSONField(blank=True, default=list)),
                (
                    "overflow_price",
                    koogallery.kernel.fields.UnitPriceField(blank=True, decimal_places=8, max_digits=23, null=True),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="prices", to="catalog.priceplan"
                    ),
                ),
            ],
            options={
                "verbose_name": "price",
                "verbose_name_plural": "prices",
                "ordering": ["currency"],
                "constraints": [
                    models.UniqueConstraint(fields=("plan", "currency"), name="plan_price_once"),
                    models.CheckConstraint(condition=models.Q(("unit_price__gte", 0)), name="plan_price_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Favorite",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("saved_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="favorites", to="identity.account"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="favorites",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="favorites", to="catalog.product"
                    ),
                ),
            ],
            options={
                "verbose_name": "favorite",
                "verbose_name_plural": "favorites",
                "ordering": ["-saved_at", "-pk"],
                "constraints": [models.UniqueConstraint(fields=("user", "product"), name="favorite_once")],
            },
        ),
        migrations.CreateModel(
            name="ResellerDiscount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("share", models.DecimalField(decimal_places=4, max_digits=5)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="discounts_of_reseller",
                        to="identity.account",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="catalog.product"
                    ),
                ),
                (
                    "reseller",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reseller_discounts",
                        to="identity.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "reseller discount",
                "verbose_name_plural": "reseller discounts",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("share__gt", 0), ("share__lt", 1)), name="reseller_share"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("customer__isnull", True), ("product__isnull", True), _connector="OR"),
                        name="reseller_one_subject",
                    ),
                    models.UniqueConstraint(
                        fields=("reseller", "customer", "product"), name="reseller_discount_once", nulls_distinct=False
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(fields=["seller", "state"], name="product_of_seller"),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                condition=models.Q(("state", "on_sale")), fields=["-released_at", "-id"], name="product_newest"
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                condition=models.Q(("state", "on_sale")), fields=["-popularity", "-id"], name="product_popular"
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("trial_days__isnull", True),
                    models.Q(("trial_days__gte", 3), ("trial_days__lte", 180)),
                    _connector="OR",
                ),
                name="product_trial_days",
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(("platform_fee_percent__gte", 0), ("platform_fee_percent__lte", 100)),
                name="product_fee_percent",
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(condition=models.Q(("max_items__gte", 1)), name="product_max_items"),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("delivery_method__in", ["hardware", "license", "professional_service"]), _negated=True),
                    ("supervised", True),
                    _connector="OR",
                ),
                name="product_always_supervised",
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "delivery_method__in",
                            ["api", "cloud_host", "consulting_service", "content_service", "image"],
                        ),
                        _negated=True,
                    ),
                    ("supervised", False),
                    _connector="OR",
                ),
                name="product_never_supervised",
            ),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "on_sale"), _negated=True), ("released_at__isnull", False), _connector="OR"
                ),
                name="product_released",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceplan",
            constraint=models.UniqueConstraint(fields=("sku", "billing_mode", "term_unit"), name="plan_once"),
        ),
        migrations.AddConstraint(
            model_name="priceplan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("billing_mode", "PERIOD"), ("term_unit__in", ["month", "year"])),
                    models.Q(models.Q(("billing_mode", "PERIOD"), _negated=True), ("term_unit", "")),
                    _connector="OR",
                ),
                name="plan_term_unit",
            ),
        ),
        migrations.AddConstraint(
            model_name="priceplan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("billing_mode", "ON_DEMAND_PKG"), _negated=True),
                    models.Q(("package_months__gte", 1), ("package_quota__gt", 0)),
                    _connector="OR",
                ),
                name="plan_package",
            ),
        ),
        migrations.AddConstraint(
            model_name="changepath",
            constraint=models.UniqueConstraint(fields=("source", "target"), name="change_path_once"),
        ),
        migrations.AddConstraint(
            model_name="changepath",
            constraint=models.CheckConstraint(
                condition=models.Q(("source", models.F("target")), _negated=True), name="change_path_differs"
            ),
        ),
        migrations.AddConstraint(
            model_name="specification",
            constraint=models.UniqueConstraint(fields=("product", "code"), name="specification_code"),
        ),
        migrations.AddConstraint(
            model_name="sku",
            constraint=models.UniqueConstraint(fields=("product", "code"), name="sku_code"),
        ),
        migrations.AddConstraint(
            model_name="sku",
            constraint=models.UniqueConstraint(fields=("specification", "choices"), name="sku_choices"),
        ),
        migrations.AddConstraint(
            model_name="attribute",
            constraint=models.UniqueConstraint(fields=("specification", "code"), name="attribute_code"),
        ),
        migrations.AddConstraint(
            model_name="attribute",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "quantity")), fields=("specification",), name="attribute_one_quantity"
            ),
        ),
        migrations.AddConstraint(
            model_name="attribute",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "quantity"), _negated=True),
                    models.Q(
                        ("maximum__gte", models.F("minimum")),
                        ("maximum__isnull", False),
                        ("minimum__gt", 0),
                        ("step__gt", 0),
                    ),
                    _connector="OR",
                ),
                name="attribute_quantity_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="standingdiscount",
            constraint=models.CheckConstraint(
                condition=models.Q(("share__gt", 0), ("share__lt", 1)), name="standing_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="standingdiscount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to__isnull", True), ("valid_to__gt", models.F("valid_from")), _connector="OR"
                ),
                name="standing_dates",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockmovement",
            constraint=models.CheckConstraint(condition=models.Q(("count__gte", 1)), name="stock_movement_count"),
        ),
    ]
