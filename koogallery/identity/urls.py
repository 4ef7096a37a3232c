"""Addresses of identity."""

from django.urls import path

from koogallery.identity.views import (
    agreements,
    credentials,
    iam_groups,
    iam_policies,
    iam_users,
    passwords,
    projects,
    signing_in,
    signing_up,
    tags,
)

app_name = "identity"

urlpatterns = [
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-in/code/", signing_in.second_step, name="second_step"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("sign-up/", signing_up.sign_up, name="sign_up"),
    path("accounts/verify/<str:token>/", signing_up.verify_email, name="verify_email"),
    path("accounts/password/", passwords.ask_reset, name="ask_reset"),
    path("accounts/password/<slug:number>/<str:token>/", passwords.reset_password, name="reset_password"),
    path("accounts/preferences/", credentials.display, name="preferences"),
    path("accounts/two-step/", credentials.enable_two_step, name="enable_two_step"),
    path("accounts/two-step/off/", credentials.disable_two_step, name="disable_two_step"),
    path("accounts/verify/", credentials.ask_to_verify, name="ask_to_verify"),
    path("help/terms/", agreements.terms, name="terms"),
    path("console/iam/", iam_users.user_list, name="users"),
    path("console/iam/users/new/", iam_users.create_user, name="create_user"),
    path("console/iam/users/<slug:number>/", iam_users.user_details, name="user"),
    path("console/iam/groups/", iam_groups.group_list, name="groups"),
    path("console/iam/groups/new/", iam_groups.create_group, name="create_group"),
    path("console/iam/groups/<slug:number>/", iam_groups.group_details, name="group"),
    path("console/iam/groups/<slug:number>/delete/", iam_groups.delete_group, name="delete_group"),
    path("console/iam/policies/", iam_policies.policy_list, name="policies"),
    path("console/iam/policies/new/", iam_policies.create_policy, name="create_policy"),
    path("console/iam/policies/<slug:number>/", iam_policies.policy_details, name="policy"),
    path("console/iam/policies/<slug:number>/delete/", iam_policies.delete_policy, name="delete_policy"),
    path("console/iam/simulator/", iam_policies.simulator, name="simulator"),
    path("console/iam/credentials/", credentials.credentials, name="credentials"),
    path("console/iam/keys/<slug:key_id>/", credentials.access_key, name="access_key"),
    path("console/projects/", projects.project_list, name="projects"),
    path("console/projects/new/", projects.create_project, name="create_project"),
    path("console/projects/<slug:code>/", projects.edit_project, name="project"),
    path("console/projects/<slug:code>/switch/", projects.switch_project, name="switch_project"),
    path("console/tags/", tags.tag_list, name="tags"),
    path("console/tags/<int:number>/delete/", tags.delete_tag, name="delete_tag"),
    path("console/agreements/", agreements.signature_list, name="agreements"),
    path("console/agreements/<slug:number>/", agreements.signature_details, name="agreement"),
    path("console/agreements/consents/<int:number>/withdraw/", agreements.withdraw_consent, name="withdraw_consent"),
]
