// Keeps the status page fresh, and brings its buttons to life.
//
// The page is fetched again every two seconds and <main> is swapped, unless the reader is
// selecting text or the page is hidden. A command is a fetch with the header X-Plimsoll, which
// pages of other sites cannot send.
"use strict";

const REFRESH_MS = 2000;
const SAID_MS = 6000;
const said = document.getElementById("said");
let timer = 0;
let saidTimer = 0;

function say(text, bad, stays) {
  if (!said) return;
  said.textContent = text;
  said.className = bad ? "bad" : "good";
  clearTimeout(saidTimer);
  if (!stays) saidTimer = setTimeout(() => { said.textContent = ""; said.className = ""; }, SAID_MS);
}

function wake(root) {
  for (const button of root.querySelectorAll("button[data-path]")) button.hidden = false;
}

function pathOfFocus() {
  const focused = document.activeElement;
  return focused && focused.dataset ? focused.dataset.path : undefined;
}

async function refresh() {
  clearTimeout(timer);
  try {
    const selecting = String(getSelection()).length > 0;
    if (!document.hidden && !selecting) {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      if (answer.redirected) return location.reload();
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of ["main", "footer"]) swap(part, next);
      document.title = next.title;
      document.body.classList.remove("lost");
    }
  } catch (_) {
    document.body.classList.add("lost");
    document.title = "No answer · Plimsoll";
  }
  timer = setTimeout(refresh, REFRESH_MS);
}

function swap(part, next) {
  const [old, fresh] = [document.querySelector(part), next.querySelector(part)];
  if (!old || !fresh) return;
  const path = pathOfFocus();
  const scrolled = [...old.querySelectorAll(".wide")].map((one) => one.scrollLeft);
  wake(fresh);
  old.replaceWith(fresh);
  [...fresh.querySelectorAll(".wide")].forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
  if (path) {
    for (const button of fresh.querySelectorAll("button[data-path]")) {
      if (button.dataset.path === path) button.focus();
    }
  }
}

async function command(button) {
  const { method, path, question } = button.dataset;
  if (question && !confirm(question)) return;
  button.disabled = true;
  // A rolling restart takes its time; until it has ended, this stands.
  say(button.textContent + " …", false, true);
  try {
    const answer = await fetch(path, { method, headers: { "X-Plimsoll": "1" } });
    const body = await answer.json();
    if (answer.ok) say(button.textContent + ": done. " + (body.warnings || []).join(" "), false);
    else say([body.error, ...(body.details || []), "→ " + body.remedy].join("\n"), true);
  } catch (_) {
    say("No answer from Plimsoll.", true);
  }
  refresh();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-path]");
  if (button) command(button);
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
wake(document);
timer = setTimeout(refresh, REFRESH_MS);
