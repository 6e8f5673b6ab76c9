// A delivery's page in the admin: asks how it goes, as long as it is on its way.

const section = document.getElementById("delivery-now");
const said = section.querySelector("[data-said]");
const lost = section.querySelector("[data-lost]");

const SOON = 1000;
const LATER = 10000;
const SOON_FOR = 60;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function ask() {
  const answer = await fetch(section.dataset.now, { redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector("[data-part]");
}

function show(part) {
  const before = section.querySelector("[data-part]");
  if (part.innerHTML === before.innerHTML) return;
  const state = part.querySelector("[data-state]").textContent;
  if (state !== before.querySelector("[data-state]").textContent) said.textContent = state;
  const held = before.contains(document.activeElement);
  before.replaceWith(document.importNode(part, true));
  if (held) section.querySelector("h2").focus();
}

async function follow() {
  for (let looks = 0; section.querySelector("[data-under-way]"); looks += 1) {
    await pause(looks < SOON_FOR ? SOON : LATER);
    if (document.hidden) continue;
    try {
      show(await ask());
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
  }
}

follow();
