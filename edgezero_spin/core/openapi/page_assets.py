"""Style and script of the documentation page."""

from typing import Final

__all__ = ["SCRIPT", "STYLE"]

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; display: grid; gap: 0 2rem;
  grid-template: auto 1fr / 18rem minmax(0, 1fr); font: 1rem/1.5 system-ui, sans-serif; }
header { grid-column: 1 / -1; border-bottom: 1px solid var(--line); }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; }
nav ul { list-style: none; padding: 0; font-size: .9rem; }
nav a { text-decoration: none; overflow-wrap: anywhere; }
h1 small { font-weight: normal; opacity: .7; }
h2 { font-size: 1.15rem; } h4 { margin: 1rem 0 .3rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: 0 .8rem; }
summary { cursor: pointer; padding: .5rem 0; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0;
  border-bottom: 1px solid var(--line); }
dd { margin: 0 0 .5rem 1rem; } dt { font-weight: 600; }
pre { background: var(--soft); padding: .6rem; border-radius: .4rem; overflow: auto; }
.mark { font-size: .8rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .5rem; }
.method { font: 600 .8rem monospace; padding: .1rem .3rem; border-radius: .2rem; color: #fff;
  background: #555; }
.get { background: #1a6e35; } .post { background: #1d55a5; } .put { background: #8a5a00; }
.patch { background: #6a4a8a; } .delete { background: #a32020; }
form:not([hidden]) { display: grid; gap: .4rem; margin: .8rem 0; }
label { display: grid; grid-template-columns: 9rem 1fr; align-items: start; }
input, textarea { font: inherit; width: 100%; } button { justify-self: start; font: inherit; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; } }
"""

# The forms are hidden until they can work. Nothing of an answer is ever taken for HTML.
SCRIPT: Final = """
for (const form of document.querySelectorAll("form")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let path = form.dataset.path;
    const query = new URLSearchParams(), headers = {}, shown = form.querySelector(".answer");
    const request = { method: form.dataset.method, headers };
    for (const field of form.querySelectorAll("[name]")) {
      const { name, value } = field, place = field.dataset.in;
      if (field.dataset.type) {
        if (value) { request.body = value; headers["content-type"] = field.dataset.type; }
      } else if (place === "path") {
        path = path.replace("{" + name + "}", encodeURIComponent(value));
      } else if (value && place === "query") {
        query.append(name, value);
      } else if (value && place === "header") {
        headers[name] = value;
      }
    }
    shown.hidden = false;
    try {
      const answer = await fetch(path + (query.size ? "?" + query : ""), request);
      let text = await answer.text();
      try { text = JSON.stringify(JSON.parse(text), null, 2); } catch {}
      shown.textContent = answer.status + " " + answer.statusText + "\\n\\n" + text;
    } catch (error) {
      shown.textContent = String(error);
    }
  });
}
const open = () => {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (found) { found.open = true; }
};
addEventListener("hashchange", open);
open();
"""
