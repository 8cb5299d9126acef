"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];

  // Light, dark, or as the system says; remembered where the browser allows it.
  const themes = ["system", "light", "dark"];
  const button = document.getElementById("theme");
  const remembered = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("reconcile-theme");
      localStorage.setItem("reconcile-theme", value);
    } catch { /* a page from a file may not remember anything */ }
    return value;
  };
  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = themes.includes(remembered()) ? remembered() : "system";
  apply(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    apply(remembered(theme));
  });

  // The filter over all tables of findings.
  const bar = document.getElementById("filter");
  const rows = all(".findings tbody tr");
  if (bar && rows.length) {
    const words = bar.querySelector("[type=search]");
    const status = bar.querySelector("select");
    const attention = bar.querySelector("[type=checkbox]");
    const count = bar.querySelector("output");
    const sections = all(".keystore").map((section) => ({
      section, wasOpen: section.open, rows: [...section.querySelectorAll(".findings tbody tr")],
    }));
    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      return texts.get(row);
    };
    const filter = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const active = wanted.length > 0 || status.value !== "" || attention.checked;
      let shown = 0;
      for (const each of sections) {
        let here = 0;
        for (const row of each.rows) {
          row.hidden = (status.value !== "" && row.dataset.status !== status.value)
            || (attention.checked && !("attention" in row.dataset))
            || !wanted.every((word) => textOf(row).includes(word));
          if (!row.hidden) here += 1;
        }
        each.section.hidden = active && sections.length > 1 && here === 0;
        if (sections.length > 1) each.section.open = active ? here > 0 : each.wasOpen;
        shown += here;
      }
      count.value = `${shown} of ${rows.length}`;
    };
    // Of a large fleet not every keystroke is worth a pass over all rows.
    let timer;
    const soon = () => { clearTimeout(timer); timer = setTimeout(filter, 250); };
    for (const control of [words, status, attention]) control.addEventListener("input", rows.length > 3000 ? soon : filter);
    bar.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
        event.preventDefault();
        words.focus();
      }
    });
    bar.hidden = false;
    filter();
  }

  // A link into something that is closed opens it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") { one.open = true; one.hidden = false; }
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
  addEventListener("beforeprint", () => { for (const one of all(".keystore")) one.open = true; });
})();
