"use strict";
// The page is complete without this: it opens what a link leads to, and filters.
(function () {
  function reveal() {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch (error) { /* not a link of ours */ }
    if (!target) return;
    for (let each = target; each; each = each.parentElement) {
      if (each.tagName === "DETAILS") each.open = true;
      each.hidden = false;
    }
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  // A link to where one is already changes nothing, and should still open it.
  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });
  reveal();

  const box = document.getElementById("filter");
  const said = document.getElementById("filtered");
  let index = null;

  // A cell of a matrix is found by what its row, its column and its table are called, too.
  function cells(row) {
    const table = row.closest("table");
    const way = row.closest("tbody").querySelector("th.way");
    const heads = Array.from(row.children).filter(function (each) { return each.tagName === "TH"; });
    const row_name = [table.dataset.about, way ? way.textContent : ""].concat(heads.map(function (each) { return each.textContent; }));
    const columns = table.querySelectorAll("thead th[data-column]");
    return Array.from(row.querySelectorAll("td")).map(function (cell, place) {
      const link = cell.querySelector("a[title]");
      const column = columns[place] ? columns[place].textContent : "";
      const marks = cell.classList.contains("unexpected") ? "unexpected" : "";
      const words = row_name.concat(column, cell.textContent, link ? link.title : "", marks);
      return { cell: cell, empty: !cell.querySelector("a, .badge"), text: plain(words.join(" ")) };
    });
  }
  function plain(text) { return text.replace(/\u200b/g, "").toLowerCase(); }
  function build() {
    return Array.from(document.querySelectorAll(".sought, .matrix tbody tr, .marks tbody tr"), function (row) {
      if (row.closest(".matrix, .marks")) return { row: row, cells: cells(row) };
      const group = row.closest(".group");
      const about = (group ? group.firstElementChild.textContent : "") + ("unexpected" in row.dataset ? " unexpected" : "");
      const shown = row.tagName === "DETAILS" ? row.firstElementChild.textContent : row.textContent;
      return { row: row, text: plain(about + " " + shown) };
    });
  }
  function filter() {
    index = index || build();
    const terms = plain(box.value).split(/\s+/).filter(Boolean);
    const fits = function (text) { return terms.every(function (term) { return text.includes(term); }); };
    let shown = 0;
    for (const each of index) {
      let fitting = true;
      if (each.cells) {
        const found = each.cells.map(function (one) {
          const fine = !terms.length || (!one.empty && fits(one.text));
          one.cell.classList.toggle("beside", !fine);
          return fine;
        });
        fitting = !terms.length || found.some(Boolean);
      } else {
        fitting = fits(each.text);
      }
      each.row.classList.toggle("out", !fitting);
      shown += fitting;
    }
    // What spans the rows of a way would be hidden with its first row.
    for (const way of document.querySelectorAll(".matrix tbody")) {
      const none = !way.querySelector("tr:not(.out)");
      way.classList.toggle("out", none);
      if (!none) way.firstElementChild.classList.remove("out");
    }
    for (const group of document.querySelectorAll("details.group")) {
      group.classList.toggle("out", !group.querySelector(".sought:not(.out)"));
    }
    said.textContent = terms.length ? shown + " of " + index.length + " rows fit" : "";
  }
  let due = 0;
  box.addEventListener("input", function () {
    clearTimeout(due);
    due = setTimeout(filter, 80);
  });
  document.getElementById("search").hidden = false;
})();
