// Says what is wrong with a playbook while it is being written, and goes to the line.
"use strict";

for (const form of document.querySelectorAll("form[data-check]")) {
  const area = form.querySelector("textarea"), found = form.querySelector("[data-problems]");
  let timer, latest = 0;

  async function check() {
    const mine = ++latest;
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.check, { method: "POST", body, headers: { "X-Fragment": "live" } });
      if (answer.ok && !answer.redirected && mine === latest) found.innerHTML = await answer.text();
    } catch {
      // Whoever saves it is told all the same.
    }
  }

  area.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 500); });
  found.addEventListener("click", event => {
    const line = Number(event.target.dataset.line);
    if (!line) return;
    event.preventDefault();
    const lines = area.value.split("\n"), start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[line - 1] || "").length);
    area.scrollTop = (line - 5) * area.scrollHeight / lines.length;
  });
}
