"""The page, as HTML and in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from s3net_monai.inference.report.html_report import (
    duration,
    measure_columns,
    relative_link,
    render_html_report,
    write_html_report,
)
from tests.helpers.browser import running_chromium

HOSTILE = "<script>alert(1)</script>"
QUOTED = "\"><img src=x onerror=alert(2)> ' & {{ 7 * 7 }}"


def case(name: str, **values: Any) -> dict[str, Any]:
    measures = {"volume_ml": 5000.0, "left_ml": 2400.0, "right_ml": 2600.0, "mean_hu": -840.4, "fraction": 0.1}
    return {
        "case_id": name,
        "input": f"in/{name}.nii.gz",
        "status": "ok",
        "reason": None,
        "outputs": {"nifti": f"{name}_seg.nii.gz", "preview": f"{name}_preview.jpg"},
        "seconds": {"read": 0.5, "infer": 9.0, "write": 0.5, "total": 10.0},
        "measures": measures,
        "consistency": 0.95,
        "warnings": [],
        "selection": "",
        **values,
    }


def report(cases: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    counts = {status: sum(entry["status"] == status for entry in cases) for status in ("ok", "failed", "skipped")}
    return {
        "schema_version": 2,
        "package_version": "0.1.0",
        "task": "lung",
        "model": {"name": "lung_ct_segmentation", "version": "1.2.3", "sha256": "0123456789abcdef" * 4},
        "settings": {"formats": ["nifti", "dicomseg"], "mode": "amortized", "device": "cpu"},
        "cases": cases,
        "summary": {**counts, "seconds": 75.0},
        **values,
    }


def mixed() -> dict[str, Any]:
    no_outputs: dict[str, Any] = {"outputs": {}, "measures": {}, "consistency": None}
    big = {"volume_ml": 12000.0, "left_ml": None, "right_ml": None, "mean_hu": -700.0, "fraction": 0.2}
    empty = {"volume_ml": 0.0, "left_ml": None, "right_ml": None, "mean_hu": None, "fraction": 0.0}
    return report(
        [
            case("case2"),
            case("case10", measures=big, warnings=["left and right lung could not be told apart"]),
            case("case1", status="failed", reason="case1.nii.gz: missing slice; export it again", **no_outputs),
            case("odd name #1%?", measures={**big, "volume_ml": 900.0}, consistency=0.5),
            case("empty", measures=empty, consistency=1.0),
            case(HOSTILE, **{**no_outputs, "status": "failed", "reason": HOSTILE + QUOTED}),
            case(QUOTED, outputs={"nifti": "javascript:alert(3)", HOSTILE: "//evil.example/x"}, selection=HOSTILE),
        ],
        excluded=[{"input": HOSTILE, "series": "series 2", "reason": QUOTED}],
    )


class Elements(HTMLParser):
    """Tags with their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


# As HTML


def test_text_from_the_data_is_escaped() -> None:
    html = render_html_report(mixed())
    elements = Elements(html)
    assert len(elements.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in elements.elements for name in attributes)
    assert not any("style" in attributes for _, attributes in elements.elements)  # the policy would refuse it
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7 * 7 }}" in html  # no template in the data is run


def test_links_are_relative_and_percent_encoded() -> None:
    elements = Elements(render_html_report(mixed()))
    links = [attributes["href"] for attributes in elements.all("a")] + [image["src"] for image in elements.all("img")]
    assert links
    assert all(link is not None and link.startswith("./") and ":" not in link for link in links)
    assert "./odd%20name%20%231%25%3F_seg.nii.gz" in links
    assert relative_link("a/b ü.png") == "./a/b%20%C3%BC.png"


