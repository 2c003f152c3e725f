"use strict";
(() => {
  const root = document.documentElement;
  const specs = JSON.parse(document.getElementById("figures").textContent);
  const plots = [...document.querySelectorAll("[data-figure]")];
  const narrow = matchMedia("(max-width: 40rem)");
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const hovers = matchMedia("(hover: hover)");
  const TOP = 25;
  // The width of a printed page in CSS pixels, less its margins.
  const PAPER = 680;
  let family = "";
  let printing = false;

  // A figure names its colours as the page does; plotly wants their values.
  function filled(value, style) {
    if (typeof value === "string" && value.startsWith("var(")) {
      return style.getPropertyValue(value.slice(4, -1)).trim();
    }
    if (Array.isArray(value)) return value.map((item) => filled(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, filled(item, style)]),
      );
    }
    return value;
  }

  function prepared(place) {
    const style = getComputedStyle(root);
    const { data, layout } = filled(specs[place.dataset.figure], style);
    for (const trace of data) {
      const own = trace.meta && trace.meta.family;
      trace.visible = !family || !own || own === family;
    }
    layout.font.family = getComputedStyle(document.body).fontFamily;
    // Keeps the reader's zoom when the theme or the family changes.
    layout.uirevision = "kept";
    // A finger that drags over a figure wants to scroll the page.
    if (narrow.matches) layout.dragmode = false;
    if (printing) layout.width = Math.min(PAPER, layout.width || PAPER);
    return { data, layout };
  }

  function draw() {
    return Promise.all(
      plots.map((place) => {
        const { data, layout } = prepared(place);
        return Plotly.react(place, data, layout, {
          responsive: true,
          displaylogo: false,
          displayModeBar: hovers.matches ? "hover" : false,
          modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
        });
      }),
    );
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : darkSystem.matches;
  }

  function themeButton() {
    const button = document.getElementById("theme");
    const show = () => (button.textContent = isDark() ? "Light page" : "Dark page");
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      show();
      draw();
    });
    darkSystem.addEventListener("change", () => {
      show();
      draw();
    });
    button.hidden = false;
    show();
  }

  function print() {
    let before;
    addEventListener("beforeprint", () => {
      before = root.dataset.theme;
      root.dataset.theme = "light";
      printing = true;
      draw();
    });
    addEventListener("afterprint", () => {
      if (before) root.dataset.theme = before;
      else delete root.dataset.theme;
      printing = false;
      draw();
    });
  }

  function legend() {
    const buttons = [...document.querySelectorAll(".legend button")];
    for (const button of buttons) {
      button.addEventListener("click", () => {
        family = family === button.dataset.family ? "" : button.dataset.family;
        for (const one of buttons) {
          one.setAttribute("aria-pressed", String(one.dataset.family === family));
        }
        draw();
        showRows();
      });
    }
  }

  const body = document.querySelector("#ranked tbody");
  const rows = [...body.rows];
  const find = document.getElementById("find");
  const found = document.getElementById("found");
  const all = document.getElementById("all");
  const intro = found.textContent;
  let shownAll = rows.length <= TOP + 5;

  function showRows() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      const fits =
        (!family || row.dataset.family === family) && words.every((word) => text.includes(word));
      count += fits;
      row.hidden = !fits || (!shownAll && count > TOP && !row.classList.contains("marked"));
    }
    const narrowed = family || words.length;
    found.textContent = narrowed ? `${count} of ${rows.length} trials fit.` : intro;
    all.hidden = shownAll || count <= TOP;
  }

  // What is missing stays at the end, whichever way the column is sorted.
  function sortBy(column, sign) {
    const key = (row) => {
      const cell = row.cells[column];
      if (!("v" in cell.dataset)) return cell.textContent;
      return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    };
    const keyed = rows.map((row, place) => [key(row), place, row]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      const order = typeof a === "number" ? a - b : a.localeCompare(b);
      return sign * order || i - j;
    });
    body.append(...keyed.map(([, , row]) => row));
    showRows();
  }

  function sortable() {
    const heads = [...document.querySelectorAll("#ranked thead th")];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        sortBy(column, up ? 1 : -1);
      });
    });
    find.addEventListener("input", showRows);
    find.closest("label").hidden = false;
    all.addEventListener("click", () => {
      shownAll = true;
      showRows();
    });
    showRows();
  }

  function copyButtons() {
    // Not offered where the browser allows no clipboard, as for a page opened from a plain address.
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll(".copy")) {
      const label = button.firstChild;
      button.hidden = false;
      button.addEventListener("click", async () => {
        const code = button.parentElement.querySelector("code").textContent;
        try {
          await navigator.clipboard.writeText(code);
          label.data = "Copied";
        } catch {
          label.data = "Not allowed";
        }
        setTimeout(() => (label.data = "Copy"), 1600);
      });
    }
  }

  for (const place of plots) place.replaceChildren();
  themeButton();
  print();
  legend();
  sortable();
  copyButtons();
  draw().then(() => (root.dataset.figures = String(plots.length)));
})();
