"use strict";
// The page is whole without this script; it adds sorting by any column, filters and a first guess
// at the reader's language.
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

  function each(list, visit) { Array.prototype.forEach.call(list, visit); }

  // A text in both languages; the page's style hides one.
  function both(parent, chinese, english) {
    [["zh", chinese], ["en", english]].forEach(function (pair) {
      var span = document.createElement("span");
      span.lang = pair[0];
      span.textContent = pair[1];
      parent.appendChild(span);
    });
  }

  function tools(before) {
    var box = document.createElement("div");
    box.className = "tools";
    before.parentNode.insertBefore(box, before);
    return box;
  }

  function search(box, chinese, english, change) {
    var label = document.createElement("label");
    both(label, chinese, english);
    var input = document.createElement("input");
    input.type = "search";
    input.addEventListener("input", function () { change(input.value.trim().toLowerCase()); });
    label.appendChild(input);
    box.appendChild(label);
    return input;
  }

  function counter(box) {
    var said = document.createElement("span");
    said.setAttribute("aria-live", "polite");
    box.appendChild(said);
    return said;
  }

  function filterTable(table) {
    var rows = table.tBodies[0].rows;
    var published = table.querySelector("tr.published") && table.querySelector("tbody tr:not(.published)");
    if (rows.length < 8 && !published) return;
    var box = tools(table.parentNode);
    var word = "";
    var measured = false;
    var said;
    function apply() {
      var shown = 0;
      each(rows, function (row) {
        var hit = row.textContent.toLowerCase().indexOf(word) >= 0;
        row.hidden = !hit || (measured && row.className === "published");
        if (!row.hidden) shown += 1;
      });
      said.textContent = shown + " / " + rows.length;
    }
    search(box, "筛选", "Filter", function (text) { word = text; apply(); });
    if (published) {
      var label = document.createElement("label");
      var only = document.createElement("input");
      only.type = "checkbox";
      only.addEventListener("change", function () { measured = only.checked; apply(); });
      label.appendChild(only);
      both(label, "只看实测", "Measured only");
      box.appendChild(label);
    }
    said = counter(box);
  }

  function filterItems(explorer) {
    var items = explorer.querySelectorAll("details.item");
    if (items.length < 2) return;
    var box = tools(items[0]);
    var word = "";
    var kind = "all";
    var said;
    function fits(item) {
      var right = Number(item.getAttribute("data-right"));
      var judged = Number(item.getAttribute("data-judged"));
      if (kind === "differ") return right > 0 && right < judged;
      if (kind === "none") return right === 0;
      if (kind === "every") return right === judged;
      return true;
    }
    function apply() {
      var shown = 0;
      each(items, function (item) {
        item.hidden = !fits(item) || item.textContent.toLowerCase().indexOf(word) < 0;
        if (!item.hidden) shown += 1;
      });
      said.textContent = shown + " / " + items.length;
    }
    search(box, "查找", "Find", function (text) { word = text; apply(); });
    var label = document.createElement("label");
    both(label, "题目", "Items");
    var select = document.createElement("select");
    [["all", "全部 / all"], ["differ", "模型有分歧 / models differ"], ["none", "无人答对 / nobody right"],
     ["every", "全部答对 / everybody right"]].forEach(function (pair) {
      var option = document.createElement("option");
      option.value = pair[0];
      option.textContent = pair[1];
      select.appendChild(option);
    });
    select.addEventListener("change", function () { kind = select.value; apply(); });
    label.appendChild(select);
    box.appendChild(label);
    said = counter(box);
  }

  function enhance(table) {
    each(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () { sort(table, column, head); });
    });
    filterTable(table);
  }

  function enhanceOnce(root) {
    each(root.querySelectorAll("table"), function (table) {
      if (table.className === "answers" || table.ready) return;
      var fold = table.closest("details");
      if (fold && !fold.open) return;
      table.ready = true;
      enhance(table);
    });
    if (root.className === "fold explorer" && !root.ready) {
      root.ready = true;
      filterItems(root);
    }
  }

  // What is folded gets its buttons when it is opened first, so that a long page opens fast.
  enhanceOnce(document.body);
  each(document.querySelectorAll("details.fold"), function (fold) {
    fold.addEventListener("toggle", function () { if (fold.open) enhanceOnce(fold); });
  });
  // A link to something folded unfolds it.
  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})();
