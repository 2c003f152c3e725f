"use strict";
(() => {
  const root = document.documentElement;
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const TOP = 25;
  let family = "";

  function showFamily() {
    for (const one of document.querySelectorAll("svg [data-family]")) {
      one.style.display = !family || one.dataset.family === family ? "" : "none";
    }
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
    });
    darkSystem.addEventListener("change", show);
    button.hidden = false;
    show();
  }

  // What is folded away on the screen belongs on paper.
  function print() {
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      for (const one of closed) one.open = true;
    });
    addEventListener("afterprint", () => {
      for (const one of closed) one.open = false;
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
        showFamily();
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

  // A table that goes on to the right says so, at any width; one that does not says nothing.
  function goesOn() {
    const tables = [...document.querySelectorAll(".scroll")];
    const show = () => {
      for (const one of tables) {
        one.classList.toggle("wide", one.scrollWidth > one.clientWidth + 1);
      }
    };
    addEventListener("resize", show);
    for (const one of document.querySelectorAll("details")) one.addEventListener("toggle", show);
    root.dataset.measured = "true";
    show();
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

  themeButton();
  print();
  legend();
  sortable();
  copyButtons();
  goesOn();
  root.dataset.ready = "true";
})();