def test_the_page_needs_no_other_file() -> None:
    html = render_html_report(mixed())
    elements = Elements(html)
    assert not elements.all("link")
    assert not any("src" in attributes for attributes in elements.all("script"))
    assert "url(" not in html
    assert "http://" not in html.replace("http-equiv", "")
    assert "https://" not in html
    policy = next(meta["content"] or "" for meta in elements.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none';")
    assert "unsafe-inline" not in policy


def test_a_run_without_cases_or_with_an_older_report_has_a_page(tmp_path: Path) -> None:
    assert "0 cases" in render_html_report(report([]))
    old = {"case_id": "a", "input": "a.png", "status": "ok", "reason": None, "outputs": {"png": "a_seg.png"}}
    assert "a_seg.png" in render_html_report(
        report([{**old, "seconds": {}, "measures": {"area_px": 3}, "consistency": None}])
    )


def test_the_page_is_written_whole_over_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    path = write_html_report(mixed(), tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(KeyError):
        write_html_report({}, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_classes_have_columns_in_the_order_of_the_table() -> None:
    columns = measure_columns([{"fraction": {"a": 0.1, "b": 0.2}, "new": 1}, {"volume_ml": {"a": 5.0, "b": 6.0}}])
    keys = [(column.key, column.class_name) for column in columns]
    assert keys == [("volume_ml", "a"), ("volume_ml", "b"), ("fraction", "a"), ("fraction", "b"), ("new", None)]
    assert columns[1].value({"volume_ml": {"a": 5.0, "b": 6.0}}) == 6.0
    assert columns[1].value({}) is None


def test_durations_are_readable() -> None:
    assert [duration(seconds) for seconds in (4.24, 200, 7500)] == ["4.2 s", "3 min 20 s", "2 h 5 min"]


# In Chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with running_chromium("--disable-gpu", size=(1500, 1400)) as driver:
        yield driver


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """The mixed report, opened from disk."""
    folder = tmp_path / "a folder #1"
    folder.mkdir()
    for entry in mixed()["cases"]:
        if "preview" in entry["outputs"]:
            Image.new("RGB", (64, 48), (200, 30, 30)).save(folder / entry["outputs"]["preview"])
    path = write_html_report(mixed(), folder)
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # discards the entries of earlier pages
    browser.get(path.as_uri())
    return browser


def shown(page: Any) -> list[str]:
    """Return the ids of the visible rows in order."""
    return page.execute_script(
        "return [...document.querySelectorAll('#cases tbody tr')].filter(row => row.offsetParent !== null)"
        ".map(row => row.querySelector('.id').textContent)"
    )


def heading(page: Any, title: str) -> Any:
    return page.find_element("xpath", f"//table[@id='cases']/thead//button[starts-with(normalize-space(), '{title}')]")


def test_the_page_opens_without_errors_or_requests(page: Any) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    loaded = "return [...document.images].every(image => image.complete && image.naturalWidth === 64)"
    WebDriverWait(page, 20).until(lambda driver: driver.execute_script(loaded))
    assert page.execute_script("return document.images.length") == 4
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requests = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    assert all(url.startswith("file:///") for url in requests)
    assert HOSTILE in shown(page)
    assert QUOTED in shown(page)
    assert page.execute_script("return document.querySelectorAll('#cases script, #cases img[src=x]').length") == 0
    hrefs = page.execute_script("return [...document.links].map(link => link.href)")
    assert all(href.startswith("file:///") for href in hrefs)


def test_the_policy_stops_injected_scripts_and_connections(page: Any) -> None:
    page.execute_script(
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script)"
    )
    assert page.execute_script("return window.ran === undefined")
    fetched = (
        "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('sent'), error => done('refused'))"
    )
    assert page.execute_async_script(fetched) == "refused"
    assert sum("Content Security Policy" in entry["message"] for entry in page.get_log("browser")) >= 2


def test_columns_sort_as_numbers_with_missing_values_last(page: Any) -> None:
    heading(page, "Case").click()
    order = shown(page)
    assert order.index("case1") < order.index("case2") < order.index("case10")
    heading(page, "Volume").click()
    assert shown(page)[:2] == ["empty", "odd name #1%?"]
    assert set(shown(page)[-2:]) == {"case1", HOSTILE}
    cell = heading(page, "Volume").find_element("xpath", "..")
    assert cell.get_attribute("aria-sort") == "ascending"
    heading(page, "Volume").click()
    assert cell.get_attribute("aria-sort") == "descending"
    assert shown(page)[0] == "case10"
    assert set(shown(page)[-2:]) == {"case1", HOSTILE}
    heading(page, "Consistency").click()
    assert shown(page)[0] == "odd name #1%?"
    assert cell.get_attribute("aria-sort") is None


def test_every_column_sorts(page: Any) -> None:
    buttons = page.find_elements("css selector", "#cases thead th")
    for header in buttons:
        header.find_element("tag name", "button").click()
        assert header.get_attribute("aria-sort") == "ascending"
        assert len(shown(page)) == 7
    assert page.get_log("browser") == []


def test_headings_work_from_the_keyboard(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    heading(page, "Volume").send_keys(Keys.ENTER)
    assert shown(page)[0] == "empty"
    page.find_element("id", "filter").send_keys(Keys.TAB)
    assert page.switch_to.active_element.get_attribute("id") == "review"
    page.switch_to.active_element.send_keys(Keys.SPACE)
    assert "case2" not in shown(page)


def test_the_text_filter_covers_ids_files_status_and_notes(page: Any) -> None:
    field = page.find_element("id", "filter")
    for text, expected in {
        "CASE1": ["case10", "case1"],
        "failed missing": ["case1"],
        "told apart": ["case10"],
        "in/case2.nii": ["case2"],
        "nothing like this": [],
    }.items():
        field.clear()
        field.send_keys(text)
        assert shown(page) == expected
        assert page.find_element("id", "shown").text == f"{len(expected)} of 7 cases"
    assert page.find_element("id", "none").is_displayed()


def test_needs_review_leaves_the_cases_to_review(page: Any) -> None:
    button = page.find_element("id", "review")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert shown(page) == ["case10", "case1", "odd name #1%?", "empty", HOSTILE]
    page.find_element("id", "filter").send_keys("empty")
    assert shown(page) == ["empty"]
    page.find_element("id", "filter").clear()
    button.click()
    assert len(shown(page)) == 7


def test_excluded_series_are_folded_away(page: Any) -> None:
    section = page.find_element("id", "excluded")
    assert not section.find_element("tag name", "table").is_displayed()
    section.find_element("tag name", "summary").click()
    assert "series 2" in section.find_element("tag name", "table").text
    assert QUOTED in section.find_element("tag name", "table").text


def test_the_page_has_a_dark_theme_and_a_print_style(page: Any) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    colors = {}
    for scheme in ("light", "dark"):
        features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        colors[scheme] = page.execute_script(background)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    controls = page.execute_script("return getComputedStyle(document.querySelector('.controls')).display")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert colors["light"] != colors["dark"]
    assert controls == "none"
