"""The first version of the Terms and Conditions; operations publish later ones in the admin."""

import hashlib
import json
from datetime import UTC, datetime

from django.db import migrations

TITLES = {"en": "Terms and Conditions", "zh-hans": "条款与条件"}

ENGLISH = """1. What these terms are about

KooGallery is a marketplace. Sellers offer applications, software, services and devices; buyers find, order, pay and use them. These terms rule the use of the marketplace and every order placed on it. What a product does, how it is supported and what its licence allows is agreed between buyer and seller, by the product page and the agreements shown there.

2. Accounts

An account belongs to one company or person. Whoever opens it gives true data and keeps them up to date. Its root user answers for the IAM users and for what they order. Passwords, access keys and recovery codes are kept secret; whoever suspects that someone else knows them changes them at once.

3. Orders

An order is an offer to buy what the confirmation page shows, for the price that it shows. The contract comes into being when the order is paid or, where payment follows later, when it is accepted. An order that is not paid within the payment window is canceled without cost. The price is computed in full before the order and is explained on the page and in the order.

4. Payment

Orders are paid in the currency of the account, from its balance, by card, or by credit where it was granted. Customers of a reseller pay the reseller. Amounts due by a bill are paid by the date that the bill names.

5. Delivery

The seller delivers what was ordered. Applications are provisioned through the interface between the marketplace and the seller; other products as their page describes. What the seller cannot deliver is canceled, and what was paid goes back to where it came from. Where a delivery is supervised, the buyer accepts or rejects it, and may appeal.

6. The transaction guarantee period

From payment until the order is completed, the marketplace holds what the buyer paid. It is passed on to the seller only after completion.

7. Terms, renewal and the end

A subscription ends with its term unless it is renewed. After the end follow a grace period and a retention period, whose lengths the resource page shows; after them data may be deleted. Automatic renewal can be switched on and off until shortly before it happens.

8. Unsubscription

Whether and how a product can be returned depends on its kind, its billing mode and the time since purchase; the resource page shows what applies before anything is confirmed. A special agreement shown at the confirmation may rule otherwise.

9. Contact data

Data of the ordering user are passed on to a seller only where the product needs them, after consent to the exact value, and not after this consent was withdrawn. Every access of operations to an account is recorded in its trace list.

10. Conduct

The marketplace must not be used to break the law, to harm others or the platform, or to get around its limits. An account that does so may be frozen: it can then read, top up and repay, but not order.

11. Responsibility

Sellers answer for their products. The marketplace answers for keeping money, orders and records correctly. Neither answers for what it could not foresee or prevent.

12. Changes

A new version of these terms applies to orders placed after it was published. The version that was signed is kept with every order and can be read under Agreements."""

CHINESE = """1. 适用范围

KooGallery 是一个应用市场。卖家提供应用、软件、服务和设备，买家在此查找、下单、支付和使用。本条款适用于对市场的使用以及在市场上提交的每一份订单。商品的功能、支持方式和许可范围由买卖双方通过商品页面及其所示协议约定。

2. 账号

一个账号属于一家公司或一个人。开立账号者须提供真实信息并保持更新。根用户对其 IAM 用户及其订购行为负责。密码、访问密钥和恢复码须保密；怀疑泄露时须立即更换。

3. 订单

订单是按确认页面所示价格购买所示内容的要约。订单支付后，或在后付费情形下订单被接受后，合同成立。未在支付时限内支付的订单将免费取消。价格在下单前完整计算，并在页面和订单中说明。

4. 支付

订单以账号币种支付，可使用余额、银行卡或已授予的信用额度。经销商客户向其经销商付款。账单应付金额须在账单注明的日期前付清。

5. 交付

卖家交付所订购的内容。应用通过市场与卖家之间的接口开通，其他商品按其页面说明交付。卖家无法交付的订单将被取消，已付款项原路退回。交付受监管的，由买家验收或拒绝，并可申诉。

6. 交易保障期

自支付至订单完成，买家所付款项由市场保管，订单完成后方转给卖家。

7. 期限、续费与终止

订阅未续费的，到期终止。到期后依次为宽限期和保留期，其长度见资源页面；保留期结束后数据可能被删除。自动续费可在执行前开启或关闭。

8. 退订

商品能否退订以及如何退订，取决于其类型、计费模式和购买后的时间；资源页面会在确认之前显示适用的规则。确认页面所示的特别协议可另行约定。

9. 联系信息

仅在商品需要时，并在用户对具体内容表示同意后，下单用户的信息才会提供给卖家；撤回同意后不再提供。平台运营人员对账号的每次访问都会记录在该账号的追踪列表中。

10. 行为规范

不得利用市场从事违法活动、损害他人或平台，或规避其限制。违反者的账号可能被冻结：冻结后可以查看、充值和还款，但不能下单。

11. 责任

卖家对其商品负责。市场对资金、订单和记录的正确性负责。双方均不对无法预见或无法避免的情形负责。

12. 变更

新版本条款适用于其发布之后提交的订单。每份订单所签署的版本均予保存，可在“协议”中查看。"""


def publish(apps, schema_editor):
    texts = {"en": ENGLISH, "zh-hans": CHINESE}
    content = json.dumps([TITLES, texts], sort_keys=True, ensure_ascii=False)
    apps.get_model("identity", "AgreementText").objects.get_or_create(
        subject="terms",
        version=1,
        defaults={
            "kind": "terms",
            "titles": TITLES,
            "texts": texts,
            "sha256": hashlib.sha256(content.encode()).hexdigest(),
            "published_at": datetime(2020, 1, 1, tzinfo=UTC),
        },
    )


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_roles_and_policies")]
    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
