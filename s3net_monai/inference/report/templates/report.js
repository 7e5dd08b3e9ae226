(() => {
  "use strict";
  const table = document.getElementById("cases");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const texts = rows.map((row) => `${row.textContent} ${row.querySelector(".input").title}`.toLowerCase());
  const headers = Array.from(table.tHead.rows[0].cells);
  const filter = document.getElementById("filter");
  const review = document.getElementById("review");
  const collator = new Intl.Collator(undefined, { numeric: true });

  function sortBy(header) {
    const column = headers.indexOf(header);
    const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const numbers = header.dataset.kind === "number";
    const keys = new Map(rows.map((row) => {
      const key = row.cells[column].dataset.sort;
      return [row, key === undefined ? null : numbers ? Number(key) : key];
    }));
    const compare = (first, second) => {
      const a = keys.get(first), b = keys.get(second);
      if (a === null || b === null) return (a === null) - (b === null);  // missing values last, either way round
      return direction * (numbers ? a - b : collator.compare(a, b));
    };
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    body.append(...rows.slice().sort(compare));
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const onlyReview = review.getAttribute("aria-pressed") === "true";
    let count = 0;
    rows.forEach((row, index) => {
      const wanted = (!onlyReview || row.dataset.review === "yes") && words.every((word) => texts[index].includes(word));
      row.hidden = !wanted;
      count += wanted;
    });
    document.getElementById("shown").textContent = `${count} of ${rows.length} cases`;
    document.getElementById("none").hidden = count > 0;
  }

  headers.forEach((header) => header.querySelector("button").addEventListener("click", () => sortBy(header)));
  filter.addEventListener("input", show);
  review.addEventListener("click", () => {
    review.setAttribute("aria-pressed", String(review.getAttribute("aria-pressed") !== "true"));
    show();
  });
  show();  // a reloaded page keeps what was typed
})();
