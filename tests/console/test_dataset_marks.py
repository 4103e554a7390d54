"""The marks of columns on a dataset's page, and the forms of stewards."""

import re

from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.lineage import ColumnMark
from console.story import Story, sign_in

PAGE = "/console/datasets/finance/purchases"


def marks(story: Story) -> dict[str, ColumnMark]:
    with story.platform.database.reading() as session:
        return {mark.mark: mark for mark in session.scalars(select(ColumnMark))}


def test_a_steward_scans_marks_and_decides(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("steward", "steward"))
    assert browser.post(f"{PAGE}/versions/2/scan").headers["location"] == f"{PAGE}#columns"
    data = {"column": "merchant", "mark": "personal-data"}
    assert browser.post(f"{PAGE}/marks", data=data).status_code == 303
    page = browser.get(PAGE).text
    assert re.search(r"personal-data</span>.*accepted</span>", page)
    mark = marks(story)["personal-data"]
    assert (mark.source, mark.state) == ("steward", "accepted")
    path = f"{PAGE}/marks/{mark.id}/decide"
    assert browser.post(path, data={"answer": "reject"}).status_code == 303
    assert marks(story)["personal-data"].state == "rejected"
    assert "Accept</button>" in browser.get(PAGE).text
    assert browser.post(path, data={"answer": "accept"}).status_code == 303
    assert marks(story)["personal-data"].state == "accepted"


def test_others_see_the_marks_and_are_offered_nothing(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("steward", "steward"))
    browser.post(f"{PAGE}/marks", data={"column": "merchant", "mark": "free-text"})
    mark = marks(story)["free-text"]
    browser.cookies.clear()
    sign_in(browser, story.token("reader", "engineer"))
    page = browser.get(PAGE).text
    assert "free-text</span>" in page
    for offered in ("Scan version", "Reject</button>", "Mark</button>"):
        assert offered not in page
    assert browser.post(f"{PAGE}/versions/1/scan").status_code == 403
    answer = browser.post(f"{PAGE}/marks/{mark.id}/decide", data={"answer": "reject"})
    assert answer.status_code == 403


def test_a_wrong_column_is_refused_on_a_page(browser: TestClient, story: Story) -> None:
    sign_in(browser, story.token("steward", "steward"))
    answer = browser.post(f"{PAGE}/marks", data={"column": "none", "mark": "free-text"})
    assert answer.status_code == 422
    assert "merchant" in answer.text
    odd = browser.post(f"{PAGE}/marks", data={"column": "merchant", "mark": "odd"})
    assert odd.status_code == 422
