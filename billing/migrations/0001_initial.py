import django.db.models.deletion
from django.db import migrations, models

import koogallery.kernel.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0002_roles_and_policies"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True)),
                ("postings", models.BigIntegerField(default=0)),
                ("entries", models.BigIntegerField(default=0)),
                ("ledger_accounts", models.BigIntegerField(default=0)),
                ("orders", models.BigIntegerField(default=0)),
                ("findings", models.JSONField(default=list)),
                ("seconds", models.DecimalField(decimal_places=3, default=0, max_digits=9)),
            ],
            options={
                "verbose_name": "ledger check",
                "verbose_name_plural": "ledger checks",
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="SandboxCharge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=120, unique=True)),
                ("token", models.CharField(max_length=60)),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("approved", models.BooleanField()),
                ("asked", models.PositiveSmallIntegerField(default=1)),
                ("refunded", koogallery.kernel.fields.AmountField(decimal_places=4, default=0, max_digits=19)),
            ],
        ),
        migrations.CreateModel(
            name="Card",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=32, unique=True)),
                ("gateway", models.CharField(max_length=20)),
                ("token", koogallery.kernel.fields.EncryptedTextField()),
                ("customer_token", koogallery.kernel.fields.EncryptedTextField(blank=True)),
                ("brand", models.CharField(max_length=20)),
                ("last_digits", models.CharField(max_length=4)),
                ("expires_month", models.PositiveSmallIntegerField()),
                ("expires_year", models.PositiveSmallIntegerField()),
                ("is_default", models.BooleanField(default=False)),
                ("added_at", models.DateTimeField()),
                ("removed_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="cards", to="identity.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "card",
                "verbose_name_plural": "cards",
                "ordering": ["-is_default", "added_at", "pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Charge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(choices=[("charge", "Charge"), ("refund", "Refund")], max_length=12)),
                ("order_number", models.CharField(max_length=24)),
                ("line_number", models.CharField(max_length=40)),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("balance", "Account balance"),
                            ("card", "Card"),
                            ("credit", "Platform credit"),
                            ("reseller", "Reseller"),
                            ("bank_transfer", "Bank transfer"),
                            ("funds", "Added by operations"),
                        ],
                        max_length=16,
                    ),
                ),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("description", models.CharField(blank=True, max_length=255)),
                ("project_code", models.CharField(blank=True, max_length=64)),
                ("tags", models.JSONField(default=dict)),
                ("explanation", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="charges", to="identity.account"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "bill line",
                "verbose_name_plural": "bill lines",
                "ordering": ["-at", "-pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="CreditLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("platform", "Platform credit"), ("milestone", "Milestone credit")], max_length=12
                    ),
                ),
                ("limit", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("granted_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credit_lines", to="identity.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "credit line",
                "verbose_name_plural": "credit lines",
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="CreditChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("before", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("after", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("reason", models.CharField(blank=True, max_length=255)),
                ("changed_by", models.CharField(blank=True, max_length=150)),
                ("at", models.DateTimeField()),
                (
                    "credit_line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="billing.creditline"
                    ),
                ),
            ],
            options={
                "verbose_name": "credit change",
                "verbose_name_plural": "credit changes",
                "ordering": ["-at", "-pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="CreditStatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=24, unique=True)),
                ("month", models.DateField()),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("repaid", koogallery.kernel.fields.AmountField(decimal_places=4, default=0, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("generated_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("remind_at", models.DateTimeField(null=True)),
                ("repaid_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_statements",
                        to="identity.account",
                    ),
                ),
            ],
            options={
                "verbose_name": "credit statement",
                "verbose_name_plural": "credit statements",
                "ordering": ["-month", "-pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="LedgerAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cash", "Cash"),
                            ("platform_credit", "Platform credit"),
                            ("milestone_credit", "Milestone credit"),
                            ("receivable", "Receivable"),
                            ("reseller_due", "Due from reseller"),
                            ("held", "Held"),
                            ("earned", "Earned"),
                            ("settled", "Settled"),
                            ("platform_fee", "Platform fee"),
                            ("refunds", "Refunds under way"),
                            ("card_clearing", "Card clearing"),
                            ("funding", "Funding"),
                            ("credit_granted", "Credit granted"),
                        ],
                        max_length=20,
                    ),
                ),
                ("owner", models.CharField(blank=True, max_length=40)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("balance", koogallery.kernel.fields.AmountField(decimal_places=4, default=0, max_digits=19)),
                ("may_be_negative", models.BooleanField(default=False)),
            ],
            options={
                "verbose_name": "ledger account",
                "verbose_name_plural": "ledger accounts",
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "owner", "currency"), name="ledger_account_once"),
                    models.CheckConstraint(
                        condition=models.Q(("may_be_negative", True), ("balance__gte", 0), _connector="OR"),
                        name="ledger_balance_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("may_be_negative", False),
                            (
                                "kind__in",
                                ["receivable", "reseller_due", "earned", "card_clearing", "funding", "credit_granted"],
                            ),
                            _connector="OR",
                        ),
                        name="ledger_negative_kinds",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=24, unique=True)),
                (
                    "purpose",
                    models.CharField(
                        choices=[("order", "Order"), ("top_up", "Top-up"), ("repayment", "Repayment")],
                        default="order",
                        max_length=12,
                    ),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("balance", "Account balance"),
                            ("card", "Card"),
                            ("credit", "Platform credit"),
                            ("reseller", "Reseller"),
                            ("bank_transfer", "Bank transfer"),
                            ("funds", "Added by operations"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Pending"), ("succeeded", "Succeeded"), ("failed", "Failed")],
                        max_length=12,
                    ),
                ),
                ("order_number", models.CharField(blank=True, max_length=24)),
                ("line_number", models.CharField(blank=True, max_length=40)),
                ("part", models.CharField(blank=True, max_length=40)),
                ("seller_id", models.BigIntegerField(null=True)),
                ("fee_percent", models.DecimalField(decimal_places=4, default=0, max_digits=7)),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("refunded", koogallery.kernel.fields.AmountField(decimal_places=4, default=0, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("description", models.CharField(blank=True, max_length=255)),
                ("project_code", models.CharField(blank=True, max_length=64)),
                ("tags", models.JSONField(default=dict)),
                ("explanation", models.JSONField(default=dict)),
                ("note", models.CharField(blank=True, max_length=255)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not asked"),
                            ("approved", "Approved"),
                            ("declined", "Declined"),
                            ("unknown", "No answer yet"),
                        ],
                        max_length=12,
                    ),
                ),
                ("gateway_reference", models.CharField(blank=True, max_length=120)),
                ("failure", models.CharField(blank=True, max_length=64)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="identity.account"
                    ),
                ),
                (
                    "card",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="billing.card",
                    ),
                ),
                (
                    "payer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
                "ordering": ["-created_at", "-pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Posting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=120, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("top_up", "Top-up"),
                            ("funds", "Funds added by operations"),
                            ("bank_transfer", "Bank transfer"),
                            ("credit", "Credit limit"),
                            ("repayment", "Repayment"),
                            ("payment", "Payment"),
                            ("earning", "Earned"),
                            ("refund", "Refund"),
                            ("card_refund", "Refund to card"),
                            ("pay_out", "Pay-out"),
                        ],
                        max_length=20,
                    ),
                ),
                ("about", models.CharField(blank=True, max_length=40)),
                ("at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "posting",
                "verbose_name_plural": "postings",
                "ordering": ["-at", "-pk"],
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("about", ""), _negated=True), fields=["about"], name="posting_about"
                    ),
                    models.Index(fields=["-at", "-id"], name="posting_recent"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="billing.ledgeraccount",
                    ),
                ),
                (
                    "posting",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="billing.posting",
                    ),
                ),
            ],
            options={
                "verbose_name": "entry",
                "verbose_name_plural": "entries",
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=24, unique=True)),
                ("key", models.CharField(max_length=120, unique=True)),
                ("order_number", models.CharField(max_length=24)),
                ("line_number", models.CharField(max_length=40)),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                ("reason", models.CharField(blank=True, max_length=255)),
                ("explanation", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="identity.account"
                    ),
                ),
            ],
            options={
                "verbose_name": "refund",
                "verbose_name_plural": "refunds",
                "ordering": ["-at", "-pk"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="RefundPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "destination",
                    models.CharField(
                        choices=[
                            ("balance", "Account balance"),
                            ("card", "Card"),
                            ("credit", "Platform credit"),
                            ("reseller", "Reseller"),
                        ],
                        max_length=12,
                    ),
                ),
                ("state", models.CharField(choices=[("pending", "On its way"), ("done", "Refunded")], max_length=12)),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("currency", koogallery.kernel.fields.CurrencyField(max_length=3)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not asked"),
                            ("approved", "Approved"),
                            ("declined", "Declined"),
                            ("unknown", "No answer yet"),
                        ],
                        max_length=12,
                    ),
                ),
                ("gateway_reference", models.CharField(blank=True, max_length=120)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refund_parts", to="billing.payment"
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="billing.refund"
                    ),
                ),
            ],
            options={
                "verbose_name": "part of a refund",
                "verbose_name_plural": "parts of refunds",
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="SandboxRefund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=120, unique=True)),
                ("amount", koogallery.kernel.fields.AmountField(decimal_places=4, max_digits=19)),
                ("approved", models.BooleanField()),
                ("charge", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="billing.sandboxcharge")),
            ],
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True), ("removed_at", None)),
                fields=("account",),
                name="one_default_card",
            ),
        ),
        migrations.AddConstraint(
            model_name="card",
            constraint=models.CheckConstraint(condition=models.Q(("expires_month__range", (1, 12))), name="card_month"),
        ),
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(fields=["account", "-at", "-id"], name="charge_of_account"),
        ),
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(fields=["order_number"], name="charge_of_order"),
        ),
        migrations.AddConstraint(
            model_name="charge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount__gt", 0), ("kind", "charge")),
                    models.Q(("amount__lt", 0), ("kind", "refund")),
                    _connector="OR",
                ),
                name="charge_sign",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditline",
            constraint=models.UniqueConstraint(fields=("account", "kind"), name="credit_line_once"),
        ),
        migrations.AddConstraint(
            model_name="creditline",
            constraint=models.CheckConstraint(condition=models.Q(("limit__gte", 0)), name="credit_limit_not_negative"),
        ),
        migrations.AddIndex(
            model_name="creditstatement",
            index=models.Index(
                condition=models.Q(("remind_at__isnull", False)), fields=["remind_at"], name="statement_remind"
            ),
        ),
        migrations.AddIndex(
            model_name="creditstatement",
            index=models.Index(
                condition=models.Q(("repaid_at__isnull", True)), fields=["account", "due_at"], name="statement_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditstatement",
            constraint=models.UniqueConstraint(fields=("account", "month"), name="statement_once_a_month"),
        ),
        migrations.AddConstraint(
            model_name="creditstatement",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="statement_positive"),
        ),
        migrations.AddConstraint(
            model_name="creditstatement",
            constraint=models.CheckConstraint(
                condition=models.Q(("repaid__gte", 0), ("repaid__lte", models.F("amount"))),
                name="statement_repaid_within",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditstatement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("repaid__lt", models.F("amount")), ("repaid_at", None)),
                    models.Q(("repaid", models.F("amount")), ("repaid_at__isnull", False)),
                    _connector="OR",
                ),
                name="statement_repaid_when",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("next_try_at__isnull", False)), fields=["next_try_at"], name="payment_due"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("order_number", ""), _negated=True),
                fields=["order_number"],
                name="payment_of_order",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["account", "-created_at"], name="payment_of_account"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("seller_id__isnull", False)), fields=["seller_id"], name="payment_of_seller"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="payment_positive"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded__gte", 0), ("refunded__lte", models.F("amount"))),
                name="refunds_within_payment",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ["pending", "succeeded"]), models.Q(("line_number", ""), _negated=True)
                ),
                fields=("line_number", "part"),
                name="one_live_payment_per_line",
            ),
        ),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(fields=["account", "-id"], name="entry_of_account"),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.CheckConstraint(condition=models.Q(("amount", 0), _negated=True), name="entry_not_zero"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["order_number"], name="refund_of_order"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["account", "-at"], name="refund_of_account"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="refund_positive"),
        ),
        migrations.AddIndex(
            model_name="refundpart",
            index=models.Index(
                condition=models.Q(("next_try_at__isnull", False)), fields=["next_try_at"], name="refund_part_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundpart",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="refund_part_positive"),
        ),
        migrations.AddConstraint(
            model_name="refundpart",
            constraint=models.UniqueConstraint(fields=("refund", "payment"), name="refund_part_once"),
        ),
    ]
