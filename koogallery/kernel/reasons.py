"""Every refusal of the program: code, sentence in English and Chinese, who can help (R15).

The page, the API and the trace carry the code; `docs/reason-codes.md` is generated from this list.
Sentences may name parameters in braces; a refusal passes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from django.utils import translation


class Help(StrEnum):
    """Who can change what was refused."""

    YOURSELF = "yourself"
    ADMINISTRATOR = "administrator"
    SELLER = "seller"
    RESELLER = "reseller"
    OPERATIONS = "operations"


@dataclass(frozen=True, slots=True)
class Reason:
    """One kind of refusal. `status` is the HTTP status of an API answer."""

    code: str
    english: str
    chinese: str
    help: Help = Help.YOURSELF
    status: int = 409


class Refused(Exception):
    """An operation changes nothing, for a reason that has a code (R15).

    `field` names the form field at fault, if one is. Raises `KeyError` for a code that is not listed.
    """

    def __init__(self, code: str, *, field: str = "", **params: Any) -> None:
        self.reason = REASONS[code]
        self.code = code
        self.field = field
        self.params = params
        super().__init__(code)

    @property
    def sentence(self) -> str:
        """The sentence in the language in force."""
        return sentence(self.code, **self.params)

    def __str__(self) -> str:
        return f"{self.code}: {self.reason.english.format(**self.params)}"


class Missing(Exception):
    """There is no such object within what the caller can know: the answer is 404 (R20)."""


def sentence(code: str, **params: Any) -> str:
    """The sentence of a code in the language in force."""
    reason = REASONS[code]
    chinese = (translation.get_language() or "en").startswith("zh")
    return (reason.chinese if chinese else reason.english).format(**_shown(params))


def _shown(params: dict[str, Any]) -> dict[str, Any]:
    """Moments and dates as pages show them (R1); everything else as it is."""
    from koogallery.kernel import display  # display shows refusals, so it knows this module

    return {name: display.value_text(value) if isinstance(value, date) else value for name, value in params.items()}


_LIST = [
    # Anything
    Reason(
        "state_move",
        "This is not possible: {source} cannot become {target}.",
        "无法操作：“{source}”不能变为“{target}”。",
    ),
    Reason("invalid_input", "Check the marked fields.", "请检查标出的字段。", status=400),
    Reason(
        "replayed_with_other_content",
        "This form was already sent with other content. Open it again.",
        "该表单已以其他内容提交过，请重新打开。",
    ),
    Reason(
        "form_key_missing",
        "The form came without its key, so nothing was done. Send it again.",
        "提交的表单缺少标识，未做任何更改，请重新提交。",
        status=400,
    ),
    # Identity
    Reason("sign_in_required", "Sign in first.", "请先登录。", status=401),
    Reason(
        "iam_denied",
        "The policy “{policy}” denies {action}. Ask your account's administrator.",
        "策略“{policy}”拒绝了 {action}，请联系您账号的管理员。",
        Help.ADMINISTRATOR,
        403,
    ),
    Reason(
        "iam_not_allowed",
        "No policy allows {action}. Ask your account's administrator.",
        "没有策略允许 {action}，请联系您账号的管理员。",
        Help.ADMINISTRATOR,
        403,
    ),
    Reason(
        "role_not_allowed",
        "Your role does not include this. Ask the owner of the account.",
        "您的角色不包含此操作，请联系账号所有者。",
        Help.ADMINISTRATOR,
        403,
    ),
    Reason(
        "operator_role_not_allowed",
        "None of your roles includes {action}. Ask an administrator of the platform.",
        "您的角色均不包含 {action}，请联系平台管理员。",
        Help.OPERATIONS,
        403,
    ),
    Reason(
        "account_frozen",
        "The account is frozen: it may read, top up and repay, but not order.",
        "账号已冻结：可以查看、充值和还款，但不能下单。",
        Help.OPERATIONS,
    ),
    # Orders
    Reason(
        "quote_invalid",
        "These order details are not valid. Configure the product again.",
        "订单信息无效，请重新配置商品。",
    ),
    Reason(
        "quote_changed",
        "The price is no longer {old}; it is now {new}. Check it and confirm again.",
        "价格已由 {old} 变为 {new}，请核对后重新确认。",
    ),
    Reason(
        "terms_not_accepted",
        "Accept the Terms and Conditions first.",
        "请先勾选同意《服务条款》。",
    ),
    Reason("agreement_not_accepted", "Accept “{title}” first.", "请先同意“{title}”。"),
    Reason(
        "consent_required",
        "The seller needs this contact data. Agree to pass it on first.",
        "卖家需要该联系信息，请先同意提供。",
    ),
    Reason(
        "no_payment_method",
        "Add a payment method first: top up, add a card, or ask for platform credit.",
        "请先添加支付方式：充值、绑定银行卡或申请平台信用额度。",
    ),
    Reason(
        "limit_per_account",
        "An account may buy this product {limit} times at most.",
        "每个账号最多可购买该商品 {limit} 次。",
    ),
    Reason(
        "limit_per_specification",
        "An account may buy this specification {limit} times at most.",
        "每个账号最多可购买该规格 {limit} 次。",
    ),
    Reason(
        "one_at_a_time",
        "This product can be held once at a time. You can buy it again when yours has expired.",
        "该商品同一时间只能持有一份，到期后方可再次购买。",
    ),
    Reason("trial_not_offered", "This product offers no trial.", "该商品不提供试用。", Help.SELLER),
    Reason("trial_used", "Your account has already tried this product.", "您的账号已试用过该商品。"),
    Reason(
        "project_unknown",
        "Choose an enabled enterprise project.",
        "请选择已启用的企业项目。",
    ),
    Reason(
        "project_not_for_package",
        "Pay-per-use packages belong to no enterprise project.",
        "按需套餐包不能选择企业项目。",
    ),
    Reason(
        "tags_not_offered",
        "Only pay-per-use resources can be tagged here.",
        "此处只能为按需资源添加标签。",
    ),
    Reason(
        "order_not_payable",
        "This order can no longer be paid: its status is {state}.",
        "该订单已无法支付：当前状态为{state}。",
    ),
    Reason("payment_method_unknown", "Choose one of your payment methods.", "请选择您的支付方式。"),
    Reason(
        "delivery_not_available",
        "This product cannot be ordered here yet: its kind of delivery is not available.",
        "暂不支持订购该商品：此交付方式尚未开放。",
        Help.OPERATIONS,
    ),
    Reason("order_already_paid", "This order is already paid.", "该订单已支付。"),
    Reason(
        "payment_in_progress",
        "A card payment of this order is being checked. Wait for its result.",
        "该订单的银行卡支付正在确认，请等待结果。",
    ),
    Reason(
        "order_not_cancelable",
        "Only an unpaid order can be canceled here; its status is {state}.",
        "此处只能取消未支付的订单；当前状态为{state}。",
    ),
    # Delivery and resources
    Reason(
        "call_not_replayable",
        "This call is {state}; only an ended one that failed can be made again.",
        "该调用当前为“{state}”，只有已结束且失败的调用才能重放。",
    ),
    Reason(
        "call_superseded",
        "Another step of the resource followed this call; making it again would undo that.",
        "该资源之后已有其他操作，重放此调用会撤销该操作。",
    ),
    Reason("interface_missing", "This product has no SaaS interface.", "该商品没有 SaaS 接口。"),
    Reason("activity_unknown", "This version of the interface has no such activity.", "该接口版本不支持此活动。"),
    Reason(
        "debug_parameters",
        "No request can be made of these parameters: {detail}",
        "无法用这些参数生成请求：{detail}",
        status=400,
    ),
    Reason("secret_missing", "There is no password to show.", "没有可显示的密码。"),
    Reason("license_key_missing", "There is no license key to show.", "没有可显示的许可证密钥。"),
    Reason(
        "resource_not_in_use",
        "This resource is {state}; only one in use can be disabled.",
        "该资源状态为“{state}”，只有使用中的资源可以停用。",
    ),
    Reason("resource_closed", "The resource is closed; its tags stay as they are.", "资源已关闭，其标签不再更改。"),
    Reason(
        "resource_has_no_term",
        "Only yearly/monthly resources in use have an expiration policy.",
        "只有使用中的包年/包月资源才有到期策略。",
    ),
    Reason(
        "expiration_policy_unsupported",
        "The product does not support this expiration policy.",
        "该商品不支持此到期策略。",
        Help.SELLER,
    ),
    # Catalogue
    Reason("configuration_choice", "Choose one of the options of “{name}”.", "请选择“{name}”的选项之一。", status=400),
    Reason(
        "configuration_not_sold",
        "This combination is not sold. Choose another.",
        "该组合不在售，请选择其他组合。",
        Help.SELLER,
    ),
    Reason(
        "quantity_range",
        "{name}: enter a number from {minimum} to {maximum} in steps of {step}.",
        "{name}：请输入 {minimum} 到 {maximum} 之间的数值，步长为 {step}。",
        status=400,
    ),
    Reason(
        "items_range", "Enter a number of items from 1 to {maximum}.", "请输入 1 到 {maximum} 之间的件数。", status=400
    ),
    Reason("term_not_sold", "This duration is not sold. Choose one of the list.", "该时长不在售，请从列表中选择。"),
    Reason(
        "mode_not_sold",
        "The seller does not offer {mode} billing for this specification.",
        "卖家未为此规格提供{mode}计费。",
        Help.SELLER,
    ),
    Reason(
        "not_sold_in_currency",
        "The seller has no price in {currency} for this.",
        "卖家未提供 {currency} 价格。",
        Help.SELLER,
    ),
    Reason("reason_missing", "Give a reason.", "请填写原因。", status=400),
    Reason("seller_unknown", "There is no seller “{name}”.", "没有卖家“{name}”。", status=400),
    Reason("category_unknown", "There is no category “{name}”.", "没有类目“{name}”。", status=400),
    Reason("already_a_seller", "This account already sells or waits for approval.", "该账号已是卖家或正在等待审核。"),
    Reason("seller_code_taken", "Another seller has this address. Choose another.", "该地址已被其他卖家使用，请更换。"),
    Reason(
        "discount_share",
        "Enter the share that is paid, between 0 and 1 (0.90 = 10 % off).",
        "请输入实付比例，介于 0 与 1 之间（0.90 表示九折）。",
        status=400,
    ),
    Reason("not_on_sale", "“{name}” is no longer on sale.", "“{name}”已停止销售。", Help.SELLER),
    Reason("sold_out", "Only {left} left in stock.", "库存仅剩 {left} 件。", Help.SELLER),
    # Billing
    Reason(
        "balance_too_low",
        "The account balance does not cover this. Top up, or choose another payment method.",
        "账户余额不足，请充值或选择其他支付方式。",
    ),
    Reason(
        "credit_too_low",
        "The available platform credit does not cover this. Choose another payment method or ask finance.",
        "可用平台信用额度不足，请选择其他支付方式或联系财务。",
        Help.OPERATIONS,
    ),
    Reason("already_paid", "This is already paid, or a payment is under way.", "该笔款项已支付或正在支付中。"),
    Reason(
        "reseller_pays",
        "Orders of this account are paid to its reseller; nothing is paid here.",
        "该账号的订单由经销商结算，无需在此付款。",
        Help.RESELLER,
    ),
    Reason("not_a_reseller_customer", "The account belongs to no reseller.", "该账号不属于任何经销商。"),
    Reason(
        "refund_exceeds_paid",
        "No more than what was paid and not yet refunded can be refunded: {left}.",
        "退款不能超过已付且未退的金额：{left}。",
    ),
    Reason(
        "card_declined", "The card was declined. Choose another payment method.", "银行卡被拒，请选择其他支付方式。"
    ),
    Reason("card_unknown", "Choose one of the account's cards.", "请选择本账号的银行卡。", status=400),
    Reason(
        "card_in_use", "A payment with this card is under way. Remove it later.", "该卡有正在处理的付款，请稍后再移除。"
    ),
    Reason("amount_not_positive", "The amount must be more than zero.", "金额必须大于零。", status=400),
    Reason(
        "amount_not_whole",
        "The amount has more digits than {currency} has.",
        "金额的小数位数超过 {currency} 的精度。",
        status=400,
    ),
    Reason("amount_too_large", "The amount may be at most {limit}.", "金额不能超过 {limit}。", status=400),
    Reason(
        "credit_overdue",
        "A credit statement is overdue. Repay it before paying on credit again.",
        "有逾期的信用账单，请先还款再使用信用额度。",
    ),
    Reason(
        "no_card_gateway",
        "Cards cannot be added here at the moment.",
        "当前无法添加银行卡。",
        Help.OPERATIONS,
    ),
    Reason(
        "gateway_silent",
        "The card gateway does not answer. Try again in a few minutes.",
        "银行卡网关没有响应，请几分钟后再试。",
        status=503,
    ),
    Reason("card_not_entered", "No card was entered at the gateway.", "未在网关处录入银行卡。"),
    Reason(
        "credit_in_use",
        "The limit cannot be lower than what is in use.",
        "额度不能低于已使用的金额。",
    ),
    Reason(
        "not_postpaid",
        "Only a direct postpaid account can have credit.",
        "只有后付费直客账号可以开通信用额度。",
        Help.OPERATIONS,
    ),
    Reason("account_unknown", "There is no such account.", "没有这样的账号。", status=404),
    Reason("nothing_owed", "Nothing is owed.", "没有待还款项。"),
    Reason("repayment_exceeds_owed", "No more than what is owed can be repaid: {owed}.", "还款不能超过欠款：{owed}。"),
    Reason("payment_finished", "This payment is already finished.", "该笔付款已结束。"),
    Reason(
        "sign_in_failed",
        "The name or the password is not right.",
        "名称或密码不正确。",
        status=401,
    ),
    Reason(
        "too_many_attempts",
        "Too many attempts. Try again in {minutes} minutes.",
        "尝试次数过多，请 {minutes} 分钟后再试。",
        status=429,
    ),
    Reason(
        "code_wrong",
        "The code is not right, or was used already.",
        "验证码不正确或已使用。",
    ),
    Reason(
        "link_not_valid",
        "The link is no longer valid. Ask for a new one.",
        "链接已失效，请重新获取。",
    ),
    Reason(
        "already_verified",
        "The e-mail address is already verified.",
        "邮箱已验证。",
    ),
    Reason(
        "password_weak",
        "The password is too weak: {why}",
        "密码强度不足：{why}",
    ),
    Reason(
        "password_wrong",
        "The present password is not right.",
        "当前密码不正确。",
    ),
    Reason(
        "account_name_form",
        "Write 3 to 64 letters, digits, hyphens or underscores, beginning with a letter.",
        "请输入 3 至 64 个字符，以字母开头，仅含字母、数字、连字符或下划线。",
    ),
    Reason(
        "account_name_taken",
        "This account name is taken. Choose another.",
        "该账号名已被使用，请换一个。",
    ),
    Reason(
        "email_form",
        "Write a valid e-mail address.",
        "请输入有效的邮箱地址。",
    ),
    Reason(
        "email_taken",
        "An account with this e-mail address exists. Sign in, or reset its password.",
        "该邮箱已注册，请直接登录或重置密码。",
    ),
    Reason(
        "mobile_form",
        "Write a mobile number: digits, with + and the country code.",
        "请输入手机号码：数字，可带 + 和国家码。",
    ),
    Reason(
        "currency_unknown",
        "The platform does not know the currency {currency}.",
        "平台不支持币种 {currency}。",
    ),
    Reason(
        "reseller_needed",
        "A reseller's customer, and only such, names its reseller.",
        "经销商客户必须且仅有其填写所属经销商。",
    ),
    Reason(
        "not_a_reseller",
        "{name} is not a reseller.",
        "{name} 不是经销商。",
    ),
    Reason(
        "already_frozen",
        "{name} is already frozen.",
        "{name} 已冻结。",
    ),
    Reason(
        "not_frozen",
        "{name} is not frozen.",
        "{name} 未冻结。",
    ),
    Reason(
        "frozen_by_operations",
        "{name} was frozen by operations; only they can unfreeze it.",
        "{name} 由平台运营冻结，仅平台可解冻。",
        Help.OPERATIONS,
    ),
    Reason(
        "reason_needed",
        "Give a reason.",
        "请填写原因。",
    ),
    Reason(
        "too_long",
        "At most {limit} characters are possible.",
        "最多 {limit} 个字符。",
    ),
    Reason(
        "user_name_form",
        "Write 1 to 64 letters, digits or the signs . _ - @.",
        "请输入 1 至 64 个字符：字母、数字或 . _ - @。",
    ),
    Reason(
        "user_name_taken",
        "The account has a user of this name.",
        "账号中已有同名用户。",
    ),
    Reason(
        "user_limit",
        "An account has at most {limit} users.",
        "每个账号最多 {limit} 个用户。",
    ),
    Reason(
        "not_yourself",
        "You cannot do this to yourself.",
        "不能对自己执行此操作。",
    ),
    Reason(
        "operator_role_needed",
        "An operations manager needs at least one role.",
        "运营人员至少需要一个角色。",
    ),
    Reason(
        "name_form",
        "Write 1 to 128 letters, digits, spaces or the signs . _ - @ ( ).",
        "请输入 1 至 128 个字符：字母、数字、空格或 . _ - @ ( )。",
    ),
    Reason(
        "group_name_taken",
        "The account has a group of this name.",
        "账号中已有同名用户组。",
    ),
    Reason(
        "group_limit",
        "An account has at most {limit} groups.",
        "每个账号最多 {limit} 个用户组。",
    ),
    Reason(
        "group_limit_of_user",
        "A user is in at most {limit} groups.",
        "每个用户最多加入 {limit} 个用户组。",
    ),
    Reason(
        "user_in_too_many_groups",
        "{user} is in {limit} groups already.",
        "{user} 已加入 {limit} 个用户组。",
    ),
    Reason(
        "policy_document",
        "Fault in the policy document at {path}: {fault}",
        "策略文档 {path} 处有误：{fault}",
    ),
    Reason(
        "policy_name_taken",
        "The account has a policy of this name.",
        "账号中已有同名策略。",
    ),
    Reason(
        "policy_limit",
        "An account has at most {limit} policies.",
        "每个账号最多 {limit} 条策略。",
    ),
    Reason(
        "policy_attached",
        "{name} is attached to users or groups. Detach it first.",
        "{name} 已授予用户或用户组，请先解除。",
    ),
    Reason(
        "key_limit",
        "A user has at most {limit} access keys. Delete one first.",
        "每个用户最多 {limit} 个访问密钥，请先删除一个。",
    ),
    Reason(
        "projects_off",
        "Enable enterprise projects first.",
        "请先开通企业项目。",
    ),
    Reason(
        "project_name_form",
        "Write 1 to 255 letters, digits, hyphens or underscores, without the word default.",
        "请输入 1 至 255 个字母、数字、连字符或下划线，且不含 default。",
    ),
    Reason(
        "project_name_taken",
        "The account has an enterprise project of this name.",
        "账号中已有同名企业项目。",
    ),
    Reason(
        "project_limit",
        "An account has at most {limit} enterprise projects; disabled ones count.",
        "每个账号最多 {limit} 个企业项目（含已停用）。",
    ),
    Reason(
        "project_default",
        "The project default cannot be changed or disabled.",
        "default 项目不可修改或停用。",
    ),
    Reason(
        "project_disabled",
        "The enterprise project {name} is disabled.",
        "企业项目 {name} 已停用。",
    ),
    Reason(
        "project_enabled",
        "The enterprise project {name} is enabled.",
        "企业项目 {name} 已启用。",
    ),
    Reason(
        "project_test_stays",
        "{name} is a test project and cannot be disabled.",
        "{name} 为测试项目，不可停用。",
    ),
    Reason(
        "project_commercial_stays",
        "{name} is a commercial project and cannot become a test project.",
        "{name} 为商用项目，不可转为测试项目。",
    ),
    Reason(
        "tag_key_form",
        "A key has 1 to {limit} letters, digits, Chinese characters or the signs _ - @ .",
        "键为 1 至 {limit} 个字母、数字、中文或 _ - @ . 字符。",
    ),
    Reason(
        "tag_value_form",
        "A value has 1 to {limit} letters, digits, Chinese characters or the signs _ - @ .",
        "值为 1 至 {limit} 个字母、数字、中文或 _ - @ . 字符。",
    ),
    Reason(
        "tag_key_twice",
        "The key {key} stands twice.",
        "键 {key} 重复。",
    ),
    Reason(
        "tag_limit",
        "A resource has at most {limit} tags.",
        "每个资源最多 {limit} 个标签。",
    ),
    Reason(
        "predefined_tag_limit",
        "An account has at most {limit} predefined tags.",
        "每个账号最多 {limit} 个预定义标签。",
    ),
    Reason(
        "agreement_english",
        "An agreement needs its title and text in English.",
        "协议必须有英文标题和正文。",
    ),
    Reason(
        "consent_withdrawn",
        "This consent was already withdrawn.",
        "该授权已撤回。",
    ),
    # Files
    Reason(
        "file_type",
        "{name}: this type of file is not accepted. Accepted: {types}.",
        "{name}：不支持该文件类型，支持的格式：{types}。",
        status=400,
    ),
    Reason(
        "file_double_extension",
        "{name}: the name has two extensions. Rename the file.",
        "{name}：文件名含有两个扩展名，请重命名。",
        status=400,
    ),
    Reason(
        "file_content",
        "{name}: the content is not what the extension says.",
        "{name}：文件内容与扩展名不符。",
        status=400,
    ),
    Reason(
        "file_too_large",
        "{name} is larger than {limit} MB.",
        "{name} 超过 {limit} MB。",
        status=400,
    ),
    Reason("file_empty", "{name} is empty.", "{name} 为空文件。", status=400),
    Reason(
        "file_infected",
        "{name}: the virus scanner found {found}. The file was not kept.",
        "{name}：病毒扫描发现 {found}，文件未保存。",
        status=400,
    ),
    Reason(
        "file_scan_unavailable",
        "Files cannot be checked at the moment. Try again in a few minutes.",
        "暂时无法检查文件，请几分钟后重试。",
        Help.OPERATIONS,
        503,
    ),
    Reason(
        "file_storage_unavailable",
        "Files cannot be stored or read at the moment. Try again in a few minutes.",
        "暂时无法保存或读取文件，请几分钟后重试。",
        Help.OPERATIONS,
        503,
    ),
    Reason(
        "too_many_files",
        "At most {limit} files can be attached.",
        "最多可上传 {limit} 个附件。",
        status=400,
    ),
    # Service supervision
    Reason(
        "order_supervised",
        "This order is delivered in a service flow. Decide an appeal about it instead.",
        "该订单通过服务流程交付，请通过申诉判定处理。",
        Help.OPERATIONS,
    ),
    Reason("text_required", "Write what it is about.", "请填写内容。", status=400),
    Reason(
        "text_too_long",
        "At most {limit} characters; these are {length}.",
        "最多 {limit} 个字符，当前 {length} 个。",
        status=400,
    ),
    Reason(
        "flow_step",
        "This is not possible while the service status is “{step}”.",
        "服务状态为“{step}”时无法进行此操作。",
    ),
    Reason(
        "flow_frozen",
        "The service flow is frozen until the operations manager has decided.",
        "服务流程已冻结，请等待运营经理判定。",
        Help.OPERATIONS,
    ),
    Reason("flow_completed", "The service is completed already.", "服务已完成。"),
    Reason("flow_canceled", "The order was canceled.", "订单已取消。"),
    Reason("flow_unsubscribed", "The order was unsubscribed.", "订单已退订。"),
    Reason(
        "attachment_required",
        "Attach the seller's template, filled in.",
        "请填写卖家的需求模板并上传。",
        status=400,
    ),
    Reason(
        "proof_required",
        "Upload a delivery proof.",
        "请上传交付证明。",
        status=400,
    ),
    Reason(
        "shipping_required",
        "Name the carrier and the tracking number.",
        "请填写承运商和运单号。",
        status=400,
    ),
    Reason(
        "enabling_not_taken",
        "This service flow takes no enabling time.",
        "该服务流程不支持填写开通时间。",
        status=400,
    ),
    Reason(
        "enabling_before_payment",
        "The enabling time is before the payment of {paid}.",
        "开通时间不能早于支付时间 {paid}。",
        status=400,
    ),
    Reason(
        "enabling_in_future",
        "The enabling time is not over yet.",
        "开通时间不能晚于当前时间。",
        status=400,
    ),
    Reason(
        "enabling_term_over",
        "With this enabling time the term would be over already, at {expires}.",
        "按此开通时间，使用时长已于 {expires} 到期。",
        status=400,
    ),
    Reason(
        "acceptance_term_over",
        "With the enabling time that the seller gave, the term was over at {expires}. Reject the delivery, so that the "
        "seller can give another.",
        "按卖家填写的开通时间，使用时长已于 {expires} 到期。请拒绝验收，由卖家重新填写后交付。",
        Help.SELLER,
    ),
    Reason(
        "rejection_switched_off",
        "Deliveries of this order cannot be rejected. Initiate an appeal instead.",
        "该订单不支持拒绝验收，如有问题请发起申诉。",
    ),
    Reason(
        "reminder_not_sellers_turn",
        "The seller has nothing to do at the moment.",
        "当前无需卖家处理。",
    ),
    Reason(
        "reminder_cooldown",
        "The seller was reminded already. The next reminder is possible from {next} on.",
        "已提醒过卖家，{next} 起可再次提醒。",
    ),
    Reason(
        "messages_too_many",
        "Too many messages in a short time. Try again in a minute.",
        "短时间内消息过多，请一分钟后重试。",
        status=429,
    ),
    Reason(
        "appeal_gate",
        "An appeal is possible after {customer_needed} rejections of the delivery (now {customer}), for the customer "
        "also after {seller_needed} rejections of the request (now {seller}), or after more than {hours} hours "
        "without an answer of the other side.",
        "满足以下任一条件方可申诉：拒绝验收满 {customer_needed} 次（当前 {customer} 次）；需求被驳回满 "
        "{seller_needed} 次（当前 {seller} 次，仅客户可申诉）；对方超过 {hours} 小时未处理。",
    ),
    Reason(
        "appeal_blackout",
        "No appeal is possible in the last {days} days before the closing date {date}.",
        "服务流程关闭日 {date} 前 {days} 天内不可申诉。",
        Help.OPERATIONS,
    ),
    Reason("appeal_none", "There is no appeal that waits for a decision.", "没有待判定的申诉。"),
    Reason("appeal_not_yours", "Only the side that appealed can withdraw the appeal.", "只有发起方可以撤回申诉。"),
    Reason(
        "appeal_not_open",
        "This appeal is not open any more: {state}.",
        "该申诉已不可处理：{state}。",
    ),
    Reason("appeal_not_proposed", "No decision waits for a second signature.", "没有待复核的判定。"),
    Reason(
        "countersign_own",
        "Another operations manager has to countersign.",
        "须由另一名运营经理复核。",
        Help.OPERATIONS,
    ),
    Reason(
        "effects_changed",
        "The money changed since its effects were shown. Decline the decision, or preview it again.",
        "预览后资金情况已变化，请退回该判定或重新预览。",
    ),
    Reason("refund_needed", "Enter the amount to refund.", "请输入退款金额。", status=400),
    Reason(
        "refund_part_too_much",
        "A part is no more than what was paid, {paid}, and less than all. To give back all, choose to refund all.",
        "部分退款金额不得超过已付金额 {paid}，且须小于全额；如需全额退款，请选择“全额退款并取消订单”。",
        status=400,
    ),
    Reason("restart_step", "The flow cannot be restarted from this step.", "不能从该步骤重新开始。", status=400),
    Reason(
        "holiday_listed",
        "{day} is in the calendar already: {name}.",
        "{day} 已在日历中：{name}。",
        status=400,
    ),
    # Service tickets
    Reason(
        "ticket_state",
        "This is not possible with a ticket that is “{state}”.",
        "工单状态为“{state}”时无法进行此操作。",
    ),
    Reason(
        "linked_unknown",
        "Your account has nothing of this kind with the number {number}.",
        "您的账号下没有编号为 {number} 的此类对象。",
        status=400,
    ),
    Reason("ticket_not_for_credit", "This ticket does not ask for credit payment.", "该工单并非申请信用支付。"),
    Reason("officer_unknown", "This operations manager cannot answer tickets.", "该运营经理无法处理工单。", status=400),
    # Rehearsal and operations
    Reason(
        "clock_backwards",
        "Time never goes back: the clock already stands at {now}.",
        "时间不能倒退：时钟已为 {now}。",
    ),
    Reason(
        "not_a_rehearsal",
        "Only a rehearsal installation has a clock that can be advanced.",
        "只有演练环境的时钟可以拨快。",
        Help.OPERATIONS,
    ),
    # Private offers
    Reason(
        "offer_price_needed",
        "Give a discount or a fixed price, not both.",
        "请填写折扣或一口价，二者选一。",
        status=400,
    ),
    Reason(
        "offer_share_value",
        "A discount is the share that is paid, more than 0 and at most 1, with up to four decimals: 0.90 is 10 % off.",
        "折扣是实付比例，须大于 0 且不超过 1，最多四位小数：0.90 即九折。",
        status=400,
    ),
    Reason(
        "offer_above_list",
        "The fixed price is higher than the list price of {list}.",
        "一口价高于目录价 {list}。",
        status=400,
    ),
    Reason("offer_in_the_past", "The validity cannot begin in the past.", "有效期不能早于今天开始。", status=400),
    Reason("offer_dates", "The validity ends before it begins.", "有效期的结束日期早于开始日期。", status=400),
    Reason(
        "offer_mode",
        "Private offers are made for yearly/monthly and one-time prices.",
        "专属报价只适用于包年/包月和一次性计费。",
        status=400,
    ),
    Reason("offer_uses", "An offer may be used from 1 to {most} times.", "报价可使用 1 至 {most} 次。", status=400),
    Reason("offer_product", "Choose one of your products on sale.", "请选择您的在售商品。", status=400),
    Reason(
        "offer_account",
        "There is no customer of this account ID or name. Ask the customer for it.",
        "没有此账号 ID 或名称的客户，请向客户确认。",
        status=400,
    ),
    Reason("offer_sent", "The offer was sent; only drafts can be changed.", "该报价已发送，只有草稿可以修改。"),
    Reason("offer_over", "The validity of the offer has passed. Change it first.", "报价的有效期已过，请先修改。"),
    Reason("offer_ended", "The offer is {state}; it cannot be withdrawn.", "该报价状态为“{state}”，不能撤回。"),
    Reason(
        "offer_not_yet",
        "The offer takes effect on {since}.",
        "该报价自 {since} 起生效。",
        Help.SELLER,
    ),
    Reason(
        "offer_expired",
        "The offer expired on {until}. Ask the seller for a new one.",
        "该报价已于 {until} 过期，请联系卖家重新报价。",
        Help.SELLER,
    ),
    Reason("offer_withdrawn", "The seller has withdrawn the offer.", "卖家已撤回该报价。", Help.SELLER),
    Reason(
        "offer_reserved",
        "An order that is not paid yet holds the offer. Pay or cancel that order.",
        "有未支付的订单占用了该报价，请支付或取消该订单。",
    ),
    Reason("offer_used", "The offer has been used.", "该报价已使用。", Help.SELLER),
    Reason(
        "offer_of_other_account",
        "This link is for another account.",
        "该链接属于其他账号。",
        status=404,
    ),
    Reason(
        "requests_too_many",
        "Too many requests in a short time. Try again in a minute.",
        "短时间内请求过多，请一分钟后重试。",
        status=429,
    ),
    # Milestones
    Reason(
        "milestone_method",
        "Milestones are possible for SaaS, licenses and professional services.",
        "里程碑付款仅适用于 SaaS、License 和专业服务。",
        status=400,
    ),
    Reason(
        "milestone_not_supervised",
        "Milestones are possible for products with supervised delivery only.",
        "里程碑付款仅适用于受监管交付的商品。",
        status=400,
    ),
    Reason(
        "milestone_one_time",
        "Milestones are possible for one-time prices only.",
        "里程碑付款仅适用于一次性计费。",
        status=400,
    ),
    Reason(
        "milestone_one_order",
        "An offer with milestones is for one order.",
        "里程碑报价只能用于一个订单。",
        status=400,
    ),
    Reason(
        "milestone_count",
        "An offer has from {fewest} to {most} milestones.",
        "里程碑数量须为 {fewest} 至 {most} 个。",
        status=400,
    ),
    Reason("milestone_name", "Name the milestone.", "请填写里程碑名称。", status=400),
    Reason("milestone_delivery", "Describe what is delivered.", "请描述交付内容。", status=400),
    Reason(
        "milestone_share",
        "A share is more than 0 and less than 100 percent, with up to two decimals.",
        "比例须大于 0 且小于 100，最多两位小数。",
        status=400,
    ),
    Reason(
        "milestone_shares_sum",
        "The shares sum to {sum} %; they must sum to 100 %.",
        "各比例之和为 {sum}%，须等于 100%。",
        status=400,
    ),
    Reason(
        "milestone_too_small",
        "This share comes to nothing in the currency.",
        "按该比例计算的金额为零。",
        status=400,
    ),
    Reason(
        "milestone_not_postpaid",
        "Payment in milestones is open to postpaid customers only. Ask for it by a service ticket.",
        "里程碑付款仅对后付费客户开放，请提交工单申请。",
        Help.OPERATIONS,
    ),
    Reason(
        "milestone_credit_missing",
        "Your account has no milestone credit. Ask for it by a service ticket.",
        "您的账号没有里程碑信用额度，请提交工单申请。",
        Help.OPERATIONS,
    ),
    Reason(
        "milestone_credit_short",
        "Your milestone credit does not cover this: {needed} needed, {free} free. Repay open bills first.",
        "里程碑信用额度不足：需要 {needed}，可用 {free}。请先还清未付账单。",
    ),
    Reason(
        "milestone_bill_overdue",
        "A milestone bill of this order is overdue. Repay it, then accept.",
        "该订单有逾期的里程碑账单，请先还款再验收。",
    ),
    Reason(
        "milestones_unconfirmed",
        "Confirm the milestones once more before you pay.",
        "付款前请再次确认里程碑信息。",
        status=400,
    ),
    Reason(
        "milestone_pays_monthly",
        "An order with milestones is paid by monthly settlement, bill by bill.",
        "里程碑订单按月结逐张账单支付。",
    ),
    Reason(
        "transfer_differs",
        "A bill is repaid in full: the transfer must be exactly {due}. Put another amount on the account's balance.",
        "账单须全额还款：转账金额须为 {due}；其他金额请计入账户余额。",
        status=400,
    ),
    Reason("bank_reference_missing", "Enter the bank's reference.", "请输入银行流水号。", status=400),
    Reason(
        "credit_reserved",
        "The limit cannot go below {least}: {used} are in use, {reserved} will still be billed for open orders.",
        "额度不能低于 {least}：已使用 {used}，未完成订单还将出账 {reserved}。",
        status=400,
    ),
    Reason("bill_not_open", "The bill is {state}; there is nothing to repay.", "该账单状态为“{state}”，无需还款。"),
    # Renewal and change
    Reason("renewal_no_term", "Only yearly/monthly resources can be renewed.", "只有包年/包月资源可以续费。"),
    Reason("renewal_not_in_use", "The resource is {state}; it cannot be renewed.", "资源状态为“{state}”，不能续费。"),
    Reason(
        "renewal_change_waits",
        "Order {order} changes this resource on {date}. Until then it can be neither renewed nor changed.",
        "订单 {order} 将于 {date} 变更该资源，在此之前不能续费或变更。",
    ),
    Reason(
        "renewal_order_unpaid",
        "Order {order} for this resource is not paid yet. Pay or cancel it first.",
        "该资源有未支付的订单 {order}，请先支付或取消。",
    ),
    Reason(
        "renewal_withdrawn",
        "The product is no longer sold, so it cannot be renewed or changed.",
        "该商品已下架，不能续费或变更。",
        Help.SELLER,
    ),
    Reason(
        "renewal_batch_size",
        "At most {most} resources are renewed at once; {count} were selected.",
        "一次最多续费 {most} 个资源，已选择 {count} 个。",
        status=400,
    ),
    Reason("renewal_not_waiting", "There is no change upon renewal to cancel.", "没有可取消的续费变更。"),
    Reason(
        "unified_day",
        "A unified renewal date is a day from 1 to 28 or the last day of the month.",
        "统一到期日须为每月 1 至 28 日或月末。",
        status=400,
    ),
    Reason(
        "unified_day_not_with_change",
        "A change upon renewal has no unified renewal date.",
        "续费变更不能设置统一到期日。",
        status=400,
    ),
    Reason(
        "order_outlived",
        "The resource is {state} now; this order can no longer be paid.",
        "资源状态已变为“{state}”，该订单不能再支付。",
    ),
    Reason("change_only_saas", "Only yearly/monthly SaaS can be changed.", "只有包年/包月 SaaS 可以变更规格。"),
    Reason(
        "change_not_supported",
        "This product does not support changes of its specification.",
        "该商品不支持变更规格。",
        Help.SELLER,
    ),
    Reason("change_not_completed", "Only completed orders can be changed.", "只有已完成的订单可以变更。"),
    Reason(
        "change_not_valid", "Only resources within their validity can be changed.", "只有在有效期内的资源可以变更。"
    ),
    Reason(
        "change_upon_renewal_early",
        "A change upon renewal is possible from {opens} on.",
        "续费变更自 {opens} 起可用。",
    ),
    Reason(
        "change_no_path", "The seller offers no change to this specification.", "卖家不支持变更到该规格。", status=400
    ),
    Reason("change_quantity", "Enter a number.", "请输入数字。", status=400),
    Reason("change_kind", "Choose upgrade or expansion.", "请选择升级或扩容。", status=400),
    Reason(
        "change_no_quantity", "This specification has no quantity to expand.", "该规格没有可扩容的数量。", status=400
    ),
    Reason(
        "change_greater_only",
        "Within the term only more than {now} is possible.",
        "有效期内只能增加，当前为 {now}。",
        status=400,
    ),
    Reason(
        "change_none_offered",
        "The seller offers no upgrade and no expansion of this specification within the term.",
        "卖家未提供该规格在有效期内的升级或扩容。",
        Help.SELLER,
    ),
    Reason(
        "change_below_zero",
        "The new configuration costs less than the current one; within the term nothing is credited.",
        "新配置的价格低于当前配置，有效期内不退差价。",
    ),
    Reason(
        "change_meanwhile",
        "The resource was renewed or changed meanwhile. Look at the new price and confirm again.",
        "该资源已被续费或变更，请查看新价格后再次确认。",
    ),
    Reason(
        "change_check_refused",
        "The seller's server refuses this change: {answer} Nothing was changed or charged.",
        "卖家的服务器拒绝了此变更：{answer} 未做任何变更，也未扣费。",
        Help.SELLER,
    ),
    Reason(
        "change_check_unanswered",
        "The seller's server did not confirm that this change is possible: {answer} Nothing was changed or charged. "
        "Try again later.",
        "卖家的服务器未确认此变更可行：{answer} 未做任何变更，也未扣费。请稍后重试。",
        Help.SELLER,
    ),
    Reason("change_not_priced", "The new configuration is not sold by month or year.", "新配置没有包年/包月价格。"),
    Reason(
        "autorenew_scope",
        "Resources of this delivery method do not renew themselves.",
        "该交付方式的资源不支持自动续费。",
    ),
    Reason(
        "autorenew_not_supported",
        "This product does not support auto-renewal.",
        "该商品不支持自动续费。",
        Help.SELLER,
    ),
    Reason("autorenew_times", "The number of renewals is from 1 to 99.", "续费次数须为 1 至 99。", status=400),
    Reason(
        "autorenew_day",
        "The deduction day is from {most} days before the expiry to the expiry day.",
        "扣款日须在到期前 {most} 天至到期日之间。",
        status=400,
    ),
    Reason("autorenew_off", "Auto-renewal is not on.", "未开启自动续费。"),
    Reason("calendar_feed_off", "The calendar feed is switched off.", "日历订阅已关闭。"),
    Reason(
        "autorenew_balance",
        "The balance is too low: {amount} needed, {missing} missing. Top up.",
        "余额不足：需要 {amount}，还差 {missing}，请充值。",
    ),
    Reason(
        "autorenew_credit",
        "The platform credit is too low: {amount} needed, {missing} missing. Repay what is owed.",
        "信用额度不足：需要 {amount}，还差 {missing}，请还款。",
    ),
    Reason(
        "autorenew_frozen_by_reseller",
        "Your reseller has frozen the account, so nothing can be renewed. Ask the reseller.",
        "经销商已冻结该账号，无法续费，请联系经销商。",
        Help.RESELLER,
    ),
    Reason(
        "autorenew_credit_overdue",
        "Credit statements over {missing} are overdue. Repay them before {amount} can be charged.",
        "有 {missing} 的信用账单逾期，请先还款，然后才能扣款 {amount}。",
    ),
    Reason(
        "autorenew_card_declined",
        "The card was declined for {amount}. Replace the card or choose another method.",
        "银行卡扣款 {amount} 被拒，请更换银行卡或选择其他支付方式。",
    ),
    Reason(
        "autorenew_card_silent",
        "The card gateway did not answer in time, so {amount} could not be charged. Choose another method or wait.",
        "支付网关未及时响应，未能扣款 {amount}，请选择其他支付方式或等待重试。",
    ),
    Reason(
        "autorenew_card_expired",
        "The card {card} is expired when {amount} is to be charged. Replace it.",
        "扣款 {amount} 时银行卡 {card} 已过期，请更换。",
    ),
    Reason("autorenew_card_gone", "The chosen card was removed. Choose another.", "所选银行卡已被移除，请重新选择。"),
    # Unsubscription
    Reason(
        "unsub_never",
        "Products of this delivery method cannot be unsubscribed.",
        "该交付方式的商品不支持退订。",
        Help.SELLER,
    ),
    Reason(
        "unsub_by_agreement",
        "By special agreement, this order cannot be unsubscribed.",
        "根据特别约定，该订单不支持退订。",
        Help.OPERATIONS,
    ),
    Reason(
        "unsub_image",
        "Images are not negotiated: unsubscribe from the resource on the tab Images.",
        "镜像无需协商退订，请在“镜像”页签中退订资源。",
    ),
    Reason(
        "unsub_pay_per_use",
        "Pay-per-use resources cannot be unsubscribed. Disable them.",
        "按需资源不支持退订，可将其停用。",
    ),
    Reason(
        "unsub_one_time",
        "What was bought once, without service supervision, cannot be unsubscribed.",
        "非服务监管的一次性商品不支持退订。",
    ),
    Reason(
        "unsub_negotiated",
        "Its refund is negotiated with the seller: unsubscribe from the order on the tab Negotiated.",
        "该商品的退款需与卖家协商，请在“协商退订”页签中退订。",
    ),
    Reason(
        "unsub_no_renewal",
        "No renewal of the resource waits to start.",
        "该资源没有未生效的续费。",
    ),
    Reason(
        "unsub_refund_changed",
        "The refund was {was} and is {now} by now. Check it and confirm again.",
        "退款金额已由 {was} 变为 {now}，请核对后再次确认。",
    ),
    Reason("unsub_free", "Nothing was charged, so there is nothing to give back.", "该订单未产生费用，无可退金额。"),
    Reason(
        "unsub_follow_up",
        "The purchase itself can be negotiated, not a renewal or a change of it.",
        "仅可协商退订新购订单，续费和变更订单不支持协商退订。",
    ),
    Reason("unsub_trial", "Trials cannot be unsubscribed. Disable the resource.", "试用资源不支持退订，可将其停用。"),
    Reason(
        "unsub_completed",
        "The order is Completed, so its transaction guarantee period is over.",
        "订单已完成，交易保障期已结束，不支持退订。",
    ),
    Reason(
        "unsub_order_state",
        "Only an order that is paid can be unsubscribed; this one is {state}.",
        "仅已支付的订单支持退订，该订单状态为“{state}”。",
    ),
    Reason(
        "unsub_provisioning",
        "What was ordered is still being provisioned. Unsubscribe from it once it is enabled.",
        "所购商品正在开通中，开通后方可退订。",
    ),
    Reason(
        "unsub_renewed",
        "Order {order} renewed or changed what was bought and counts now, so the purchase alone is not negotiated.",
        "订单 {order} 对该资源的续费或变更已生效，不能单独协商退订新购订单。",
        Help.OPERATIONS,
    ),
    Reason(
        "unsub_several",
        "The order made several resources, which cannot be unsubscribed together.",
        "该订单包含多个资源，不支持一并退订。",
        Help.OPERATIONS,
    ),
    Reason(
        "resource_unsub_open",
        "Request {number} to unsubscribe from it is open. Withdraw it, or wait for the seller's answer.",
        "该资源有处理中的退订申请 {number}，请撤回申请或等待卖家处理。",
    ),
    Reason("unsub_expired", "The resource has expired or is closed.", "资源已到期或已关闭。"),
    Reason(
        "unsub_busy",
        "Order {order} about the same resource is under way. Finish or cancel it first.",
        "同一资源的订单 {order} 正在处理中，请先完成或取消该订单。",
    ),
    Reason("unsub_open", "Request {number} is open already.", "已有处理中的退订申请 {number}。"),
    Reason("unsub_done", "It was unsubscribed already.", "该订单已退订。"),
    Reason(
        "unsub_invoiced",
        "Invoice {number} must be returned first. Ask for it with a service ticket.",
        "请先通过服务工单退回发票 {number}。",
    ),
    Reason("unsub_nothing_left", "Nothing that was paid is left to be given back.", "已无可退金额。"),
    Reason(
        "unsub_exceeds",
        "Enter no more than the actual payment, {limit}.",
        "退款金额不能超过实付金额 {limit}。",
        status=400,
    ),
    Reason(
        "unsub_exceeds_now",
        "Since the request, the actual payment has become {limit}. Reject it, and the customer may ask for less.",
        "申请提交后实付金额已变为 {limit}。请驳回该申请，客户可重新申请较低的金额。",
    ),
    Reason(
        "unsub_amount_format",
        "Enter a plain amount such as {example}.",
        "请输入金额，例如 {example}。",
        status=400,
    ),
    Reason("unsub_reason_needed", "Choose a reason.", "请选择退订原因。", status=400),
    Reason("unsub_text_needed", "Describe the reason.", "请填写退订原因说明。", status=400),
    Reason("unsub_not_open", "The request is no longer open: {state}.", "该退订申请已不在处理中：{state}。"),
    Reason("unsub_decided", "An appeal was decided, and the order ended with it.", "申诉已判定，订单随之结束。"),
    Reason(
        "unsub_left_short",
        "After a refund by an appeal, less than the requested amount is left. Ask for less.",
        "申诉退款后，可退金额已低于申请金额，请重新申请较低的金额。",
    ),
    Reason("payout_not_failed", "This refund has not failed.", "该笔退款并未失败，无需重试。"),
]

REASONS: dict[str, Reason] = {}


def declare(*reasons: Reason) -> None:
    """Add reasons to the list; a code stands once."""
    for reason in reasons:
        if reason.code in REASONS:
            raise ValueError(f"Reason {reason.code!r} is listed twice.")
        REASONS[reason.code] = reason


declare(*_LIST)
