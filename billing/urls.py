"""Addresses of the Billing Center that are about money."""

from django.urls import path

from billing.views import bills, cards, credit, milestone_bills, milestone_files, overview

app_name = "billing"

urlpatterns = [
    path("console/billing/", overview.overview, name="overview"),
    path("console/billing/top-up/", overview.top_up, name="top_up"),
    path("console/billing/repay/", overview.repay, name="repay"),
    path("console/billing/statements/", overview.statements, name="statements"),
    path("console/billing/statements/<int:year>-<int:month>/", overview.statement, name="statement"),
    path("console/billing/credit/", credit.statements, name="credit_statements"),
    path("console/billing/credit/<str:number>/", credit.statement, name="credit_statement"),
    path("console/billing/cards/", cards.card_list, name="cards"),
    path("console/billing/cards/add/", cards.add_card, name="add_card"),
    path("console/billing/cards/entered/", cards.card_entered, name="card_entered"),
    path("console/billing/cards/sandbox/", cards.sandbox_card, name="sandbox_card"),
    path("console/billing/cards/<str:code>/remove/", cards.remove_card, name="remove_card"),
    path("console/billing/cards/<str:code>/default/", cards.set_default_card, name="set_default_card"),
    path("console/bills/", bills.bill_list, name="bills"),
    path("console/bills/milestones/", milestone_bills.bill_list, name="milestone_bills"),
    path("console/bills/milestones/<str:number>/", milestone_bills.bill, name="milestone_bill"),
    path("console/bills/milestones/<str:number>/pdf/", milestone_files.pdf, name="milestone_bill_pdf"),
    path("console/bills/milestones/<str:number>/csv/", milestone_files.csv, name="milestone_bill_csv"),
    path("console/bills/<str:number>/", bills.bill, name="bill"),
]
