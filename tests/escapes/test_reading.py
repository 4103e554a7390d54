"""Ways to read what lies above one's clearance, or in a namespace where one holds nothing."""

import pytest

from support.escapes import NAMES, Vault, told

MODEL = "/models/finance/{model}"
VERSION = MODEL + "/versions/1"
FILE = VERSION + "/files/model.safetensors"
DATASET = "/datasets/finance/{dataset}"
DEPLOYMENT = "/deployments/{deployment_id}"
PERIOD = "?start=2025-01-01T00:00:00Z&end=2027-01-01T00:00:00Z"
REQUEST = {"instances": [{"features": {"merchant": "m", "cost_centre": "c"}}]}


def test_a_model_by_its_name(vault: Vault) -> None:
    vault.is_shut(MODEL)


def test_a_models_versions_as_a_list(vault: Vault) -> None:
    vault.is_shut(MODEL + "/versions")


def test_a_version_by_its_number(vault: Vault) -> None:
    vault.is_shut(VERSION)


def test_the_weights(vault: Vault) -> None:
    vault.is_shut(FILE)


def test_a_part_of_the_weights(vault: Vault) -> None:
    vault.is_shut(FILE, headers={"Range": "bytes=0-3"})


@pytest.mark.parametrize("path", [FILE, VERSION, MODEL, DATASET, DEPLOYMENT])
def test_asking_only_for_the_head_or_the_options_of_an_answer(vault: Vault, path: str) -> None:
    for method in ("HEAD", "OPTIONS", "TRACE"):
        hidden = vault.ask(method, path, by="junior")
        absent = vault.world.ask(method, path.format(**vault.nowhere), by="junior")
        assert hidden.status_code in {404, 405}
        assert told(hidden) == told(absent)


@pytest.mark.parametrize(
    "path",
    [
        "../1/files/model.safetensors",
        "%2e%2e/%2e%2e/2/files/model.safetensors",
        "..%2f..%2f2%2ffiles%2fmodel.safetensors",
        "model.safetensors/",
        "/model.safetensors",
        "model.safetensors%00",
        "MODEL.SAFETENSORS",
        "%2fetc%2fpasswd",
        "....//....//etc/passwd",
        "..\\..\\etc\\passwd",
    ],
)
def test_a_file_by_another_spelling_of_its_path(vault: Vault, path: str) -> None:
    asked = f"{VERSION}/files/{path}"
    assert vault.get(asked).status_code == 404
    by_the_senior = vault.get(asked, by="senior")
    assert by_the_senior.status_code == 404, "a manifest's files have one spelling each"


@pytest.mark.parametrize(
    "path",
    [
        "/models/Finance/{model}",
        "/models/FINANCE/{model}",
        "/models/finance/{model}/",
        "/models//finance/{model}",
        "/models/finance%2f{model}",
        "/models/./finance/{model}",
        "/datasets/../models/finance/{model}",
        "/models/finance/%63lassifier",
        "/models/\uff46inance/{model}",
        "/models/finance/{model};v=1",
        "/models/*/{model}",
        "/models/finance/%25",
    ],
)
def test_a_model_by_another_spelling_of_its_name(vault: Vault, path: str) -> None:
    answer = vault.get(path)
    assert answer.status_code in {307, 404}
    absent = vault.world.get(path.format(**vault.nowhere), by="junior")
    assert answer.status_code == absent.status_code
    if answer.status_code == 404:
        assert answer.content == absent.content


def test_where_an_alias_points(vault: Vault) -> None:
    vault.is_shut(MODEL + "/aliases/champion")


def test_the_history_of_an_alias(vault: Vault) -> None:
    vault.is_shut(MODEL + "/history")


def test_a_dataset_by_its_name(vault: Vault) -> None:
    vault.is_shut(DATASET)


def test_a_datasets_versions(vault: Vault) -> None:
    vault.is_shut(DATASET + "/versions")
    vault.is_shut(DATASET + "/versions/1")


def test_a_run_by_its_id(vault: Vault) -> None:
    vault.is_shut("/runs/{run_id}")


def test_lineage_from_a_hidden_version_upwards_and_downwards(vault: Vault) -> None:
    for direction in ("up", "down"):
        vault.is_shut(f"/lineage?node=model:finance/{{model}}@1&direction={direction}")
        vault.is_shut(f"/lineage?node=dataset:finance/{{dataset}}@1&direction={direction}")


def test_the_impact_of_a_hidden_dataset(vault: Vault) -> None:
    vault.is_shut("/lineage/impact?dataset=finance/{dataset}@1")


def test_a_deployment_and_what_it_answers_with(vault: Vault) -> None:
    vault.is_shut(DEPLOYMENT)
    vault.is_shut(DEPLOYMENT + "/rollout")


def test_a_hidden_models_answers(vault: Vault) -> None:
    asked = len(vault.world.gateway.asked)
    for by in ("junior", "stranger"):
        vault.is_shut(DEPLOYMENT + "/predict", method="POST", by=(by,), json=REQUEST)
        asked += 1  # by the senior alone
        assert len(vault.world.gateway.asked) == asked


def test_how_often_a_hidden_model_was_right(vault: Vault) -> None:
    vault.is_shut(DEPLOYMENT + "/accuracy" + PERIOD)


