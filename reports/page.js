"use strict";
// The page is whole without this script; it adds sorting by any column and a first guess at the
// reader's language.
(function () {
  var zh = document.getElementById("lang-zh");
  var en = document.getElementById("lang-en");
  function say() {
    document.documentElement.lang = en.checked ? "en" : "zh";
  }
  if (navigator.language && navigator.language.slice(0, 2).toLowerCase() !== "zh") {
    en.checked = true;
  }
  zh.addEventListener("change", say);
  en.addEventListener("change", say);
  say();

  function value(row, column) {
    var cell = row.cells[column];
    var raw = cell.getAttribute("data-v");
    if (raw === null) return cell.textContent.trim() || null;
    return raw === "" ? null : Number(raw);
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  }

  function sort(table, column, head) {
    var body = table.tBodies[0];
    var rows = Array.prototype.slice.call(body.rows);
    var falling = head.getAttribute("aria-sort") === "ascending" ||
      (!head.hasAttribute("aria-sort") && head.getAttribute("data-first") === "falling");
    rows.sort(function (a, b) {
      var x = value(a, column);
      var y = value(b, column);
      if (x === null || y === null) return (x === null) - (y === null);
      return falling ? compare(y, x) : compare(x, y);
    });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) {
      other.removeAttribute("aria-sort");
    });
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    rows.forEach(function (row) { body.appendChild(row); });
  }

  Array.prototype.forEach.call(document.querySelectorAll("table"), function (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () { sort(table, column, head); });
    });
  });
})();
