// Everything works without this. It writes times as the viewer's clock has them, renews what is live, and copies.
"use strict";

const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const withSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const RECENT = 24 * 3600 * 1000;

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const isToday = at.toDateString() === new Date().toDateString() && Math.abs(Date.now() - at) < RECENT;
    element.textContent = isToday ? withSeconds.format(at) : zoned.format(at);
  }
}

function copiers(root) {
  if (!navigator.clipboard) return;
  for (const element of root.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copier";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(element.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    element.after(button);
  }
}

// What somebody is about to send, or has opened, stays as it is.
const isInUse = part =>
  part.querySelector("input:checked, details[open] :focus") ||
  [...part.querySelectorAll("input, textarea")].some(field => field.value !== field.defaultValue) ||
  (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button"));

function live(part) {
  const usual = Number(part.dataset.live) * 1000;
  let etag = "", wait = usual, timer;
  const later = () => { clearTimeout(timer); timer = setTimeout(renew, document.hidden ? Math.max(wait, 60000) : wait); };
  async function renew() {
    try {
      if (!document.hidden && !isInUse(part)) {
        const answer = await fetch(location.href, { headers: { "X-Fragment": "live", "If-None-Match": etag }, cache: "no-store" });
        if (answer.redirected) return location.reload();
        if (answer.status === 200) {
          const text = await answer.text();
          if (!isInUse(part)) {
            const scrolled = [...part.querySelectorAll(".scroll, .scrolled")].map(one => [one.scrollLeft, one.scrollTop]);
            const opened = new Map([...part.querySelectorAll("details")].map(one => [one.firstElementChild.textContent, one.open]));
            part.innerHTML = text;
            for (const one of part.querySelectorAll("details")) one.open = opened.get(one.firstElementChild.textContent) ?? one.open;
            [...part.querySelectorAll(".scroll, .scrolled")].forEach((one, at) => {
              if (scrolled[at]) [one.scrollLeft, one.scrollTop] = scrolled[at];
            });
            localTimes(part);
            copiers(part);
            etag = answer.headers.get("ETag") || "";
          }
        }
        wait = answer.ok || answer.status === 304 ? usual : Math.min(wait * 2, 300000);
      }
    } catch {
      wait = Math.min(wait * 2, 300000);
    }
    later();
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { wait = usual; renew(); } });
  later();
}

localTimes(document);
copiers(document);
document.querySelectorAll("[data-live]").forEach(live);
for (const field of document.querySelectorAll("[data-zone]")) {
  if (field.value === "UTC") field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