def test_whether_a_record_id_is_known_by_sending_it_again(vault: Vault) -> None:
    feedback = {"feedback": [{"record_id": "first", "label": "Fuel"}]}
    vault.is_shut(DEPLOYMENT + "/feedback", method="POST", json=feedback)


def test_monitors_checks_and_their_reports(vault: Vault) -> None:
    vault.is_shut("/monitors/{monitor_id}")
    vault.is_shut(DEPLOYMENT + "/checks")
    vault.is_shut(DEPLOYMENT + "/checks/{check_id}/report")


def test_a_hidden_report_through_a_deployment_that_one_may_see(vault: Vault) -> None:
    """The check's id is asked for under another deployment, by somebody who may see both."""
    path = "/deployments/{job_id}/checks/{check_id}/report"
    assert vault.get(path, by="senior").status_code == 404


def test_an_alert(vault: Vault) -> None:
    vault.is_shut("/alerts/{alert_id}")


def test_a_job_what_it_was_told_and_what_happened_to_it(vault: Vault) -> None:
    vault.is_shut("/jobs/{job_id}")
    vault.is_shut("/jobs/{job_id}/events")


def test_a_retraining_policy(vault: Vault) -> None:
    vault.is_shut("/retraining-policies/{policy_id}")


def test_an_approval_with_its_votes(vault: Vault) -> None:
    vault.is_shut("/approvals/{approval_id}")


def test_a_decision_about_what_is_hidden(vault: Vault) -> None:
    vault.is_shut("/decisions/{decision_id}")


def test_proving_by_an_entity_tag_that_one_knows_the_content(vault: Vault) -> None:
    for path, name in ((VERSION, "manifest_digest"), (DATASET + "/versions/1", "content_digest")):
        for tag in ("*", f'"{vault.places[name]}"'):
            vault.is_shut(path, headers={"If-None-Match": tag})
    right = vault.get(VERSION, by="senior").headers["etag"]
    assert vault.get(VERSION, by="senior", headers={"If-None-Match": right}).status_code == 304
    assert vault.get(VERSION, headers={"If-None-Match": right}).status_code == 404


@pytest.mark.parametrize("condition", ['"1"', '"999"', "*", "odd"])
def test_finding_out_a_revision_by_a_precondition(vault: Vault, condition: str) -> None:
    headers = {"If-Match": condition}
    for path, body in ((MODEL, {"description": "x"}), (DEPLOYMENT, {"state": "stopped"})):
        for by in ("junior", "stranger"):
            answer = vault.ask("PATCH", path, by=by, json=body, headers=headers)
            assert answer.status_code == 404


@pytest.mark.parametrize("override", ["X-HTTP-Method-Override", "X-Method-Override"])
def test_another_method_by_a_header(vault: Vault, override: str) -> None:
    vault.is_shut(MODEL, headers={override: "DELETE"})
    answer = vault.ask("POST", MODEL, by="junior", headers={override: "GET"})
    assert answer.status_code == 405


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
def test_verbs_that_are_not_meant_for_it(vault: Vault, method: str) -> None:
    for path in (VERSION, FILE, DATASET, "/runs/{run_id}", "/decisions/{decision_id}"):
        answer = vault.ask(method, path, by="junior", json={})
        absent = vault.world.ask(method, path.format(**vault.nowhere), by="junior", json={})
        assert (answer.status_code, answer.content) == (absent.status_code, absent.content)
        assert answer.status_code in {404, 405}


def test_the_bytes_by_guessing_their_digest(vault: Vault) -> None:
    """Content is stored by its digest, which those may know who may see the manifest."""
    file = vault.get(VERSION, by="senior").json()["manifest"][0]
    for path in (f"/blobs/{file['sha256']}", f"/files/{file['sha256']}", f"//{file['sha256']}"):
        assert vault.get(path).status_code == 404
    assert vault.get(f"{VERSION}/files/{file['sha256']}").status_code == 404


def test_wrong_input_about_what_is_hidden(vault: Vault) -> None:
    """Whatever else is wrong with a request, it is said before or after, never because of it."""
    order = {"dataset": "finance/none", "dataset_versions": [1], "purpose": "odd"}
    policy = {"acts_as": "nobody", "dataset": "finance/{dataset}"}
    for path, body in (
        ("/jobs", order | {"model": "finance/{model}", "risk_tier": "odd"}),
        ("/jobs", order | {"model": "finance/{model}", "recipe": {"odd": 1}}),
        ("/monitors", {"deployment_id": "{deployment_id}", "acts_as": "nobody", "cron": "odd"}),
        ("/retraining-policies", policy | {"deployment_id": "{deployment_id}"}),
        ("/approvals", {"subject": {"type": "retraining-policy", "id": "{policy_id}"}}),
    ):
        hidden, absent = (
            vault.world.post(path, filled(body, places), by="junior")
            for places in (vault.places, vault.nowhere)
        )
        assert told(hidden) == told(absent), path
        assert hidden.status_code in {404, 422}


def test_names_in_the_document_of_the_api(vault: Vault) -> None:
    text = vault.world.get("//openapi.json", by=None).text + vault.world.get("//docs", by=None).text
    assert not any(name in text for name in NAMES)


def filled(body: object, places: dict[str, str]) -> object:
    """The body with the places that it names."""
    if isinstance(body, dict):
        return {key: filled(value, places) for key, value in body.items()}
    return body.format(**places) if isinstance(body, str) else body
